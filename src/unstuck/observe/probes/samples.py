"""Tells data that were trained on from data that were not, by hashes of samples; keeps no data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch

from unstuck.observe.tensors import observable

FIRST_STEPS = 128  # in which every training batch is hashed
SPACING = 128  # later only every so many steps
MOST_HASHES = 200_000
BATCH_LIMIT = 512  # samples of a batch that are hashed
ELEMENT_LIMIT = 4_096  # elements of a sample that are hashed


class Role(StrEnum):
    """What a forward pass from which nothing is learned runs over."""

    HELD_OUT = "held-out"
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Batch:
    """What a model was called with: hashes of its samples, and the role if none learns from it."""

    hashes: tuple[float, ...]
    role: Role


class SampleProbe:
    """Remembers hashes of training samples and compares those of other passes with them.

    Only a batch whose loss reaches backward has been trained on: a validation that forgets
    `no_grad` looks like training until then.
    """

    def __init__(self) -> None:
        self._trained: set[float] = set()
        self._again = [0, 0]  # training samples met again, of those looked at
        self._weights: dict[tuple[int, torch.device], torch.Tensor] = {}
        self._learns = False
        # Told of each batch whose loss could have reached backward and never did.
        self.only_looked_at: Callable[[Batch | None, Role], None] = lambda batch, role: None
        self.batch: Batch | None = None  # of the last model call, if it was hashed

    @property
    def role(self) -> Role:
        """The role of a loss without a graph, computed now."""
        if self._learns:
            return Role.SEEN  # a metric of the training batch
        return self.batch.role if self.batch is not None else Role.HELD_OUT

    def forward(self, args: Any, kwargs: Any, learns: bool, sampled: bool, step: int) -> None:
        """Notes the input of a model call."""
        self._learns = learns
        self.batch = None
        if learns and not sampled and step >= FIRST_STEPS and step % SPACING:
            return
        for first in (*args, *kwargs.values()):
            if isinstance(first, torch.Tensor):
                break
        else:
            return
        if first.ndim == 0 or not observable(first):
            return
        hashes = self._hash(first)
        share = sum(map(self._trained.__contains__, hashes)) / len(hashes)
        # Of training samples only those hashed before can be met again; a pass over training data
        # meets about as many as training itself does. Until training has come round once there is
        # nothing to expect: then most must be known.
        expected = self._again[0] / max(1, self._again[1])
        limit = 0.5 * expected if expected >= 0.02 else 0.5
        self.batch = Batch(hashes, Role.SEEN if share >= limit else Role.HELD_OUT)

    def passed(self) -> None:
        """A model was called in training, and nothing of it is to be hashed."""
        self._learns = True
        self.batch = None

    def trained(self, batch: Batch | None) -> None:
        """The loss of a batch has reached backward."""
        if batch is None:
            return
        self._again[0] += sum(map(self._trained.__contains__, batch.hashes))
        self._again[1] += len(batch.hashes)
        if len(self._trained) < MOST_HASHES:
            self._trained.update(batch.hashes)
        self.batch = None

    def _hash(self, batch: torch.Tensor) -> tuple[float, ...]:
        with torch.no_grad():
            flat = batch.detach()[:BATCH_LIMIT]
            flat = flat.reshape(len(flat), -1)[:, :ELEMENT_LIMIT]
            key = (flat.shape[1], flat.device)
            weights = self._weights.get(key)
            if weights is None:
                # Fixed irrational steps: no random generator is touched.
                steps = torch.arange(1, flat.shape[1] + 1, dtype=torch.float64, device="cpu")
                weights = torch.frac(steps * 0.6180339887498949).to(flat.device)
                self._weights[key] = weights
            return tuple(torch.mv(flat.to(torch.float64), weights).tolist())
