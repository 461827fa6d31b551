"""What limits the watching: which steps are looked at closely, and how much is kept.

Known to who looks, and to who judges what was seen: the header of a record has the numbers with
which it was written.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers that a judge must know. The defaults are those of this version, and of 0.1."""

    full_steps: int = 5  # first steps, all looked at closely: most program mistakes show in them
    spacing: float = 1.4  # then each such step lies so many times as far out as the last
    longest_accumulation: int = 64  # backward passes without a step: each more counts as a step
    kept_samples: int = 2_000  # distinct ones of each role
    saturated_end: float = 0.03  # share of a range that counts as its end

    def after(self, due: float) -> float:
        """The time, in steps, at which a look is due after one that was due at `due`."""
        return max(due * self.spacing, due + 1)

    def scheduled(self, steps: int) -> Iterator[int]:
        """The steps, of so many, that are looked at where time leaves out none."""
        yield from range(min(steps, self.full_steps))
        due, step = float(self.full_steps), self.full_steps
        while step < steps:
            yield step
            while due <= step:
                due = self.after(due)
            step = -int(-due // 1)  # the first step that is not before it


LIMITS = Limits()
MOST = 10**9  # of any of them


def limits_of(header: Any) -> Limits:
    """The limits in the header of a record; the defaults for what it lacks or cannot hold."""
    if not isinstance(header, dict):
        return LIMITS
    found = {}
    for field in fields(Limits):
        value: Any = header.get(field.name)
        kind = type(getattr(LIMITS, field.name))
        if type(value) in (int, kind) and math.isfinite(value) and 0 < value < MOST:
            found[field.name] = kind(value)
    return Limits(**found)
