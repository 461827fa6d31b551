"""What the numbers of a column are, where its name does not say it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from unstuck.logs.names import Kind, Name, name_of
from unstuck.logs.table import Column, Table
from unstuck.record.series import Floats

FEWEST = 8  # points
FALL = 0.03  # of what a loss is at first
LOGARITHMS = frozenset({"loss", "crossentropy", "xent", "nll", "ce"})  # of probabilities


def is_axis(column: Column) -> bool:
    """Whether it counts: whole numbers in even, rising steps."""
    steps = np.diff(column.values)
    return bool(len(steps) and np.all(steps > 0) and np.all(column.values % 1 == 0))


def is_clock(column: Column) -> bool:
    """Whether the numbers are seconds since 1970."""
    return bool(np.median(column.values) > 1e9 and np.all(np.diff(column.values) >= 0))


def rises_within_one(values: Floats) -> bool:
    """Whether they lie between 0 and 1 and rise, as a score does."""
    finite = values[np.isfinite(values)]
    return bool(len(finite) >= FEWEST and np.min(finite) >= 0 and np.max(finite) <= 1
                and _rises(finite))


def is_likelihood(name: Name, values: Floats) -> bool:
    """Whether an objective is a log-likelihood: below zero, and rising."""
    finite = values[np.isfinite(values)]
    return bool(name.measure == {"objective"} and len(finite) >= FEWEST and np.max(finite) <= 0
                and _rises(finite))


def begins_alike(train: Column, other: Column) -> bool:
    """Whether two columns begin within a factor of two, and the other falls at first, as a loss."""
    one, two = (c.values[np.isfinite(c.values)] for c in (train, other))
    if min(len(one), len(two)) < FEWEST or np.min(two) < 0 or rises_within_one(two):
        return False
    a, b = float(np.median(one[:3])), float(np.median(two[:3]))
    soon = float(np.median(two[3 : 3 + max(3, len(two) // 8)]))
    return bool(a > 0 and a / 2 <= b <= 2 * a and soon < (1 - FALL) * b)


def _rises(values: Floats) -> bool:
    part = max(len(values) // 5, 2)
    start, end = values[:part], values[-part:]
    return bool(np.median(end) - np.median(start) > np.std(start) + np.std(end))


def without_false_zeros(table: Table, train: Column, held: Column | None) -> Column:
    """The train loss with NaN where it is exactly 0 to its end while the gradient is NaN, or the
    held-out loss: some tools print a loss that is not finite so. Itself, if there is none."""
    if not len(train) or train.values[-1] != 0:
        return train
    other = np.flatnonzero(train.values != 0)
    first = int(other[-1]) + 1 if len(other) else 0
    witnesses = [c for n, c in table.columns.items() if {"gradient", "grad"} & name_of(n).rest
                 and "norm" in name_of(n).rest]
    if held is not None:
        witnesses.append(held)
    for witness in witnesses:
        late = witness.values[witness.rows >= train.rows[first]]
        if len(late) and np.mean(np.isnan(late)) > 0.5:
            values = train.values.copy()
            values[first:] = np.nan
            return replace(train, values=values)
    return train


def is_the_same(one: Column, other: Column) -> bool:
    """Whether two columns hold the same changing numbers but for rounding: one curve twice."""
    a, b = one.values, other.values
    if not len(a) == len(b) >= FEWEST or not (np.isfinite(a) & np.isfinite(b)).all():
        return False
    if not len(np.unique(a)) > len(a) / 2:
        return False
    unit = np.maximum(_last_digits(a), _last_digits(b))
    return bool(np.all(np.abs(a - b) <= 0.51 * unit))


def _last_digits(values: Floats) -> Floats:
    """The unit of the last digit of each number, of as many digits as the longest has."""
    first = 10 ** np.floor(np.log10(np.maximum(np.abs(values), 1e-12)))
    for digits in range(2, 9):
        unit = first / 10.0 ** digits
        if np.allclose(np.round(values / unit) * unit, values, rtol=1e-9, atol=0):
            break
    return unit


def is_its_power(perplexity: Column, loss: Column) -> bool:
    """Whether a perplexity is that of this loss: nothing but its exponential."""
    return bool(np.array_equal(perplexity.rows, loss.rows) and np.allclose(
        np.log(perplexity.values), loss.values, rtol=0.01, equal_nan=True))


def logarithm(perplexity: Column, of: Name, train: Column, own: Column | None) -> Column | None:
    """A perplexity as the loss that it is a power of, to be compared with a train loss.

    `own` is the perplexity of the training data: with the train loss it gives the base, without it
    the base is e. None if the loss is none of which perplexities are made.
    """
    if of.kind is not Kind.LOSS or not of.measure <= LOGARITHMS or of.rest or not len(
            perplexity) or not np.all(perplexity.values >= 1):
        return None
    scale = 1.0
    if own is not None and len(own) == len(train):
        with np.errstate(all="ignore"):
            found = float(np.median(train.values / np.log(own.values)))
        near = [base for base in (1.0, 1 / np.log(2)) if abs(found / base - 1) < 0.05]
        if not near:
            return None
        scale = float(near[0])
    return replace(perplexity, values=scale * np.log(perplexity.values))
