"""Runs that lie in several files: one for each metric, or one for each epoch or step."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from unstuck.logs import delimited
from unstuck.logs.documents import flat
from unstuck.logs.kinds import table_of
from unstuck.logs.names import Kind, Name, Part, name_of
from unstuck.logs.source import HEAD, Source, source
from unstuck.logs.table import Builder, Table
from unstuck.reading import Unusable, parsed

FEWEST_STEPS = 3  # files that are numbered
_CURVES = (Kind.LOSS, Kind.SCORE, Kind.RETURN)
_AXES = (Kind.STEP, Kind.EPOCH, Kind.EPISODE)
_CLOCKS = frozenset({"wall", "time", "timestamp", "date"})
_NUMBERED = re.compile(r"(?P<what>[A-Za-z]+)[_-]?(?P<number>\d{1,12})(?!.*\d)")
_STEPS = frozenset({"epoch", "ep", "step", "iter", "iteration", "checkpoint", "ckpt"})
_TENSORBOARD = re.compile(r"run-(?P<run>.*?)-tag-(?P<tag>.+)")

Found = tuple[Path, Callable[[], Table]]


def joined(files: Sequence[Path]) -> tuple[list[Found], list[Path]]:
    """The runs that were found, each with what reads it, and the files that are left."""
    found: list[Found] = []
    left = set(files)
    for home, numbered in _by_steps(files).items():
        found.append((home, partial(_read_steps, home, numbered)))
        left -= set(numbered.values())
    for home, named in _by_metrics([path for path in files if path in left]):
        found.append((home, partial(_read_metrics, home, named)))
        left -= {file.path for file, _ in named.values()}
    return found, [path for path in files if path in left]


# A file for each step ----------------------------------------------------------------------------
def _by_steps(files: Sequence[Path]) -> dict[Path, dict[int, Path]]:
    """The numbered JSON files of each run: `metrics_epoch_7.json`, `checkpoint-500/eval.json`."""
    groups: dict[tuple[Path, str], dict[int, Path]] = {}
    for path in files:
        if path.suffix != ".json" or path.name == "trainer_state.json":
            continue
        for home, name in ((path.parent, path.stem), (path.parent.parent, path.parent.name)):
            number = _NUMBERED.search(name)
            if number and number["what"].lower() in _STEPS:
                rest = path.relative_to(home).as_posix().replace(number[0], "")
                groups.setdefault((home, rest), {})[int(number["number"])] = path
                break
    return {home: group for (home, _), group in groups.items()
            if len(group) >= FEWEST_STEPS and any(
                name_of(name).kind in _CURVES for name in _record(next(iter(group.values()))))}


def _record(path: Path) -> dict[str, float]:
    """The numbers of a small document; none if it cannot be read."""
    try:
        file = source(path)
        document = parsed(file.text(), file.name) if file.size <= HEAD else None
    except (Unusable, ValueError):
        return {}
    return dict(flat(document)) if isinstance(document, dict) else {}


def _read_steps(home: Path, numbered: Mapping[int, Path]) -> Table:
    builder = Builder(str(home))
    for number, path in sorted(numbered.items()):
        record = _record(path)
        if not any(name_of(name).kind in _AXES for name in record):
            record["epoch" if "ep" in path.stem else "step"] = number
        builder.add(record.items())
    return Table("a JSON file for each step", builder.columns(), builder.rows)


# A file for each metric --------------------------------------------------------------------------
def _by_metrics(files: Sequence[Path]) -> list[tuple[Path, dict[str, tuple[Source, str]]]]:
    """The files of each run by the names of their metrics, and the columns that hold them."""
    homes: dict[tuple[Path, str], dict[str, tuple[Source, str]]] = {}
    for path in files:
        try:
            file = source(path)
            dialect = delimited.sniff(file.text())
        except Unusable:
            continue
        column = _only_curve(dialect) if dialect else None
        if column is None:
            continue
        run, name = _called(path, column)
        if name_of(name).kind in _CURVES:
            homes.setdefault((path.parent, run), {}).setdefault(name, (file, column))
    found = []
    for (home, run), named in homes.items():
        for group in _runs(named):
            if len(group) > 1:
                found.append((home / run if run else home, group))
    return found


def _only_curve(dialect: delimited.Dialect) -> str | None:
    """The column that is no axis and no clock, if there is but one."""
    if not dialect.names:  # step, value or step, time, value
        return f"column {dialect.width}" if dialect.width in (2, 3) else None
    names = {name: name_of(name) for name in dialect.names}
    left = [n for n, known in names.items() if known.kind not in _AXES
            and not known.rest & _CLOCKS]
    return left[0] if len(left) == 1 and len(names) > 1 else None


def _called(path: Path, column: str) -> tuple[str, str]:
    """The run and the name of a metric, by its file where the column has none of its own."""
    if name_of(column).kind in _CURVES:
        return "", column
    if board := _TENSORBOARD.fullmatch(path.stem):
        run, tag = board["run"], board["tag"]
        words = [word for word in re.split(r"[_/.-]", run) if word]
        parts = [word for word in words if name_of(word).part is not Part.UNSAID]
        return "_".join(word for word in words if word not in parts), " ".join([*parts, tag])
    return "", path.stem


def _runs(named: dict[str, tuple[Source, str]]) -> list[dict[str, tuple[Source, str]]]:
    """The metrics of each run: those of several differ by words that speak of no data."""
    def what(name: Name) -> tuple[object, ...]:
        return name.kind, name.measure, name.part, name.test

    names = {name: name_of(name) for name in named}
    if len({what(name) for name in names.values()}) == len(names):
        return [named]
    groups: dict[frozenset[str], dict[str, tuple[Source, str]]] = {}
    for name, file in named.items():
        groups.setdefault(names[name].rest, {})[name] = file
    whole = groups.get(frozenset())
    if whole is not None and len(whole) > 1:  # the others are its parts
        return [named]
    return list(groups.values())


def _read_metrics(home: Path, named: Mapping[str, tuple[Source, str]]) -> Table:
    """All points, one file after another."""
    builder = Builder(str(home))
    for name, (file, column) in named.items():
        table = table_of(file)
        if column not in table.columns:
            continue
        curve = table.columns[column]
        axes = [c for n, c in table.columns.items() if name_of(n).kind in _AXES]
        if not axes and "column 1" in table.columns and column != "column 1":
            axes = [table.columns["column 1"]]
        places = [("step" if c.name.startswith("column") else c.name,
                   dict(zip(c.rows.tolist(), c.values.tolist(), strict=True))) for c in axes]
        for row, value in zip(curve.rows.tolist(), curve.values.tolist(), strict=True):
            at = [(label, known[row]) for label, known in places if row in known]
            builder.add((*(at or [("step", float(row))]), (name, value)))
    return Table("a file for each metric", builder.columns(), builder.rows)
