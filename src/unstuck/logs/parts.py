"""Runs that lie in several files: one for each metric, each part of the data, or each step."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from unstuck.logs import delimited, documents
from unstuck.logs.documents import flat
from unstuck.logs.kinds import has_curves, table_of
from unstuck.logs.names import Kind, Name, name_of, role, with_role
from unstuck.logs.source import HEAD, Source, source
from unstuck.logs.table import Builder, Column, Table
from unstuck.reading import Unusable, parsed

FEWEST_STEPS = 3  # files that are numbered
MOST = 1 << 22  # bytes of a file that holds one curve
_CURVES = (Kind.LOSS, Kind.SCORE, Kind.RETURN)
_AXES = (Kind.STEP, Kind.EPOCH, Kind.EPISODE)
_CLOCKS = frozenset({"wall", "time", "timestamp", "date"})
_NUMBERED = re.compile(r"(?P<what>[A-Za-z]+)[_-]?(?P<number>\d{1,12})(?!.*\d)")
_STEPS = frozenset({"epoch", "ep", "step", "iter", "iteration", "checkpoint", "ckpt"})
_TENSORBOARD = re.compile(r"run-(?P<run>.*?)-tag-(?P<tag>.+)")
_WORD = re.compile(r"[A-Za-z]+|[^A-Za-z]+")

Found = tuple[Path, Callable[[], Table]]
Files = dict[str, Source]


def joined(files: Sequence[Path]) -> tuple[list[Found], list[Path]]:
    """The runs that were found, each with what reads it, and the files that are left."""
    found: list[Found] = []
    left = set(files)
    for home, numbered in _by_steps(files).items():
        found.append((home, partial(_of_steps, home, numbered)))
        left -= set(numbered.values())
    for home, named in _by_metrics([path for path in files if path in left]):
        found.append((home, partial(_of_files, home, named, False)))
        left -= {file.path for file in named.values()}
    for home, named in _by_data([path for path in files if path in left]):
        found.append((home, partial(_of_files, home, named, True)))
        left -= {file.path for file in named.values()}
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


def _of_steps(home: Path, numbered: Mapping[int, Path]) -> Table:
    builder = Builder(str(home))
    for number, path in sorted(numbered.items()):
        record = _record(path)
        if not any(name_of(name).kind in _AXES for name in record):
            record["epoch" if "ep" in path.stem else "step"] = number
        builder.add(record.items())
    return Table("a JSON file for each step", builder.columns(), builder.rows)


# A file for each metric --------------------------------------------------------------------------
def _by_metrics(files: Sequence[Path]) -> list[tuple[Path, Files]]:
    """The files of each run by the names of their metrics."""
    homes: dict[tuple[Path, str], Files] = {}
    for path in files:
        run, name = _called(path.stem)
        if name_of(name).kind in _CURVES and (file := _one_curve(path)) is not None:
            homes.setdefault((path.parent, run), {}).setdefault(name, file)
    return [(home / run if run else home, group) for (home, run), named in homes.items()
            for group in _runs(named) if len(group) > 1]


def _one_curve(path: Path) -> Source | None:
    """A file that holds a curve and what counts its points, and nothing else."""
    try:
        file = source(path)
        if file.size > MOST or file.head[:1] in b"\x00\x89\x1f":
            return None
        text = file.text()
        if documents.is_json(text) or delimited.sniff(text):
            return file if _curve(table_of(file)) is not None else None
    except Unusable:
        pass
    return None


def _curve(table: Table) -> Column | None:
    """The only column of a table that is no counter and no clock; the last of nameless ones."""
    names = {name: name_of(name) for name in table.columns}
    left = [c for n, c in table.columns.items() if names[n].kind not in _AXES
            and not names[n].rest & _CLOCKS]
    if all(name.startswith("column ") for name in names) and 0 < len(left) < 4:
        return left[-1]  # step, value or step, time, value
    return left[0] if len(left) == 1 else None


def _called(stem: str) -> tuple[str, str]:
    """The run and the name of a metric, by its file."""
    if board := _TENSORBOARD.fullmatch(stem):
        words = [word for word in re.split(r"[_/.-]", board["run"]) if word]
        parts = [word for word in words if role(word)]
        return "_".join(word for word in words if word not in parts), " ".join(
            [*parts, board["tag"]])
    return "", stem


def _runs(named: Files) -> list[Files]:
    """The metrics of each run: those of several differ by words that speak of no data."""
    def what(name: Name) -> tuple[object, ...]:
        return name.kind, name.measure, name.part, name.test

    names = {name: name_of(name) for name in named}
    if len({what(name) for name in names.values()}) == len(names):
        return [named]
    groups: dict[frozenset[str], Files] = {}
    for name, file in named.items():
        groups.setdefault(names[name].rest, {})[name] = file
    whole = groups.get(frozenset())
    if whole is not None and len(whole) > 1:  # the others are its parts
        return [named]
    return list(groups.values())


# A file for each part of the data ----------------------------------------------------------------
def _by_data(files: Sequence[Path]) -> list[tuple[Path, Files]]:
    """Files that are named alike but for the data that they are of: `train.csv`, `val.csv`."""
    homes: dict[tuple[Path, str], Files] = {}
    for path in files:
        words = _WORD.findall(path.stem)
        parts = [word for word in words if role(word)]
        if len(parts) != 1:
            continue
        try:
            file = source(path)
        except Unusable:
            continue
        rest = "".join(word for word in words if word not in parts) + path.suffix
        homes.setdefault((path.parent, rest), {}).setdefault(role(parts[0]), file)
    return [(home, named) for (home, _), named in homes.items()
            if "train" in named and len(named) > 1 and all(map(_has_curve, named.values()))]


def _has_curve(file: Source) -> bool:
    try:
        return has_curves(table_of(file))
    except Unusable:
        return False


# Both --------------------------------------------------------------------------------------------
def _of_files(home: Path, named: Mapping[str, Source], by_data: bool) -> Table:
    """All rows, one file after another; what a file is called is the name of its curve, or of the
    data that its numbers are of."""
    builder = Builder(str(home))
    tables = {name: table_of(file) for name, file in named.items()}
    counted = any(name_of(n).kind in _AXES for table in tables.values() for n in table.columns)
    alike = len({table.rows for table in tables.values()}) == 1
    for called, table in tables.items():
        labels = {name: with_role(name, called) for name in table.columns}
        if not by_data and (curve := _curve(table)) is not None:
            first = "column 1" in table.columns and curve.name != "column 1"
            labels = {name: "step" if first and name == "column 1" else name
                      for name in table.columns} | {curve.name: called}
        rows: dict[int, list[tuple[str, float]]] = {}
        for name, column in table.columns.items():
            for row, value in zip(column.rows.tolist(), column.values.tolist(), strict=True):
                rows.setdefault(row, []).append((labels[name], value))
        for row, pairs in sorted(rows.items()):
            if alike and not counted and not any(name_of(n).kind in _AXES for n, _ in pairs):
                pairs.append(("step", float(row)))
            builder.add(pairs)
    what = "part of the data" if by_data else "metric"
    return Table(f"a file for each {what}", builder.columns(), builder.rows)
