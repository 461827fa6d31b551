"""Which steps are looked at closely: known to who looks, and to who judges what was seen."""

from __future__ import annotations

from collections.abc import Iterator

FULL_STEPS = 5  # most program mistakes show in the first steps
SPACING = 1.4  # then each sampled step lies so many times as far out as the last


def after(due: float) -> float:
    """The time, in steps, at which a look is due after one that was due at `due`."""
    return max(due * SPACING, due + 1)


def scheduled(steps: int) -> Iterator[int]:
    """The steps, of so many, that are looked at where time leaves out none."""
    yield from range(min(steps, FULL_STEPS))
    due, step = float(FULL_STEPS), FULL_STEPS
    while step < steps:
        yield step
        while due <= step:
            due = after(due)
        step = -int(-due // 1)  # the first step that is not before it
