"""The places at which the program calls methods of optimizers, and of models beside `forward`."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.naming import Names, unwrapped
from unstuck.observe.source.sites import Site, Sites
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.calls import ModeCall, OptimizerCall
from unstuck.schema.facts.loops import Pace

MOST_PLACES = 256


@dataclass(slots=True)
class _Place:
    """A call place. The module has its name only once it was called."""

    name: str
    method: str
    site: Site | None
    optimizer: str | None = None
    module: weakref.ref[nn.Module] | None = None
    written: str | None = None  # the name that was written


class Callers:
    """Writes each place once, and how many backward passes a step takes when that changes."""

    def __init__(
        self, writer: RecordWriter, names: Names, sites: Sites, parameters: ParameterProbe
    ) -> None:
        self._writer = writer
        self._names = names
        self._sites = sites
        self._parameters = parameters
        self._places: dict[tuple[str, Site | None, str | int], _Place] = {}
        self._paces: dict[str, Pace] = {}

    def steps(self, optimizer: Optimizer, closure: bool, backwards: int, step: int) -> None:
        """An optimizer is about to step, after so many backward passes."""
        name = self._parameters.name(optimizer)
        self._called("step", optimizer=name)
        pace = Pace(name, backwards, closure)
        if self._paces.get(name) != pace:
            self._paces[name] = pace
            self._writer.fact(pace, step)

    def clears(self, owner: Optimizer | nn.Module) -> None:
        """Gradients are about to be cleared."""
        if isinstance(owner, nn.Module):
            self._called("zero_grad", module=owner)
        elif (name := self._parameters.name_of(owner)) is not None:
            self._called("zero_grad", optimizer=name)

    def sets_mode(self, module: nn.Module, training: bool) -> None:
        """The program sets the mode of a module."""
        self._called("train" if training else "eval", module=module)

    def _called(
        self, method: str, *, optimizer: str | None = None, module: nn.Module | None = None
    ) -> None:
        site = self._sites.here()
        key = method, site, optimizer or id(module)
        place = self._places.get(key)
        if place is None:
            if len(self._places) >= MOST_PLACES:
                return
            place = self._places[key] = _Place(
                f"{len(self._places) + 1}", method, site, optimizer)
        if module is not None:
            place.module = weakref.ref(module)

    def flush(self, step: int) -> None:
        """A sampled step has ended: writes what is new."""
        for place in self._places.values():
            module = place.module() if place.module is not None else None
            label = place.optimizer or self._label(module)
            if label is None or label == place.written:
                continue
            place.written = label
            location = self._sites.location(place.site)
            if place.method in ("train", "eval"):
                self._writer.fact(ModeCall(place.name, label, place.method, location), step)
            else:
                model = label if place.optimizer is None else None
                self._writer.fact(OptimizerCall(
                    place.name, place.optimizer, place.method, location, model), step)

    def _label(self, module: Any) -> str | None:
        if module is None:
            return None
        known = self._names.layer(unwrapped(module))
        return known[0] if known is not None else type(module).__name__
