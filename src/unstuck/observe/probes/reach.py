"""Layers that the loss reaches and that no model's `parameters()` knows of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.identity import ByIdentity
from unstuck.observe.later import Number
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.assignments import parameter_expressions
from unstuck.observe.source.variables import MOST_NAMES, attributes, scopes
from unstuck.observe.tensors import is_leaf, mark, readable, tensors_in
from unstuck.schema.facts.models import Unregistered
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.parameters import UNREGISTERED

DEPTH = 3  # of lists in lists that are searched
ITEMS = 1_000  # of a list or dict that are searched
_BOOKKEEPING = frozenset({"_parameters", "_buffers", "_modules"})


class ReachProbe(Probe):
    """Looks for the owners of leaves that belong to no known model, at sampled steps only.

    Searched is what a module of a model keeps as a plain attribute: a list, tuple or dict of
    layers or of Parameters, and a tensor. By a tensor that is data, such as the points of a
    physics-informed network, the program itself differentiates.
    """

    signals = (UNREGISTERED,)
    facts = (Unregistered,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        self._first: ByIdentity[Any, float] = ByIdentity()
        self._data: ByIdentity[torch.Tensor, bool] = ByIdentity()  # that is differentiated by

    def gradients_given(self, outputs: Any, inputs: Any, gradients: Any) -> None:
        """Notes by what the program differentiates."""
        for each in tensors_in(inputs):
            if is_leaf(each) and not isinstance(each, nn.Parameter):
                self._data[each] = True

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Writes, for each unregistered layer that the loss reaches, whether nothing trains it."""
        step, foreign = self._moment.step, {
            id(tensor) for node in nodes
            if (tensor := graph.variable(node)) is not None
            and self._names.parameter(tensor) is None
        }
        if not foreign:
            return
        held = self._parameters.held_now()
        found: dict[str, float] = {}
        seen: set[int] = set()
        for model, _ in self._names.models():
            for owner in model.modules():
                for path, layer in _hidden(owner):
                    if id(layer) in seen or (
                        isinstance(layer, nn.Module) and self._names.knows(layer)
                    ):
                        continue
                    seen.add(id(layer))
                    every = nn.Module.parameters(layer) if isinstance(layer, nn.Module) else [layer]
                    own = [p for p in every if p.requires_grad]
                    if not any(id(p) in foreign for p in own) or not all(map(readable, own)):
                        continue
                    label = (self._names.layer(owner) or (type(owner).__name__,))[0]
                    name = f"{label}.{path}"
                    cared = any(id(p) in held or p in self._data for p in own)
                    resting = 0.0 if cared else self._rests(layer, own)
                    found[name] = resting
                    built = self._names.built_at(layer if isinstance(layer, nn.Module) else owner)
                    attribute = path.partition("[")[0]
                    self._writer.fact(Unregistered(
                        name, type(layer).__name__,
                        self._place(owner, attribute, self._sites.location(built)), label,
                        attribute, sum(p.numel() for p in own),
                    ), step)
        if found:
            self._later.sample(UNREGISTERED, step, found)

    def optimizer_refused(self) -> None:
        """Looks for models at hand that have no parameters, and layers all the same."""
        seen: set[int] = set()
        for _, _, variables in scopes(self._sites):
            at_hand = list(variables.values())[:MOST_NAMES]
            for value in [*at_hand, *(part for each in at_hand for _, part in attributes(each))]:
                if not isinstance(value, nn.Module) or id(value) in seen or any(
                        True for _ in nn.Module.parameters(value)):
                    continue
                seen.add(id(value))
                for path, layer in _hidden(value):
                    whole = isinstance(layer, nn.Module)
                    own = list(nn.Module.parameters(layer)) if whole else [layer]
                    label = type(value).__name__
                    self._writer.fact(Unregistered(
                        f"{label}.{path}", type(layer).__name__,
                        self._place(value, path.partition("[")[0], self._sites.location(
                            self._names.built_at(layer if whole else value))),
                        label, path.partition("[")[0], sum(p.numel() for p in own),
                    ), self._moment.step)

    def _place(
        self, owner: nn.Module, attribute: str, built: SourceLocation | None
    ) -> SourceLocation | None:
        """Where a layer is built, or where what holds it is made, if that is elsewhere."""
        held = parameter_expressions(self._sites, type(owner)).get(attribute)
        if held is None or built is None or held.line <= built.line <= held.end_line:
            return built
        return held

    def _rests(self, layer: nn.Module | torch.Tensor, own: list[torch.Tensor]) -> Number:
        """Whether the values are still those of the first time: a hand-written update moves them.

        A layer that was put into evaluation mode, or loaded, is one that somebody cares for.
        """
        if isinstance(layer, nn.Module) and not layer.training:
            return 0.0
        if any(self._names.was_loaded(p) for p in own):
            return 0.0
        now = torch.stack([mark(p) for p in own])
        first = self._first.get(layer)
        if first is None:
            self._first[layer] = now
            return 1.0
        return (first == now).all()


def _hidden(owner: nn.Module) -> Iterator[tuple[str, nn.Module | torch.Tensor]]:
    """Layers and Parameters in a module's plain attributes, the outermost ones, with their path;
    and the tensors among these that require a gradient.
    """
    for name, value in list(vars(owner).items()):
        if type(value) is torch.Tensor and value.requires_grad and value.ndim and is_leaf(value):
            yield name, value
        elif name not in _BOOKKEEPING and isinstance(value, nn.Module | list | tuple | dict):
            yield from _within(name, value, DEPTH)


def _within(path: str, value: object, depth: int) -> Iterator[tuple[str, nn.Module | torch.Tensor]]:
    if depth < 0:
        return
    if isinstance(value, nn.Module) or type(value) is nn.Parameter:
        yield path, value
        return
    # Exact kinds: a container of the user's own may do anything when it is asked for its items.
    pairs: Iterator[tuple[object, object]] | None = None
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        pairs = iter(enumerate(value))
    elif isinstance(value, dict) and type(value) is dict:
        pairs = iter(list(value.items()))
    for count, (key, item) in enumerate(pairs or ()):
        if count >= ITEMS:
            return
        if isinstance(item, nn.Module | nn.Parameter | list | tuple | dict):
            label = key if type(key) in (int, str) else count
            yield from _within(f"{path}[{label!r}]", item, depth - 1)
