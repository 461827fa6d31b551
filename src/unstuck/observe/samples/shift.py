"""How the held-out samples differ from the training samples, feature by feature."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from unstuck.observe.samples.kept import Contents, Samples
from unstuck.record.series import Floats
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.samples import (
    FEATURE_DISTANCE,
    FEATURE_SCALE,
    FEATURE_SHIFT,
    TOKEN_DISTANCE,
)

FEATURES = 256  # that are compared
FEWEST = 20  # samples of either role
TRIMMED = 0.01  # share of the values at either end
CHANCE = 1.95  # sqrt(-ln(0.001 / 2) / 2), Smirnov's limit for two samples at the 0.1 % level
SPLITS = 19  # at random, of which none may be further apart: the 5 % level
SEED = 21  # of a generator of our own
SIGNALS = (FEATURE_DISTANCE, FEATURE_SCALE, FEATURE_SHIFT, TOKEN_DISTANCE)


def write_shift(contents: Contents, writer: RecordWriter, step: int) -> None:
    """Writes the distances of those features that vary in training."""
    train, held_out = contents.train, contents.held_out
    if train is None or held_out is None:
        return
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
