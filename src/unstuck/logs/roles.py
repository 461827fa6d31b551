"""Which column is the train loss, which the held-out loss: a guess by names and behaviour."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unstuck.logs.names import Kind, Name, Part, name_of
from unstuck.logs.numbers import (
    begins_alike,
    is_axis,
    is_clock,
    is_likelihood,
    is_the_same,
    rises_within_one,
    without_false_zeros,
)
from unstuck.logs.stand_ins import by_perplexity, departing, held_out_powers, unmeasured
from unstuck.logs.table import Column, Table, UnusableLog
from unstuck.schema.facts.losses import Yardstick

RARE = 0.02  # of the points of the column with most: too few to be the curve of the training
FEWEST_MEANS = 8
FEWEST_POINTS = 3  # of a curve, where held-out data have as many
FEW_OF_AN_EPOCH = 10  # losses of single batches
FEWEST_RETURNS = 8  # points of a return that may stand for the run
_GENERATORS = frozenset({"g", "gen", "generator"})
_RIVALS = frozenset({"d", "dis", "disc", "discrim", "discriminator", "critic"})
_POLICY = frozenset({"policy", "pi", "actor", "pg", "surrogate", "mu"})
_OF_AGENTS = _POLICY | {"eps", "epsilon", "value", "critic", "vf", "entropy", "advantage"}
_ESTIMATED = frozenset({"td", "bellman", "q", "qf", "qf1", "qf2", "q1", "q2"})  # by the agent
_OBJECTIVES = frozenset({"elbo", "evidence"})
_TERMS = frozenset({"kl", "kld", "mse", "bce", "error", "nll"})  # of such an objective
# What may stand beside a total: the part of such an objective that may rise, or a measure of error.
_BESIDE = frozenset({"kl", "kld", "rel", "l1", "l2"})
_WHOLE = frozenset({"total", "sum", "overall", "all", "combined"})
# Two letters for the data and what is measured, of both parts of the data.
_INITIALS = ({"tl": "train loss", "vl": "val loss"}, {"ta": "train accuracy", "va": "val accuracy"})
_PLAYER = re.compile(r"(?:loss_?)?(?P<player>[dg])(?P<of>_[a-z0-9]{1,2})?", re.IGNORECASE)


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
    why: Yardstick | None = None  # why the train column is no measure of learning, if it is none
    of_held_out: bool = False  # the train column is one of held-out data: there is no other


def assign(table: Table, choice: Choice, file: str) -> Roles:
    """The roles of a table's columns.

    Raises:
        UnusableLog: no column can be the curve of a training, or several can with equal right.
    """
    names = _names(table)
    remarks: list[str] = []
    why = None
    if choice.train:
        train = _named(table, choice.train, "--train", file)
        if train.name in {column.name for column in _rivals(table, names)}:
            why = Yardstick.RIVAL
    else:
        train, why = _train(table, names, file, remarks)
    held = (_named(table, choice.held_out, "--val", file) if choice.held_out
            else _held_out(table, names, train))
    if held is None and not choice.held_out and why is None:
        held = unmeasured(table, names, train, remarks) or departing(
            table, names, train, remarks)
    if not np.isfinite(train.values).any():
        raise UnusableLog(f"column {train.name!r} of {file} holds no finite numbers")
    if (held is not None and not choice.held_out and len(held) >= FEWEST_MEANS
            and not np.isfinite(held.values).any()):
        remarks.append(f"{held.name!r} holds no finite numbers, so it is not taken for held-out "
                       "data.")
        held = None
    if held is not None and not choice.held_out and is_the_same(train, held):
        remarks.append(f"{held.name!r} holds the numbers of {train.name!r} again, so it is not "
                       "taken for held-out data.")
        held = None
    if held is None and not choice.held_out and why is None:
        held = by_perplexity(table, names, train, remarks)
    lost = without_false_zeros(table, train, held)
    if lost is not train:
        first = np.flatnonzero(np.isnan(lost.values) & (train.values == 0))[0]
        remarks.append(f"From its value {int(first) + 1:,} on, {train.name!r} is exactly 0 while "
                       "other columns are NaN, so unstuck takes it for NaN there.")
        train = lost
    kind = names[train.name].kind
    higher = choice.higher_is_better
    if higher is None:
        higher = kind in (Kind.SCORE, Kind.RETURN)
        if is_likelihood(names[train.name], train.values):
            higher = True
            remarks.append(f"{train.name!r} is negative and rises, so unstuck takes it for a "
                           "log-likelihood: higher is better. If not, use --lower-is-better.")
        if kind is Kind.OTHER and rises_within_one(train.values):
            higher = True
            remarks.append(f"{train.name!r} lies between 0 and 1 and rises, so unstuck takes it "
                           "for a score: higher is better. If not, use --lower-is-better.")
    used = {train.name, held.name if held else None}
    return Roles(
        train, held,
        tuple(c for n, c in table.columns.items() if names[n].kind is Kind.RATE),
        tuple(c for n, c in table.columns.items() if n not in used
              and (names[n].kind in (Kind.LOSS, Kind.SCORE, Kind.RETURN) or names[n].length)),
        higher, tuple(remarks), why,
        not choice.train and held is None and names[train.name].part is Part.HELD_OUT
        and kind is not Kind.RETURN,
    )


def _names(table: Table) -> dict[str, Name]:
    """The names understood. A score by episodes, or beside losses of agents, is a return."""
    small = {name.lower() for name in table.columns}
    initials = {short: words for pair in _INITIALS if pair.keys() <= small
                for short, words in pair.items()}
    names = {name: name_of(initials.get(name.lower(), name)) for name in table.columns}
    agents = _of_agents(names)
    gradient = any(name.rest == {"gradient"} for name in names.values())
    episodes = any(name.kind is Kind.EPISODE for name in names.values())
    for n, name in names.items():
        if (episodes and n in ("R", "r")) or (
                agents and name.kind is Kind.SCORE and name.measure == {"score"}):
            names[n] = replace(name, kind=Kind.RETURN)
        elif gradient and name.rest == {"performance"}:  # what MATLAB minimises
            names[n] = replace(name, kind=Kind.LOSS, measure=frozenset({"loss"}), rest=frozenset())
    for n in held_out_powers(table, names):
        names[n] = replace(names[n], part=Part.HELD_OUT)
    return names


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


def listed(table: Table, columns: Sequence[Column] | None = None) -> str:
    """The names of the columns, or of some, as many as fit into a sentence."""
    names = list(map(repr, table.columns if columns is None else (c.name for c in columns)))
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ", ".join(names[:12]) + more if names else "none holds numbers"


def _train(table: Table, names: dict[str, Name], file: str, remarks: list[str],
           ) -> tuple[Column, Yardstick | None]:
    """The column to judge by, and why it is no measure of learning, if it is none."""
    if rivals := _rivals(table, names):
        return rivals[0], Yardstick.RIVAL
    losses = _of_kind(table, names, Kind.LOSS)
    if (earned := _return(table, names, losses)) is not None:
        return earned, None
    policy = [c for c in losses if names[c.name].rest & _POLICY and np.any(c.values < 0)]
    if policy:
        return policy[0], Yardstick.SCORE
    values = [c for c in losses if names[c.name].rest & _ESTIMATED]
    if values and (len(values) == len(losses) or _of_agents(names)):
        return values[0], Yardstick.ESTIMATE
    if (alone := _of_data_alone(table, names)) is not None and (
            not losses or _is_loss_of_both(table, names, alone, losses)):
        return alone, None
    if all(names[c.name].measure <= _BESIDE for c in losses) and (
            whole := _total(table, names, bool(losses))) is not None:
        return whole, None
    scores = _of_kind(table, names, Kind.SCORE)
    objectives = [c for c in scores if names[c.name].measure & _OBJECTIVES]
    if objectives and all(names[c.name].measure <= _TERMS for c in losses):
        losses = []  # they are its parts
    for able in (losses, scores):
        if not able:
            continue
        best = min(able, key=lambda c: _train_order(names[c.name], c))
        best = _said_to_be_trained(names, able, best)
        rivals = [c for c in able if names[best.name].rest and c is not best and _train_order(
            names[c.name], best) == _train_order(names[best.name], best)]
        if rivals:
            remarks.append(
                f"Both {best.name!r} and {rivals[0].name!r} could be the training loss; unstuck "
                f"takes {best.name!r}. Choose the other one with --train.")
        return _mean_of_epochs(table, names, best) or best, None
    if (numbered := _numbered(table, names)) is not None:
        remarks.append(f"No column says that it is of training data; unstuck takes "
                       f"{numbered[0].name!r}, the lower one, for it.")
        return numbered[0], None
    if (held := _held_out_alone(table, names)) is not None:
        remarks.append(f"No column is of training data; unstuck judges {held.name!r}, which is of "
                       "held-out data.")
        return held, None
    return _nameless(table, names, file, remarks), None


def _of_agents(names: Mapping[str, Name]) -> bool:
    """Whether a column is of reinforcement learning."""
    return any(name.kind is Kind.EPISODE or name.rest & _OF_AGENTS for name in names.values())


def _of_kind(table: Table, names: dict[str, Name], kind: Kind) -> list[Column]:
    """The columns of that kind that may speak of training data; those of a few points are none."""
    every = [c for n, c in table.columns.items() if names[n].kind is kind]
    able = [c for c in every if names[c.name].part is not Part.HELD_OUT]
    most = max(map(len, able), default=0)
    if most < FEWEST_POINTS <= max(map(len, every), default=0):
        return []
    return [c for c in able if len(c) >= max(RARE * most, min(most, 3))]


def _rivals(table: Table, names: dict[str, Name]) -> list[Column]:
    """The losses of two networks that work against each other, the generator's first."""
    named = [c for n, c in table.columns.items() if names[n].kind is Kind.LOSS
             and names[n].part is not Part.HELD_OUT]
    makers = [c for c in named if names[c.name].rest & _GENERATORS]
    others = [c for c in named if names[c.name].rest & _RIVALS and c not in makers]
    if makers and others:
        return [*makers, *others]
    players: dict[str, list[Column]] = {"g": [], "d": []}
    for name, column in table.columns.items():
        if found := _PLAYER.fullmatch(name.removeprefix("train ")):
            players[found["player"].lower()].append(column)
    return [*players["g"], *players["d"]] if players["g"] and players["d"] else []


