"""Which column is the train loss, which the held-out loss: a guess by names and behaviour."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unstuck.logs.names import Kind, Name, Part, name_of
from unstuck.logs.table import Column, Table, UnusableLog
from unstuck.record.series import Floats

RARE = 0.02  # of the points of the column with most: too few to be the curve of the training
ADVERSARIES = frozenset((
    "d", "g", "gen", "dis", "disc", "discriminator", "generator", "adv", "adversarial",
    "critic", "actor", "policy", "fake", "real",
))


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user says of the columns; None leaves it to a guess."""

    train: str | None = None
    held_out: str | None = None
    higher_is_better: bool | None = None


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns by what they are. `higher`: more of the train column is better."""

    train: Column
    held_out: Column | None
    rates: tuple[Column, ...]
    metrics: tuple[Column, ...]
    higher: bool
    remarks: tuple[str, ...] = ()


def assign(table: Table, choice: Choice, file: str) -> Roles:
    """The roles of a table's columns.

    Raises:
        UnusableLog: no column can be the curve of a training, or several can with equal right.
    """
    names = {name: name_of(name) for name in table.columns}
    remarks: list[str] = []
    train = (_named(table, choice.train, "--train", file) if choice.train
             else _train(table, names, file, remarks))
    held = (_named(table, choice.held_out, "--val", file) if choice.held_out
            else _held_out(table, names, train))
    if not np.isfinite(train.values).any():
        raise UnusableLog(f"column {train.name!r} of {file} holds no finite numbers")
    kind = names[train.name].kind
    higher = choice.higher_is_better
    if higher is None:
        higher = kind is Kind.SCORE
        if kind is Kind.OTHER and _rises_within_one(train.values):
            higher = True
            remarks.append(f"{train.name!r} lies between 0 and 1 and rises, so unstuck takes it "
                           "for a score: higher is better. If not, use --lower-is-better.")
    used = {train.name, held.name if held else None}
    return Roles(
        train, held,
        tuple(c for n, c in table.columns.items() if names[n].kind is Kind.RATE),
        tuple(c for n, c in table.columns.items()
              if n not in used and names[n].kind in (Kind.LOSS, Kind.SCORE)),
        higher, tuple(remarks),
    )


def _named(table: Table, wanted: str, option: str, file: str) -> Column:
    """The column of that name, whatever its case."""
    for name, column in table.columns.items():
        if name == wanted:
            return column
    same = [n for n in table.columns if n.casefold() == wanted.casefold()]
    if len(same) == 1:
        return table.columns[same[0]]
    near = difflib.get_close_matches(wanted, table.columns, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"its columns: {listed(table)}"
    raise UnusableLog(f"{option}: {file} has no column {wanted!r}; {hint}")


def listed(table: Table) -> str:
    """The names of the columns, as many as fit into a sentence."""
    names = [repr(name) for name in table.columns]
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ", ".join(names[:12]) + more if names else "none holds numbers"


def _train(table: Table, names: dict[str, Name], file: str, remarks: list[str]) -> Column:
    for kind in (Kind.LOSS, Kind.SCORE):
        able = [c for n, c in table.columns.items()
                if names[n].kind is kind and names[n].part is not Part.HELD_OUT]
        most = max(map(len, able), default=0)
        able = [c for c in able if len(c) >= min(RARE * most, 3)]
        if not able:
            continue
        best = min(able, key=lambda c: _train_order(names[c.name], c))
        if names[best.name].rest:
            rivals = [c for c in able if _train_order(names[c.name], best)
                      == _train_order(names[best.name], best) and c is not best]
            _of_rivals(best, rivals, names, file, remarks)
        return best
    others = [c for n, c in table.columns.items() if names[n].kind is Kind.OTHER
              and names[n].part is not Part.HELD_OUT and not _is_clock(c)]
    values = [c for c in others if "value" in names[c.name].rest] or others
    headless = all(name.startswith("column ") for name in table.columns)
    if headless and len(values) > 1 and _is_axis(values[0]):
        values = values[1:]
    if len(values) == 1:
        return values[0]
    if not table.columns:
        raise UnusableLog(f"{file} holds no named numbers, so there is no curve to read")
    raise UnusableLog(f"it is not clear which column of {file} is the training loss (columns: "
                      f"{listed(table)}); choose one with --train COLUMN")


def _train_order(name: Name, column: Column) -> tuple[bool, int, int]:
    """The whole loss before its parts, then what was written more often."""
    return "loss" not in name.measure and name.kind is Kind.LOSS, len(name.rest), -len(column)


def _of_rivals(best: Column, rivals: Sequence[Column], names: dict[str, Name], file: str,
               remarks: list[str]) -> None:
    if not rivals:
        return
    both = f"{best.name!r} and {rivals[0].name!r}"
    if (names[best.name].rest | names[rivals[0].name].rest) & ADVERSARIES:
        raise UnusableLog(f"{file} has the losses {both}, which work against each other; choose "
                          "one with --train COLUMN")
    remarks.append(f"Both {both} could be the training loss; unstuck takes {best.name!r}. Choose "
                   "the other one with --train.")


def _held_out(table: Table, names: dict[str, Name], train: Column) -> Column | None:
    """The held-out column that measures the same as the train column."""
    own = names[train.name]
    if own.part is Part.HELD_OUT or own.kind not in (Kind.LOSS, Kind.SCORE):
        return None
    able = [c for n, c in table.columns.items()
            if names[n].part is Part.HELD_OUT and names[n].kind is own.kind
            and names[n].measure & own.measure and c is not train]
    return min(able, key=lambda c: (len(names[c.name].rest ^ own.rest), names[c.name].test,
                                    -len(c)), default=None)


# Behaviour ---------------------------------------------------------------------------------------
def _rises_within_one(values: Floats) -> bool:
    finite = values[np.isfinite(values)]
    if len(finite) < 8 or np.min(finite) < 0 or np.max(finite) > 1:
        return False
    part = max(len(finite) // 5, 2)
    start, end = finite[:part], finite[-part:]
    return bool(np.median(end) - np.median(start) > np.std(start) + np.std(end))


def _is_axis(column: Column) -> bool:
    """Whether it counts: whole numbers in even, rising steps."""
    steps = np.diff(column.values)
    return bool(len(steps) and np.all(steps > 0) and np.all(column.values % 1 == 0))


def _is_clock(column: Column) -> bool:
    """Whether the numbers are seconds since 1970."""
    return bool(np.median(column.values) > 1e9 and np.all(np.diff(column.values) >= 0))
