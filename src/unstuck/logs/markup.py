"""Reads the tables of LaTeX and HTML: each is written out as a CSV, and the best of them read."""

from __future__ import annotations

import csv
import html
import io
import itertools
import re
from collections.abc import Iterator, Sequence

from unstuck.logs import delimited
from unstuck.logs.documents import worth
from unstuck.logs.names import Kind, name_of
from unstuck.logs.numbers import is_axis
from unstuck.logs.source import Source
from unstuck.logs.table import Table, number

LARGEST = 1 << 25  # bytes of such a text
_AXES = (Kind.EPOCH, Kind.STEP, Kind.EPISODE)
WIDEST = 200  # cells of a row, and columns that a cell may span
_LIKELY = re.compile(r"(?i)\s*<(?:!doctype )?html|<table\b|\\begin\{")
# A table that was cut off goes to the end of the text.
_TEX = re.compile(
    r"\\begin\{(tabular[xy*]?|tabulary|long(?:tabu|table)|tabu|tblr|array|supertabular)\}"
    r"(.*?)(?:\\end\{\1\}|\Z)", re.DOTALL)
_GROUP = r"\s?\{(?:[^{}]|\{[^{}]{0,99}\}){0,400}\}"
_ALIGNED = re.compile(rf"\s?(?:\[[^][]{{0,99}}\])?{_GROUP}")  # how its columns are set
_COMMENT = re.compile(r"(?<!\\)%.*")
_BETWEEN = re.compile(  # rules, and what else stands between rows
    r"\\(?:[a-z]{0,12}(?:rule|line)|end(?:first|last)?(?:head|foot)|addlinespace|rowcolor|label|"
    r"caption)\b(?:\s?(?:\([^()]{0,99}\)|\[[^][]{0,99}\]|\{[^{}]{0,999}\}))*")
_LINE = re.compile(r"\\\\(?:\[[^][]{0,99}\])?|\\tabularnewline\b")
_CELL = re.compile(r"(?<!\\)&")
_ACROSS = re.compile(r"\\multicolumn\s?\{(\d{1,2})\}\s?\{[^{}]{0,99}\}\s?\{")
_DOWN = re.compile(r"\\multirow\s?(?:\[[^][]{0,99}\])?\{[^{}]{0,99}\}\s?\{[^{}]{0,99}\}")
_COMMAND = re.compile(r"\\(?:[A-Za-z]+\*?|[,;:! ])(?:\[[^][]{0,99}\])?")
_HTML = re.compile(r"<table\b(.*?)(?:</table|\Z)", re.DOTALL | re.IGNORECASE)
_HTML_ROW = re.compile(r"<tr\b(.*?)(?=<tr\b|</tr|\Z)", re.DOTALL | re.IGNORECASE)
_HTML_CELL = re.compile(r"<t[hd]\b([^<>]{0,999})>(.*?)(?=<t[hd]\b|</t[hd]|\Z)",
                        re.DOTALL | re.IGNORECASE)
_WIDE, _HIGH = (re.compile(rf"{span}\s?=\s?[\"']?(\d{{1,2}})", re.IGNORECASE)
                for span in ("colspan", "rowspan"))
_AXIS = re.compile(r"\\begin\{(axis|(?:semi)?log\w{0,9}axis)\}(.*?)(?:\\end\{\1\}|\Z)", re.DOTALL)
_CURVE = re.compile(r"coordinates\s{0,9}\{([^{}]*)")
_POINT = re.compile(r"\(\s{0,9}([\d.eE+-]{1,30})\s{0,9},\s{0,9}([\d.eE+-]{1,30})\s{0,9}\)")
_ENTRY = re.compile(r"\\addlegendentry\s{0,9}\{([^{}]{1,99})\}")
_LEGEND = re.compile(r"(?:\\legend|legend entries)\s{0,9}=?\s{0,9}\{([^{}]{1,999})\}")
_TAG = re.compile(r"<[^<>]*>")
_POWER = re.compile(r"\s?(?:\\times|\\cdot|×)\s?10\^\{?([+-]?\d{1,3})\}?")
_SPREAD = re.compile(r"(?:±|\\pm|\+/-).*", re.DOTALL)


def read(source: Source) -> Table | None:
    """The table that holds a curve; None if the text has none."""
    if source.size > LARGEST or not _LIKELY.search(source.text()):
        return None
    text = b"".join(source.chunks()).decode(errors="replace")
    best: Table | None = None
    for kind, rows in _tables(text):
        table = _read(source.name, kind, rows)
        if table is not None and (best is None or worth(table) > worth(best)):
            best = table
    return best if best is not None and worth(best)[0] > 1 else None


