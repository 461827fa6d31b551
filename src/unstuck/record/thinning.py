"""Keeps the rows of a long run few: all those of its first steps, later of ever fewer steps.

A record of millions of steps stays small, and its last part is still seen in detail. Rows are kept
step by step, so that the passes of an accumulated step stay together, and at places that follow no
period of the program's own.
"""

from __future__ import annotations

import math

Rows = list[tuple[int, float]]

EXACT = 16_384  # first steps of which every row is kept; a power of two
PEAK = 1.1  # a value so many times as high as all before is kept besides
_GOLDEN = (math.sqrt(5) - 1) / 2


class Thinner:
    """Picks the rows of one signal that are written.

    After EXACT steps every second step is kept, after twice as many every fourth, and so on: each
    time that the number of steps doubles, half of EXACT is added. Kept besides are the first value
    that is not finite after finite ones, and new peaks.
    """

    __slots__ = ("_finite", "_highest", "_left", "_seen", "_step", "_taken")

    def __init__(self) -> None:
        self._seen = 0  # steps
        self._step = -1
        self._taken = True  # the step under way
        self._finite = True
        self._highest = math.nan
        self._left: Rows = []  # rows of the last step, if they were not written

    def take(self, rows: Rows) -> Rows:
        """Of the next rows those that are to be written."""
        return [row for row in rows if self._takes(*row)]

    def rest(self) -> Rows:
        """The rows of the last step, unless they were written: where the run has ended."""
        left, self._left = self._left, []
        return left

    def _takes(self, step: int, value: float) -> bool:
        if step != self._step:
            self._step, index = step, self._seen
            self._seen += 1
            self._left = []
            if index < EXACT:
                self._taken = True
            else:
                spacing = 1 << (index // EXACT).bit_length()
                group, place = divmod(index, spacing)
                self._taken = place == int(group * _GOLDEN % 1 * spacing)
        if self._seen <= EXACT:
            return True
        finite = value - value == 0.0
        odd = self._finite and not finite
        if finite:
            odd = value > PEAK * abs(self._highest)
            self._highest = max(value, self._highest) if self._highest == self._highest else value
        self._finite = finite
        if not (self._taken or odd):
            self._left.append((step, value))
        return self._taken or odd
