"""Exact copies among the training samples, and whether such copies come about by themselves."""

from __future__ import annotations

import numpy as np

from unstuck.observe.samples.classes import classes_of
from unstuck.observe.samples.kept import Contents
from unstuck.observe.samples.near import near_copies
from unstuck.record.series import Integers
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.samples import (
    DISTINCT_SAMPLES,
    DUPLICATE_CLASS_SHARE,
    DUPLICATE_SHARE,
    DUPLICATE_UNEVENNESS,
    NEAR_COPIES,
)

PART = 0.05  # of a round may be missing
SIGNALS = (
    DISTINCT_SAMPLES, DUPLICATE_CLASS_SHARE, DUPLICATE_SHARE, DUPLICATE_UNEVENNESS, NEAR_COPIES,
)


def write_copies(
    contents: Contents, repeated: tuple[int, int, float] | None, writer: RecordWriter, step: int
) -> None:
    """Writes how often the training samples of one round are copies of one another.

    Where the kept samples do not tell, `repeated` may: samples of a pass over a loader, different
    ones among them, and the share of these that did not come as often as most.
    """
    train = contents.train
    if train is None or train.discrete:
        return
    if train.features >= 2 and len(train) >= 2:
        writer.row(NEAR_COPIES, step, near_copies(train.inputs))
    counts = _copies(contents)
    if counts is None:
        if repeated is not None:
            samples, different, uneven = repeated
            writer.row(DUPLICATE_SHARE, step, 1 - different / samples)
            writer.row(DUPLICATE_UNEVENNESS, step, uneven)
        return
    numbers, scale = counts
    present = numbers[numbers > 0]
    extra = np.maximum(numbers - 1, 0)
    writer.row(DUPLICATE_SHARE, step,
               min(float(extra.sum()) / float(numbers.sum()) * scale, 0.99))
    if contents.whole and scale < 1 + PART:
        writer.row(DISTINCT_SAMPLES, step, float(len(present)))
    if not extra.sum():
        return
    if scale < 1 + PART:
        usual = int(np.bincount(present).argmax())
        writer.row(DUPLICATE_UNEVENNESS, step, float((present != usual).mean()))
    classes = classes_of(train)
    if classes is not None:
        each = np.bincount(classes.labels, weights=extra[classes.rows])
        writer.row(DUPLICATE_CLASS_SHARE, step, float(each.max() / extra.sum()))


def _copies(contents: Contents) -> tuple[Integers, float] | None:
    """How often each kept sample occurs in the data, and by how much to multiply.

    None where that cannot be told from samples that are drawn again.
    """
    assert contents.train is not None
    size = len(contents.train)
    owned = [o for o in contents.owners if o is not None]
    if owned and len(owned) == len(contents.owners):
        owners, rows = np.concatenate(owned), np.concatenate(contents.order)
        if len(owners) == len(rows):
            pairs = np.unique(np.stack([owners, rows]), axis=1)
            # Of a large set only part came: a sample's copy is met as rarely.
            whole = float(pairs[0].max() + 1) / pairs.shape[1]
            return np.bincount(pairs[1][pairs[1] >= 0], minlength=size), max(1.0, whole)
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *contents.order])
    times = np.bincount(rows[rows >= 0], minlength=size)
    if times.max(initial=0) <= 1:
        return times, 1.0  # nothing came twice
    if not contents.whole:
        return None
    found = _round(contents, size)
    return None if found is None else (found, 1.0)


def _round(contents: Contents, size: int) -> Integers | None:
    """How often each sample comes in the first round: as often as in the second."""
    order = [np.bincount(batch, minlength=size) for batch in contents.order]
    if not order:
        return None
    sums = np.cumsum(order, axis=0)
    for length in range(1, len(order) // 2 + 1):
        first = sums[length - 1]
        if np.array_equal(sums[2 * length - 1], 2 * first):
            return np.asarray(first, dtype=np.int64)
    return None
