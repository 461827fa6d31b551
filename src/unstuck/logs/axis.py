"""Where the points of a curve stand: its steps, epochs or rows; counters that go back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unstuck.logs.names import Kind, name_of
from unstuck.logs.table import Column, Table
from unstuck.record.series import Floats, Integers, Series
from unstuck.words import count, number

REPEATS = 0.02  # of the points may share a step before it is not an axis
RESUMES = 0.02  # of the points may go back before the order is none
AT_ONCE = 0.8  # of a step's returns coincide with a new epoch: it counts within the epoch
UNKNOWN = 0.05  # of the points may come before the first step is named
FAR = 2.0**62
MOST_DOUBLED = 200  # points: of more, a number would be too large
DOUBLING = 0.6  # of the next point's step, from which a counter grows exponentially


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis for all rows of a table; `at`, of shape (rows,), is NaN where none is known yet.

    `unit` is "step", "episode", "epoch" or "row". `later` is, at each row, the earliest point of
    the train column in the rows after it: in a resumed run it supersedes what does not come before
    it.
    """

    name: str
    unit: str
    at: Floats
    later: Floats | None = None
    remarks: tuple[str, ...] = ()

    def series(self, column: Column) -> Series:
        """A column over this axis, its steps in order; of a resumed run's, the later of each."""
        at, rows, values = _along(self.at, column), column.rows, column.values
        keep = (at >= 0) & (at < FAR)
        if self.later is not None:
            keep &= at < np.minimum(_along(self.later, column), _earliest_after(
                np.where(keep, at, np.inf)))
        if not keep.all():
            at, rows, values = at[keep], rows[keep], values[keep]
        steps: Integers = rows if self.unit == "row" else at.astype(np.int64)
        if np.any(steps[1:] < steps[:-1]):
            order = np.argsort(steps, kind="stable")
            steps, values = steps[order], values[order]
        return Series(steps, values)


def _along(at: Floats, column: Column) -> Floats:
    """An axis of all rows at those of a column."""
    return at if len(column) == len(at) else at[column.rows]


def axis_of(table: Table, train: Column) -> Axis:
    """The axis that tells the train column's points apart: steps before epochs before rows."""
    epochs = _filled(table, Kind.EPOCH, train)
    rows = np.arange(table.rows, dtype=np.float64)
    for found, unit in ((_filled(table, Kind.STEP, train), "step"),
                        (_filled(table, Kind.EPISODE, train), "episode"), (epochs, "epoch")):
        if found is None:
            continue
        name, at = found
        known = _along(at, train)
        if not (finite := np.isfinite(known)).all():
            known = known[finite]
        if len(known) < (1 - UNKNOWN) * len(train) or np.min(known) < 0 or np.max(known) >= FAR:
            continue
        moves = np.diff(known)
        if 7 < len(known) < MOST_DOUBLED and np.min(moves) > 0 and (
                np.median(known[1:-1] / known[2:]) < DOUBLING):
            continue  # points that are ever farther apart have no trend over it
        back = np.flatnonzero(moves < 0)
        if len(back) == len(moves) > 3:  # the newest first
            back = back[:0]
        same = np.count_nonzero(moves == 0) > max(REPEATS * len(known), 1)
        if unit != "epoch" and not same and len(back):
            unrolled = _unrolled(at, train, epochs[1] if epochs else None)
            if unrolled is not None and unrolled[-1] < FAR:
                return Axis(name, unit, unrolled)
        if (unit != "epoch" and same) or len(back) > max(RESUMES * len(known), 3):
            continue
        whole = not same and bool(np.all(known % 1 == 0))
        unit = unit if whole else "row"
        if not len(back):
            return Axis(name if whole else "row", unit, at)
        own = np.full(table.rows, np.inf)
        own[train.rows] = np.where(np.isfinite(at[train.rows]), at[train.rows], np.inf)
        return Axis(name if whole else "row", unit, at, _earliest_after(own),
                    _resumed(name, known, back))
    return Axis("row", "row", rows)


def starts(table: Table, train: Column) -> list[int]:
    """The rows at which the counter begins anew, and the curve with it: other runs begin there.

    None if it goes back for other reasons as well, as in a run that was resumed.
    """
    epochs = _filled(table, Kind.EPOCH, train)
    for kind in (Kind.STEP, Kind.EPISODE, Kind.EPOCH):
        found = _filled(table, kind, train)
        if found is None or len(train) < 2:
            continue
        known = _along(found[1], train)
        back = np.flatnonzero(known[1:] < known[:-1])
        if not len(back):
            if np.any(known[1:] > known[:-1]):
                return []
            continue
        if len(back) > RESUMES * len(known) + 3 or len(back) == len(known) - 1:
            continue
        if np.any(known[back + 1] > known[0]) or (kind is not Kind.EPOCH and _unrolled(
                found[1], train, epochs[1] if epochs else None) is not None):
            return []
        if kind is Kind.EPOCH and _goes_on(train.values, back + 1, surely=True):
            return []
        rows = []
        for before, after in zip(train.rows[back], train.rows[back + 1], strict=True):
            between = found[1][before : after + 1]
            rows.append(int(before + np.flatnonzero(between < between[0])[0]))
        return rows
    return []


