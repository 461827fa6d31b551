"""Sequences: their lengths, their padding, and what is masked."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact


@dataclass(frozen=True, slots=True)
class Shortening(Fact):
    """A layer that makes a sequence shorter: of `before` frames it leaves `after`.

    `stride` has a number for each axis of the layer's own, and the sequence runs along `axis`.
    """

    layer: str
    before: int
    after: int
    stride: tuple[int, ...]
    axis: int


@dataclass(frozen=True, slots=True)
class Alignment(Fact):
    """The sample of a CTC loss that lacks most frames for its target. `name` is the loss's.

    `given` is how many frames it has by the program's own count, of `made` that the model made. It
    needs one for each of the `symbols` of its target, and one more between each two equal ones:
    `needed`. `zero_infinity` says whether the loss leaves out what it cannot align. `shortened` are
    the layers that made the sequence shorter, the last first.
    """

    name: str
    given: int
    made: int
    symbols: int
    needed: int
    zero_infinity: bool
    shortened: tuple[Shortening, ...] = ()
