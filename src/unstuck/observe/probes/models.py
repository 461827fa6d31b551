"""What the models are made of that the program calls."""

from __future__ import annotations

import sys
import weakref
from typing import Any

import torch
from torch import nn

from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.layers import LayerProbe
from unstuck.observe.source.sites import local_variables
from unstuck.observe.source.standins import StandIn
from unstuck.observe.tensors import tensors_in
from unstuck.schema.facts.models import Model, Replacement
from unstuck.schema.places import SourceLocation

MOST_REPLACEMENTS = 3  # of a parameter: a program that makes each anew at each step is another kind


class ModelProbe(Probe):
    """Makes the modules known that the program calls from outside any other, and describes them."""

    facts = (Model, Replacement)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._layers = context.probe(LayerProbe)
        self._described: set[tuple[str, int]] = set()
        self._states: ByIdentity[nn.Module, tuple[
            int, SourceLocation | None, list[tuple[int, bool]]]] = ByIdentity()
        # The tensor of each name, and how many there were before.
        self._tensors: ByIdentity[
            nn.Module, dict[str, tuple[weakref.ref[torch.Tensor], int]]] = ByIdentity()

    def before_call(self, module: nn.Module) -> None:
        """Makes a model known before its layers are called."""
        if self._moment.learns and self._names.is_model(module) and not self._names.knows(module):
            self._names.register(module, self._variable(module))

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Writes a model's facts at its first call, and again when parts are frozen or replaced.

        The parts are named anew each time, since a program may have put others in their place.
        """
        called = module.called if isinstance(module, StandIn) else None
        state = (self._names.changes, called,
                 [(id(p), p.requires_grad) for p in nn.Module.parameters(module)])
        if self._states.get(module) == state:
            return
        known = self._names.register(module, None)
        if known is None:
            return
        self._states[module] = state
        model, name = known
        self._replaced(model)
        places = tuple(self._names.built_at(part) for part in model.modules())
        flags = name, hash((places, called, tuple(p.requires_grad for p in model.parameters())))
        if flags in self._described:
            return
        self._described.add(flags)
        first = next(iter(tensors_in(*args, *kwargs.values())), None)
        self._writer.fact(self._names.model_fact(
            model, name, call_location=called or self._sites.location(self._sites.here()),
            compiled=self._moment.compiled, first_layer=self._layers.first_layer,
            input_shape=tuple(first.shape) if first is not None else (),
            input_dtype=str(first.dtype).removeprefix("torch.") if first is not None else "",
        ), self._moment.step)

    def _replaced(self, model: nn.Module) -> None:
        """Notes parameters that are other tensors now than they were."""
        tensors = self._tensors.get(model)
        if tensors is None:
            tensors = self._tensors[model] = {}
        for parameter in nn.Module.parameters(model):
            name = self._names.parameter(parameter)
            if name is None:
                continue
            before, count = tensors.get(name, (None, -1))
            if before is None or before() is not parameter:
                tensors[name] = weakref.ref(parameter), count + 1
                if 0 <= count < MOST_REPLACEMENTS:
                    self._writer.fact(Replacement(name, self._moment.step), self._moment.step)

    def _variable(self, module: nn.Module) -> str | None:
        """The user's own name for a module, from the frame that calls it."""
        frame = sys._getframe(1)
        while frame is not None and not self._sites.is_user(frame.f_code.co_filename):
            frame = frame.f_back  # type: ignore[assignment]
        if frame is None:
            return None
        local = local_variables(frame)
        for scope in (local, frame.f_globals):
            for name, value in list(scope.items()):
                if value is module and name != "self":
                    return name
        owner = local.get("self")
        attributes = getattr(owner, "__dict__", None)
        if isinstance(attributes, dict) and not isinstance(owner, nn.Module):
            return next((n for n, value in attributes.items() if value is module), None)
        return None