def _return(table: Table, names: dict[str, Name], losses: Sequence[Column]) -> Column | None:
    """What the agent earned, if that is logged: whatever its losses do, it measures learning."""
    able = [c for n, c in table.columns.items() if names[n].kind is Kind.RETURN
            and (len(c) >= FEWEST_RETURNS or not losses)]
    if {"r", "l", "t"} == set(table.columns):  # a monitor's table of episodes
        able.append(table.columns["r"])
    most = max(map(len, able), default=0)
    return min(able, key=lambda c: (
        2 * len(c) < most, names[c.name].part is not Part.HELD_OUT, len(names[c.name].rest),
        -len(c)), default=None)


def _numbered(table: Table, names: dict[str, Name]) -> tuple[Column, Column] | None:
    """Two sets that are only numbered, as `validation_0` and `validation_1`: the lower one first.
    """
    able = [c for n, c in table.columns.items() if names[n].kind is Kind.LOSS
            and names[n].part is Part.HELD_OUT and any(map(str.isdigit, names[n].rest))]
    for i, one in enumerate(able):
        for other in able[i + 1 :]:
            a, b = names[one.name], names[other.name]
            if a.measure == b.measure and all(map(str.isdigit, a.rest ^ b.rest)):
                low = np.median(one.values[-5:]) <= np.median(other.values[-5:])
                return (one, other) if low else (other, one)
    return None


