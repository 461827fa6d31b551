"""Several runs in one table: by the names of its columns, by a column that says so, by restarts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unstuck.logs.axis import starts
from unstuck.logs.names import Kind, Part, name_of, role, with_role
from unstuck.logs.roles import Choice, assign
from unstuck.logs.table import Column, Table, UnusableLog
from unstuck.record.series import Floats, Integers
from unstuck.words import count, number

MOST = 200  # runs of one file
FEWEST = 8  # points of a run that stands for itself
SHORT = 0.2  # of the longest run: a start that was given up
_BETWEEN = re.compile(r"[/\\_. -]+")  # the words of a run's name
_CURVES = (Kind.LOSS, Kind.SCORE, Kind.RETURN)


@np.errstate(all="ignore")
def runs_of(table: Table, choice: Choice) -> list[Table]:
    """The runs of a table, each with its name; the table itself where there is but one."""
    if not choice.train:
        table = _without_extremes(table)
        if found := _by_names(table):
            return found
    if found := _by_column(table):
        return found
    return _by_restarts(table, choice) or [table]


# Names -------------------------------------------------------------------------------------------
def _without_extremes(table: Table) -> Table:
    """Without the columns of W&B's export that hold the range of another one."""
    columns = {n: c for n, c in table.columns.items()
               if not (n.endswith(("__MIN", "__MAX")) and n[:-5] in table.columns)}
    return replace(table, columns=columns)


def _by_names(table: Table) -> list[Table]:
    """The runs of which columns are named: "RUN - loss" in an export, "RUN/loss" in a document."""
    own: dict[str, dict[str, Column]] = {}
    common: dict[str, Column] = {}
    paths = table.format.startswith("JSON")
    parents = _parents(list(table.columns)) if paths else {}
    for name, column in table.columns.items():
        run, bar, rest = name.rpartition(" - ")
        if not bar and (run := parents.get(name, "")):
            rest = name[name.index(run) + len(run) :].strip("/")
        if run:
            own.setdefault(run, {})[rest] = replace(column, name=rest)
        else:
            common[name] = column
    curves = [{n for n in columns if name_of(n).kind in _CURVES} for columns in own.values()]
    if not 2 <= len(own) <= MOST or not set.intersection(*curves):
        return []
    return [replace(table, columns={**common, **columns}, run=run) for run, columns in own.items()]


def _parents(names: Sequence[str]) -> Mapping[str, str]:
    """The part of each path that names its run; empty if the paths do not differ by runs.

    That is the first level below what all have in common, if it speaks neither of data nor of a
    measure, and the same is logged below several of its names.
    """
    paths = {name: name.split("/") for name in names if "/" in name}
    if len(paths) < 2:
        return {}
    level = 0
    while len({tuple(path[: level + 1]) for path in paths.values()}) == 1:
        level += 1
    able = {name: path for name, path in paths.items() if len(path) > level + 1}
    heads = {path[level] for path in able.values()}
    if len(heads) < 2 or any(
            (known := name_of(head)).kind in _CURVES or known.part is not Part.UNSAID
            for head in heads):
        return {}
    return {name: path[level] for name, path in able.items()}


# A column ----------------------------------------------------------------------------------------
def _by_column(table: Table) -> list[Table]:
    """The runs that a column numbers or names, such as "seed" or "fold"."""
    for name, column in table.columns.items():
        if name_of(name).kind is not Kind.RUN or len(column) < 2:
            continue
        which = np.full(table.rows, np.nan)
        which[column.rows] = column.values
        last = np.maximum.accumulate(np.where(np.isnan(which), 0, np.arange(table.rows)))
        which = which[last]
        labels = dict(enumerate(table.labels.get(name, ())))
        if data := _data_of(labels):
            return _by_data(table, name, which, data)
        values = np.unique(which[np.isfinite(which)])
        if not 2 <= len(values) <= MOST:
            continue
        found = [_rows(table, np.flatnonzero(which == value),
                       labels.get(value, f"{name} {number(value)}")) for value in values.tolist()]
        if all(_points(part) >= 3 for part in found):
            return [replace(part, columns={n: c for n, c in part.columns.items() if n != name})
                    for part in found]
    return []


def _data_of(labels: Mapping[int, str]) -> dict[int, tuple[str, str]]:
    """The run that each label names, and the part of its data, as "lstm_v2/train" does; empty if
    no run has both training and other data."""
    found: dict[int, tuple[str, str]] = {}
    for value, label in labels.items():
        words = _BETWEEN.split(label)
        said = [word for word in (words[0], words[-1]) if role(word)][:1]
        run = label.removeprefix(said[0]).removesuffix(said[0]) if said else label
        found[value] = run.strip("/\\_.- "), role(said[0]) if said else ""
    named = set(found.values())
    both = any((run, "train") in named and data not in ("", "train") for run, data in named)
    return found if both else {}


def _by_data(table: Table, name: str, which: Floats, data: Mapping[int, tuple[str, str]],
             ) -> list[Table]:
    """The runs of a column that says which data a row is of as well."""
    runs: dict[str, dict[int, str]] = {}
    for value, (run, part) in data.items():
        runs.setdefault(run, {})[value] = part
    found = []
    for run, parts in runs.items():
        own = {part: [value for value, said in parts.items() if said == part]
               for part in parts.values()}
        columns: dict[str, Column] = {}
        for column in table.columns.values():
            if column.name == name:
                continue
            of = which[column.rows]
            masks: dict[str, NDArray[np.bool_]] = {}
            for part, values in own.items():
                label = with_role(column.name, part)
                masks[label] = masks.get(label, np.False_) | np.isin(of, values)
            columns |= {label: Column(label, column.rows[mask], column.values[mask])
                        for label, mask in masks.items() if mask.any()}
        there = np.flatnonzero(np.isin(which, list(parts)))
        found.append(_rows(replace(table, columns=columns), there, run if len(runs) > 1 else ""))
    return found


def _points(table: Table) -> int:
    """The points of the longest curve."""
    return max((len(c) for n, c in table.columns.items() if name_of(n).kind in _CURVES), default=0)


def _rows(table: Table, rows: Integers, run: str) -> Table:
    """Some rows of a table."""
    place = np.full(table.rows, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    columns = {}
    for name, column in table.columns.items():
        at = place[column.rows]
        if (keep := at >= 0).any():
            columns[name] = Column(name, at[keep], column.values[keep])
    return replace(table, columns=columns, rows=len(rows), run=run)


# Restarts ----------------------------------------------------------------------------------------
def _by_restarts(table: Table, choice: Choice) -> list[Table]:
    """The runs that were written one after another: where the counter begins anew, one does."""
    try:
        train = assign(table, choice, "").train
    except UnusableLog:
        return []  # whoever needs the column says it with the file's name
    begins = starts(table, train)
    if not 0 < len(begins) < MOST:
        return []
    edges = [0, *begins, table.rows]
    points = [int(np.count_nonzero((train.rows >= a) & (train.rows < b)))
              for a, b in pairwise(edges)]
    whole = [n >= max(FEWEST, SHORT * max(points)) for n in points]
    if sum(whole) < 2:
        return []
    dropped = len(whole) - sum(whole)
    remarks = table.remarks
    if dropped:
        remarks = (*remarks, f"unstuck left out {count(dropped, 'start')} of only a few points.")
    kept = [edge for edge, good in zip(pairwise(edges), whole, strict=True) if good]
    return [replace(_rows(table, np.arange(a, b), f"run {i} of {len(kept)}"), remarks=remarks)
            for i, (a, b) in enumerate(kept, 1)]
