"""A file, folder or pipe → the records of the runs in it. The kind is detected from the content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from unstuck.logs.axis import Axis, axis_of
from unstuck.logs.folders import runs_in
from unstuck.logs.kinds import table_of
from unstuck.logs.names import Kind, name_of
from unstuck.logs.roles import Choice, Roles, assign
from unstuck.logs.source import Source, source
from unstuck.logs.table import Table, UnusableLog
from unstuck.record.reader import EVENTS, Oddity, Record
from unstuck.record.series import Series
from unstuck.schema.facts.run import Log
from unstuck.schema.signals import HELD_OUT_LOSS, LEARNING_RATE, METRIC, TRAIN_LOSS
from unstuck.schema.version import VERSION


def records(path: Path, choice: Choice = Choice()) -> Iterator[Record]:  # noqa: B008 frozen
    """The runs of a file or folder, a record each, in the order of their names.

    Raises:
        Unusable: there is none that can be read.
    """
    if os.path.isfile(path / EVENTS):
        raise UnusableLog(f"{path} is a record of unstuck; read it with `unstuck diagnose {path}`")
    if not os.path.isdir(path):
        yield record_of(source(path), choice)
        return
    for run in runs_in(path):
        yield _record(run.name, run.read(), choice)


def record_of(file: Source, choice: Choice) -> Record:
    """The run of a file."""
    return _record(file.name, table_of(file), choice)


# Records -----------------------------------------------------------------------------------------
@np.errstate(all="ignore")
def _record(name: str, table: Table, choice: Choice) -> Record:
    roles = assign(table, choice, name)
    axis = axis_of(table, roles.train)
    train = axis.series(roles.train)
    held = axis.series(roles.held_out) if roles.held_out else None
    if roles.higher:
        train, held = _as_losses(train, held)
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
    return Record(
        _identity(series), VERSION,
        oddities=tuple(Oddity("log", 0, says) for says in remarks),
        steps=int(train.steps[-1]) + 1 if len(train) else 0,
        tracks={"": train},
        _series=series,
    ).hold(_log(name, table, roles, axis))  # it does not say how its run ended


def _log(name: str, table: Table, roles: Roles, axis: Axis) -> Log:
    return Log(
        name, table.format, roles.train.name, roles.held_out.name if roles.held_out else None,
        axis.name, axis.unit, table.rows, roles.higher,
        tuple(c.name for c in roles.metrics if name_of(c.name).kind is Kind.SCORE),
    )


def _as_losses(train: Series, held: Series | None) -> tuple[Series, Series | None]:
    """Scores as what is missing to the best: 1 - a share, 100 - a percentage, else negated."""
    finite = np.concatenate([one.finite.values for one in (train, held) if one is not None])
    inside = len(finite) and np.min(finite) >= 0
    most = float(np.max(finite)) if inside else np.inf
    best = 1.0 if most <= 1 else 100.0 if most <= 100 else 0.0
    return (Series(train.steps, best - train.values),
            Series(held.steps, best - held.values) if held is not None else None)


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
                digest.update(np.ascontiguousarray(part))
    return digest.hexdigest()[:32]
