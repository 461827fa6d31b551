"""What was kept of the samples of a run: arrays, for what is computed of them at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from unstuck.record.series import Floats, Integers

Rows: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Samples:
    """Distinct samples of one role, N of them, in the order in which they first came.

    Attributes:
        inputs: (N, F), what the model was called with, flattened; of longer samples F elements
            that lie evenly spaced.
        features: elements of a whole sample.
        discrete: the inputs are integers (tokens, identifiers) or booleans.
        targets: (N, T) as the loss received them, NaN where none came; None where no loss received
            one target per sample. T = 1 for class indices and for plain regression.
        class_indices: the targets are class indices for the loss.
        outputs: (N, V, K), what the loss received as prediction at up to V visits, the first ones
            and the last, NaN beyond them; None where that is not one row of at most 64 a sample.
        losses: (N, V), per-sample loss of each visit, NaN where there is none; None where the
            loss function is not one whose value per sample is known.
        steps: (N, V), at which the visits were, -1 where there is none.
        indices: (N,), of the samples in the data set of their loader; None where samples cannot
            be matched to indices (no loader, worker processes, an iterable data set).
        loss: name of the loss function in torch.nn.functional, "" if there is none.
        scored: (N,), whether a loss was computed of the sample.
    """

    inputs: Rows
    features: int
    discrete: bool
    targets: Floats | None
    class_indices: bool
    outputs: Rows | None
    losses: Floats | None
    steps: Integers
    indices: Integers | None
    loss: str
    scored: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.inputs)

    def evaluated(self, train: Samples) -> NDArray[np.bool_]:
        """Which of these held-out samples, (N,), stand for an evaluation: those of which a loss was
        computed. All, if they come from a loader or are a classifier's, which may be scored by its
        accuracy alone."""
        whole = train.classified or self.indices is not None
        return np.ones(len(self), dtype=np.bool_) if whole else self.scored

    @property
    def classified(self) -> bool:
        """Whether the loss is one of a classifier: it may be scored by its accuracy alone, which no
        loss function sees."""
        if self.class_indices or self.targets is None or self.targets.shape[1] != 1:
            return self.class_indices
        values = np.unique(self.targets[np.isfinite(self.targets)]).tolist()
        return values in ([0.0, 1.0], [-1.0, 1.0])


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in the reservoir when the program ends.

    `order` holds, for each training batch from the first on without a gap, the rows of `train`
    that its samples are (-1 for one that is not kept); it ends where copying every batch ended.
    `whole` says whether all distinct training samples that came in that time are kept.
    `owners` has for each of those batches the samples' indices in the data set, if they are known.
    """

    train: Samples | None
    held_out: Samples | None
    order: tuple[Integers, ...] = ()
    owners: tuple[Integers | None, ...] = ()
    whole: bool = True
