"""Sampled steps that were skipped for lack of time: what the others say about them.

Which steps are sampled depends on how fast a machine is, and no verdict may depend on that. So a
statistic covers the whole schedule and has two values, the smallest and the largest that it can
have: a look that was skipped would have shown something between its neighbours, and after the
last look anything may have happened. If no look was skipped, the two values are the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from unstuck.record.reader import Record
from unstuck.record.series import Floats, Integers


@dataclass(frozen=True, slots=True)
class Gaps:
    """The scheduled looks that were skipped: `after` says which taken look each one follows."""

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
    """The scheduled looks, up to the step `last`, that are missing from `steps` (sorted)."""
    missed = np.array([step for step in left_out(record) if step <= last], dtype=np.int64)
    return Gaps(len(steps), np.searchsorted(steps, missed) - 1)


def left_out(record: Record) -> list[int]:
    """The scheduled looks that were not taken; empty if the record does not list its looks."""
    if not record.looks:
        return []
    taken = np.asarray(record.looks)
    # The last step may have been left by an exception before what was seen of it was written.
    due = [*record.limits.scheduled(max(record.steps - 1, 0)), record.steps]
    return [step for step, end in pairwise(due)
            if not np.any((taken >= step) & (taken < end))]
