"""In how many directions several targets vary, and in which of them inputs tell. Numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unstuck.record.series import Floats
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.targets import DIRECTIONS_TOLD, TARGET_DIRECTIONS

SIGNALS = (DIRECTIONS_TOLD, TARGET_DIRECTIONS)
FEWEST = 3  # targets of a sample
ROWS = 3  # times as many samples as targets, or their directions are those of chance
SHOWN = 16  # directions
ALIKE = 0.5  # correlation of an input with the target at its place


def write_directions(
    inputs: NDArray[np.floating], targets: Floats, truth: Floats, told: Floats,
    writer: RecordWriter, step: int,
) -> None:
    """Writes which share of the targets' variance their first principal components hold, and how
    much of each of them a baseline model tells of new samples.

    Args:
        inputs: of training, (N, F).
        targets: of training, (N, T).
        truth: targets of new samples, (M, T).
        told: what the model says of these.
        writer: of the record.
        step: the last one.
    """
    if targets.shape[1] < FEWEST or len(targets) < ROWS * targets.shape[1] or (
            len(np.unique(targets)) <= 2 or _are_inputs(inputs, targets)):
        return
    mean = targets.mean(0)
    shares, axes = np.linalg.eigh((targets - mean).T @ (targets - mean))
    shares, axes = shares[::-1].clip(0), axes[:, ::-1][:, :SHOWN]
    if not shares.sum() > 0:
        return
    held = np.cumsum(shares)[:SHOWN] / shares.sum()
    wanted, missed = (truth - mean) @ axes, (truth - told) @ axes
    sizes = np.square(wanted).sum(0)
    known = 1 - np.square(missed).sum(0) / np.where(sizes > 0, sizes, np.inf)
    for signal, values in ((TARGET_DIRECTIONS, held), (DIRECTIONS_TOLD, known)):
        writer.sample(signal, step, {str(n): float(each) for n, each in enumerate(values, 1)})


def _are_inputs(inputs: NDArray[np.floating], targets: Floats) -> bool:
    """Whether the targets are the inputs again, perhaps without noise, as those of an autoencoder,
    which is narrow on purpose."""
    if inputs.shape != targets.shape:
        return False
    one, other = (each - each.mean(0) for each in (inputs, targets))
    sizes = np.sqrt(np.square(one).sum(0) * np.square(other).sum(0))
    alike = (one * other).sum(0)[sizes > 0] / sizes[sizes > 0]
    return len(alike) > 0 and float(np.median(alike)) >= ALIKE
