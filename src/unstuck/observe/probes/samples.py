"""Tells data that were trained on from data that were not, by hashes of samples; keeps no data."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import torch

FIRST_STEPS = 256  # in which every training batch is hashed; later only sampled steps
MOST_HASHES = 200_000
BATCH_LIMIT = 512  # samples of a batch that are hashed
ELEMENT_LIMIT = 4_096  # elements of a sample that are hashed


class Role(StrEnum):
    """What a forward pass from which nothing is learned runs over."""

    HELD_OUT = "held-out"
    SEEN = "seen"


class SampleProbe:
    """Remembers hashes of training samples and compares those of other passes with them."""

    def __init__(self) -> None:
        self._trained: set[int] = set()
        self._again = [0, 0]  # training samples met again, of those looked at
        self._weights: dict[tuple[int, str], torch.Tensor] = {}
        self.batch_size: int | None = None
        self.role = Role.HELD_OUT

    def forward(self, args: Any, kwargs: Any, learns: bool, sampled: bool, step: int) -> None:
        """Notes the input of a model call."""
        first = next((v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor)), None)
        if first is None or first.ndim == 0:
            return
        if learns:
            self.batch_size = first.shape[0]
            if step < FIRST_STEPS or sampled:
                hashes = self._hash(first)
                self._again[0] += sum(h in self._trained for h in hashes)
                self._again[1] += len(hashes)
                if len(self._trained) < MOST_HASHES:
                    self._trained.update(hashes)
            return
        hashes = self._hash(first)
        share = sum(h in self._trained for h in hashes) / max(1, len(hashes))
        # Of training samples only those hashed before can be met again; a pass over training data
        # meets about as many as training itself does.
        expected = self._again[0] / max(1, self._again[1])
        # Until training has come round once there is nothing to expect: then most must be known.
        limit = 0.5 * expected if expected >= 0.02 else 0.5
        self.role = Role.SEEN if share >= limit else Role.HELD_OUT

    def _hash(self, batch: torch.Tensor) -> list[int]:
        with torch.no_grad():
            flat = batch.detach()[:BATCH_LIMIT]
            flat = flat.reshape(len(flat), -1)[:, :ELEMENT_LIMIT]
            key = (flat.shape[1], str(flat.device))
            weights = self._weights.get(key)
            if weights is None:
                # Fixed irrational steps: no random generator is touched.
                steps = torch.arange(1, flat.shape[1] + 1, dtype=torch.float64)
                weights = self._weights[key] = torch.frac(steps * 0.6180339887498949).to(
                    flat.device)
            sums = torch.mv(flat.to(torch.float64), weights)
            return [hash(value) for value in sums.tolist()]
