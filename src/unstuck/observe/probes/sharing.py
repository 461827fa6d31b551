"""Layers that a container holds at several places: one object, and so one set of weights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.models import ModelProbe
from unstuck.observe.source.naming import role
from unstuck.observe.source.repeating import repetition
from unstuck.observe.tensors import readable, tensors_in
from unstuck.schema.facts.models import LayerRole
from unstuck.schema.facts.sharing import RepeatedLayer, Repeating
from unstuck.schema.signals.sharing import LAYER_PLACES

_NUMBER = re.compile(r"_?\d+$")


class SharingProbe(Probe):
    """Counts at how many places of one kind each layer of a model stands, when the model is new."""

    signals = (LAYER_PLACES,)
    facts = (RepeatedLayer,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        context.probe(ModelProbe)  # makes the models known
        self._looked: ByIdentity[nn.Module, int] = ByIdentity()
        self._shared: ByIdentity[nn.Module, str] = ByIdentity()
        self._facts: dict[str, RepeatedLayer] = {}
        self._given: dict[str, tuple[int, int, torch.Size]] = {}  # to these, in this step

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Looks at models of which something was built since the last look."""
        step, changes = self._moment.step, self._names.changes
        for model, name in self._names.models():
            if self._looked.get(model) == changes:
                continue
            self._looked[model] = changes
            most = 1
            for holder, places in repeated(model):
                most = max(most, len(places))
                fact = self._fact(holder, places)
                self._facts[fact.name] = fact
                for place in places:
                    self._shared[holder._modules[place]] = fact.name
                self._writer.fact(fact, step)
            self._writer.sample(LAYER_PLACES, step, {name: float(most)})

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Looks whether a layer of several places is given the same again."""
        name = self._shared.get(module)
        given = next(iter(tensors_in(*args)), None) if name is not None else None
        if name is None or self._facts[name].idle or given is None or not (
                self._moment.learns and given.requires_grad and readable(given)):
            return
        now = given.data_ptr(), given._version, given.shape
        if self._given.get(name) == now:
            fact = self._facts[name] = replace(self._facts[name], idle=True)
            self._writer.fact(fact, self._moment.step)
        self._given[name] = now

    def look_ended(self, step: int) -> None:
        """Nothing is kept from one step to the next."""
        self._given = {}

    def _fact(self, holder: nn.Module, places: list[str]) -> RepeatedLayer:
        layer = holder._modules[places[0]]
        assert layer is not None
        held = self._sites.location(self._names.built_at(holder))
        built = self._sites.location(self._names.built_at(layer))
        kinds = type(holder).__name__, type(layer).__name__
        found = repetition(held, built, kinds, self._sites.keeps_text)
        known = self._names.layer(layer)
        inside = self._names.layer(holder)
        return RepeatedLayer(
            known[0] if known else places[0], kinds[1], inside[0] if inside else kinds[0],
            kinds[0], tuple(places),
            sum(p.numel() for p in nn.Module.parameters(layer) if readable(p)),
            found.location if found else held,
            found.how if found else Repeating.UNKNOWN, found is not None and found.intended)


def repeated(model: nn.Module) -> Iterator[tuple[nn.Module, list[str]]]:
    """What holds a layer at several places of one kind, and these places.

    Copies that have all their weights in common are one layer. An activation with a weight of its
    own is shared as one writes it, and counts as having none.
    """
    for holder in model.modules():
        groups: dict[tuple[int, ...], list[str]] = {}
        for place, child in holder._modules.items():
            weights = tuple(map(id, nn.Module.parameters(child))) if child is not None else ()
            if weights:
                groups.setdefault(weights, []).append(place)
        for places in groups.values():
            layer = holder._modules[places[0]]
            if (len(places) > 1 and layer is not None and _alike(holder, places)
                    and role(layer) is not LayerRole.ACTIVATION
                    and any(readable(p) for p in nn.Module.parameters(layer))):
                yield holder, places


def _alike(holder: nn.Module, places: list[str]) -> bool:
    """Whether places are those of a container, or their names differ in a number alone."""
    if isinstance(holder, nn.Sequential | nn.ModuleList | nn.ModuleDict):
        return True
    stems = {_NUMBER.sub("", place) for place in places}
    return len(stems) == 1 and all(_NUMBER.search(place) for place in places)
