"""When to look closely: a deterministic schedule of sampled steps that time can only thin."""

from __future__ import annotations

import time

FULL_STEPS = 5  # most program mistakes show in the first steps
SPACING = 1.25  # then each sampled step lies a quarter further out than the last
GRACE_SECONDS = 0.1  # nobody notices this much over a whole run


class Budget:
    """Decides for each step whether it is sampled, and keeps the cost in bounds.

    The first steps are sampled always; later ones at geometric distances, unless what sampling has
    cost so far exceeds `overhead` as a share of the run's time. The cost of a sampled step is how
    much longer it took than a typical step that was not sampled.
    """

    def __init__(self, overhead: float) -> None:
        self._overhead = overhead
        self._next = float(FULL_STEPS)
        self._start = self._last = time.perf_counter()
        self._plain = 0.0  # running typical time of a step that is not sampled
        self._spent = 0.0
        self._odd_left = 8  # how often something odd may ask for an extra sample

    def sampled(self, step: int) -> bool:
        """Whether `step`, which now begins, is to be sampled."""
        if step < FULL_STEPS:
            return True
        if step < self._next:
            return False
        while self._next <= step:
            self._next = max(self._next * SPACING, self._next + 1)
        return self._affordable()

    def odd(self, step: int) -> None:
        """Asks for the next step to be sampled, because something odd was seen."""
        if self._odd_left > 0:
            self._odd_left -= 1
            self._next = min(self._next, step + 1.0)

    def step_ended(self, was_sampled: bool) -> None:
        """Notes the time that a step took."""
        now = time.perf_counter()
        took, self._last = now - self._last, now
        if was_sampled:
            if self._plain > 0.0:
                self._spent += max(0.0, took - self._plain)
        elif self._plain == 0.0:
            self._plain = took
        else:
            # A running median: it moves by a fixed share of itself, so one slow step means little.
            self._plain *= 1.05 if took > self._plain else 1 / 1.05

    def _affordable(self) -> bool:
        elapsed = time.perf_counter() - self._start
        return self._spent <= GRACE_SECONDS + self._overhead * elapsed
