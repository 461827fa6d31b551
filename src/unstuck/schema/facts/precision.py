"""Weights that are kept, and updated, in 16 bits."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact


@dataclass(frozen=True, slots=True)
class NarrowWeights(Fact):
    """An optimizer updates parameters of 16 bits.

    `tiny` is the smallest positive number of their type, `spacing` the distance from 1 to the next
    larger number. `epsilon` is the `eps` of the optimizer, None if it has none; `vanishes` says
    whether it is 0 in that type.
    """

    name: str  # of the optimizer
    dtype: str
    parameters: int  # how many of them
    of: int  # of so many parameters of the optimizer
    tiny: float
    spacing: float
    epsilon: float | None
    vanishes: bool
