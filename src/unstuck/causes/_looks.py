"""Close looks that were left out for want of time: what the others say for them.

Which looks are taken depends on how fast a machine is, and no verdict may. So a statistic over
looks is one over the schedule: a look counts for those near it that were left out, and where
there is none near, nothing is known. Where no look was left out each counts once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.record import Floats, Integers, Record
from unstuck.schedule import SPACING, scheduled

NEAR = math.log(SPACING**3)  # a look speaks for those of so many times its step, or a part of it


@dataclass(frozen=True, slots=True)
class Coverage:
    """For how many looks of the schedule each of some looks counts, and how many are unknown."""

    counts: Integers
    unknown: int

    @property
    def enough(self) -> bool:
        """Whether at least half of the schedule is known."""
        return self.unknown <= int(self.counts.sum())

    def repeated(self, values: Floats) -> Floats:
        """The values, one a look, each as often as it counts."""
        return np.repeat(values, self.counts)

    def median(self, values: Floats) -> float:
        """The median over the schedule; NaN where too little of it is known."""
        if not self.enough or not len(values):
            return math.nan
        return float(np.median(self.repeated(values)))


def coverage(record: Record, steps: Integers, last: float = math.inf) -> Coverage:
    """What looks at `steps` say of the schedule up to the step `last`."""
    missed = [step for step in left_out(record) if step <= last]
    counts = np.ones(len(steps), dtype=np.int64)
    if not missed or not len(steps):
        return Coverage(counts, len(missed))
    apart = np.abs(np.log1p(steps)[:, None] - np.log1p(missed)[None, :])
    near = apart.min(axis=0) <= NEAR + 1e-9
    np.add.at(counts, apart.argmin(axis=0)[near], 1)
    return Coverage(counts, int((~near).sum()))


def left_out(record: Record) -> list[int]:
    """The scheduled looks that were not taken; none if it is not known that any was."""
    if not record.looks:
        return []
    taken = np.asarray(record.looks)
    # The last step may have been left by an exception before what was seen of it was written.
    due = list(scheduled(max(record.steps - 1, 0)))
    ends = [*due[1:], record.steps]
    return [step for step, end in zip(due, ends, strict=True)
            if not np.any((taken >= step) & (taken < end))]
