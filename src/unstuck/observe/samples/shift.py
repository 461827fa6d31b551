"""How the held-out samples differ from the training samples, feature by feature."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from unstuck.observe.samples.classes import are_positions, classes_of
from unstuck.observe.samples.kept import Contents, Samples
from unstuck.record.series import Floats
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.samples import (
    FEATURE_DISTANCE,
    FEATURE_SCALE,
    FEATURE_SHIFT,
    OWN_SCALE,
    TOKEN_DISTANCE,
    UNKNOWN_CLASSES,
)

FEATURES = 256  # that are compared
FEWEST = 20  # samples of either role
TRIMMED = 0.01  # share of the values at either end
CHANCE = 1.95  # sqrt(-ln(0.001 / 2) / 2), Smirnov's limit for two samples at the 0.1 % level
SPLITS = 19  # at random, of which none may be further apart: the 5 % level
SEED = 21  # of a generator of our own
MOST_CLASSES = 100
EXACT = 0.01  # of the standard error of a mean, that a mean of zero may be off
CHANCE_OF_NONE = 1e-3  # that as many training samples lack a class that is so frequent elsewhere
SIGNALS = (
    FEATURE_DISTANCE, FEATURE_SCALE, FEATURE_SHIFT, OWN_SCALE, TOKEN_DISTANCE, UNKNOWN_CLASSES)


def write_shift(contents: Contents, writer: RecordWriter, step: int) -> None:
    """Writes the distances of those features that vary in training, and new classes."""
    train, held_out = contents.train, contents.held_out
    if train is None or held_out is None:
        return
    _write_classes(contents, train, held_out, writer, step)
    if train.discrete:
        _write_tokens(train, held_out, writer, step)
        return
    mine, theirs = _finite(train, None), _finite(held_out, train)
    if min(mine.sum(), theirs.sum()) < FEWEST:
        return
    width = train.inputs.shape[1]
    deviation, largest = np.zeros(width), np.zeros(width)
    for i in range(0, width, FEATURES):
        part = train.inputs[mine, i:i + FEATURES].astype(np.float64)
        deviation[i:i + FEATURES], largest[i:i + FEATURES] = part.std(0), np.abs(part).max(0)
    varying = np.flatnonzero(deviation > 1e-6 * largest)
    if not len(varying):
        return
    picked = varying[np.unique(
        np.linspace(0, len(varying) - 1, min(FEATURES, len(varying))).astype(int))]
    given, wanted = (
        samples.inputs[np.ix_(kept, picked)].astype(np.float64)
        for samples, kept in ((train, mine), (held_out, theirs)))
    chance = CHANCE * math.sqrt((len(given) + len(wanted)) / (len(given) * len(wanted)))
    far, shift, scale = {}, {}, {}
    for column, feature in enumerate(picked):
        a, b = given[:, column], wanted[:, column]
        place = str(int(feature))
        far[place] = max(0.0, distance(a, b) - chance)
        shift[place] = float((b.mean() - a.mean()) / deviation[feature])
        width = _width(a)
        scale[place] = float(_width(b) / width if width > 0 else b.std() / deviation[feature])
    writer.sample(FEATURE_DISTANCE, step, far)
    writer.sample(FEATURE_SHIFT, step, shift)
    writer.sample(FEATURE_SCALE, step, scale)
    # Of a standard deviation with n - 1 in its denominator, 1 is off by half of 1 / n.
    own = (np.abs(wanted.mean(0)) * math.sqrt(len(wanted)) <= EXACT) & (
        np.abs(wanted.std(0) - 1) * len(wanted) <= 1)
    writer.row(OWN_SCALE, step, float(own.mean()))


def _write_classes(
    contents: Contents, train: Samples, held_out: Samples, writer: RecordWriter, step: int
) -> None:
    """Writes of each class of the evaluated samples what share is new, if that is no accident."""
    known, met = classes_of(train), held_out.targets
    if known is None or met is None or not (train.class_indices and held_out.class_indices) or (
            met.shape[1] != 1 or are_positions(known, contents.order)):
        return
    labels = met[np.isfinite(met[:, 0]) & held_out.evaluated(train), 0].astype(np.int64)
    counted = labels[labels >= 0]  # others are ignored by the loss
    if len(counted) < FEWEST or max(known.count, int(counted.max()) + 1) > MOST_CLASSES:
        return
    there = set(known.labels.tolist())
    first, last = np.array_split(known.labels, 2)
    if not contents.whole and set(first.tolist()) != set(last.tolist()):
        return  # they come class by class, and the others had not come yet
    shares = {label: float(np.mean(counted == label)) for label in np.unique(counted).tolist()}
    writer.sample(UNKNOWN_CLASSES, step, {
        str(label): share if label not in there
        and (1 - share) ** len(known.labels) < CHANCE_OF_NONE else 0.0
        for label, share in shares.items()})


def _write_tokens(train: Samples, held_out: Samples, writer: RecordWriter, step: int) -> None:
    """Writes by how much more the tokens differ than those of random splits of all samples."""
    mine, theirs = _finite(train, None), _finite(held_out, train)
    if min(mine.sum(), theirs.sum()) < FEWEST or (
        train.inputs.shape[1] != held_out.inputs.shape[1]
    ):
        return
    tokens = np.concatenate([train.inputs[mine], held_out.inputs[theirs]])
    kinds, found = np.unique(tokens, return_inverse=True)
    found = found.reshape(tokens.shape)
    generator = np.random.default_rng(SEED)
    apart = []
    for split in range(1 + SPLITS):
        order = generator.permutation(len(found)) if split else np.arange(len(found))
        a, b = (np.bincount(found[rows].ravel(), minlength=len(kinds)) / found[rows].size
                for rows in (order[:mine.sum()], order[mine.sum():]))
        apart.append(float(np.abs(a - b).sum() / 2))
    writer.row(TOKEN_DISTANCE, step, max(0.0, apart[0] - max(apart[1:])))


def _width(values: Floats) -> float:
    """The standard deviation without the hundredth part at either end, where outliers lie."""
    low, high = np.quantile(values, (TRIMMED, 1 - TRIMMED))
    return float(np.std(values[(values >= low) & (values <= high)]))


def distance(a: Floats, b: Floats) -> float:
    """The largest distance between two empirical distribution functions (Kolmogorov-Smirnov)."""
    every = np.concatenate([a, b])
    below = [np.searchsorted(np.sort(x), every, side="right") / len(x) for x in (a, b)]
    return float(np.abs(below[0] - below[1]).max())


def _finite(samples: Samples, train: Samples | None) -> NDArray[np.bool_]:
    """Which samples are finite, and if they are held out stand for an evaluation."""
    finite = np.isfinite(samples.inputs).all(1)
    if train is not None:
        finite &= samples.evaluated(train)
    return np.asarray(finite)
