"""Where the program calls backward and clips gradients, and how large they were then."""

from __future__ import annotations

from typing import Any

import torch

from unstuck.observe.probe import Context, Probe
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import is_plain
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.optimizers import Clipping
from unstuck.schema.signals.parameters import CLIP_NORM


class BackwardProbe(Probe):
    """Writes each line once, and the norm of each clipping."""

    signals = (CLIP_NORM,)
    facts = (Backward, Clipping)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._backwards: set[Site | None] = set()
        self._clips: set[Site | None] = set()

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Writes where a loss is differentiated by a backward pass."""
        if not (self._moment.backwards or self._moment.within_step):
            return  # by `autograd.grad`
        site = self._sites.here()
        if site not in self._backwards:
            self._backwards.add(site)
            self._writer.fact(Backward(self._sites.location(site)), self._moment.step)

    def value_differentiated(self, value: torch.Tensor) -> None:
        """Writes where `torch.func` is asked for gradients."""
        site = self._sites.here()
        if site not in self._backwards:
            self._backwards.add(site)
            self._writer.fact(Backward(self._sites.location(site), "grad"), self._moment.step)

    def clipped(self, function: str, limit: Any, norm: Any) -> None:
        """Writes where and to what, and the norm before."""
        site, step = self._sites.here(), self._moment.step
        if site not in self._clips:
            self._clips.add(site)
            self._writer.fact(Clipping(function, self._sites.location(site), float(limit)), step)
        if is_plain(norm) and norm.device.type == "cpu":
            self._writer.row(CLIP_NORM, step, float(norm))
