"""In how many directions the targets of training vary. Numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unstuck.observe.samples.kept import Samples
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.targets import TARGET_DIRECTIONS

SIGNALS = (TARGET_DIRECTIONS,)
FEWEST, MOST = 3, 128  # targets of a sample
ROWS = 3  # times as many samples as targets, or their directions are those of chance
SHOWN = 16  # directions
ALIKE = 0.5  # correlation of an input with the target at its place


def write_directions(train: Samples, writer: RecordWriter, step: int) -> None:
    """Writes which share of the targets' variance their first principal components hold."""
    targets = train.targets
    if targets is None or train.class_indices or not FEWEST <= targets.shape[1] <= MOST:
        return
    known = np.all(np.isfinite(targets), axis=1)
    rows = targets[known]
    if len(rows) < ROWS * targets.shape[1] or len(np.unique(rows)) <= 2 or (
            _are_inputs(np.asarray(train.inputs[:])[known], rows)):
        return
    rows = rows - rows.mean(0)
    shares = np.linalg.eigvalsh(rows.T @ rows)[::-1].clip(0)
    if shares.sum() > 0:
        held = np.cumsum(shares)[:SHOWN] / shares.sum()
        writer.sample(TARGET_DIRECTIONS, step,
                      {str(number + 1): float(each) for number, each in enumerate(held)})


def _are_inputs(inputs: NDArray[np.floating], targets: NDArray[np.floating]) -> bool:
    """Whether the targets are the inputs again, perhaps without noise, as those of an autoencoder,
    which is narrow on purpose."""
    if inputs.shape != targets.shape:
        return False
    one, other = (each - each.mean(0) for each in (inputs, targets))
    sizes = np.sqrt((one**2).sum(0) * (other**2).sum(0))
    alike = (one * other).sum(0)[sizes > 0] / sizes[sizes > 0]
    return len(alike) > 0 and float(np.median(alike)) >= ALIKE
