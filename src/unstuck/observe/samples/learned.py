"""Of which samples a loss is, where a model is given all of them in every pass."""

from __future__ import annotations

from typing import Any

import torch

from unstuck.observe.tensors import is_plain, observable

MOST = 512  # targets that are compared


class Learned:
    """The targets that training learns from, if they are those of a part of a batch alone.

    A graph network is given all nodes, and learns from those with known labels; a loss of others
    is one of held-out samples.
    """

    def __init__(self) -> None:
        self._targets: torch.Tensor | None = None
        self._counts = 0, 0  # of them, and of the samples of the batch

    def learns(self, target: Any, count: int) -> None:
        """A loss that is learned from has these targets, of a batch of so many samples."""
        part = is_plain(target) and observable(target) and target.ndim > 0 and (
            len(target) < count)
        self._targets = target.detach()[:MOST].clone() if part else None
        self._counts = (len(target), count) if part else (0, 0)

    def is_of_others(self, target: Any) -> bool:
        """Whether a loss with these targets is about other samples; not if about all."""
        known = self._targets
        if known is None or not is_plain(target) or not observable(target) or target.ndim == 0 or (
                len(target) >= self._counts[1]):
            return False
        given = target.detach()[:MOST]
        return len(target) != self._counts[0] or given.shape != known.shape or not torch.equal(
            given, known)