def _of_data_alone(table: Table, names: dict[str, Name]) -> Column | None:
    """The column "train" beside one such as "valid": the names say nothing else."""
    able = [c for n, c in table.columns.items() if names[n].of_data_alone and not is_clock(c)]
    train = [c for c in able if names[c.name].part is not Part.HELD_OUT]
    return train[0] if len(train) == 1 and len(able) > 1 else None


def _is_loss_of_both(table: Table, names: dict[str, Name], alone: Column,
                     losses: Sequence[Column]) -> bool:
    """Whether "train" and "valid" behave as a loss, where what is called one is of no data."""
    held = _held_out(table, names, alone)
    return held is not None and begins_alike(alone, held) and not any(
        "loss" in names[c.name].measure or _twins(table, names, c) for c in losses)


def _held_out_alone(table: Table, names: dict[str, Name]) -> Column | None:
    """The loss or score of held-out data, where none is of training data."""
    for kind in (Kind.LOSS, Kind.SCORE):
        able = [c for n, c in table.columns.items() if names[n].kind is kind]
        if able:
            return min(able, key=lambda c: (names[c.name].test, *_train_order(names[c.name], c)))
    return None


def _nameless(table: Table, names: dict[str, Name], file: str, remarks: list[str]) -> Column:
    """The column without a known name that must be the curve, because there is no other."""
    others = [c for n, c in table.columns.items() if names[n].kind is Kind.OTHER
              and names[n].part is not Part.HELD_OUT and not is_clock(c)
              and not names[n].no_curve]
    twins = [c for c in others if names[c.name].part is Part.TRAIN and _twins(table, names, c)]
    if len(twins) > 1:
        remarks.append(f"{listed(table, twins)} are each there for training and for held-out data; "
                       f"unstuck takes {twins[0].name!r}. Choose another one with --train.")
    if twins:
        return twins[0]
    values = [c for c in others if "value" in names[c.name].rest] or others
    headless = all(name.startswith("column ") for name in table.columns)
    if headless and len(values) > 1 and is_axis(values[0]):
        values = values[1:]
    if len(values) == 1 and table.rows > 1:
        return values[0]
    if (whole := _whole(names, others)) is not None:
        return whole
    if not table.columns:
        raise UnusableLog(f"{file} holds no named numbers, so there is no curve to read")
    if table.rows == 1:
        raise UnusableLog(f"{file} names each number once, so there is no curve to read")
    raise UnusableLog(f"it is not clear which column of {file} is the training loss (columns: "
                      f"{listed(table)}); choose one with --train COLUMN")


