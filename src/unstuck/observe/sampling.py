"""When to look closely: a deterministic schedule of sampled steps that time can only thin."""

from __future__ import annotations

import time

from unstuck.record.schedule import LIMITS

GRACE_SECONDS = 0.05  # nobody notices this much over a whole run


class Budget:
    """Decides for each step whether it is sampled, and keeps the cost in bounds.

    The first steps are sampled always; later ones at geometric distances, unless what sampling has
    cost so far exceeds `overhead` as a share of the run's time. The cost of a sampled step is how
    much longer it took than the average step. None before `next` is sampled.

    At an overhead of 1 or more nothing is `timed`: no clock is asked, so that what is recorded
    depends on the program alone.
    """

    def __init__(self, overhead: float) -> None:
        self.timed = overhead < 1
        self._overhead = overhead
        self.next = 0.0
        self._start = self._began = time.perf_counter()
        self._spent = 0.0
        self._first: float | None = None  # when the first step had ended

    def sampled(self, step: int) -> bool:
        """Whether `step`, which now begins, is to be sampled."""
        if step < LIMITS.full_steps:
            return True
        if step < self.next:
            return False
        self.next = max(self.next, float(LIMITS.full_steps))
        while self.next <= step:
            self.next = LIMITS.after(self.next)
        return self._affordable()

    def sampled_step_ended(self, step: int) -> None:
        """Notes what a sampled step took; steps that are not sampled need no clock."""
        if not self.timed:
            return
        now = time.perf_counter()
        self._first = self._first or now
        self._spent += max(0.0, now - self._began - (now - self._start) / (step + 1))
        self._began = now  # the next one may be sampled too

    def took(self) -> tuple[float, float] | None:
        """Seconds to the end of the first step, and from there to now; None if nothing is timed."""
        if self._first is None:
            return None
        return self._first - self._start, time.perf_counter() - self._first

    def _affordable(self) -> bool:
        if not self.timed:
            return True
        self._began = time.perf_counter()
        return self._spent <= GRACE_SECONDS + self._overhead * (self._began - self._start)


class Turns:
    """Optimizers that step in turn: a sampling takes as many steps, so that each gets one."""

    def __init__(self) -> None:
        self._recent: list[int | None] = [None]

    def stepped(self, optimizer: int, step: int) -> None:
        """Notes who made a step."""
        if optimizer != self._recent[-1]:
            self._recent = [*self._recent[-7:], optimizer]
        elif len(set(self._recent)) > 1 and step % 64 == 0:
            self._recent = self._recent[-1:]  # the others may have ended

    @property
    def count(self) -> int:
        """How many there are lately."""
        return max(1, len({*self._recent} - {None}))

    @property
    def only(self) -> int | None:
        """The one that stepped lately, if no other did."""
        return self._recent[0] if len(self._recent) == 1 else None


class Sampling:
    """When to look closely: by the budget, and then once at each optimizer whose turn comes."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.turns = Turns()
        self._window = 0  # sampled steps left, so that each optimizer gets one

    def looks_at(self, step: int) -> bool:
        """Whether `step`, which now begins, is sampled."""
        if self._window > 1:
            self._window -= 1
            return True
        sampled = step >= self.budget.next and self.budget.sampled(step)
        self._window = self.turns.count if sampled else 0
        return sampled

    def look_away(self) -> None:
        """What is left of the steps that were to be sampled is not."""
        self._window = 0
