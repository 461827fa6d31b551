"""What a signal is: a named quantity, one number a step, or one a step and place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signal:
    """A named quantity. Its unit is what one reads after the number, "" for a plain ratio.

    `requires` says in a user's words what a run must have for this signal to be measured. It reads
    well after "needs", and signals that require the same have the same words: they are said once.
    """

    name: str
    unit: str
    meaning: str
    requires: str


@dataclass(frozen=True, slots=True)
class StepSignal(Signal):
    """One number per step."""


@dataclass(frozen=True, slots=True)
class PlaceSignal(Signal):
    """One number per step and place: a layer, parameter, feature, class, loss or optimizer.

    Places are written in the order in which the forward pass meets them.
    """

    place: str = "layer"
