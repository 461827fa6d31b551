"""Whether more data would help: how a baseline model gains from the samples that there are."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from unstuck.observe.samples import directions
from unstuck.observe.samples.classes import classes_of
from unstuck.observe.samples.directions import write_directions
from unstuck.observe.samples.kept import Contents, Rows, Samples
from unstuck.record.series import Floats
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.samples import LEARNING_CURVE, LEARNING_GAIN_ERROR

MOST = 600  # training samples: the work grows with their cube
MOST_HELD_OUT = 1_000
ASIDE = 3  # of so many training samples, one stands for new ones where none came with a target
FEWEST = 24  # samples of either role
STRIPE = 400_000  # elements of held-out samples that are worked on at a time
WIDEST = 32  # classes or targets
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
PARTS = (4, 2, 1)
SIGNALS = (LEARNING_CURVE, LEARNING_GAIN_ERROR, *directions.SIGNALS)


def write_learning_curve(contents: Contents, writer: RecordWriter, step: int) -> None:
    """Writes the skill that kernel ridge regression reaches on parts of the training samples."""
    train = contents.train
    sides = None if train is None or train.discrete else _sides(train, contents.held_out)
    if train is None or sides is None or min(len(x) for x, _ in sides) < FEWEST:
        return
    (inputs, y), (new, truth) = sides
    if train.class_indices:
        classes = np.unique(y)
        if y.shape[1] != 1 or not 2 <= len(classes) <= WIDEST:
            return
        y, truth = np.equal(y, classes).astype(float), np.equal(truth, classes).astype(float)
    if y.shape[1] != truth.shape[1] or y.shape[1] > WIDEST:
        return
    x = inputs.astype(np.float64)
    deviation = x.std(0)
    varies = deviation > 1e-6 * np.abs(x).max(0)
    if not varies.any():
        return
    mean, deviation = x[:, varies].mean(0), deviation[varies]
    x = (x[:, varies] - mean) / deviation
    # Some held-out samples at a time.
    rows = max(1, STRIPE // x.shape[1])
    stripes = [slice(i, i + rows) for i in range(0, len(new), rows)]
    constant = float(((truth - y.mean(0)) ** 2).sum(1).mean())
    if not constant > 0:
        return
    curve: dict[str, float] = {}
    errors: list[Floats] = []
    told = np.zeros_like(truth)  # by all of the samples, at last
    for parts in PARTS:
        each = []
        for i in range(parts):
            predict = _learner(x[i::parts], y[i::parts])
            told = np.concatenate([
                predict((new[stripe][:, varies] - mean) / deviation) for stripe in stripes])
            each.append(((truth - told) ** 2).sum(1))
        errors.append(np.mean(each, axis=0) / constant)
        curve[f"{100 // parts} %"] = 1 - float(errors[-1].mean())
    gains = errors[-2] - errors[-1]
    writer.sample(LEARNING_CURVE, step, curve)
    writer.row(LEARNING_GAIN_ERROR, step, float(gains.std() / math.sqrt(len(gains))))
    if not train.class_indices:
        write_directions(inputs, y, truth, told, writer, step)


def _sides(
    train: Samples, held_out: Samples | None
) -> tuple[tuple[Rows, Floats], tuple[Rows, Floats]] | None:
    """What is learned from and what is predicted: the held-out samples, or, where no loss saw their
    targets, training samples that are set aside. Classes have their leave-one-out baselines then.
    """
    others = None if held_out is None else _pairs(held_out, MOST_HELD_OUT)
    if others is not None:
        pairs = _pairs(train, MOST)
        return None if pairs is None else (pairs, others)
    pairs = None if classes_of(train) is not None else _pairs(train, MOST + MOST // (ASIDE - 1))
    if pairs is None:
        return None
    inputs, targets = pairs
    aside = np.arange(len(inputs)) % ASIDE == ASIDE - 1
    return (inputs[~aside], targets[~aside]), (inputs[aside], targets[aside])


def _pairs(samples: Samples, most: int) -> tuple[Rows, Floats] | None:
    """Inputs and targets of those samples that have both, evenly picked."""
    if samples.targets is None:
        return None
    x, y = samples.inputs, samples.targets
    kept = np.flatnonzero(np.isfinite(x).all(1) & np.isfinite(y).all(1))
    if len(kept) > most:
        kept = kept[np.linspace(0, len(kept) - 1, most).astype(int)]
    return x[kept], y[kept]


def _learner(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """Kernel ridge regression with a Gaussian kernel as wide as the median distance.

    The penalty is the one with the least leave-one-out error, in closed form (Rifkin and Lippert
    2007, Notes on regularized least squares).
    """
    squared = _distances(x, x)
    width = float(np.median(squared[squared > 0])) if (squared > 0).any() else 1.0
    mean = y.mean(0)
    values, vectors = np.linalg.eigh(np.exp(-squared / width))
    rotated = vectors.T @ (y - mean)
    best, weights = math.inf, np.zeros_like(y)
    for penalty in PENALTIES:
        shrunk = 1 / (np.maximum(values, 0) + penalty)
        candidate = vectors @ (shrunk[:, None] * rotated)
        error = float(((candidate / ((vectors**2) @ shrunk)[:, None]) ** 2).mean())
        if error < best:
            best, weights = error, candidate
    return lambda new: np.asarray(np.exp(-_distances(new, x) / width) @ weights + mean)


def _distances(a: Floats, b: Floats) -> Floats:
    """Squared distances between rows."""
    return np.asarray(np.maximum(
        (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0.0))
