"""What is kept of samples: copies of batches, and the different samples among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from unstuck.observe.later import Later
from unstuck.observe.samples.kept import Rows, Samples
from unstuck.observe.samples.samplewise import sample_losses
from unstuck.observe.tensors import evenly
from unstuck.record.schedule import LIMITS
from unstuck.record.series import Floats, Integers

MOST_SAMPLES = LIMITS.kept_samples  # of each role
VISITS = 6  # at which a sample's output is kept: the first ones and the last


@dataclass(slots=True)
class Chunk:
    """Copies of one batch: what the model received, and later what the loss did."""

    module: int
    step: int
    shape: tuple[int, ...]
    discrete: bool
    inputs: dict[int, torch.Tensor]  # one row per sample, by the axis along which they may lie
    beside: torch.Tensor | None  # the other inputs of these samples, if they lie along the first
    indices: Sequence[int] | None
    in_order: bool  # it belongs to the unbroken beginning
    single: bool = False  # one sample, without an axis of the batch
    target: Table | None = None
    output: Table | None = None
    loss: str = ""
    scored: bool = False
    supposed: bool = False  # no loss function of the program's received target and output
    settled: bool = False  # its role is known

    @property
    def nbytes(self) -> int:
        """What the copies take."""
        tables = [table.values for table in (self.target, self.output) if table is not None]
        beside = () if self.beside is None else (self.beside,)
        return sum(rows.nbytes for rows in (*self.inputs.values(), *beside, *tables))

    def bring(self, later: Later) -> None:
        """Puts copies on the host in the place of those on other devices."""
        away = [name for name in ("target", "output") if getattr(self, name) is not None]
        beside = [] if self.beside is None else [self.beside]
        copies = [*self.inputs.values(), *beside, *(getattr(self, name).values for name in away)]
        if not all(copy.is_cpu for copy in copies):
            later.read(copies, lambda found: self._put(away, found))

    def _put(self, names: list[str], found: list[torch.Tensor]) -> None:
        rest = iter(found)
        self.inputs = {axis: next(rest) for axis in self.inputs}
        if self.beside is not None:
            self.beside = next(rest)
        for name in names:
            setattr(self, name, Table(getattr(self, name).samples, next(rest)))

    def release(self) -> int:
        """Lets the copies go: others may hold the chunk for long. Says how many bytes it was."""
        size = self.nbytes
        self.inputs = {}
        self.beside = self.target = self.output = None
        return size


@dataclass(frozen=True, slots=True)
class Table:
    """What came for each sample, for at most MOST_SAMPLES of `samples`."""

    samples: int
    values: torch.Tensor

    def rows(self, count: int, samples: int, dtype: Any) -> Any:
        """An array of at most `count` rows; None if it is not of so many samples."""
        if self.samples != samples:
            return None
        found = self.values[:count]
        return found.reshape(len(found), -1).to("cpu", torch.float64).numpy().astype(dtype)


def in_a_batch(value: torch.Tensor, target: bool) -> torch.Tensor:
    """A model's output or a target of a single sample, with the batch's axis that it lacks."""
    label = target and value.numel() == 1 and not value.is_floating_point()
    return value.reshape(1) if label else value.reshape(1, -1)


def spread_rows(rows: torch.Tensor) -> torch.Tensor:
    """At most MOST_SAMPLES rows, evenly spaced: a large batch may be sorted."""
    kept = evenly(len(rows), MOST_SAMPLES, rows.device)
    return rows if kept is None else rows[kept]


class Store:
    """Distinct samples of one role while they are collected."""

    def __init__(self) -> None:
        self.count = 0
        self.full = False
        self._known: dict[int, int] = {}  # number of each sample, by the hash of its input
        self._inputs: Rows | None = None
        self._targets: Floats | None = None
        self._outputs: Rows | None = None  # (N, V, K)
        self._steps = np.full((MOST_SAMPLES, VISITS), -1, dtype=np.int64)
        self._visits = np.zeros(MOST_SAMPLES, dtype=np.int64)
        self._indices = np.full(MOST_SAMPLES, -1, dtype=np.int64)
        self._scored = np.zeros(MOST_SAMPLES, dtype=np.bool_)
        self._supposed = np.zeros(MOST_SAMPLES, dtype=np.bool_)

    def add(
        self, rows: Rows, beside: Rows | None, targets: Floats | None, outputs: Rows | None,
        chunk: Chunk,
    ) -> Integers:
        """Takes in a batch; gives the number of each of its samples, -1 where there is no room.

        Samples are one and the same if their rows are, and what lies beside these.
        """
        whole = np.ascontiguousarray(rows if beside is None else np.hstack([rows, beside]))
        keys = [hash(row) for row in whole.view(f"V{whole[0].nbytes}").ravel().tolist()]
        numbers = np.array([self._known.get(key, -1) for key in keys], dtype=np.int64)
        for i in np.flatnonzero(numbers < 0).tolist():
            numbers[i] = self._new(keys[i], rows[i], i, chunk)
        there = np.flatnonzero(numbers >= 0)
        known = numbers[there]
        self._note_targets(known, None if targets is None else targets[there])
        visit = np.minimum(self._visits[known], VISITS - 1)
        self._visits[known] = visit + 1
        self._steps[known, visit] = chunk.step
        self._scored[known] |= chunk.scored
        self._supposed[known] |= chunk.supposed
        if outputs is not None and self._outputs is None:
            self._outputs = np.full(
                (MOST_SAMPLES, VISITS, outputs.shape[1]), np.nan, dtype=np.float32)
        if self._outputs is not None:
            fits = outputs is not None and outputs.shape[1] == self._outputs.shape[2]
            self._outputs[known, visit] = outputs[there] if outputs is not None and fits else np.nan
        return numbers

    def _note_targets(self, known: Integers, targets: Floats | None) -> None:
        """Keeps the first target of each of these samples."""
        if targets is None:
            return
        if self._targets is None:
            self._targets = np.full((MOST_SAMPLES, targets.shape[1]), np.nan)
        if targets.shape[1] == self._targets.shape[1]:
            # From the last to the first: of a sample that is twice in a batch, the first counts.
            fresh = np.flatnonzero(np.isnan(self._targets[known]).all(axis=1))[::-1]
            self._targets[known[fresh]] = targets[fresh]

    def _new(self, key: int, row: Rows, i: int, chunk: Chunk) -> int:
        number = self._known.get(key, self.count)
        if number < self.count:
            return number  # twice in this batch
        if self.count >= MOST_SAMPLES:
            self.full = True
            return -1
        if self._inputs is None:
            self._inputs = np.empty((MOST_SAMPLES, len(row)), dtype=np.float32)
        self._known[key] = number
        self._inputs[number] = row
        if chunk.indices is not None:
            self._indices[number] = chunk.indices[i]
        self.count += 1
        return number

    def disbelieve(self) -> None:
        """Forgets the targets that were only supposed, and what was predicted beside them."""
        for values in (self._targets, self._outputs):
            if values is not None:
                values[self._supposed] = np.nan
        self._scored &= ~self._supposed
        if not self._scored.any():
            self._targets = self._outputs = None

    def samples(self, features: int, discrete: bool, loss: str, classes: bool) -> Samples | None:
        """What was collected, as arrays."""
        if self._inputs is None:
            return None
        kept = slice(self.count)
        targets = None if self._targets is None else self._targets[kept]
        outputs = None if self._outputs is None else self._outputs[kept]
        indices = self._indices[kept]
        return Samples(
            self._inputs[kept], features, discrete, targets, classes, outputs,
            None if outputs is None or targets is None else sample_losses(
                loss, outputs, targets),
            self._steps[kept], indices if indices.min() >= 0 else None, loss,
            self._scored[kept])
