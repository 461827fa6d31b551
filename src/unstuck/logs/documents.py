"""Reads JSON and JSON Lines: Keras's History.history, Hugging Face's trainer_state.json, nested
records, lists by name. Only numbers are kept."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

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
)
from unstuck.logs.table import number as number_in
from unstuck.reading import parsed
from unstuck.words import count

LARGEST = 1 << 27  # bytes of a document that is read whole; JSON Lines have no limit
_LABELS = ("name", "run", "id", "label")
_STEPS = ("steps", "step", "x", "epochs", "epoch", "iterations", "iteration")
_CLOCKS = ("timestamps", "timestamp", "time", "wall_time", "walltime", "relative", "created")
_VALUES = ("values", "value", "y", "data")
_SPREAD = frozenset({"num", "n", "count", "mean", "std", "stddev", "var", "min", "max", "median"})
LARGEST_TORN = 1 << 24  # characters of a document that was cut off
DEEPEST = 12  # levels of nesting that are looked into
_NUMBERED = re.compile(r"(?:epoch|step|iteration|iter|round)?[ _-]?\d{1,12}", re.IGNORECASE)
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]')
_BEGINNING = re.compile(  # not the brackets of a logger, as in "[INFO]" and "[3/20]"
    r'\ufeff?\s*(?:\{\s*["}]|(?:\[\s*+)+(?:[{\]]|(?:"[^"\n]*"|'
    r'-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|null|true|false|NaN|-?Infinity)'
    r'\s*(?:,|\]\s*(?:[,\]]|\Z))|\Z))')

Pair = tuple[str, float]


def is_json(text: str) -> bool:
    """Whether a file that begins so may be JSON or JSON Lines."""
    return bool(_BEGINNING.match(text))


def is_lines(table: Table) -> bool:
    """Whether the table comes from JSON Lines."""
    return table.format == "JSON Lines"


def read(source: Source) -> Table | None:
    """The document's columns, None if it is not JSON."""
    first = next((line for line in source.text().lstrip("\ufeff").splitlines() if line.strip()), "")
    if isinstance(_parsed(first, source.name), dict) and (table := _read_lines(source)):
        return table
    if source.size > LARGEST:
        raise UnusableLog(
            f"{source.name} is a JSON document of more than {LARGEST >> 20} MiB; write one record "
            "per line instead (JSON Lines)")
    text = source.whole(LARGEST)
    document, torn = _parsed(text, source.name), False
    if document is None and len(text) <= LARGEST_TORN and (whole := _whole(text)):
        document, torn = _parsed(whole, source.name), True
    if not isinstance(document, dict | list):
        return None
    table = table_of_document(document, source.name)
    if torn:
        if not worth(table)[0]:
            return None
        says = "The document breaks off; unstuck reads what comes before."
        table = replace(table, remarks=(*table.remarks, says))
    return table


def _whole(text: str) -> str:
    """A document that was cut off, closed behind its last whole object or list; "" without one."""
    closers: list[str] = []
    end, rest = 0, ""
    for found in _BRACKET.finditer(text):
        match found[0]:
            case "[":
                closers.append("]")
            case "{":
                closers.append("}")
            case "]" | "}" if closers:
                closers.pop()
                end, rest = found.end(), "".join(reversed(closers))
    return text[:end] + rest if end and rest else ""


def _parsed(text: str, name: str) -> Any:
    """The value, None if the text is not JSON."""
    try:
        return parsed(text, name)
    except ValueError:
        return None


def _read_lines(source: Source) -> Table | None:
    """JSON Lines; lines that are not records are skipped."""
    builder, other, alone = Builder(source.name), 0, 0
    record: Any = None
    for row, line in enumerate(source.lines(), 1):
        if not line.strip():
            continue
        record = _parsed(line, f"line {row:,} of {source.name}")
        if isinstance(record, dict):
            builder.add(flat(record))
            alone += 1
        else:
            other += 1
    if other > alone or (alone == 1 and not other):
        return None  # a document of one line, or a text with a record at its head
    torn = other == 1 and not isinstance(record, dict)  # the end of a run that was killed
    why = "it is not a JSON record" if other == 1 else "they are not JSON records"
    says = f"unstuck skipped {count(other, 'line')} because {why}."
    remarks = (says,) if other and not torn else ()
    return Table("JSON Lines", builder.columns(), builder.rows, remarks=remarks)


