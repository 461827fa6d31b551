"""Losses that are known, and those that wait for a backward pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unstuck.observe.later import Later, Number
from unstuck.observe.probes.constant import ConstantLoss
from unstuck.observe.samples.batch import Batch
from unstuck.record.thinning import Rows
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.losses import Loss
from unstuck.schema.signals.losses import LEFT_OUT_LOSSES


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


@dataclass(slots=True)
class Pending:
    """A loss that may yet reach backward."""

    value: Number
    known: Known
    batch: Batch | None
    weight: int
    share: Number = 1.0  # of one term, in the value
    age: int = 0


def write_left_out(
    pending: Iterable[Pending], reached: Sequence[Pending], later: Later, writer: RecordWriter,
    step: int,
) -> None:
    """Writes of how many other batches the lines of these losses have computed losses since the
    last backward pass, which does not reach them.

    Of one batch a program may compute several, and learn from the best.
    """
    lines = {id(each.known) for each in reached}
    left = [each.batch.hashes for each in pending
            if not each.age and id(each.known) in lines and each.batch is not None]
    own = [each.batch.hashes for each in reached if each.batch is not None]

    def write(_: object) -> None:
        others = {hashes.values for hashes in left} - {hashes.values for hashes in own}
        if others:
            writer.row(LEFT_OUT_LOSSES, step, float(len(others)))

    if left and own:
        later.read((), write)