def _tables(text: str) -> Iterator[tuple[str, list[list[str]]]]:
    """The cells of each table, with the language that it is written in."""
    for found in _TEX.finditer(text):
        inner = _ALIGNED.sub("", found[2], count=1 + found[1].endswith(("x", "y", "*")))
        lines = _LINE.split(_BETWEEN.sub("", _COMMENT.sub("", inner)))
        yield "LaTeX table", [list(_tex_row(line)) for line in lines]
    for found in _HTML.finditer(text):
        down: dict[int, tuple[int, str]] = {}
        yield "HTML table", [_html_row(row[1], down) for row in _HTML_ROW.finditer(found[1])]
    for found in _AXIS.finditer(text):
        yield "LaTeX plot", _plotted(found[2])


def _tex_row(line: str) -> Iterator[str]:
    for cell in _CELL.split(line, WIDEST)[:WIDEST]:
        across = _ACROSS.search(cell)
        text = _DOWN.sub("", _ACROSS.sub("", cell)).replace("\\%", "%").replace("{,}", ",")
        text = _COMMAND.sub(" ", _SPREAD.sub("", _POWER.sub(r"e\1", text)))
        text = re.sub(r"_(?=\{?\d)|[{}$\\]", "", text).translate({ord("~"): " ", ord("_"): " "})
        yield from [" ".join(text.split())] * (min(int(across[1]), WIDEST) if across else 1)


def _html_row(row: str, down: dict[int, tuple[int, str]]) -> list[str]:
    """The cells of a row. `down` holds those of rows before that go on in it by their column: in
    how many rows more, and their text."""
    cells: list[str] = []
    below: dict[int, tuple[int, str]] = {}
    for cell in (*itertools.islice(_HTML_CELL.finditer(row), WIDEST), None):
        while len(cells) < WIDEST and (at := down.pop(len(cells), None)):
            below[len(cells)] = at[0] - 1, at[1]
            cells.append(at[1])
        if cell is not None:
            wide, high = (int(found[1]) if (found := span.search(cell[1])) else 1
                          for span in (_WIDE, _HIGH))
            wide = min(wide, WIDEST - len(cells))
            text = " ".join(_SPREAD.sub("", html.unescape(_TAG.sub(" ", cell[2]))).split())
            below |= dict.fromkeys(range(len(cells), len(cells) + wide), (high - 1, text))
            cells += [text] * wide
    down |= {at: one for at, one in below.items() if one[0] > 0}
    return cells


def _plotted(axis: str) -> list[list[str]]:
    """The curves of a plot that pgfplots draws, as rows of its steps and values."""
    curves = [{step: value for step, value in _POINT.findall(one) if number(step) is not None}
              for one in _CURVE.findall(axis)]
    names = _ENTRY.findall(axis) or [
        name for legend in _LEGEND.findall(axis) for name in legend.split(",")]
    if not curves or len(names) < len(curves):
        return []
    steps = sorted({step for curve in curves for step in curve},
                   key=lambda step: number(step) or 0.0)
    rows = [[step, *(curve.get(step, "") for curve in curves)] for step in steps]
    return [["step", *(" ".join(name.split()) for name in names[: len(curves)])], *rows]


def _read(name: str, kind: str, rows: Sequence[list[str]]) -> Table | None:
    """The table of these cells; None if it is no table of numbers."""
    rows = [row for row in rows if any(row)]
    width = max(map(len, rows), default=0)
    rows = [row for row in rows if len(row) == width]
    if rows and name_of(rows[0][0]).kind in _AXES and all(
            number(cell) is not None for cell in rows[0][1:]):
        rows = [list(column) for column in zip(*rows, strict=True)]  # a row for each quantity
    first = next((i for i, row in enumerate(rows) if sum(
        number(cell) is not None for cell in row) > 1), len(rows))
    names = [" ".join(dict.fromkeys(filter(None, column))) for column in zip(
        *rows[:first], strict=True)]
    written = io.StringIO()
    csv.writer(written).writerows([names, *rows[first:]] if names else rows)
    text = written.getvalue()
    dialect = delimited.sniff(text)
    if dialect is None or dialect.delimiter != ",":
        return None
    table = delimited.read_lines(name, kind, text.splitlines(keepends=True), dialect)
    counted = any(name_of(n).kind in _AXES or (n == "column 1" and is_axis(column))
                  for n, column in table.columns.items())
    return table if counted else None  # a table of results, say
