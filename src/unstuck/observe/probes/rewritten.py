"""Whether a model changes the data that it is given, where these are kept and given again."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from unstuck.observe.identity import ByIdentity
from unstuck.observe.later import Number
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.models import ModelProbe
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import mark, observable, tensors_in
from unstuck.schema.facts.stored import Rewritten
from unstuck.schema.signals.stored import CHANGED_BY_MODEL


@dataclass(slots=True)
class _Given:
    """Data that a model is given, as they are before it is called."""

    tensor: weakref.ref[torch.Tensor]
    version: int
    mark: Number
    site: Site | None
    layer: nn.Module | None = None  # the first in which they have changed


class RewrittenProbe(Probe):
    """Compares what a model is given before its call and after, in training."""

    signals = (CHANGED_BY_MODEL,)
    facts = (Rewritten,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        context.probe(ModelProbe)  # makes the models known
        # What was given, or what it is a part of, with the step at which it was first.
        self._kept: ByIdentity[torch.Tensor, int] = ByIdentity()
        self._given: _Given | None = None
        self._written: set[str] = set()

    def inputs_given(self, module: nn.Module, args: Any) -> None:
        """Notes the first tensor, if it is data."""
        self._given = None
        given = next(iter(tensors_in(*args)), None) if self._moment.learns else None
        if given is not None and not given.requires_grad and given.is_floating_point() and (
                observable(given) and not given.is_inference()):
            with torch.no_grad():
                self._given = _Given(
                    weakref.ref(given), given._version, mark(given), self._sites.here())

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Notes the first layer behind which the data have changed."""
        before = self._given
        given = before.tensor() if before is not None and before.layer is None else None
        if before is not None and given is not None and given._version != before.version:
            before.layer = module

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Compares, where the data were given at an earlier step."""
        before, self._given = self._given, None
        given = before.tensor() if before is not None else None
        known = self._names.layer(module)
        if before is None or given is None or known is None:
            return
        root = given if given._base is None else given._base
        first, step = self._kept.get(root), self._moment.step
        if first is None:
            self._kept[root] = step
            return
        if first == step:
            return
        if given._version == before.version:
            self._writer.sample(CHANGED_BY_MODEL, step, {known[0]: 0.0})
            return
        with torch.no_grad():
            moved = mark(given) != before.mark
        self._later.values(
            [moved], lambda found: self._changed(known[0], before, any(found), step))

    def _changed(self, name: str, given: _Given, moved: bool, step: int) -> None:
        self._writer.sample(CHANGED_BY_MODEL, step, {name: float(moved)})
        if moved and name not in self._written:
            self._written.add(name)
            layer = given.layer
            known = self._names.layer(layer) if layer is not None else None
            place = bool(getattr(layer, "inplace", False))
            built = self._names.built_at(layer) if layer is not None and place else None
            self._writer.fact(Rewritten(
                name, known[0] if known is not None else "", place,
                self._sites.location(built or given.site)), step)

    def left_halfway(self) -> None:
        """Forgets the call."""
        self._given = None
