"""A bounded store of the samples that model and loss receive; in memory only, judged nowhere here.

Copies are taken on their device; they come to the host at sampled steps and when the program ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Subset

from unstuck.observe.later import Later
from unstuck.observe.samples.kept import Contents
from unstuck.observe.samples.store import (
    MOST_SAMPLES,
    Chunk,
    Store,
    Table,
    in_a_batch,
    spread_rows,
)
from unstuck.observe.tensors import evenly, is_leaf, is_plain, observable, rows_of
from unstuck.record.series import Integers
from unstuck.torch_api import CLASSES, target_among

FEATURE_LIMIT = 1_536  # elements of a sample that are kept: 12 MiB a role
BESIDE_LIMIT = 64  # elements of each other input
OUTPUT_LIMIT = 64  # a wider output, or target, is not kept
WAITING_LIMIT = 256  # copied batches that wait for a sampled step,
WAITING_BYTES = 16 * 2**20  # and bytes of them together,
WAITING_ON_HOST = 4 * 2**20  # where taking them in waits for no device
ROUNDS = 3  # through a small set, after which the first window is over
LOOK = 1.2  # held-out passes are kept at steps that lie so many times as far out as the last
_HOST = torch.device("cpu")
LATER = 3  # each later window begins at so many times the step at which the last one ended


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
        self._waiting = 0  # bytes that were copied and not yet taken in
        self._trained: list[Chunk] = []
        self._looked: list[Chunk] = []
        self._train, self._held_out = Store(), Store()
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
        self.beside = False  # whether only all its inputs together tell a sample from others
        self.believes = False  # that supposed targets are those of their samples

    # What the program does ----------------------------------------------------------------------
    def drawn(self, iterator: Any, indices: Any) -> None:
        """A loader fetches these samples next; one with workers does so ahead of time."""
        known = isinstance(indices, list) and indices and isinstance(indices[0], int) and not (
            getattr(iterator, "_num_workers", 1))
        self._drawn = [*self._drawn[-1:], _owners(iterator, indices) if known else []]

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
        self, module: Any, first: torch.Tensor, others: Sequence[torch.Tensor], learns: bool,
        sampled: bool, step: int, *, single: bool = False,
    ) -> Chunk | None:
        """A model received `first`, with samples along its first axis, as along that of `others`:
        copies it if it is kept. A `single` one the model received without that axis.
        """
        drawn, self._drawn = self._drawn, []
        if learns and not (self.open or sampled):
            self._in_order = False
            return None
        if not learns and not self._looks(step):
            return None
        if not is_leaf(first):
            return self._last if learns else None  # fed by another model, which met the data
        if first.is_cpu and self._waiting > WAITING_ON_HOST:
            self._absorb()
        waiting = self._trained if learns else self._looked
        if len(waiting) >= WAITING_LIMIT or self._waiting > WAITING_BYTES:
            self._in_order = self._in_order and not learns
            return None
        indices = drawn[0] if len(drawn) == 1 and len(drawn[0]) == first.shape[0] else None
        if indices is not None and (kept := evenly(len(indices), MOST_SAMPLES, _HOST)) is not None:
            indices = [indices[number] for number in kept.tolist()]
        chunk = Chunk(id(module), step, tuple(first.shape), not first.is_floating_point(),
                      self._copy(first), _copied(others), indices, self._in_order and learns,
                      single)
        self._waiting += chunk.nbytes
        if learns:
            self._last = chunk
        return chunk

    def _looks(self, step: int) -> bool:
        """Whether a pass without gradients is kept: some do, for they mostly come again."""
        if step >= self._next_look:
            self._look, self._next_look = step, LOOK * (step + 1)
        return step == self._look and not self._held_out.full

    def _copy(self, first: torch.Tensor) -> dict[int, torch.Tensor]:
        """Copies of what is kept of a batch, for each axis along which its samples may lie."""
        axes = (self._axis,) if self._module else (0, 1) if first.ndim > 2 else (0,)
        found = {}
        with torch.no_grad():
            for axis in axes if axes[0] < first.ndim else ():
                samples = first.detach().movedim(axis, 0)
                keep = evenly(samples[0].numel(), FEATURE_LIMIT, samples.device)
                rows = evenly(len(samples), MOST_SAMPLES, samples.device)
                found[axis] = rows_of(samples, keep, rows).to(
                    torch.float32, copy=keep is None and rows is None)
        return found

    def loss(self, chunk: Chunk, function: str, args: Any, supposed: bool = False) -> None:
        """A loss function received what the model made of a batch; or would have, as is supposed.
        """
        target = target_among(function, args)
        known = chunk.target is not None and (supposed or not chunk.supposed)
        if known or target is None:
            return
        chunk.scored, chunk.supposed = True, supposed
        for name, value in (("output", args[0]), ("target", target)):
            if not (is_plain(value) and (value.ndim or chunk.single) and observable(value)):
                continue
            rows = value.detach()
            rows = in_a_batch(rows, name == "target") if chunk.single else rows
            if rows.numel() <= OUTPUT_LIMIT * len(rows):
                kept = spread_rows(rows)
                kept = kept.clone() if kept is rows else kept
                setattr(chunk, name, Table(len(rows), kept))
                self._waiting += kept.nbytes
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

    def bring(self, later: Later) -> None:
        """A sampled step ends: what waits comes to the host."""
        for chunk in (*self._trained, *self._looked):
            chunk.bring(later)

    def step_ended(self, step: int) -> None:
        """A sampled step has ended: copies are taken in, the first window may be over."""
        self._absorb()
        self._last, self._waiting = None, 0
        if self._first:
            rows = sum(map(len, self._order))
            known = max(self._train.count, len(self._indices), 32)
            self._first = self._in_order and not self._train.full and rows < ROUNDS * known
            self.open, self._quota = self._first, MOST_SAMPLES
            if not self._first:
                self.next = LATER * (step + 1)

    # Taking in ----------------------------------------------------------------------------------
    @np.errstate(all="ignore")  # numbers may be odd, and settings are the program's
    def _absorb(self) -> None:
        trained, self._trained = self._trained, []
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
            self._waiting -= chunk.release()
        if self._module:
            looked, self._looked = self._looked, []
            for chunk in looked:
                if self._fits(chunk) and not self._held_out.full:
                    self._add(self._held_out, chunk)
                self._waiting -= chunk.release()

    def _meet(self, chunk: Chunk) -> None:
        """The first batch of training says what a sample is."""
        shape = chunk.shape
        self._module = chunk.module
        # Recurrent layers take (time, batch, features): the loss tells which axis is the batch.
        samples = shape[0] if chunk.target is None else chunk.target.samples
        self._axis = int(len(shape) > 2 and shape[0] != samples and shape[1] == samples)
        self._shape = (*shape[: self._axis], *shape[self._axis + 1 :])
        self._discrete = chunk.discrete
        self._loss = chunk.loss
        self._classes = chunk.target is not None and (
            not chunk.target.values.is_floating_point()
            and chunk.loss in CLASSES)

    def _fits(self, chunk: Chunk) -> bool:
        """Whether a batch holds samples like the first ones, met by the same model."""
        shape = chunk.shape
        return chunk.module == self._module and len(shape) > self._axis and (
            (*shape[: self._axis], *shape[self._axis + 1 :]) == self._shape)

    def _add(self, store: Store, chunk: Chunk) -> Integers:
        samples = chunk.shape[self._axis]
        with torch.no_grad():
            rows = chunk.inputs[self._axis].cpu().numpy() + np.float32(0)  # no negative zeros
            target, output = (
                None if table is None else table.rows(len(rows), samples, dtype)
                for table, dtype in ((chunk.target, np.float64), (chunk.output, np.float32)))
        beside = chunk.beside if self.beside and not self._axis else None
        return store.add(rows, None if beside is None else beside.cpu().numpy(), target, output,
                         chunk)

    def clear(self) -> None:
        """Forgets all samples."""
        self._trained, self._looked, self._last = [], [], None
        self.open, self.next = False, math.inf
        self._train, self._held_out = Store(), Store()

    def contents(self) -> Contents:
        """Everything that was collected."""
        self._absorb()
        if not self.believes:
            self._held_out.disbelieve()
        features = int(np.prod(self._shape, dtype=np.int64))
        train, held_out = (
            store.samples(features, self._discrete, self._loss, self._classes)
            for store in (self._train, self._held_out))
        return Contents(train, held_out, tuple(self._order), tuple(self._owners),
                        not self._train.full)


def _owners(iterator: Any, indices: list[int]) -> list[int]:
    """The numbers of samples in the data set from which parts of it were taken; none if that is not
    known. A split that is made anew numbers the same samples in another way.
    """
    data: Any = getattr(iterator, "_dataset", None)
    while type(data) is Subset:
        numbers = data.indices
        if not isinstance(numbers, list | range) or not -len(numbers) <= min(indices) <= (
            max(indices)
        ) < len(numbers):
            return []
        indices = [numbers[i] for i in indices]
        if not isinstance(indices[0], int):
            return []
        data = data.dataset
    return indices


def _copied(others: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """Copies of what a model receives of each sample beside the first tensor."""
    if not others:
        return None
    with torch.no_grad():
        return torch.cat([rows_of(
            each.detach(), evenly(each[0].numel(), BESIDE_LIMIT, each.device),
            evenly(len(each), MOST_SAMPLES, each.device)).to(torch.float32) for each in others], 1)
