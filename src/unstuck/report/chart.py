"""Curves drawn with characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from unstuck.curves.statistics import HUGE
from unstuck.record.series import Floats, Series
from unstuck.report.canvas import TEXT_WIDTH, Canvas

HEIGHT = 10
WIDE_RANGE = 50.0  # from here on the scale is logarithmic
MARKS = "*o"


def draw_curves(canvas: Canvas, curves: Sequence[tuple[str, Series]], unit: str) -> None:
    """Draws up to two curves over the same steps; nothing if there is nothing finite to draw.

    Each column shows the median of the points that fall into it, `!` where none is finite.
    """
    width = min(canvas.width, TEXT_WIDTH) - 12
    steps = np.concatenate([series.steps for _, series in curves])
    if width < 20 or len(steps) < 3 or np.min(steps) == np.max(steps):
        return
    ends = float(np.min(steps)), float(np.max(steps))
    levels = [_levels(series, ends, width) for _, series in curves]
    seen = np.concatenate([level[np.isfinite(level)] for level in levels])
    if not len(seen):
        return
    low, high = float(np.min(seen)), float(np.max(seen))
    logarithmic = low > 0 and high / low > WIDE_RANGE
    grid = [[" "] * width for _ in range(HEIGHT)]
    for mark, level in zip(MARKS, levels, strict=False):
        for column, value in enumerate(level):
            if np.isinf(value):
                grid[0][column] = "!"
            elif not np.isnan(value):
                grid[_row(float(value), low, high, logarithmic)][column] = mark
    for row, cells in enumerate(grid):
        label = {0: f"{high:.3g}", HEIGHT - 1: f"{low:.3g}"}.get(row, "")
        canvas.draw((f"{label:>9} {canvas.glyphs.bar}", "blue"), ("".join(cells), ""))
    left, right = f"{unit} {ends[0]:.0f}", f"{ends[1]:.0f}"
    names = ", ".join(f"{mark} {name}" for mark, (name, _) in zip(MARKS, curves, strict=False))
    middle = canvas.clean(names + (" (log scale)" if logarithmic else ""))
    room = width - len(left) - len(right)
    canvas.draw((" " * 11 + left + (middle if len(middle) <= room - 2 else "").center(room) + right,
                 "blue"))


def _levels(series: Series, ends: tuple[float, float], width: int) -> Floats:
    """A level for each column: NaN where there is no point, Inf where none is finite."""
    share = (series.steps - ends[0]) / (ends[1] - ends[0])
    columns = np.minimum((share * width).astype(np.int64), width - 1)
    edges = np.searchsorted(columns, np.arange(width + 1))
    levels = np.full(width, np.nan)
    for column in range(width):
        values = series.values[edges[column] : edges[column + 1]]
        if len(values):
            finite = values[np.isfinite(values)]
            levels[column] = np.median(np.clip(finite, -HUGE, HUGE)) if len(finite) else np.inf
    return levels


def _row(value: float, low: float, high: float, logarithmic: bool) -> int:
    if not high > low:
        return HEIGHT // 2
    if logarithmic:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return round((1 - (value - low) / (high - low)) * (HEIGHT - 1))
