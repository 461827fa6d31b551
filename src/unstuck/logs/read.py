"""A file, folder or pipe → the records of the runs in it. The kind is detected from the content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from unstuck.logs.axis import Axis, axis_of
from unstuck.logs.folders import runs_in
from unstuck.logs.kinds import table_of
from unstuck.logs.names import Kind, Name, Part, name_of
from unstuck.logs.roles import Choice, Roles, assign
from unstuck.logs.runs import runs_of
from unstuck.logs.source import Source, source
from unstuck.logs.table import Table, UnusableLog
from unstuck.reading import Unusable
from unstuck.record.reader import EVENTS, Oddity, Record
from unstuck.record.series import Series
from unstuck.schema.facts.losses import Moving
from unstuck.schema.facts.run import Log
from unstuck.schema.signals.losses import HELD_OUT_LOSS, LEARNING_RATE, METRIC, TRAIN_LOSS
from unstuck.schema.version import VERSION

FEWEST_OF_A_SCORE = 5  # points from which a score says how good the network is
MOST_AS_SHARE = 3.0  # words too many count as well, so that a share of errors may exceed 1

Tell = Callable[[str], object]
Progress = Callable[[int], object]


def _silent(_: object) -> None:
    """Nobody listens."""


def records(path: Path, choice: Choice = Choice(), tell: Tell = _silent,  # noqa: B008 frozen
            progress: Progress = _silent) -> Iterator[Record]:
    """The runs of a file or folder, a record each, in the order of their names.

    Args:
        path: of the file or folder.
        choice: what the user says of the columns.
        tell: hears a sentence about each run of a folder that cannot be read, if others can.
        progress: hears of the bytes that were read.

    Raises:
        Unusable: there is none that can be read.
    """
    if os.path.isfile(path / EVENTS):
        raise UnusableLog(f"{path} is a record of unstuck; read it with `unstuck diagnose {path}`")
    if not os.path.isdir(path):
        yield from records_of(replace(source(path), progress=progress), choice)
        return
    faults: list[Unusable] = []
    good = False
    for run in runs_in(path):
        try:
            found = list(_of_table(run.name, run.read(), choice, run.fewest))
        except Unusable as error:
            if run.surely:
                faults.append(error)
            continue
        good = good or bool(found)
        yield from found
    for fault in faults if good else ():
        tell(str(fault))
    if not good:
        raise faults[0] if faults else UnusableLog(
            f"{path} holds no training log in a format that unstuck knows")


def records_of(file: Source, choice: Choice) -> Iterator[Record]:
    """The runs of a file."""
    yield from _of_table(file.name, table_of(file), choice)


def _of_table(name: str, table: Table, choice: Choice, fewest: int = 0) -> Iterator[Record]:
    """The runs of a table whose curve has so many points; raises what the last one lacks if none
    can be read."""
    fault = None
    good = False
    for part in runs_of(table, choice):
        try:
            record = _record(f"{name} ({part.run})" if part.run else name, part, choice)
        except UnusableLog as error:
            fault = error
            continue
        if len(record.series(TRAIN_LOSS)) >= fewest:
            good = True
            yield record
    if fault is not None and not good:
        raise fault


# Records -----------------------------------------------------------------------------------------
@np.errstate(all="ignore")
def _record(name: str, table: Table, choice: Choice) -> Record:
    roles = assign(table, choice, name)
    axis = axis_of(table, roles.train)
    train = axis.series(roles.train)
    held = axis.series(roles.held_out) if roles.held_out else None
    best = None
    if roles.higher:
        best = _best(name_of(roles.train.name), [one for one in (train, held) if one is not None])
        train = Series(train.steps, (best or 0.0) - train.values)
        held = Series(held.steps, (best or 0.0) - held.values) if held is not None else None
    series: dict[str, Series | dict[str, Series]] = {TRAIN_LOSS.name: train}
    if held is not None and len(held):
        series[HELD_OUT_LOSS.name] = held
    for signal, columns in ((LEARNING_RATE, roles.rates), (METRIC, roles.metrics)):
        places = {c.name: axis.series(c) for c in columns}
        if signal is LEARNING_RATE:
            places = {place: _changes(one) for place, one in places.items()}
        if places := {place: one for place, one in places.items() if len(one)}:
            series[signal.name] = places
    remarks = (*table.remarks, *axis.remarks, *roles.remarks)
    record = Record(
        _identity(series), VERSION,
        oddities=tuple(Oddity("log", 0, says) for says in remarks),
        steps=int(train.steps[-1]) + 1 if len(train) else 0,
        tracks={"": train},
        _series=series,
    ).hold(_log(name, table, roles, axis, best))  # it does not say how its run ended
    return record.hold(Moving(roles.why, None)) if roles.why is not None else record


def _log(name: str, table: Table, roles: Roles, axis: Axis, best: float | None) -> Log:
    score, score_best, counts_errors = _score(roles)
    return Log(
        name, table.format, roles.train.name, roles.held_out.name if roles.held_out else None,
        axis.name, axis.unit, table.rows, roles.higher,
        tuple(c.name for c in roles.metrics if name_of(c.name).kind in (Kind.SCORE, Kind.RETURN)),
        best, score, score_best, roles.of_held_out, counts_errors,
        tuple(c.name for c in roles.metrics if (known := name_of(c.name)).part is Part.HELD_OUT
              and known.kind in (Kind.LOSS, Kind.SCORE)),
    )


def _best(name: Name, scores: Sequence[Series]) -> float | None:
    """The best value of a score: 1 for shares, 100 for percentages, None where it is unknown."""
    finite = np.concatenate([one.finite.values for one in scores])
    if name.kind is Kind.RETURN or not len(finite):
        return None
    most = float(np.max(finite))
    bounded, least = name.bounded or name.counts_errors, np.min(finite)
    if most <= 1 and (bounded or least >= 0):
        return 1.0
    if name.counts_errors and most <= MOST_AS_SHARE:  # 1.2 may be a share of errors or per cent
        return None
    return 100.0 if bounded and 1 < most <= 100 and least >= 0 else None


def _score(roles: Roles) -> tuple[str | None, float, bool]:
    """The metric that says how good the network is, of training data if there is one; its best;
    whether it is a rate of errors, whose worst that is then."""
    able = [(column, name) for column in roles.metrics
            if ((name := name_of(column.name)).bounded or name.counts_errors)
            and len(column) >= FEWEST_OF_A_SCORE]
    able.sort(key=lambda one: (one[1].counts_errors, one[1].part is Part.HELD_OUT,
                               len(one[1].rest)))
    for column, name in able:
        best = _best(name, [Series(column.rows, column.values)])
        if best is not None:
            return column.name, best, name.counts_errors
    return None, 1.0, False


def _changes(rate: Series) -> Series:
    """The points at which a learning rate differs from the one before."""
    keep = np.r_[True, rate.values[1:] != rate.values[:-1]][: len(rate)]
    return Series(rate.steps[keep], rate.values[keep])


def _identity(series: dict[str, Series | dict[str, Series]]) -> str:
    """The record's id: the same curves have the same."""
    digest = hashlib.sha256()
    for name, found in sorted(series.items()):
        for place, one in sorted(found.items()) if isinstance(found, dict) else [("", found)]:
            digest.update(f"{name}\0{place}\0".encode(errors="backslashreplace"))
            for part in (one.steps, one.values):
                digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()[:32]
