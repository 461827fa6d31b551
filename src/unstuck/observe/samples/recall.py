"""Recall per class late in a run, and whether inputs and network tell a class from the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unstuck.observe.samples.classes import LATE, Classes, rankings
from unstuck.observe.samples.samplewise import log_softmax
from unstuck.record.series import Floats
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.samples import (
    CLASS_RANKING,
    CLASS_RECALL,
    CLASS_SAMPLES,
    CLASS_SEPARABILITY,
    CLASSES_JUDGED,
    HELD_OUT_CLASS_RANKING,
    HELD_OUT_CLASS_RECALL,
    HELD_OUT_CLASSES_JUDGED,
    LINEAR_SEPARABILITY,
)

MOST_CLASSES = 100
SIGNALS = (
    CLASS_RANKING, CLASS_RECALL, CLASS_SAMPLES, CLASS_SEPARABILITY, CLASSES_JUDGED,
    HELD_OUT_CLASS_RANKING, HELD_OUT_CLASS_RECALL, HELD_OUT_CLASSES_JUDGED, LINEAR_SEPARABILITY,
)


def write_recall(role: str, classes: Classes, writer: RecordWriter, step: int) -> None:
    """Writes how many samples of each class are kept, judged late, and found."""
    if classes.count > MOST_CLASSES:
        return
    counts = np.bincount(classes.labels, minlength=classes.count)
    if role == "train":
        writer.sample(CLASS_SAMPLES, step, _places(counts))
    if classes.scores is None:
        return
    labels, scores = classes.late(LATE * step)
    judged = np.bincount(labels, minlength=classes.count)
    right = np.bincount(labels[scores.argmax(1) == labels], minlength=classes.count)
    with np.errstate(invalid="ignore"):
        recall = right / judged
    train = role == "train"
    writer.sample(CLASSES_JUDGED if train else HELD_OUT_CLASSES_JUDGED, step, _places(judged))
    writer.sample(CLASS_RECALL if train else HELD_OUT_CLASS_RECALL, step, _places(recall))
    writer.sample(CLASS_RANKING if train else HELD_OUT_CLASS_RANKING, step,
                  rankings(log_softmax(scores), labels))


def write_separability(
    classes: Classes, scores: Floats, linear: Floats, writer: RecordWriter, step: int
) -> None:
    """Writes how well the best baseline model, and a linear one, separate each class from others.
    """
    if classes.count <= MOST_CLASSES:
        writer.sample(CLASS_SEPARABILITY, step, rankings(scores, classes.labels))
        writer.sample(LINEAR_SEPARABILITY, step, rankings(linear, classes.labels))


def _places(values: Floats | NDArray[np.int64]) -> dict[str, float]:
    """By class; of those that occur."""
    return {str(i): float(value) for i, value in enumerate(values) if np.isfinite(value)}
