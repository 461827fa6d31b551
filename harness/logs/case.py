"""A log in the style of a tool, with what a careful person reads in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.logs.shapes import Drawn, Floats

ASIDE = 3  # every third case, by a hash of its name, is kept aside: nothing is tuned on it


@dataclass(frozen=True)
class Expected:
    """One run: its outcomes, the numbers of its two curves, and what may be its axis.

    `train` are the values as the log has them: losses, or scores where `higher` says so. `held` is
    None where the log has no such curve. `units` are the right units of the axis.
    """

    truth: tuple[str, ...]
    train: Floats
    held: Floats | None = None
    units: tuple[str, ...] = ("step", "episode", "epoch", "row")
    higher: bool = False


@dataclass(frozen=True)
class Case:
    """The files of one log by their path, and its runs, none where it must be refused."""

    name: str
    files: Mapping[str, bytes]
    runs: tuple[Expected, ...]

    @property
    def aside(self) -> bool:
        """Whether nothing may be tuned on it."""
        return hashlib.sha256(self.name.encode()).digest()[0] % ASIDE == 0


def one(name: str, text: str | bytes, *runs: Expected) -> Case:
    """A log of one file, whose name says nothing."""
    return Case(name, {"log": text if isinstance(text, bytes) else text.encode()}, runs)


def of(drawn: Drawn, *, held: bool = True, every: int = 1,
       units: Sequence[str] = ("step", "episode", "epoch", "row"), truth: str = "") -> Expected:
    """What the losses of a drawn run are; the held-out one was logged every so many points."""
    return Expected(tuple(truth.split("|")) if truth else drawn.truth, drawn.train,
                    drawn.held[every - 1 :: every] if held else None, tuple(units))


def scores(train: Floats, held: Floats | None, truth: str,
           units: Sequence[str] = ("step", "episode", "epoch", "row")) -> Expected:
    """What scores are: of these more is better."""
    return Expected(tuple(truth.split("|")), np.asarray(train), held, tuple(units), higher=True)
