"""Tells data that were trained on from data that were not, by hashes of samples; keeps no data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from unstuck.observe.samples.batch import Batch, Role
from unstuck.observe.samples.overlap import OverlapProbe
from unstuck.observe.samples.reservoir import Reservoir
from unstuck.observe.source.sites import Site, Sites
from unstuck.observe.tensors import first_columns, is_plain, observable

FIRST_STEPS = 128  # in which every training batch is hashed
SPACING = 128  # later only every so many steps
MOST_HASHES = 200_000
MOST_MET = 64  # batches that are told apart until a loss reaches backward
BATCH_LIMIT = 512  # samples of a batch that are hashed,
BATCH_PART = 64  # so many at a time
ELEMENT_LIMIT = 4_096  # elements of a sample that are hashed


class SampleProbe:
    """Remembers hashes of training samples and compares those of other passes with them.

    Only a batch whose loss reaches backward has been trained on: a validation that forgets
    `no_grad` looks like training until then.
    """

    def __init__(self, reservoir: Reservoir, sites: Sites) -> None:
        self.overlap = OverlapProbe()
        self.trained_on: set[float] = set()
        self._reservoir = reservoir
        self._sites = sites
        self._again = [0, 0]  # training samples met again, of those looked at
        self._weights: dict[torch.device, torch.Tensor] = {}
        self._learns = False
        # Tensors that models received since a loss last reached backward, each once.
        self._met: set[tuple[float, ...]] = set()
        self._trainings = [0, 0]  # losses that reached backward, of one such tensor and of several
        # Told of each batch whose loss could have reached backward and never did.
        self.judged: Callable[[Batch | None, Role], None] = lambda batch, role: None
        self.batch: Batch | None = None  # of the last model call, if it was hashed

    @property
    def composed(self) -> bool:
        """Whether a sample is more than what one call of a model receives first."""
        return self._trainings[1] > self._trainings[0]

    @property
    def role(self) -> Role:
        """The role of a loss without a graph, computed now."""
        if self._learns:
            return Role.SEEN  # a metric of the training batch
        return self.batch.role if self.batch is not None else Role.HELD_OUT

    def forward(
        self, module: Any, args: Any, kwargs: Any, learns: bool, sampled: bool, step: int
    ) -> None:
        """Notes the input of a model call."""
        self._learns = learns
        self.batch = None
        if learns and not (self._reservoir.opens(step) or sampled) and step >= FIRST_STEPS and (
            step % SPACING
        ):
            self._reservoir.passed_by()
            return
        given = [v for v in (*args, *kwargs.values()) if is_plain(v)]
        if not given:
            return
        first = given[0]
        if first.ndim == 0 or not observable(first):
            return
        hashes = self._hash(first)
        if learns and first.grad_fn is None and len(self._met) < MOST_MET:
            self._met.update([hashes, *((float(i),) for i in range(1, len(given)))])
        share = sum(map(self.trained_on.__contains__, hashes)) / len(hashes)
        # Of training samples only those hashed before can be met again; a pass over training data
        # meets about as many as training itself does. Until training has come round once there is
        # nothing to expect: then most must be known.
        expected = self._again[0] / max(1, self._again[1])
        limit = 0.5 * expected if expected >= 0.02 else 0.5
        self.batch = Batch(
            hashes, Role.SEEN if share >= limit else Role.HELD_OUT, id(module))
        self.batch.chunk = self._reservoir.forward(module, first, learns, sampled, step)
        if not learns:
            self._looked_at(self.batch, self.batch.role, self._sites.here)

    def loss(self, function: str, args: Any) -> None:
        """A loss function received what a model made of the batch."""
        if self.batch is not None:
            self.batch.scored = True
            if self.batch.chunk is not None:
                self._reservoir.loss(self.batch.chunk, function, args)

    def only_looked_at(self, batch: Batch | None, role: Role) -> None:
        """The loss of a batch could have reached backward and never did."""
        if batch is not None:
            self._looked_at(batch, role, lambda: None)
        self.judged(batch, role)

    def _looked_at(self, batch: Batch, role: Role, here: Callable[[], Site | None]) -> None:
        self.overlap.looked_at(batch, here)
        if batch.chunk is not None and role is Role.HELD_OUT:
            self._reservoir.looked_at(batch.chunk)
        else:
            batch.chunk = None  # the batch itself may be remembered for long

    def passed(self) -> None:
        """A model was called in training, and nothing of it is to be hashed."""
        self._learns = True
        self.batch = None

    def trained(self, batch: Batch | None) -> None:
        """The loss of a batch has reached backward."""
        if batch is None:
            return
        if batch.chunk is not None:
            self._reservoir.trained(batch.chunk)
        self._trainings[len(self._met) > 1] += 1
        self._met.clear()
        met = sum(map(self.trained_on.__contains__, batch.hashes))
        self.overlap.trained(batch, met, self.trained_on)
        self._again[0] += met
        self._again[1] += len(batch.hashes)
        if len(self.trained_on) < MOST_HASHES:
            self.trained_on.update(batch.hashes)
        self.batch = None

    def _hash(self, batch: torch.Tensor) -> tuple[float, ...]:
        with torch.no_grad():
            batch = batch.detach()[:BATCH_LIMIT]
            width = min(batch[0].numel(), ELEMENT_LIMIT)
            weights = self._weights.get(batch.device)
            if weights is None:
                # Fixed irrational steps: no random generator is touched.
                steps = torch.arange(1, ELEMENT_LIMIT + 1, dtype=torch.float64, device="cpu")
                weights = torch.frac(steps * 0.6180339887498949).to(batch.device)
                self._weights[batch.device] = weights
            hashes = [
                torch.mv(first_columns(part, width).to(torch.float64), weights[:width])
                for part in batch.split(BATCH_PART)]
            return tuple(torch.cat(hashes).tolist())
