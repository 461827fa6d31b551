"""A bounded store of the samples that model and loss receive; in memory only, judged nowhere here.

Copies are taken on their device; they come to the host at sampled steps and when the program ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from unstuck.observe.samplewise import sample_losses
from unstuck.observe.tensors import is_plain, observable
from unstuck.record import Floats, Integers

MOST_SAMPLES = 2_000  # of each role
FEATURE_LIMIT = 3_072  # elements of a sample that are kept: 24 MiB a role
OUTPUT_LIMIT = 64  # a wider output, or target, is not kept
CHUNK_LIMIT = 8_000_000  # elements of a batch that is copied
WAITING_LIMIT = 256  # copied batches that wait for a sampled step,
WAITING_ELEMENTS = 16_000_000  # and elements of them together: 64 MiB
VISITS = 6  # at which a sample's output is kept: the first ones and the last
ROUNDS = 3  # through a small set, after which the first window is over
LOOK = 1.2  # held-out passes are kept at steps that lie so many times as far out as the last
LATER = 3  # each later window begins at so many times the step at which the last one ended

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


@dataclass(slots=True)
class Chunk:
    """Copies of one batch: what the model received, and later what the loss did."""

    module: int
    step: int
    shape: tuple[int, ...]
    inputs: torch.Tensor
    indices: Sequence[int] | None
    in_order: bool  # it belongs to the unbroken beginning
    target: torch.Tensor | None = None
    output: torch.Tensor | None = None
    loss: str = ""
    scored: bool = False
    settled: bool = False  # its role is known

    def release(self) -> None:
        """Lets the copies go: others may hold the chunk for long."""
        self.inputs = self.inputs.new_empty(0)
        self.target = self.output = None


class _Store:
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

    def add(
        self, rows: Rows, targets: Floats | None, outputs: Rows | None, chunk: Chunk
    ) -> Integers:
        """Takes in a batch; gives the number of each of its samples, -1 where there is no room."""
        rows = np.ascontiguousarray(rows)
        keys = [hash(row) for row in rows.view(f"V{rows[0].nbytes}").ravel().tolist()]
        numbers = np.array([self._known.get(key, -1) for key in keys], dtype=np.int64)
        for i in np.flatnonzero(numbers < 0).tolist():
            numbers[i] = self._new(keys[i], rows[i], i, targets, chunk)
        there = np.flatnonzero(numbers >= 0)
        known = numbers[there]
        visit = np.minimum(self._visits[known], VISITS - 1)
        self._visits[known] = visit + 1
        self._steps[known, visit] = chunk.step
        self._scored[known] |= chunk.scored
        if outputs is not None and self._outputs is None:
            self._outputs = np.full(
                (MOST_SAMPLES, VISITS, outputs.shape[1]), np.nan, dtype=np.float32)
        if self._outputs is not None:
            fits = outputs is not None and outputs.shape[1] == self._outputs.shape[2]
            self._outputs[known, visit] = outputs[there] if outputs is not None and fits else np.nan
        return numbers

    def _new(self, key: int, row: Rows, i: int, targets: Floats | None, chunk: Chunk) -> int:
        number = self._known.get(key, self.count)
        if number < self.count:
            return number  # twice in this batch
        if self.count >= MOST_SAMPLES:
            self.full = True
            return -1
        if self._inputs is None:
            self._inputs = np.empty((MOST_SAMPLES, len(row)), dtype=np.float32)
        if targets is not None and self._targets is None:
            self._targets = np.full((MOST_SAMPLES, targets.shape[1]), np.nan)
        self._known[key] = number
        self._inputs[number] = row
        if targets is not None and self._targets is not None and (
            targets.shape[1] == self._targets.shape[1]
        ):
            self._targets[number] = targets[i]
        if chunk.indices is not None:
            self._indices[number] = chunk.indices[i]
        self.count += 1
        return number

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


class Reservoir:
    """Collects samples: every batch in a window at the start, later at sampled steps.

    Later windows see how outputs have changed. They lie geometrically further apart, so what they
    cost falls as a share of the run.
    """

    def __init__(self) -> None:
        self.open = True  # every training batch is copied
        self.next = math.inf  # the step from which another window opens
        self._quota = MOST_SAMPLES  # rows until the window closes by itself
        self._first = True  # the first window is not over
        self._in_order = True
        self._look, self._next_look = -1, 0.0  # steps of the last pass that was kept, and the next
        self._waiting = 0  # elements that were copied since a sampled step ended
        self._trained: list[Chunk] = []
        self._looked: list[Chunk] = []
        self._train, self._held_out = _Store(), _Store()
        self._order: list[Integers] = []
        self._owners: list[Integers | None] = []
        self._indices: set[int] = set()
        self._module = 0
        self._shape: tuple[int, ...] = ()
        self._axis = 0  # of the input, along which samples lie
        self._discrete = False
        self._loss, self._classes = "", False
        self._drawn: list[Sequence[int]] = []
        self._last: Chunk | None = None

    # What the program does ----------------------------------------------------------------------
    def drawn(self, iterator: Any, indices: Any) -> None:
        """A loader fetches these samples next; one with workers does so ahead of time."""
        known = isinstance(indices, list) and indices and isinstance(indices[0], int) and not (
            getattr(iterator, "_num_workers", 1))
        self._drawn = [*self._drawn[-1:], indices if known else []]

    def opens(self, step: int) -> bool:
        """Whether every training batch of the step that begins is copied."""
        if step >= self.next:
            self.open, self.next = True, math.inf
            # Twice through them meets each once, wherever in a round it begins.
            self._quota = min(2 * self._train.count, MOST_SAMPLES)
        return self.open

    def passed_by(self) -> None:
        """A batch of training was not looked at."""
        self._in_order = False

    def forward(
        self, module: Any, first: torch.Tensor, learns: bool, sampled: bool, step: int
    ) -> Chunk | None:
        """A model received `first`, with samples along its first axis: copies it if it is kept."""
        drawn, self._drawn = self._drawn, []
        if learns and not (self.open or sampled):
            self._in_order = False
            return None
        if not learns and not self._looks(step):
            return None
        if first.grad_fn is not None:
            return self._last if learns else None  # fed by another model, which met the data
        waiting = self._trained if learns else self._looked
        crowded = len(waiting) >= WAITING_LIMIT or self._waiting > WAITING_ELEMENTS
        if crowded or not 0 < first.numel() <= CHUNK_LIMIT:
            self._in_order = self._in_order and not learns
            return None
        indices = drawn[0] if len(drawn) == 1 and len(drawn[0]) == first.shape[0] else None
        chunk = Chunk(id(module), step, tuple(first.shape), self._copy(first), indices,
                      self._in_order and learns)
        self._waiting += chunk.inputs.numel()
        if learns:
            self._last = chunk
        return chunk

    def _looks(self, step: int) -> bool:
        """Whether a pass without gradients is kept: some do, for they mostly come again."""
        if step >= self._next_look:
            self._look, self._next_look = step, LOOK * (step + 1)
        return step == self._look and not self._held_out.full

    def _copy(self, first: torch.Tensor) -> torch.Tensor:
        """A copy of a batch; of long samples of the elements that are kept of it, if known."""
        with torch.no_grad():
            if self._module and not self._axis:
                rows = first.detach().reshape(len(first), -1)
                if rows.shape[1] > FEATURE_LIMIT:
                    return _thinned(rows)
            return first.detach().clone()

    def loss(self, chunk: Chunk, function: str, args: Any) -> None:
        """A loss function received what the model made of a batch."""
        if chunk.target is not None or len(args) < 2:
            return
        chunk.scored = True
        for name, value in (("output", args[0]), ("target", args[1])):
            if is_plain(value) and value.ndim and observable(value) and (
                value.numel() <= OUTPUT_LIMIT * value.shape[0]
            ):
                setattr(chunk, name, value.detach().clone())
        chunk.loss = function

    def trained(self, chunk: Chunk) -> None:
        """The loss of a batch has reached backward."""
        if chunk.settled:
            return
        chunk.settled = True
        self._trained.append(chunk)
        self._quota -= chunk.shape[self._axis]
        if self.open and self._quota <= 0:
            self.open = False
            if not self._first:
                self.next = LATER * (chunk.step + 1)

    def looked_at(self, chunk: Chunk) -> None:
        """Nothing is learned from a batch, and it is not known from training."""
        if not chunk.settled and not self._held_out.full:
            chunk.settled = True
            self._looked.append(chunk)

    def step_ended(self, step: int) -> None:
        """A sampled step has ended: copies come to the host, the first window may be over."""
        self._absorb()
        if self._first:
            rows = sum(map(len, self._order))
            known = max(self._train.count, len(self._indices), 32)
            self._first = self._in_order and not self._train.full and rows < ROUNDS * known
            self.open, self._quota = self._first, MOST_SAMPLES
            if not self._first:
                self.next = LATER * (step + 1)

    # Taking in ----------------------------------------------------------------------------------
    def _absorb(self) -> None:
        trained, self._trained = self._trained, []
        self._last, self._waiting = None, 0
        for chunk in trained:
            if not self._module:
                self._meet(chunk)
            if self._fits(chunk):
                numbers = self._add(self._train, chunk)
                if chunk.in_order:
                    self._order.append(numbers)
                    self._indices.update(chunk.indices or ())
                    self._owners.append(
                        None if chunk.indices is None else np.array(chunk.indices))
            chunk.release()
        if self._module:
            looked, self._looked = self._looked, []
            for chunk in looked:
                if self._fits(chunk) and not self._held_out.full:
                    self._add(self._held_out, chunk)
                chunk.release()

    def _meet(self, chunk: Chunk) -> None:
        """The first batch of training says what a sample is."""
        shape = chunk.shape
        self._module = chunk.module
        # Recurrent layers take (time, batch, features): the loss tells which axis is the batch.
        samples = shape[0] if chunk.target is None else len(chunk.target)
        self._axis = int(len(shape) > 2 and shape[0] != samples and shape[1] == samples)
        self._shape = (*shape[: self._axis], *shape[self._axis + 1 :])
        self._discrete = not chunk.inputs.is_floating_point()
        self._loss = chunk.loss
        self._classes = chunk.target is not None and not chunk.target.is_floating_point() and (
            chunk.loss in ("cross_entropy", "nll_loss", "multi_margin_loss"))

    def _fits(self, chunk: Chunk) -> bool:
        """Whether a batch holds samples like the first ones, met by the same model."""
        shape = chunk.shape
        return chunk.module == self._module and len(shape) > self._axis and (
            (*shape[: self._axis], *shape[self._axis + 1 :]) == self._shape)

    def _add(self, store: _Store, chunk: Chunk) -> Integers:
        with torch.no_grad():
            inputs = chunk.inputs.movedim(self._axis, 0)[:MOST_SAMPLES]
            count = inputs.shape[0]
            rows = inputs.reshape(count, -1)
            if rows.shape[1] > FEATURE_LIMIT:
                rows = _thinned(rows)
            return store.add(
                rows.to("cpu", torch.float32).numpy() + np.float32(0),  # no negative zeros
                _table(chunk.target, count, chunk.shape[self._axis], np.float64),
                _table(chunk.output, count, chunk.shape[self._axis], np.float32), chunk)

    def clear(self) -> None:
        """Forgets all samples."""
        self._trained, self._looked, self._last = [], [], None
        self.open, self.next = False, math.inf
        self._train, self._held_out = _Store(), _Store()

    def contents(self) -> Contents:
        """Everything that was collected."""
        self._absorb()
        features = int(np.prod(self._shape, dtype=np.int64))
        train, held_out = (
            store.samples(features, self._discrete, self._loss, self._classes)
            for store in (self._train, self._held_out))
        return Contents(train, held_out, tuple(self._order), tuple(self._owners),
                        not self._train.full)


def _thinned(rows: torch.Tensor) -> torch.Tensor:
    """FEATURE_LIMIT evenly spaced columns."""
    keep = torch.linspace(0, rows.shape[1] - 1, FEATURE_LIMIT, device=rows.device)
    return rows[:, keep.long()]


def _table(given: torch.Tensor | None, count: int, samples: int, dtype: Any) -> Any:
    """One row per sample as an array of at most `count` rows; None where that is not so."""
    if given is None or given.shape[0] != samples:
        return None
    return given[:count].reshape(count, -1).to("cpu", torch.float64).numpy().astype(dtype)
