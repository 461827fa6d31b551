"""Reads CSV, TSV and other tables of numbers: Lightning's metrics.csv, Keras's CSVLogger."""

from __future__ import annotations

import csv
import itertools
import re
import warnings
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from unstuck.logs.grids import is_rule
from unstuck.logs.names import ROLE_COLUMNS, Kind, name_of, role, with_role
from unstuck.logs.source import Source
from unstuck.logs.table import (
    LONGEST_NAME,
    MOST_COLUMNS,
    Builder,
    Column,
    Table,
    UnusableLog,
    missing,
    named_rows,
    number,
)
from unstuck.reading import check_numbers
from unstuck.record.series import Floats, Integers

BATCH = 8192  # rows
CELLS = 1 << 20  # of a batch, at most
LOOKED_AT = 60  # lines that the dialect is detected from
NUMERIC = 0.7  # of a column's cells: enough to be one of numbers
_GAP = b"-8.7654321e307"  # stands for an empty cell while numbers are read; no log holds it
_ASSIGNED = re.compile(r"[^\W\d_]\s?[=:]\s?(?:[\d.-]|(?i:nan|inf))")
_PROSE = re.compile(r"[^\W\d_]{3}.*\d|\d.*[^\W\d_]{3}")  # a cell of words and numbers
_AROUND = re.compile(r"[\s._/]")  # the words of a column's name
_NAMES = {",": "CSV", "\t": "TSV", ";": "CSV with semicolons", "|": "table with bars",
          "": "table with spaces"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written. `names` is empty where there is no header; "" splits at spaces."""

    delimiter: str
    names: tuple[str, ...]
    width: int
    skipped: int  # lines before the first row of numbers, the header among them
    role: int | None = None  # the column that says which data a row is of


def sniff(text: str) -> Dialect | None:
    """The dialect of a table that begins so; None if this is not a table."""
    lines = text.splitlines()[:LOOKED_AT]
    if len(lines) > 1 and not text.endswith(("\n", "\r")):
        lines = lines[:-1]  # it may be cut
    found = [dialect for delimiter in _NAMES if (dialect := _as_table(lines, delimiter))]
    return max(found, key=lambda dialect: dialect.width, default=None)


def _as_table(lines: Sequence[str], delimiter: str) -> Dialect | None:
    try:
        rows = [(i, row) for i, row in enumerate(_rows(lines, delimiter))
                if any(cell.strip() for cell in row)]
    except csv.Error:
        return None
    first = next((k for k, (_, row) in enumerate(rows) if _numbers(row) and _plain(row)), None)
    if first is None or first > 10:
        return None
    header = _joined([row for _, row in rows[:first]]) if first else []
    if header and all(is_rule(cell) for cell in header):  # a line drawn below the names
        header = rows[first - 2][1] if first > 1 and delimiter else []
        if not header:
            return None
    body = [row for _, row in rows[first:] if row != header]  # a run that went on wrote it again
    width = max(len(row) for row in body)
    if header and header[0].lstrip().startswith("#"):
        header = [header[0].lstrip().removeprefix("#"), *header[1:]]
        header = header if header[0].strip() or delimiter else header[1:]
    if header and not delimiter and len(header) == width - 1:
        header = ["", *header]  # pandas prints an index without a name
    if first and len(header) != width:
        return None
    if sum(len(row) == width for row in body) < NUMERIC * len(body):
        return None
    if not delimiter and not all(_numbers(row) == len(row) for row in body):
        return None  # words and spaces are prose
    if width == 1 and (delimiter != "," or sum(map(_numbers, body)) < NUMERIC * len(body)):
        return None
    cells = [[row[i] for row in body if i < len(row) and not missing(row[i])]
             for i in range(width)]
    numeric = [c for c in cells if c and sum(number(x) is not None for x in c) >= NUMERIC * len(c)]
    if delimiter == "|" and len(numeric) < len(list(filter(None, cells))):
        return None  # a box drawn around words and numbers
    if not numeric or (not first and 2 * sum(map(_numbers, body)) < sum(map(len, body))):
        return None
    if not first and any(len(cell) > 3 and _PROSE.search(cell) for cell in body[0]):
        return None
    if any(_of_sentences(column) for column in cells):
        return None
    said = ({role(cell.strip()) for cell in column} for column in cells)
    roles = (i for i, (cell, data) in enumerate(zip(header, said, strict=False)) if data
             and "" not in data and ((len(data) > 1 and "train" in data)
                                     or _AROUND.split(cell.strip())[-1].lower() in ROLE_COLUMNS))
    return Dialect(delimiter, _unique(header), width, rows[first][0], next(roles, None))


def _joined(rows: Sequence[list[str]]) -> list[str]:
    """The names of columns: the last of some rows, with those above where it leaves gaps, as pandas
    writes names of several levels."""
    last = rows[-1]
    above = list(itertools.takewhile(lambda row: len(row) == len(last), rows[-2:-4:-1]))
    if not above or len(last) < 3 or 2 * sum(map(bool, map(str.strip, last))) > len(last):
        return last
    return [" ".join(cell.strip() for cell in (*levels[::-1], name) if cell.strip())
            for name, *levels in zip(last, *above, strict=True)]


def _numbers(row: Sequence[str]) -> int:
    return sum(number(cell) is not None for cell in row)


def _of_sentences(cells: Sequence[str]) -> bool:
    """Whether cells name quantities with their numbers: printed lines that hold a comma each."""
    return bool(cells) and sum(
        len(_ASSIGNED.findall(cell)) > 1 for cell in cells) >= NUMERIC * len(cells)


def _plain(row: Sequence[str]) -> bool:
    """Whether the row is one of values, not prose that holds a number."""
    return all(len(cell) < 200 for cell in row)


def _unique(header: Sequence[str]) -> tuple[str, ...]:
    names: dict[str, int] = {}  # with how often each was taken already
    for cell in header[:MOST_COLUMNS]:
        name = cell.strip().strip("\ufeff\"'")[:LONGEST_NAME] or f"column {len(names) + 1}"
        while name in names:
            names[name] += 1
            name += "'" * names[name]
        names[name] = 0
    return tuple(names)


def _rows(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    if delimiter:
        return csv.reader(lines, delimiter=delimiter)
    return (line.split() for line in lines)


def read(source: Source, dialect: Dialect) -> Table:
    """The table; raises UnusableLog if it breaks off into something else."""
    names = dialect.names or tuple(f"column {i + 1}" for i in range(dialect.width))
    if named_rows(names) or dialect.role is not None:
        return read_lines(source.name, _NAMES[dialect.delimiter], source.lines(), dialect)
    columns = [_Numbers(name_of(name).kind is Kind.RUN) for name in names[:MOST_COLUMNS]]
    count, skipped = 0, dialect.skipped
    try:
        for chunk in source.chunks():
            if skipped:
                lines = chunk.splitlines(keepends=True)
                chunk = b"".join(lines[skipped:])
                skipped -= min(skipped, len(lines))
            table = _plain_numbers(chunk, dialect) if dialect.delimiter else None
            if table is not None and len(columns) == dialect.width:
                for column, values in zip(columns, table, strict=True):
                    column.add(count, values)
                count += table.shape[1]
            else:
                text = (line.decode(errors="replace") for line in chunk.splitlines(keepends=True))
                rows = _rows(_whole(text, dialect), dialect.delimiter)
                for batch in _batches(rows, len(columns)):
                    for column, cells in zip(columns, _across(batch, len(columns)), strict=True):
                        column.take(count, cells)
                    count += len(batch)
            check_numbers(sum(len(column.values) for column in columns), source.name)
    except csv.Error as error:
        raise UnusableLog(f"{source.name} cannot be read as a table: {error}") from None
    everywhere = np.arange(count)
    made = {name: column.made(name, everywhere)
            for name, column in zip(names, columns, strict=False)}
    labels = {name: tuple(column.labels) for name, column in zip(names, columns, strict=False)
              if column.labels}
    return Table(_NAMES[dialect.delimiter], {n: c for n, c in made.items() if len(c)}, count,
                 labels=labels)


def _plain_numbers(chunk: bytes, dialect: Dialect) -> Floats | None:
    """Whole rows of nothing but numbers and gaps, a column a row; None for all else."""
    comma = dialect.delimiter.encode()
    if not chunk.endswith(b"\n") or chunk.translate(None, b"0123456789.eE+-naif\r\n" + comma):
        return None
    if b"\r" in chunk:
        chunk = chunk.replace(b"\r\n", b"\n")
    cells = np.frombuffer(chunk, dtype=np.uint8)
    ends = np.flatnonzero(cells == ord("\n"))
    commas = np.flatnonzero(cells == ord(comma))
    width = dialect.width
    if b"\r" in chunk or len(commas) != len(ends) * (width - 1):
        return None
    if width > 1:
        inner = commas.reshape(len(ends), width - 1)
        if np.any(inner[1:, 0] < ends[:-1]) or np.any(inner[:, -1] > ends):
            return None
    text = chunk[:-1].replace(b"\n", comma)
    gaps = comma * 2 in text or text.startswith(comma) or text.endswith(comma)
    if gaps:
        hole = comma + _GAP + comma
        text = (comma + text + comma).replace(comma * 2, hole).replace(comma * 2, hole)[
            len(comma) : -len(comma)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            numbers = np.fromstring(text, dtype=np.float64, sep=dialect.delimiter)
    except (DeprecationWarning, ValueError):
        return None
    if len(numbers) != len(ends) * width:
        return None
    return numbers.reshape(len(ends), width).T


def read_lines(file: str, kind: str, lines: Iterable[str], dialect: Dialect) -> Table:
    """A table row by row, whose rows may say what their numbers are: by a name for the value, the
    run, or the data that they are of. `kind` is what the format is called."""
    names = dialect.names or tuple(f"column {i + 1}" for i in range(dialect.width))
    name_at, value_at = named_rows(names) or (None, None)
    lines = itertools.islice(lines, dialect.skipped, None)
    builder = Builder(file)
    run_at = next((i for i, name in enumerate(names) if name_of(name).kind is Kind.RUN), None)
    runs: dict[str, int] = {}
    try:
        for row in _rows(_whole(lines, dialect), dialect.delimiter):
            pairs = [(row[name_at] if i == value_at and name_at is not None and name_at < len(row)
                      else names[i], value) for i, cell in enumerate(row[: len(names)])
                     if not missing(cell) and (value := number(cell)) is not None]
            if dialect.role is not None and dialect.role < len(row):
                data = role(row[dialect.role].strip())
                pairs = [(with_role(name, data), value) for name, value in pairs]
            if run_at is not None and run_at < len(row) and number(run := row[run_at]) is None and (
                    run in runs or len(runs) < MOST_COLUMNS):
                pairs.append((names[run_at], runs.setdefault(run, len(runs))))
            builder.add(pairs)
    except csv.Error as error:
        raise UnusableLog(f"{file} cannot be read as a table: {error}") from None
    labels = {names[run_at]: tuple(runs)} if run_at is not None and runs else {}
    return Table(kind, builder.columns(), builder.rows, labels=labels)


def _whole(lines: Iterable[str], dialect: Dialect) -> Iterator[str]:
    """All lines but a last one that was cut within a row: its last number may be cut, too."""
    for line in lines:
        if line[-1] in "\r\n" or len(next(iter(_rows([line], dialect.delimiter)), [])
                                      ) >= dialect.width:
            yield line


def _batches(rows: Iterator[list[str]], width: int) -> Iterator[list[list[str]]]:
    """Rows that are not empty, many at a time, none of them longer than `width`."""
    able = (row[:width] for row in rows if row)
    while batch := list(itertools.islice(able, max(min(BATCH, CELLS // width), 1))):
        yield batch


def _across(batch: list[list[str]], width: int) -> Iterable[Sequence[str]]:
    """The cells by column; short rows are filled up."""
    if set(map(len, batch)) != {width}:
        batch = [[*row, *[""] * (width - len(row))] for row in batch]
    return zip(*batch, strict=True)


@dataclass(slots=True)
class _Numbers:
    """One column on its way in; `rows` is empty while no row has lacked a number.

    Of a column that says which run a row belongs to, words count too.
    """

    run: bool
    rows: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    words: bool = False  # a column of words is not looked at further
    labels: dict[str, int] = field(default_factory=dict)

    def add(self, start: int, values: Floats) -> None:
        """Numbers of successive rows, gaps among them."""
        there = values != float(_GAP)
        if there.all():
            self._append(start, values)
        else:
            self._append(np.flatnonzero(there) + start, values[there])

    def _append(self, rows: Integers | int, values: Floats) -> None:
        """Values with their rows, or with the first of successive ones."""
        if isinstance(rows, int):
            if not self.rows and rows == len(self.values):
                self.values.frombytes(values.tobytes())
                return
            rows = np.arange(rows, rows + len(values))
        if not self.rows:
            self.rows.frombytes(np.arange(len(self.values)).tobytes())
        self.rows.frombytes(rows.tobytes())
        self.values.frombytes(values.tobytes())

    def take(self, start: int, cells: Sequence[str]) -> None:
        """The cells of successive rows."""
        if self.words:
            return
        try:
            values = np.array(list(map(float, cells)))
        except ValueError:
            found = [(i, value) for i, cell in enumerate(cells)
                     if cell and (value := self._number(cell)) is not None]
            self.words = not found and not self.values and not all(map(missing, cells))
            self._append(np.array([i for i, _ in found], dtype=np.int64) + start,
                         np.array([value for _, value in found], dtype=np.float64))
        else:
            self._append(start, values)

    def _number(self, cell: str) -> float | None:
        if missing(cell):
            return None
        if (value := number(cell)) is None and self.run and len(self.labels) < MOST_COLUMNS:
            return float(self.labels.setdefault(cell.strip()[:LONGEST_NAME], len(self.labels)))
        return value

    def made(self, name: str, everywhere: Integers) -> Column:
        """The column; `everywhere` are all rows of the table."""
        values = np.frombuffer(self.values) if self.values else np.zeros(0)
        if not self.rows:
            whole = len(values) == len(everywhere)  # whose rows are known to be the same then
            return Column(name, everywhere if whole else everywhere[: len(values)], values)
        return Column(name, np.frombuffer(self.rows, dtype=np.int64), values)