def _said_to_be_trained(names: dict[str, Name], able: Sequence[Column], best: Column) -> Column:
    """The column "train_loss" beside a "loss" that is written as often and says nothing of data."""
    own = names[best.name]
    return next((c for c in able if own.part is Part.UNSAID and names[c.name].part is Part.TRAIN
                 and (names[c.name].measure, names[c.name].rest) == (own.measure, own.rest)
                 and len(c) == len(best)), best)


def _mean_of_epochs(table: Table, names: dict[str, Name], train: Column) -> Column | None:
    """The means over whole epochs, beside held-out ones, where the epochs have a few losses of
    single batches as well, which say less."""
    own = names[train.name]
    for name, column in table.columns.items():
        mean = names[name]
        if (mean.smoothed and not own.smoothed and mean.part is Part.TRAIN
                and (mean.kind, mean.measure, mean.rest) == (own.kind, own.measure, own.rest)
                and FEWEST_MEANS <= len(column) < len(train) <= FEW_OF_AN_EPOCH * len(column)
                and any(np.array_equal(held.rows, column.rows)
                        for held in _twins(table, names, column))):
            return column
    return None


def _twins(table: Table, names: dict[str, Name], train: Column) -> list[Column]:
    """The columns of held-out data whose names are otherwise the same."""
    own = names[train.name]
    return [c for n, c in table.columns.items() if names[n].part is Part.HELD_OUT
            and names[n].kind is own.kind and names[n].rest == own.rest]


def _total(table: Table, names: dict[str, Name], beside: bool) -> Column | None:
    """The column "train total" beside "val total" and parts of both, or beside what may be there.
    """
    parts = [c for n, c in table.columns.items() if names[n].kind is Kind.OTHER
             and names[n].part is not Part.HELD_OUT and not names[n].no_curve
             and (beside or (names[n].part is Part.TRAIN and _twins(table, names, c)))]
    return _whole(names, parts)


def _whole(names: dict[str, Name], parts: Sequence[Column]) -> Column | None:
    """The column "total" among others."""
    whole = [c for c in parts if names[c.name].rest and names[c.name].rest <= _WHOLE
             and not np.all(c.values % 1 == 0)]  # a count
    return whole[0] if len(whole) == 1 < len(parts) else None


def _train_order(name: Name, column: Column) -> tuple[bool, int, bool, int, bool, int, bool]:
    """The whole loss before its parts and its exponential, what changes, what was written more
    often, what is not of a single batch."""
    return ("loss" not in name.measure and name.kind is Kind.LOSS, len(name.rest),
            "perplexity" in name.measure, len(name.measure),
            bool(len(column)) and bool(np.all(column.values == column.values[0])), -len(column),
            "batch" in column.name.lower())


def _held_out(table: Table, names: dict[str, Name], train: Column) -> Column | None:
    """The held-out column that measures the same as the train column."""
    own = names[train.name]
    if own.of_data_alone:
        return next((c for n, c in table.columns.items() if c is not train
                     and names[n].of_data_alone and names[n].part is Part.HELD_OUT), None)
    if own.kind is Kind.OTHER and own.part is Part.TRAIN:
        return next(iter(_twins(table, names, train)), None)
    if own.kind not in (Kind.LOSS, Kind.SCORE):
        return None
    if own.part is Part.HELD_OUT:
        numbered = _numbered(table, names)
        return numbered[1] if numbered is not None and numbered[0] is train else None
    able = [c for n, c in table.columns.items()
            if names[n].part is Part.HELD_OUT and names[n].kind is own.kind
            and names[n].measure & own.measure and c is not train]
    return min(able, key=lambda c: (
        len(names[c.name].measure ^ own.measure), len(names[c.name].rest ^ own.rest),
        names[c.name].test, -len(c), "batch" in c.name.lower()), default=None)