def _filled(table: Table, kind: Kind, train: Column) -> tuple[str, Floats] | None:
    """The counters of a kind at every row: that of the train column's own rows first."""
    able = [c for n, c in table.columns.items() if name_of(n).kind is kind and c is not train]
    if not able:
        return None
    able.sort(key=lambda c: (-_shared(table, train, c), "global" not in c.name.lower()))
    first = able[0]
    if len(first) == table.rows and np.isfinite(first.values).all():
        return first.name, first.values
    at = np.full(table.rows, np.nan)
    backs = 0
    for column in able[:4]:
        more = at.copy()
        free = np.isnan(more[column.rows])
        more[column.rows[free]] = column.values[free]
        backs += _backs(column.values)
        if _backs(more) <= backs:  # another counter may count something else
            at = more
    at[np.isinf(at)] = np.nan
    known = np.flatnonzero(~np.isnan(at))
    if len(known) in (0, table.rows):
        return able[0].name, at
    rows = np.arange(table.rows)
    if _follows(known, train.rows):
        return able[0].name, at[known[np.minimum(np.searchsorted(known, rows), len(known) - 1)]]
    last = np.maximum.accumulate(np.where(np.isnan(at), 0, rows))
    return able[0].name, at[last]


def _backs(values: Floats) -> int:
    """How often a counter goes back."""
    finite = np.isfinite(values)
    values = values if finite.all() else values[finite]
    return int(np.count_nonzero(values[1:] < values[:-1]))


def _follows(counted: Integers, points: Integers) -> bool:
    """Whether a counter stands behind the points that it counts: each has one before the next."""
    if len(points) < 2 or counted[0] <= points[0]:
        return False
    after = counted[np.minimum(np.searchsorted(counted, points), len(counted) - 1)]
    return bool(np.mean((after[:-1] > points[:-1]) & (after[:-1] < points[1:])) > AT_ONCE)


def _shared(table: Table, one: Column, other: Column) -> int:
    """How many rows have both."""
    if one.rows is other.rows:
        return len(one)
    there = np.zeros(table.rows, dtype=bool)
    there[other.rows] = True
    return int(np.count_nonzero(there[one.rows]))


def _unrolled(at: Floats, train: Column, epochs: Floats | None) -> Floats | None:
    """A counter that begins anew with each epoch, counted on; None if it is not one."""
    known = at[train.rows]
    back = np.flatnonzero(np.diff(known) < 0)
    rows = train.rows[back + 1]
    if epochs is not None:
        new = epochs[rows] > epochs[train.rows[back]]
        if np.mean(new) < AT_ONCE:
            return None
    elif np.any(known[back + 1] > known[0]) or not _goes_on(train.values, back + 1):
        return None
    steps = np.diff(known)
    pace = float(np.median(steps[steps > 0])) if np.any(steps > 0) else 1.0
    jumps = known[back] - known[back + 1] + pace
    lifted = np.zeros(len(at))
    lifted[rows] = jumps
    return at + np.cumsum(lifted)


def _goes_on(values: Floats, returns: Integers, surely: bool = False) -> bool:
    """Whether the curve behind each return continues the level before it, not that of its start;
    surely, if these two differ by more than the curve does from point to point."""
    gaps = []
    for before, at, after in zip([0, *returns], returns, [*returns[1:], len(values)], strict=False):
        width = max(1, min(5, (at - before) // 4, (after - at) // 4))
        new, old = np.median(values[at : at + width]), np.median(values[at - width : at])
        gaps.append(abs(new - old) - abs(new - np.median(values[:width])))
    return bool(np.median(gaps) < (-np.median(np.abs(np.diff(values))) if surely else 0))


def _earliest_after(at: Floats) -> Floats:
    """The smallest of all later values; Inf behind the last."""
    return np.append(np.minimum.accumulate(at[::-1])[::-1][1:], np.inf)[: len(at)]


def _resumed(name: str, at: Floats, back: Integers) -> tuple[str, ...]:
    if not len(back):
        return ()
    gone = int(np.count_nonzero(at >= _earliest_after(at)))
    first = int(back[0])
    jumps = f", the first of {count(len(back), 'such jump')}" if len(back) > 1 else ""
    what = "restarted" if np.all(at[back + 1] <= at[0]) else "resumed"
    says = (f"The run was {what}: {name!r} goes back from {_place(at[first])} to "
            f"{_place(at[first + 1])}{jumps}. Where steps repeat, unstuck keeps the later ones and "
            f"drops {count(gone, 'point')}.")
    return (says,)


def _place(at: float) -> str:
    """A step is exact, however large."""
    return f"{int(at):,}" if float(at).is_integer() else number(float(at))
