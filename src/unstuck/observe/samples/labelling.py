"""What the kept samples say about their labels; each probe in turn, over the same learners."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from unstuck.observe.samples.cheap import best, chosen, learners, views
from unstuck.observe.samples.classes import Classes, are_positions, classes_of
from unstuck.observe.samples.kept import Contents, Samples
from unstuck.observe.samples.mapping import write_mapping
from unstuck.observe.samples.noise import noise, write_noise
from unstuck.observe.samples.pairing import (
    class_targets,
    ranked,
    write_dependence,
    write_network,
)
from unstuck.observe.samples.recall import write_recall, write_separability
from unstuck.observe.samples.scaling import write_scaling
from unstuck.record.series import Floats
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.samples import INPUT_KINDS

FEWEST = 100  # samples, below which a test tells nothing
MOST_KINDS = 100
SIGNALS = (INPUT_KINDS,)


def write_labels(contents: Contents, composed: bool, writer: RecordWriter, step: int) -> None:
    """Writes recall per class, dependence of targets on inputs, and suspects.

    Args:
        contents: the kept samples.
        composed: the model receives more than the inputs that are kept.
        writer: of the record.
        step: the last one.
    """
    for role, samples in (("train", contents.train), ("held-out", contents.held_out)):
        if samples is None or samples.targets is None:
            continue
        classes = classes_of(samples)
        if classes is not None:
            if are_positions(classes, contents.order if role == "train" else ()):
                return
            write_recall(role, classes, writer, step)
            if role == "held-out":
                write_mapping(classes, writer, step)
            else:
                write_scaling(samples, classes, writer, step)
        write_network(role, samples, classes, writer, step)
        _write_learned(role, samples, classes, composed, writer, step)


def _telling(
    found: Iterator[Floats], wanted: Floats | None, told: list[Floats]
) -> Iterator[Floats]:
    """Learners one by one; `told` receives what each says of the targets, less their mean."""
    for learner in found:
        if wanted is not None:
            told.append(learner @ (wanted - wanted.mean(0)))
        yield learner


def _write_learned(
    role: str, samples: Samples, classes: Classes | None, composed: bool, writer: RecordWriter,
    step: int,
) -> None:
    """Writes whether the targets depend on the inputs, and which labels these speak against.

    Of a `composed` sample the rest may speak for its label: only the dependence is written.
    """
    targets = class_targets(classes) if classes is not None else ranked(samples)
    if targets is None:
        return
    rows = np.arange(len(samples)) if classes is None else classes.rows
    kept = np.isin(rows, chosen(samples))
    targets, rows = targets[kept], rows[kept]
    if len(rows) < FEWEST:
        return
    features = views(samples, rows)
    part = None if classes is None or role != "train" else classes.only(kept)
    wanted = None if part is None else class_targets(part, every=True)
    told: list[Floats] = []
    found = _telling(learners(features), wanted, told)
    write_dependence(role, features, found, targets, writer, step)
    if role != "train":
        return
    writer.row(INPUT_KINDS, step, float(min(len(np.unique(samples.inputs[rows])), MOST_KINDS)))
    if composed:
        return
    for _ in found:  # those that were not asked
        pass
    if part is None or wanted is None or not told:
        return
    scores = best(told, wanted)
    write_separability(part, scores, told[0], writer, step)  # the first learner is linear
    suspects = noise(part, scores)
    if suspects is not None:
        write_noise(suspects, part.rows, samples.indices, writer, step)
