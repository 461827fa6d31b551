"""Whether held-out classes are recognised under other numbers than those that they have."""

from __future__ import annotations

import numpy as np

from unstuck.observe.samples.classes import LATE, Classes
from unstuck.record.series import Integers
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.mapping import (
    HELD_OUT_ACCURACY,
    PREDICTED_CLASS,
    RELABELLED_ACCURACY,
    RELABELLED_SAMPLES,
)

MOST_CLASSES = 100
SIGNALS = (HELD_OUT_ACCURACY, PREDICTED_CLASS, RELABELLED_ACCURACY, RELABELLED_SAMPLES)


def write_mapping(classes: Classes, writer: RecordWriter, step: int) -> None:
    """Writes it for the kept samples that were predicted late."""
    if classes.scores is None or classes.count > MOST_CLASSES:
        return
    labels, scores = classes.late(LATE * step)
    write_numbering(labels, scores.argmax(1), classes.count, writer, step)


def write_numbering(
    labels: Integers, told: Integers, classes: int, writer: RecordWriter, step: int
) -> None:
    """Writes the accuracy on held-out samples, and that under the best other numbering.

    The numbering is found on one half of the samples and judged on the other, both ways: by chance
    alone it gains nothing.

    Args:
        labels: of N samples, (N,).
        told: the classes that the network assigns to them, (N,).
        classes: how many there are.
        writer: of the record.
        step: the last one.
    """
    if len(labels) < 2:
        return
    right = 0
    for half in (0, 1):
        mine = np.arange(len(labels)) % 2 == half
        numbering = one_to_one(labels[mine], told[mine], classes)
        right += int((numbering[told[~mine]] == labels[~mine]).sum())
    writer.row(HELD_OUT_ACCURACY, step, float((told == labels).mean()))
    writer.row(RELABELLED_ACCURACY, step, right / len(labels))
    writer.row(RELABELLED_SAMPLES, step, float(len(labels)))
    numbering = one_to_one(labels, told, classes)
    there = np.unique(told).tolist()
    writer.sample(PREDICTED_CLASS, step, {
        str(numbering[p]): float(p) for p in sorted(there, key=lambda p: int(numbering[p]))
        if numbering[p] >= 0})


def one_to_one(labels: Integers, told: Integers, count: int) -> Integers:
    """For each predicted class the label that it mostly has, each label once: (count,), else -1.

    The largest number in the table of both is taken first, and its row and column left out then.
    """
    table = np.zeros((count, count), dtype=np.int64)
    np.add.at(table, (told, labels), 1)
    found = np.full(count, -1, dtype=np.int64)
    while table.max(initial=0) > 0:
        predicted, label = np.unravel_index(int(table.argmax()), table.shape)
        found[predicted] = label
        table[predicted], table[:, label] = 0, 0
    return found
