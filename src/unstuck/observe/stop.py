"""Ends a training after so many steps, if that was asked for."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from contextlib import suppress

# A program that catches everything may go on after it was told to stop: so often is it told again.
STOPS_BEFORE_EXIT = 20


class StopTraining(BaseException):
    """Ends the program's training at --max-steps; no error, so `except Exception` lets it pass."""


class Stop:
    """Tells a training to stop at `max_steps`, again and again.

    Args:
        max_steps: None if it may go on.
        first: called when it is told for the first time, while all is still held.
        last: called when it was told too often in vain, before the process exits.
    """

    def __init__(
        self, max_steps: int | None, first: Callable[[], None], last: Callable[[], None]
    ) -> None:
        self.max_steps = max_steps
        self.step = math.inf if max_steps is None else max_steps  # of the training under way
        self.told = 0
        self._first = first
        self._last = last

    def training_begins(self, begun: int) -> None:
        """Steps are counted from 0 again, after so many."""
        if self.max_steps is not None:
            self.step = self.max_steps - begun

    def check(self, step: int) -> None:
        """Nothing before so many steps.

        Raises:
            StopTraining: there have been as many.
        """
        if step < self.step:
            return
        self.told += 1
        if self.told == 1:
            self._first()
        if self.told > STOPS_BEFORE_EXIT:
            self._last()
            with suppress(Exception):  # the program may have closed or replaced it
                sys.stdout.flush()
            os._exit(0)
        raise StopTraining
