"""The training samples that lie furthest from the others, and what they carry of loss and gradient.
"""

from __future__ import annotations

import math

import numpy as np

from unstuck.observe.samples.kept import Rows, Samples
from unstuck.observe.samples.samplewise import sample_slopes
from unstuck.record.series import Floats
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.samples import (
    GRADIENT_SHARE,
    INPUT_DISTANCE,
    LOSS_SHARE,
    TARGET_DISTANCE,
)

FEWEST = 40  # samples
SHOWN = 0.1  # share of the samples that are written, the most distant first
MOST_SHOWN = 200
STRIPE = 128  # samples, or features, that are worked on at a time
NORMAL = 1.4826  # standard deviation over median absolute deviation, for normal data
SIGNALS = (GRADIENT_SHARE, INPUT_DISTANCE, LOSS_SHARE, TARGET_DISTANCE)


def write_extremes(train: Samples, writer: RecordWriter, step: int) -> None:
    """Writes the most distant samples and their shares at their first and last visits."""
    if len(train) < FEWEST:
        return
    shown: set[int] = set()
    distances = []
    if not train.discrete:
        distances.append((INPUT_DISTANCE, robust_distance(train.inputs)))
    if train.targets is not None and not train.class_indices:
        distances.append((TARGET_DISTANCE, robust_distance(train.targets)))
    names = [str(i) for i in (
        train.indices if train.indices is not None else range(len(train)))]
    count = min(MOST_SHOWN, math.ceil(SHOWN * len(train)))
    for signal, far in distances:
        order = np.argsort(-far, kind="stable")[:count]
        shown.update(map(int, order))
        writer.sample(signal, step, {names[i]: float(far[i]) for i in order})
    if train.losses is None or train.outputs is None or train.targets is None or not shown:
        return
    slopes = sample_slopes(train.loss, train.outputs, train.targets)
    assert slopes is not None  # where there are losses there are slopes
    size = np.concatenate([
        np.linalg.norm(np.nan_to_num(train.inputs[i:i + STRIPE]), axis=1)
        for i in range(0, len(train), STRIPE)]).astype(np.float64)
    last = np.maximum((train.steps >= 0).sum(1) - 1, 0)
    for when, visit in ((0, np.zeros_like(last)), (step, last)):
        rows = np.arange(len(train))
        for signal, values in ((LOSS_SHARE, train.losses[rows, visit]),
                               (GRADIENT_SHARE, slopes[rows, visit] * size)):
            values = np.where(np.isfinite(values), np.abs(values), 0.0)
            if (total := values.sum()) > 0:
                writer.sample(signal, when, {
                    names[i]: float(values[i] / total) for i in sorted(shown)})


def robust_distance(rows: Rows | Floats) -> Floats:
    """The largest robust z-score of each row of shape (N, F); NaN elements count as ordinary.

    Where more than half of a feature's values are the same, the usual size of the others'
    distance is the measure: a rare value is none that is far off.
    """
    found = np.zeros(len(rows))
    for i in range(0, rows.shape[1], STRIPE):
        part = rows[:, i:i + STRIPE].astype(np.float64)
        found = np.maximum(found, _distances(part).max(1, initial=0.0))
    return found


def _distances(rows: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        rows = np.where(np.isfinite(rows), rows, np.nan)
        filled = np.where(np.isnan(rows), np.nanmedian(np.where(
            np.isnan(rows).all(0), 0.0, rows), axis=0), rows)
    away = np.abs(filled - np.median(filled, axis=0))
    ordered = np.sort(away, axis=0)
    moved = (away > 0).sum(0)
    # The median of those that differ, which stand last; the upper one of two in the middle.
    usual = ordered[np.minimum(len(away) - moved + moved // 2, len(away) - 1),
                    np.arange(away.shape[1])]
    return np.asarray(np.divide(
        away, NORMAL * usual, out=np.zeros_like(away), where=usual > 0))
