"""Losses that are known, and those that wait for a backward pass."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.observe.later import Number
from unstuck.observe.probes.constant import ConstantLoss
from unstuck.observe.probes.formula import Formula
from unstuck.observe.samples.batch import Batch
from unstuck.record.thinning import Rows
from unstuck.schema.facts.losses import Loss


@dataclass(slots=True)
class Known:
    """A place that computes a loss."""

    name: str
    fact: Loss
    constant: ConstantLoss
    rows: Rows  # where its values wait to be written
    written: bool = False
    reached: int = 0  # how often backward came to it
    looks: tuple[int, int] = (-1, 0)  # the last sampled step, and how often it was looked at then
    by_hand: Formula | None = None  # of this backward pass, until it was taken


@dataclass(slots=True)
class Pending:
    """A loss that may yet reach backward."""

    value: Number
    known: Known
    batch: Batch | None
    weight: int
    share: Number = 1.0  # of one term, in the value
    age: int = 0
