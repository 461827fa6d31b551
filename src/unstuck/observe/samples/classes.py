"""The class labels of kept samples, and what the network says about each, whatever the loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unstuck.observe.samples.cheap import ranks
from unstuck.observe.samples.kept import Samples
from unstuck.record.series import Floats, Integers
from unstuck.torch_api import BINARY, LOGITS

LATE = 0.3  # of the run: visits before tell nothing of its end


@dataclass(frozen=True, slots=True)
class Classes:
    """Of N samples with one class label each.

    Attributes:
        rows: (N,), their numbers among the kept samples.
        labels: (N,), from 0 to K - 1.
        count: K.
        scores: (N, V, K), larger for what the network holds more likely, NaN where there was no
            visit; None if its output is not known.
        steps: (N, V), at which the visits were, -1 where there is none.
    """

    rows: Integers
    labels: Integers
    count: int
    scores: Floats | None
    steps: Integers

    def only(self, kept: NDArray[np.bool_]) -> Classes:
        """Some of the samples."""
        scores = None if self.scores is None else self.scores[kept]
        return Classes(self.rows[kept], self.labels[kept], self.count, scores, self.steps[kept])

    def late(self, since: float) -> tuple[Integers, Floats]:
        """Labels (M,) and scores (M, K) of the samples whose last visit was at a step or later."""
        assert self.scores is not None
        rows = np.arange(len(self.steps))
        last = np.maximum((self.steps >= 0).sum(1) - 1, 0)
        scores = self.scores[rows, last]
        kept = (self.steps[rows, last] >= since) & np.all(np.isfinite(scores), axis=1)
        return self.labels[kept], scores[kept]


def classes_of(samples: Samples) -> Classes | None:
    """The labels of samples; None if the targets are not one class label per sample."""
    if samples.targets is None:
        return None
    outputs = None if samples.outputs is None else samples.outputs.astype(np.float64)
    rows = np.flatnonzero(np.all(np.isfinite(samples.targets), axis=1))
    targets = samples.targets[rows]
    if not len(rows):
        return None
    wide = 0 if outputs is None else outputs.shape[2]
    values = np.unique(targets)
    if targets.shape[1] == 1 and samples.class_indices:
        labels = targets[:, 0].astype(np.int64)
        keep = labels >= 0  # others are ignored by the loss
        if wide:
            keep &= labels < wide
        rows, labels = rows[keep], labels[keep]
        count = wide or int(labels.max(initial=0)) + 1
    elif targets.shape[1] == 1 and len(values) == 2 and wide == 1 and outputs is not None:
        # Two values, one output: the larger target is class 1.
        labels, count = (targets[:, 0] == values[1]).astype(np.int64), 2
        above = outputs - (0.0 if samples.loss in BINARY & LOGITS else float(values.mean()))
        outputs = np.concatenate([-above, above], 2)
    elif targets.shape[1] == wide > 1 and np.array_equal(values, [0, 1]) and np.all(
        targets.sum(1) == 1
    ):
        labels, count = targets.argmax(1).astype(np.int64), wide
    else:
        return None
    if len(labels) < 2 or len(np.unique(labels)) < 2:
        return None
    return Classes(
        rows, labels, count, None if outputs is None else outputs[rows], samples.steps[rows])


def are_positions(classes: Classes, order: tuple[Integers, ...]) -> bool:
    """Whether labels are places in the batch, as contrastive losses have them: all different."""
    label = dict(zip(classes.rows.tolist(), classes.labels.tolist(), strict=True))
    batches = [[label[n] for n in batch.tolist() if n in label] for batch in order]
    several = [batch for batch in batches if len(batch) > 1]
    return bool(several) and all(len(set(batch)) == len(batch) for batch in several)


def rankings(scores: Floats, labels: NDArray[np.int64]) -> dict[str, float]:
    """The area under the ROC curve of each class: chance is 0.5. Rank sum, ties averaged."""
    found = {}
    for kind in range(scores.shape[1]):
        inside = labels == kind
        positive, negative = int(inside.sum()), int((~inside).sum())
        if not positive or not negative:
            continue
        above = ranks(scores[:, kind])[inside].sum() - positive * (positive + 1) / 2
        found[str(kind)] = float(above / (positive * negative))
    return found
