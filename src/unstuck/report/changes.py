"""The change of a program's text as a terminal shows it: the lines that differ, numbered."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from unstuck.words import count

if TYPE_CHECKING:
    from unstuck.report.canvas import Canvas

MOST_LINES = 6  # removed and added, of a change that is shown in a report
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_OTHER = {"-": "+", "+": "-", " ": ""}
_STYLES = {"-": "red", "+": "green", " ": ""}


@dataclass(frozen=True, slots=True)
class Row:
    """A line: "-" for one of the old text, "+" for one of the new, " " for one of both."""

    sign: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """What differs: files with their rows, in the order of the diff."""

    files: tuple[tuple[str, tuple[Row, ...]], ...]

    @property
    def lines(self) -> int:
        """How many lines are removed and added."""
        return sum(row.sign != " " for _, rows in self.files for row in rows)

    @property
    def short(self) -> bool:
        """Whether a report shows it."""
        return self.lines <= MOST_LINES

    @property
    def gutter(self) -> int:
        """The width of its numbers, 0 if they are not shown."""
        numbers = (len(str(row.line)) for _, rows in self.files for row in rows)
        return max(numbers, default=0) if self.short else 0

    def size(self) -> str:
        """How much it changes, in words."""
        added = sum(row.sign == "+" for _, rows in self.files for row in rows)
        where = f" in {count(len(self.files), 'file')}" if len(self.files) > 1 else ""
        return f"{count(max(added, self.lines - added), 'line')}{where}"


def read_diff(text: str) -> Change:
    """The change that a unified diff makes. A line that only adds has a neighbour beside it."""
    files: list[tuple[str, list[Row]]] = []
    old = new = old_end = new_end = 0
    for line in text.split("\n"):
        if old < old_end or new < new_end:
            sign = line[:1] or " "
            if sign in _STYLES:
                files[-1][1].append(Row(sign, new if sign == "+" else old, line[1:]))
                old += sign != "+"
                new += sign != "-"
        elif hunk := _HUNK.match(line):
            old, new = int(hunk[1]), int(hunk[3])
            old_end, new_end = old + int(hunk[2] or 1), new + int(hunk[4] or 1)
        elif line.startswith("+++ "):
            files.append((line[4:].removeprefix("b/"), []))
    return Change(tuple((file, tuple(_kept(rows))) for file, rows in files))


def _kept(rows: list[Row]) -> list[Row]:
    """The lines that differ, and the line in front of those that only add, or else behind them."""
    kept: list[Row] = []
    for same, group in groupby(enumerate(rows), lambda each: each[1].sign == " "):
        block = list(group)
        if same:
            continue
        only_adds = all(row.sign == "+" for _, row in block)
        before = rows[block[0][0] - 1] if only_adds and block[0][0] else None
        after = rows[block[-1][0] + 1] if only_adds and block[-1][0] + 1 < len(rows) else None
        near = before if before and before.text.strip() else None
        kept += [near] if near and near not in kept else []
        kept += [row for _, row in block]
        kept += [after] if after and not near and after.text.strip() else []
    return kept


def draw_rows(canvas: Canvas, gutter: int, change: Change, file: str) -> None:
    """Draws the lines with their numbers; a file's name, unless the report has just named it."""
    room = canvas.width - gutter - 3
    for name, rows in change.files:
        if not _same(name, file):
            canvas.draw((f"{' ' * gutter} {canvas.glyphs.corner} ", "blue"),
                        (canvas.clean(f"{name}:{rows[0].line}"), ""))
        others = {sign: [row.text for row in rows if row.sign == sign] for sign in ("-", "+")}
        for row in rows:
            text = row.text.rstrip()
            shown, _, _ = canvas.crop(text, *_difference(text, others.get(_OTHER[row.sign], [])),
                                      room)
            canvas.draw((f"{row.line:>{gutter}} ", "blue"),
                        (f"{row.sign} {shown}", _STYLES[row.sign]))


def _difference(text: str, others: Sequence[str]) -> tuple[int, int]:
    """The part of a line in which it differs from the one most like it on the other side."""
    def shared(other: str) -> tuple[int, int]:
        start = _alike(text, other)
        return start, len(text) - _alike(text[start:][::-1], other[start:][::-1])

    start, end = min(map(shared, others), key=lambda part: part[1] - part[0], default=(0, 0))
    return start, max(end, min(start + 1, len(text)))


def _alike(text: str, other: str) -> int:
    """How many characters two texts share at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b),
                min(len(text), len(other)))


def _same(name: str, file: str) -> bool:
    return os.path.abspath(name) == os.path.abspath(file) or name == file.lstrip(os.sep)
