"""Small copies of pictures and of the target maps that come with them, for the end of the run."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.samples import SampleProbe
from unstuck.observe.probes.workers import WorkerProbe
from unstuck.observe.samples.alignment import Fit, Maps, fit
from unstuck.observe.samples.batch import Role
from unstuck.observe.source.apart import drawn_apart, turned_apart
from unstuck.observe.tensors import is_plain, observable, tensors_in
from unstuck.schema.facts.pairs import DrawnApart
from unstuck.schema.facts.run import EndKind
from unstuck.schema.signals.pairs import (
    PAIR_BEST_FIT,
    PAIR_FIT,
    PAIR_PLACED,
    PAIR_SPREAD,
    PAIR_SURPLUS,
    PAIR_TURNED,
)
from unstuck.torch_api import target_among

CELLS = 16  # along each axis of a small copy
LEAST = 8  # pixels along an axis
CHANNELS = 3
MOST = 40  # samples of each role,
PER_STEP = 8  # and of one batch
ELEMENTS = 4_000_000  # of a batch


class PairProbe(Probe):
    """Keeps some pairs, once a loss has shown a target for each place of the model's input."""

    signals = (
        PAIR_BEST_FIT, PAIR_FIT, PAIR_PLACED, PAIR_SPREAD, PAIR_SURPLUS, PAIR_TURNED,
    )
    facts = (DrawnApart,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._samples = context.probe(SampleProbe)
        self._workers = context.probe(WorkerProbe)
        self._dense = True  # as far as is known
        self._given: torch.Tensor | None = None  # a small copy of the last input,
        self._shape: tuple[int, ...] = ()  # and how the input lay
        self._kept: dict[str, list[tuple[Maps, Maps]]] = {"train": [], "held-out": []}
        self._kinds: dict[str, type] = {}  # of the data sets that loaders have, by the loader

    def loader_iterated(self, loader: Any) -> None:
        """Notes the class of a data set, whose code may turn a pair apart."""
        name = self._workers.name(loader)
        data = getattr(loader, "dataset", None)
        for _ in range(3):
            data = getattr(data, "dataset", data)
        if name is not None:
            self._kinds[name] = type(data)

    def model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Takes a small copy of a batch of pictures, or of signals."""
        self._given = None
        if not self._dense or not self._looks():
            return
        given = next(iter(tensors_in(*args, *kwargs.values())), None)
        if given is None or given.ndim not in (3, 4) or not given.is_floating_point() or (
            not observable(given) or given.numel() > ELEMENTS or given.shape[-1] < LEAST
        ):
            return
        self._shape = tuple(given.shape)
        part = given.detach()[:PER_STEP, :CHANNELS]
        self._given = _small(part)
        if given.ndim == 3:  # what swings about a level has the same mean in each cell
            with torch.no_grad():
                swing = (part - part.mean(-1, keepdim=True)).abs()
                self._given = torch.cat([self._given, _small(swing)], 1)

    def _looks(self) -> bool:
        """Whether there is room for more of what is called now."""
        role = "train" if self._moment.learns else "held-out"
        return len(self._kept[role]) < MOST and (self._moment.sampled or role == "held-out")

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Takes a small copy of the targets of the same batch, if they lie like the input."""
        given, self._given = self._given, None
        if given is None:
            return
        target = target_among(function, args)
        learns = loss.grad_fn is not None
        self._dense = self._dense and is_plain(target) and target.ndim >= 2
        if not is_plain(target) or not observable(target) or not (
            target.shape[0] == self._shape[0]
            and target.shape[-1] == self._shape[-1]
            and target.shape[2 if target.ndim == len(self._shape) else 1:] == self._shape[2:]
        ) or (not learns and self._samples.role is not Role.HELD_OUT):
            return
        part = target.detach()[:PER_STEP]
        if part.ndim < len(self._shape):
            part = part[:, None]
        if not part.is_floating_point():  # classes: the most frequent one is what others stand on
            part = (part != part.flatten().mode().values).float()
        role = self._kept["train" if learns else "held-out"]
        self._later.read([given, _small(part[:, :1])], lambda found: self._keep(role, *found))

    def _keep(
        self, role: list[tuple[Maps, Maps]], given: torch.Tensor, maps: torch.Tensor
    ) -> None:
        role += zip(given.numpy(), maps.numpy()[:, 0], strict=True)
        del role[MOST:]

    def finished(self, kind: EndKind) -> None:
        """Writes how the pairs fit, and where the program treats both parts by themselves."""
        if kind is EndKind.INTERRUPTED:
            return
        found: dict[str, Fit] = {}
        for role, kept in self._kept.items():
            whole = [pair for pair in kept if pair[0].shape == kept[0][0].shape]
            if whole:
                one = fit(*(np.stack(part).astype(np.float64) for part in zip(*whole, strict=True)))
                if one is not None:
                    found[role] = one
        step = self._moment.step
        for signal, name in ((PAIR_FIT, "here"), (PAIR_BEST_FIT, "best"),
                             (PAIR_SURPLUS, "surplus"), (PAIR_PLACED, "placed"),
                             (PAIR_TURNED, "turned"), (PAIR_SPREAD, "spread")):
            self._writer.sample(signal, step, {
                role: getattr(one, name) for role, one in found.items()})
        if not found:
            return
        places = [(name, drawn_apart(data, self._sites)) for name, data in self._kinds.items()]
        if not any(place for _, place in places):
            places = [("", turned_apart(self._sites))]
        for name, place in places:
            if place is not None:
                self._writer.fact(DrawnApart(name, place), step)


def _small(batch: torch.Tensor) -> torch.Tensor:
    """Means over a few cells along each axis: (n, channels, rows, columns), rows 1 of a signal."""
    with torch.no_grad():
        if batch.ndim == 3:
            batch = batch[:, :, None]
        sizes = [min(CELLS, size) for size in batch.shape[-2:]]
        return nn.functional.adaptive_avg_pool2d(batch.float(), sizes)
