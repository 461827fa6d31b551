"""Intervals of runs, drawn with characters on any terminal."""

from __future__ import annotations

import io

import pytest

from unstuck.report.canvas import Canvas
from unstuck.report.intervals import Interval, draw_intervals

RUNS = [
    Interval("as it is", (0.1, 0.2, 0.15)),
    Interval("set the learning rate of SGD to 0.05", (0.9,)),
    Interval("a change that no record was left of", (float("nan"),)),
]


def draw(width: int, runs: list[Interval], encoding: str = "utf-8") -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    draw_intervals(Canvas.on(file, width, color=False), "skill", runs)
    file.seek(0)
    return file.read().splitlines()


def test_all_lines_share_one_scale() -> None:
    head, control, treated = draw(100, RUNS)
    assert head.split() == ["0", "skill", "1"]
    assert control.startswith("as it is ")
    assert control.endswith("0.1 to 0.2")
    assert treated.endswith("0.9")
    start, end = head.index("0"), len(head) - 1
    assert (control.index("|") - start) / (end - start) == pytest.approx(0.1, abs=0.03)
    assert (treated.rindex("o", 0, end + 1) - start) / (end - start) == pytest.approx(0.9, abs=0.03)
    assert control.index("|") < control.index("o", start) < control.rindex("|")


@pytest.mark.parametrize("width", [20, 30, 40, 60, 100, 200])
def test_a_narrow_terminal_shows_the_name_above(width: int) -> None:
    lines = draw(width, RUNS, "ascii")
    assert all(len(line) <= max(width, 34) for line in lines)
    assert sum("o" in line and line.rstrip().endswith(("0.2", "0.9")) for line in lines) == 2
    assert (len(lines) > 3) is (width <= 60)


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw(80, []) == []
    assert draw(80, RUNS[2:]) == []


def test_what_is_worse_than_nothing_is_on_the_scale() -> None:
    head, line = draw(80, [Interval("as it is", (-1.0, -1.0, 0.5))])
    assert head.split() == ["-1", "skill", "1"]
    assert line.endswith("-1 to 0.5")
