"""Draws how far runs that differ in their seeds lie apart, one line for each change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from unstuck.report.canvas import TEXT_WIDTH, Canvas
from unstuck.words import number

_LONGEST = 44  # cells of a name beside its line
_SHORTEST = 16  # cells of a line


@dataclass(frozen=True, slots=True)
class Interval:
    """A name and the values of its runs, one for each seed; not finite ones are left out."""

    name: str
    values: tuple[float, ...]

    @property
    def finite(self) -> list[float]:
        """The values in order of size."""
        return sorted(filter(math.isfinite, self.values))


def draw_intervals(canvas: Canvas, what: str, intervals: Sequence[Interval]) -> None:
    """Draws lines from the lowest to the highest value of each, o in the middle, on one scale.

    Where there is no room beside it, a name stands above its line.
    """
    known = [each for each in intervals if each.finite]
    if not known:
        return
    low = min(0.0, *(each.finite[0] for each in known))
    high = max(1.0, *(each.finite[-1] for each in known))
    width = min(canvas.width, TEXT_WIDTH)
    says = [_says(each) for each in known]
    names = min(max(map(len, (canvas.clean(each.name) for each in known))), _LONGEST)
    beside = width - names - 2 - max(map(len, says)) - 2
    above = beside < _SHORTEST
    line = max(width - max(map(len, says)) - 4, _SHORTEST) if above else beside
    margin = "  " if above else " " * (names + 2)
    head = f"{number(low)}{what.center(line - len(number(low)) - len(number(high)))}{number(high)}"
    canvas.draw((margin, ""), (head, "blue"))
    for each, text in zip(known, says, strict=True):
        name = canvas.clean(each.name)
        if above:
            for part in canvas.wrap(name, width):
                canvas.draw((part, ""))
            canvas.draw(("  ", ""), (_line(each, low, high, line), "bold"), (f"  {text}", ""))
            continue
        *first, last = canvas.wrap(name, names)
        for part in first:
            canvas.draw((part, ""))
        canvas.draw((f"{last:<{names}}  ", ""), (_line(each, low, high, line), "bold"),
                    (f"  {text}", ""))


def _says(interval: Interval) -> str:
    values = interval.finite
    if len(values) == 1:
        return number(values[0])
    return f"{number(values[0])} to {number(values[-1])}"


def _line(interval: Interval, low: float, high: float, width: int) -> str:
    values = interval.finite

    def cell(value: float) -> int:
        return round((value - low) / (high - low) * (width - 1))

    first, last, middle = cell(values[0]), cell(values[-1]), cell(values[len(values) // 2])
    cells = [" "] * width
    if last > first:
        cells[first:last + 1] = ["|", *"-" * (last - first - 1), "|"]
    cells[middle] = "o"
    return "".join(cells)
