"""Close looks that were left out for want of time: what the others say of them.

Which looks are taken depends on how fast a machine is, and no verdict may. So a statistic over
looks is one over the schedule, and has two values, the least and the most that it may be: a look
that was left out showed something between the look before and the look after it, and after the
last look anything may have been. Where no look was left out the two are the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from unstuck.record import Record
from unstuck.schedule import scheduled
from unstuck.series import Floats, Integers


@dataclass(frozen=True, slots=True)
class Gaps:
    """The looks of the schedule that some looks lack: `after` says behind which of them each is."""

    taken: int
    after: Integers

    @property
    def wide(self) -> bool:
        """Whether more than half of the schedule lies after the last look."""
        behind = int(np.sum(self.after >= self.taken - 1))
        return behind > (self.taken + len(self.after)) / 2

    def median(self, values: Floats) -> tuple[float, float]:
        """The least and the most that the median over the schedule may be, for values >= 0."""
        least, most = (
            float(np.median(np.r_[values, between(np.r_[values, end][self.after],
                                                  np.r_[values, end, end][self.after + 1])]))
            for end, between in ((0.0, np.minimum), (math.inf, np.maximum)))
        return least, most


def gaps(record: Record, steps: Integers, last: float = math.inf) -> Gaps:
    """What looks at `steps`, in order, lack of the schedule up to the step `last`."""
    missed = np.array([step for step in left_out(record) if step <= last], dtype=np.int64)
    return Gaps(len(steps), np.searchsorted(steps, missed) - 1)


def left_out(record: Record) -> list[int]:
    """The scheduled looks that were not taken; none if it is not known that any was."""
    if not record.looks:
        return []
    taken = np.asarray(record.looks)
    # The last step may have been left by an exception before what was seen of it was written.
    due = [*scheduled(max(record.steps - 1, 0)), record.steps]
    return [step for step, end in pairwise(due)
            if not np.any((taken >= step) & (taken < end))]
