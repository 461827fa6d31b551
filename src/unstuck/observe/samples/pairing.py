"""Whether targets depend on the inputs at all: for baseline models, and for the network itself."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from unstuck.observe.samples.cheap import one_hot, ranks
from unstuck.observe.samples.classes import Classes
from unstuck.observe.samples.kept import Samples
from unstuck.record.series import Floats
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.samples import (
    LABEL_CHANCE,
    LABEL_DEPENDENCE,
    LABELS_BY_CHANCE,
    LABELS_COUNTED,
    LABELS_FOUND,
    PAIRS_TESTED,
)

PERMUTATIONS = 99
SEED = 20  # of a generator of our own
MOST_FEATURES = 512  # that are looked at one by one
MOST_TARGETS = 16  # numbers of a target; more classes are summed up
SIGNALS = (
    LABEL_CHANCE, LABEL_DEPENDENCE, LABELS_BY_CHANCE, LABELS_COUNTED, LABELS_FOUND, PAIRS_TESTED,
)


def write_dependence(
    role: str, features: tuple[Floats, ...], found: Iterable[Floats], targets: Floats,
    writer: RecordWriter, step: int,
) -> None:
    """A permutation test of one role's samples; `targets` has shape (n, K)."""
    tested = dependence(features, found, targets)
    if tested is not None:
        writer.sample(LABEL_DEPENDENCE, step, {role: tested[0]})
        writer.sample(LABEL_CHANCE, step, {role: tested[1]})
        writer.sample(PAIRS_TESTED, step, {role: float(len(targets))})


def dependence(
    features: tuple[Floats, ...], found: Iterable[Floats], targets: Floats
) -> tuple[float, float] | None:
    """How far above permuted targets the best learner is, and how often chance does as well.

    The statistics are the covariance between targets and each learner's predictions of them from
    all other samples, and the largest correlation of a single feature, or of its size. Each is
    standardised by its own permutations and the largest is taken, of permuted targets likewise, so
    that the number of statistics is paid for.

    Source: Westfall and Young 1993, Resampling-based multiple testing (the step-down maximum).

    Returns:
        Standard deviations, and the share of permutations; None if nothing can be tested.
    """
    varied = targets.std(0) > 0
    if not varied.any() or len(targets) < 2:
        return None
    wanted = (targets[:, varied] - targets[:, varied].mean(0)) / targets[:, varied].std(0)
    generator = np.random.default_rng(SEED)
    if wanted.shape[1] > MOST_TARGETS:  # sums with random signs are as good, and less work
        signs = generator.choice((-1.0, 1.0), (wanted.shape[1], MOST_TARGETS))
        wanted = wanted @ signs / math.sqrt(wanted.shape[1])
    # Side by side, so that each learner is read once: the targets as they are, then permuted.
    orders = [np.arange(len(wanted)), *(
        generator.permutation(len(wanted)) for _ in range(PERMUTATIONS))]
    # In single precision: half the work, and a permutation test asks for no more.
    all_of_them = np.concatenate([wanted[order] for order in orders], 1, dtype=np.float32)
    single = [
        np.abs(_single(view).astype(np.float32) @ all_of_them)
        .max(0, initial=0.0).reshape(len(orders), -1).max(1)
        for view in features]
    told = []
    for learner in found:
        given = learner.astype(np.float32) @ all_of_them
        given *= all_of_them
        told.append(given.sum(0, dtype=np.float64).reshape(len(orders), -1).sum(1))
    if not told:
        return None
    values = np.stack([*told, *single], 1)
    spread = values[1:].std(0)
    kept = spread > 0
    if not kept.any():
        return None
    scores = ((values - values[1:].mean(0)) / np.where(kept, spread, 1.0))[:, kept].max(1)
    as_good = int(np.sum(scores[1:] >= scores[0]))
    return float(scores[0]), (1 + as_good) / (1 + PERMUTATIONS)


