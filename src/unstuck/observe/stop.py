"""Ends a training after so many steps, if that was asked for."""

from __future__ import annotations

# A program that catches everything may go on after it was told to stop: so often is it told again.
STOPS_BEFORE_EXIT = 20


class StopTraining(BaseException):
    """Ends the program's training at --max-steps; no error, so `except Exception` lets it pass."""


class Stop:
    """Whether and how often a training was told to stop at `max_steps`."""

    def __init__(self, max_steps: int | None) -> None:
        self.max_steps = max_steps
        self.told = 0

    def is_due(self, step: int) -> bool:
        """Whether so many steps are enough; counts how often that was so."""
        due = self.max_steps is not None and step >= self.max_steps
        self.told += due
        return due

    @property
    def in_vain(self) -> bool:
        """Whether the program has swallowed it too often."""
        return self.told > STOPS_BEFORE_EXIT