def flat(record: Mapping[str, Any], path: str = "", depth: int = 0) -> Iterator[Pair]:
    """The numbers of a nested record by their path: {"train": {"loss": 1}} gives train/loss, and
    {"mode": "val", "loss": 1} gives val loss."""
    if not depth and (data := next((data for key in record if key.lower() in ROLE_COLUMNS
                                    and (data := _role(record[key]))), "")):
        for name, value in flat({k: v for k, v in record.items() if k.lower() not in ROLE_COLUMNS}):
            yield with_role(name, data), value
        return
    own = None
    if not depth and (long := named_rows(list(record))):  # {"name": "loss", "value": 0.5}
        label, at = list(record.values())[long[0]], list(record)[long[1]]
        own = (at, label) if isinstance(label, str) else None
    for key, value in record.items():
        name = _below(path, key)
        if own and key == own[0]:
            name = own[1]
        if isinstance(value, dict):
            if "mean" in value and value.keys() <= _SPREAD:
                value = value["mean"]
            elif depth < DEEPEST:
                yield from flat(value, name, depth + 1)
        if (found := as_number(value)) is not None:
            yield name, found


def _role(value: Any) -> str:
    """The data that a value speaks of, itself or the one value in it."""
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    return role(value) if isinstance(value, str) else ""


def _below(path: str, key: str) -> str:
    """The name of what has this key; no longer than a column's."""
    return (f"{path}/{key}" if path else key)[:LONGEST_NAME]


