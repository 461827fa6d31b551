"""Numbers that many samples have exactly, and that lie far beyond all others of their feature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unstuck.observe.samples.kept import Rows, Samples
from unstuck.record.series import Floats
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.sentinels import (
    SEARCHED_FEATURES,
    SENTINEL_DEVIATION,
    SENTINEL_GAP,
    SENTINEL_MEDIAN,
    SENTINEL_SHARE,
    SENTINEL_SPREAD,
    SENTINEL_VALUE,
)

FEWEST = 40  # samples
LEAST_SHARE = 0.005  # of a feature's cells: below it a number is an outlier rather than a habit
LEAST_COUNT = 3
DISTINCT = 8  # different other numbers: a feature with fewer is a category
PADDED = 0.8  # share of such cells behind, or before, which all others are the same
MARKED = 0.95  # of the samples that have a value equally often
SIGNALS = (
    SEARCHED_FEATURES, SENTINEL_DEVIATION, SENTINEL_GAP, SENTINEL_MEDIAN, SENTINEL_SHARE,
    SENTINEL_SPREAD, SENTINEL_VALUE,
)


def write_sentinels(train: Samples, writer: RecordWriter, step: int) -> Floats:
    """Writes what each feature has of them; returns the values, NaN where there is none: (F,)."""
    values = np.full(train.inputs.shape[1], np.nan)
    if train.discrete or len(train) < FEWEST:
        return values
    rows = train.inputs
    writer.row(SEARCHED_FEATURES, step, float(rows.shape[1]))
    found = {}
    for feature in range(rows.shape[1]):
        column = rows[:, feature].astype(np.float64)
        one = _sentinel(column[np.isfinite(column)])
        if one is not None:
            found[feature], values[feature] = one, one[0]
    padding = _padding(rows, values) | _marks(rows, values)
    found = {feature: one for feature, one in found.items() if not padding[feature]}
    for i, signal in enumerate((SENTINEL_VALUE, SENTINEL_SHARE, SENTINEL_GAP, SENTINEL_MEDIAN,
                                SENTINEL_SPREAD, SENTINEL_DEVIATION)):
        writer.sample(signal, step, {str(feature): one[i] for feature, one in found.items()})
    values[padding] = np.nan
    return values


def _sentinel(column: Floats) -> tuple[float, float, float, float, float, float] | None:
    """Value, share, gap, and median, relative and absolute spread of the rest."""
    if len(column) < FEWEST:
        return None
    for value in (column.min(), column.max()):
        same = column == value
        count, rest = int(same.sum()), column[~same]
        if count < max(LEAST_COUNT, LEAST_SHARE * len(column)) or len(rest) < DISTINCT:
            continue
        low, high = float(rest.min()), float(rest.max())
        gap = low - value if value < low else value - high
        if not gap > high - low > 0 or len(np.unique(rest)) < DISTINCT:
            continue
        return (float(value), count / len(column), float(gap / (high - low)),
                float(np.median(rest)), float(column.std() / rest.std()), float(rest.std()))
    return None


def _padding(rows: Rows, values: Floats) -> NDArray[np.bool_]:
    """Features whose value fills the rest of a sequence, to its end or from its beginning."""
    width = rows.shape[1]
    wanted = ~np.isnan(values)
    if width < 2 or not wanted.any():
        return np.zeros(width, dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        same = rows == values.astype(np.float32)
    behind = np.logical_and.accumulate(same[:, ::-1], axis=1)[:, ::-1]  # all from here on
    before = np.logical_and.accumulate(same, axis=1)
    there = np.maximum(same.sum(0), 1)
    padded = wanted & ((behind.sum(0) >= PADDED * there) | (before.sum(0) >= PADDED * there))
    # The last column of all has nothing behind it: it is padding if the one before it is.
    ends = np.zeros(width, dtype=np.bool_)
    ends[0], ends[-1] = bool(wanted[0]), bool(wanted[-1])
    inner = padded & ~ends
    return np.asarray(inner | (ends & inner.any()))


def _marks(rows: Rows, values: Floats) -> NDArray[np.bool_]:
    """All such features, if each sample has its value as often as every other: a mark, no gap."""
    wanted = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        times = (rows == values.astype(np.float32)).sum(1)
    usual = int(np.bincount(times).argmax())
    marked = usual > 0 and int(wanted.sum()) > usual and float((times == usual).mean()) >= MARKED
    return wanted & marked