def _single(view: Floats) -> Floats:
    """What correlates single features, and their sizes, with what they are multiplied by."""
    picked = np.linspace(0, view.shape[1] - 1, min(MOST_FEATURES, view.shape[1])).astype(int)
    size = np.abs(view[:, picked])
    deviation = size.std(0)
    size = (size - size.mean(0)) / np.where(deviation > 0, deviation, np.inf)
    return np.asarray(np.concatenate([view[:, picked], size], 1).T / len(view))


def ranked(samples: Samples) -> Floats | None:
    """The ranks of a regression's targets, (N, T): heavy tails must not decide. None if wide."""
    if samples.targets is None or samples.class_indices or not (
        samples.targets.shape[1] <= MOST_TARGETS
    ) or not np.all(np.isfinite(samples.targets)):
        return None
    return _ranks(samples.targets)


def _ranks(values: Floats) -> Floats:
    """Ranks along the first axis, those of equal values averaged."""
    return np.stack([ranks(column) for column in values.T], 1)


# What the network itself finds -------------------------------------------------------------------
def write_network(
    role: str, samples: Samples, classes: Classes | None, writer: RecordWriter, step: int
) -> None:
    """How many labels the network has right: of samples new to it, and of those trained on.

    A training sample's first visit comes before anything was learned from it. Places: "new" and
    "trained" for the training samples, "held-out" at the last visit of those.
    """
    found: dict[str, tuple[float, float, float]] = {}
    if role == "train":
        first = _judged(samples, classes, last=False)
        if first is not None:
            found["new"] = first
    last = _judged(samples, classes, last=True)
    if last is not None:
        found["trained" if role == "train" else role] = last
    for signal, i in ((LABELS_FOUND, 0), (LABELS_BY_CHANCE, 1), (LABELS_COUNTED, 2)):
        writer.sample(signal, step, {place: numbers[i] for place, numbers in found.items()})


def _judged(
    samples: Samples, classes: Classes | None, last: bool
) -> tuple[float, float, float] | None:
    """Share right, share of the largest class and number; of numbers the rank correlation, 0."""
    steps = samples.steps if classes is None else classes.steps
    visits = (steps >= 0).sum(1)
    rows = np.arange(len(steps))
    if last:
        keep = visits > 1 if len(visits) and visits.max() > 1 else visits > 0
        picked = np.maximum(visits - 1, 0)
    else:
        # The first half of the samples met a network that knew nothing yet.
        starts = np.where(visits > 0, steps[:, 0], -1)
        keep = starts >= max(1, int(np.median(starts)))
        picked = np.zeros(len(steps), dtype=np.int64)
    rows, picked = rows[keep], picked[keep]
    if classes is not None:
        if classes.scores is None or not len(rows):
            return None
        scores = classes.scores[rows, picked]
        known = np.all(np.isfinite(scores), axis=1)
        if not known.any():
            return None
        labels = classes.labels[rows[known]]
        right = scores[known].argmax(1) == labels
        largest = np.bincount(labels).max() / len(labels)
        return float(right.mean()), float(largest), float(len(labels))
    if samples.outputs is None or samples.targets is None or not len(rows) or (
        samples.outputs.shape[2] != samples.targets.shape[1]
    ):
        return None
    outputs = samples.outputs[rows, picked].astype(np.float64)
    targets = samples.targets[rows]
    known = np.all(np.isfinite(outputs), axis=1) & np.all(np.isfinite(targets), axis=1)
    if known.sum() < 3:
        return None
    found = [
        float(np.corrcoef(given, wanted)[0, 1])
        for given, wanted in zip(_ranks(outputs[known]).T, _ranks(targets[known]).T, strict=True)
        if given.std() > 0 and wanted.std() > 0
    ]
    best = max(found, default=0.0)
    return (best if math.isfinite(best) else 0.0), 0.0, float(known.sum())


def class_targets(classes: Classes, every: bool = False) -> Floats:
    """Zeros and ones, (n, K), of the classes that occur or of every one that could."""
    if every:
        return one_hot(classes.labels, classes.count)
    kinds, labels = np.unique(classes.labels, return_inverse=True)
    return one_hot(labels.astype(np.int64), len(kinds))
