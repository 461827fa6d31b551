"""Which labels two methods hold wrong: confident learning, and the loss early in training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unstuck.observe.samples.classes import Classes
from unstuck.record.series import Floats, Integers
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.samples import (
    AGREEING_SAMPLES,
    LABEL_DISAGREEMENT,
    LABEL_SUSPECT,
    LABEL_SUSPECTS,
    SUSPECTS_LEARNED,
)

FEWEST = 50  # samples, below which nothing is said
LISTED = 20  # suspects that are named
SIGNALS = (
    AGREEING_SAMPLES, LABEL_DISAGREEMENT, LABEL_SUSPECT, LABEL_SUSPECTS, SUSPECTS_LEARNED,
)


@dataclass(frozen=True, slots=True)
class Noise:
    """What two methods say of n samples.

    Attributes:
        disagreement: share of labels that differ from what the baseline and the network agree
            on, by part: of all on which they agree, and of those where the baseline is surest.
        counts: samples of each part.
        confident: (n,), suspects of confident learning.
        early: (n,), suspects by the network's loss early in training.
        surest: (n,), how much surer the baseline is of its class than of the label.
        learned: share of the suspects of both whose label the network gave in the end.
    """

    disagreement: dict[str, float]
    counts: dict[str, float]
    confident: NDArray[np.bool_]
    early: NDArray[np.bool_]
    surest: Floats
    learned: float


def noise(classes: Classes, scores: Floats) -> Noise | None:
    """Looks for wrong labels.

    A wrong label differs from the class on which the leave-one-out baseline and the network,
    before it has memorised the sample, agree. Of the network's visits the one is taken at which
    it agrees most with the baseline: a choice on which the labels have no influence.

    Samples between two classes, too, are labelled otherwise than predicted; but seldom where the
    learner is sure. Wrong labels are everywhere: hence the shares among the surest.

    Args:
        classes: the n samples.
        scores: (n, K), of the baseline.
    """
    if classes.scores is None or len(classes.labels) < FEWEST:
        return None
    told = scores.argmax(1)
    given = np.where(np.isfinite(classes.scores), classes.scores, -np.inf)
    visited = np.isfinite(classes.scores).all(2)
    # Augmented samples never come again, and mixtures of two have two labels.
    if np.mean(visited.sum(1) > 1) < 0.5:
        return None
    agreeing = np.equal(given.argmax(2), told[:, None]) & visited
    enough = visited.sum(0) >= 0.5 * len(told)
    if not enough.any():
        return None
    visit = int(np.argmax(np.where(enough, agreeing.sum(0) / np.maximum(visited.sum(0), 1), -1)))
    agree = np.flatnonzero(agreeing[:, visit])
    if len(agree) < FEWEST:
        return None
    ordered = np.sort(scores, axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    other = told != classes.labels
    by_margin = agree[np.argsort(-margin[agree], kind="stable")]
    parts = {"all": by_margin, "surest half": by_margin[: len(agree) // 2],
             "surest quarter": by_margin[: len(agree) // 4],
             "surest tenth": by_margin[: len(agree) // 10]}
    disagreement = {name: float(other[part].mean()) for name, part in parts.items()}
    early = np.zeros(len(told), dtype=bool)
    early[agree] = other[agree]
    sure = confident(classes.labels, scores)
    both = np.flatnonzero(sure & early)
    last = np.maximum(visited.sum(1) - 1, 0)
    final = given[np.arange(len(told)), last].argmax(1)
    return Noise(
        disagreement, {name: float(len(part)) for name, part in parts.items()}, sure, early,
        scores[np.arange(len(told)), told] - scores[np.arange(len(told)), classes.labels],
        float(np.mean(final[both] == classes.labels[both])) if len(both) else 0.0)


def confident(labels: Integers, scores: Floats) -> NDArray[np.bool_]:
    """Suspects of confident learning: the confident joint's elements off the diagonal.

    A class counts as likely for a sample if it is as likely as it is, on average, for the samples
    that are labelled so; the likeliest of those is the sample's class.

    Source: Northcutt, Jiang and Chuang 2021, Confident learning, section 3.1. The same as the
    filter "confident_learning" of the library cleanlab, whose import would load 1,700 modules into
    the program under watch.

    Args:
        labels: (n,), from 0 to K - 1.
        scores: (n, K), out-of-sample scores of the classes.
    """
    likely = np.clip(scores, 1e-6, 1.0)
    likely = likely / likely.sum(1, keepdims=True)
    usual = np.full(scores.shape[1], np.inf)
    for kind in np.unique(labels):
        usual[kind] = likely[labels == kind, kind].mean()
    reached = np.where(likely >= usual - 1e-6, likely, -1.0)
    return np.asarray((reached.max(1) >= 0) & (reached.argmax(1) != labels))


def write_noise(
    found: Noise, rows: Integers, indices: Integers | None, writer: RecordWriter, step: int
) -> None:
    """Writes the shares, and the worst suspects by index, or by the order in which they came."""
    both = np.flatnonzero(found.confident & found.early)
    worst = both[np.argsort(-found.surest[both], kind="stable")][:LISTED]
    writer.sample(LABEL_DISAGREEMENT, step, found.disagreement)
    writer.sample(AGREEING_SAMPLES, step, found.counts)
    writer.sample(LABEL_SUSPECTS, step, {
        "confident learning": float(found.confident.sum()),
        "loss early in training": float(found.early.sum()), "both": float(len(both))})
    writer.row(SUSPECTS_LEARNED, step, found.learned)
    numbers = rows if indices is None else indices[rows]
    writer.sample(LABEL_SUSPECT, step, {
        f"{numbers[i]}" if indices is not None else f"#{numbers[i] + 1}": float(found.surest[i])
        for i in worst})