def as_number(value: Any) -> float | None:
    """A JSON value as a number: what other tools write for NaN counts, null and true do not."""
    if isinstance(value, str):
        return None if missing(value) or len(value) > 40 else number_in(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


# Documents ---------------------------------------------------------------------------------------
def table_of_document(document: Any, name: str) -> Table:
    """The columns of a document that was parsed; `name` is the file's."""
    hugging_face = isinstance(document, dict) and isinstance(document.get("log_history"), list)
    if hugging_face:
        document = document["log_history"]
    if isinstance(document, dict) and (boosted := _boosted(document, name)):
        return boosted
    records: list[tuple[str, list[Mapping[str, Any]]]] = []
    series: dict[str, Column] = {}
    curves = Builder(name)
    _search(document, "", 0, records, series, curves)
    if not records and not series and isinstance(document, dict):
        records = [("", [document])]
    best = _of_records(records, name)
    if series:
        rows = 1 + max(int(column.rows[-1]) for column in series.values())
        best = max(best, Table("JSON, lists by name", series, rows), key=worth)
    if curves.rows:
        best = max(best, Table("JSON, curves by name", curves.columns(),
                               curves.rows), key=worth)
    if hugging_face:
        return Table("Hugging Face trainer state", best.columns, best.rows)
    return best


def worth(table: Table) -> tuple[int, int]:
    """How many numbers are losses or scores, and how many there are."""
    curves = sum(len(c) for c in table.columns.values()
                 if name_of(c.name).kind in (Kind.LOSS, Kind.SCORE, Kind.RETURN))
    return curves, sum(map(len, table.columns.values()))


def _boosted(document: Mapping[str, Any], name: str) -> Table | None:
    """CatBoost's record of a training: its metrics are named apart from their values."""
    meta, iterations = document.get("meta"), document.get("iterations")
    if not (isinstance(meta, dict) and isinstance(iterations, list) and "learn_metrics" in meta):
        return None
    builder = Builder(name)
    for record in iterations:
        if not isinstance(record, dict):
            continue
        pairs = list(flat(record))
        for part, values in record.items():
            kind = "learn" if part.startswith("learn") else "test"
            metrics = meta.get(f"{kind}_metrics")
            if isinstance(values, list) and isinstance(metrics, list):
                for metric, value in zip(metrics, values, strict=False):
                    called = metric.get("name") if isinstance(metric, dict) else None
                    if isinstance(called, str) and (found := as_number(value)) is not None:
                        pairs.append((f"{part} {called}", found))
        builder.add(pairs)
    return Table("CatBoost training", builder.columns(), builder.rows)


def _of_records(lists: Sequence[tuple[str, list[Mapping[str, Any]]]], name: str) -> Table:
    """The columns of the list of records that holds a curve; of several such, those of each by its
    path, one after another. Their counters stay common."""
    tables = []
    for path, records in lists:
        builder = Builder(name)
        for record in records:
            builder.add(flat(record))
        tables.append((path, records, Table("JSON records", builder.columns(), builder.rows)))
    curves = [one for one in tables if worth(one[2])[0] > 1]
    if len(curves) < 2:
        return max((table for _, _, table in tables), key=worth, default=Table("JSON", {}, 0))
    builder = Builder(name)
    for path, records, _ in curves:
        for record in records:
            builder.add((key if name_of(key).kind in (Kind.STEP, Kind.EPOCH, Kind.EPISODE)
                         else _below(path, key), value) for key, value in flat(record))
    return Table("JSON records", builder.columns(), builder.rows)


def _search(value: Any, path: str, depth: int, records: list[tuple[str, list[Mapping[str, Any]]]],
            series: dict[str, Column], curves: Builder) -> None:
    """Finds lists of records, lists of numbers and curves with steps of their own, at any depth."""
    if depth > DEEPEST or max(len(series), len(records)) >= MOST_COLUMNS:
        return
    if isinstance(value, dict):
        if rows := _split(value):
            records.append((path, rows))
            return
        if points := _points(value):
            for at, found in points:
                curves.add((("step", at), (path or "value", found)))
            return
        if value and all(map(_NUMBERED.fullmatch, value)):  # rows by number, as pandas has it
            _search(list(value.values()), path, depth, records, series, curves)
            return
        for key, inner in value.items():
            if isinstance(inner, dict | list):
                _search(inner, _below(path, key), depth + 1, records, series, curves)
    elif isinstance(value, list) and value:
        if 2 * sum(isinstance(item, dict) for item in value) > len(value):
            items: list[Mapping[str, Any]] = [item for item in value if isinstance(item, dict)]
            if named := list(filter(None, map(_labelled, items))):
                for label, content in named:
                    _search({label: content}, path if len(named) < len(items) else "",
                            depth + 1, records, series, curves)
            elif path and not named_rows(list(items[0])) and (
                    points := _points({key: [item.get(key) for item in items]
                                       for key in items[0]})):
                for at, found in points:
                    curves.add((("step", at), (path, found)))
            elif all(map(_holds_lists, items)):  # a run each
                for i, item in enumerate(items):
                    label = next((item[key] for key in _LABELS if isinstance(item.get(key), str)),
                                 str(i))
                    _search(item, _below(path, label), depth + 1, records, series, curves)
            else:
                records.append((path, items))
        elif pairs := _pairs(value):
            for at, found in pairs:
                curves.add((("step", at), (path or "value", found)))
        else:
            numbers = [as_number(item) for item in value]
            places = [i for i, found in enumerate(numbers) if found is not None]
            if places:
                name = path or "column 1"
                series[name] = Column(name, np.array(places, dtype=np.int64),
                                      np.array([numbers[i] for i in places], dtype=np.float64))


def _holds_lists(item: Mapping[str, Any]) -> bool:
    """Whether a record holds whole curves."""
    return any(isinstance(value, list) and len(value) > 2 and as_number(value[0]) is not None
               and name_of(key).kind in (Kind.LOSS, Kind.SCORE) for key, value in item.items())


def _split(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The records of a table with its names apart, as pandas has it; empty if it is none."""
    names, rows = value.get("columns"), value.get("data")
    if not (isinstance(names, list) and isinstance(rows, list) and rows and all(
            isinstance(row, list) and len(row) == len(names) for row in rows)):
        return []
    return [dict(zip(map(str, names), row, strict=True)) for row in rows]


def _points(value: Mapping[str, Any]) -> list[tuple[float, float]]:
    """A curve as lists of its steps and its values, and of nothing else; empty if it is none."""
    lists = {key.casefold(): one for key, one in value.items() if isinstance(key, str)
             and isinstance(one, list) and one}
    steps = next((lists[key] for key in _STEPS if key in lists), None)
    values = next((lists[key] for key in _VALUES if key in lists), None)
    if steps is None or values is None or len(steps) != len(values) or not (
            lists.keys() <= {*_STEPS, *_VALUES, *_CLOCKS}):
        return []
    pairs = [(as_number(step), as_number(number))
             for step, number in zip(steps, values, strict=True)]
    return [(step, number) for step, number in pairs if step is not None and number is not None]


def _pairs(value: list[Any]) -> list[list[float]]:
    """The steps and values of a curve as TensorBoard downloads it, [[wall time, step, value], …],
    or as [[step, value], …]; empty if it is none."""
    width = len(value[0]) if isinstance(value[0], list) else 0
    if width not in (2, 3) or not all(isinstance(row, list) and len(row) == width for row in value):
        return []
    rows = [[number for cell in row if (number := as_number(cell)) is not None] for row in value]
    if not all(len(row) == width for row in rows) or (width == 2 and not all(
            a[0] < b[0] for a, b in pairwise(rows))):
        return []
    if width == 3 and any(row[1] % 1 for row in rows):  # no steps
        return []
    return [row[-2:] for row in rows]


def _labelled(item: Mapping[str, Any]) -> tuple[str, Any] | None:
    """A record that is one curve, such as {"name": "loss", "data": […]}: its name, its content."""
    label = next((item[key] for key in _LABELS if isinstance(item.get(key), str)), None)
    if label is None or name_of(label).kind not in (Kind.LOSS, Kind.SCORE, Kind.RETURN, Kind.RATE):
        return None
    if _points(item):
        return label, item
    lists = {key.casefold(): one for key, one in item.items() if isinstance(one, list)}
    values = next((lists[key] for key in _VALUES if key in lists), None)
    return (label, values) if values is not None else None
