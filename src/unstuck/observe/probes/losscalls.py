"""The places at which the program computes losses by a function of torch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.source.assignments import assigned
from unstuck.observe.source.naming import Names
from unstuck.observe.source.provenance import steps_to
from unstuck.observe.source.sites import Site, Sites, local_variables
from unstuck.observe.source.variables import Found, beside, variable_of
from unstuck.observe.tensors import is_plain
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.calls import CallRole, LossCall
from unstuck.torch_api import target_among, target_place

MOST_PLACES = 256
MOST_FOLLOWED = 8  # places whose targets are followed back
MOST_RESULTS = 512  # of a step
MOST_ASKED = 16  # calls of a place of which it is yet to be known what they are for
MOST_FRAMES = 12  # between a loss function and the program's own code


@dataclass(slots=True)
class _Place:
    fact: LossCall
    key: tuple[str, Site | None]
    stack: list[Site]
    role: CallRole = CallRole.OTHER  # unless it reaches backward,
    asked: list[Callable[[], CallRole]] = field(default_factory=list)  # and what is yet to be known
    found: Found | None = None  # where its targets are
    written: LossCall | None = None


class LossCalls:
    """Notes each place at its first call, and what its calls are for."""

    def __init__(
        self, writer: RecordWriter, names: Names, sites: Sites, losses: LossProbe
    ) -> None:
        self._writer = writer
        self._names = names
        self._sites = sites
        self._losses = losses
        self._places: dict[tuple[str, Site | None], _Place] = {}
        self._results: dict[int, str] = {}  # names of losses by the nodes that made them

    def computed(
        self, function: str, args: Any, result: Any, role: Callable[[], CallRole],
        callers: set[int], data: Found | None, step: int,
    ) -> None:
        """A loss was computed, at a sampled step or without a graph.

        Args:
            function: its name in `torch.nn.functional`.
            args: what it received.
            result: what it returned.
            role: says what the call is for if the loss does not reach backward.
            callers: identities of the code that calls models.
            data: where the data are that the model was called with, if that is known.
            step: the step under way.
        """
        key = function, self._sites.here()
        place = self._places.get(key)
        known = self._losses.known.get(key)
        if known is None:
            return
        if result.grad_fn is not None and len(self._results) < MOST_RESULTS:
            self._results[graph.sequence(result.grad_fn)] = known.name
        target = target_among(function, args)
        target = target if is_plain(target) else None
        if place is None:
            if len(self._places) >= MOST_PLACES:
                return
            fact = self._met(function, key[1], args[0], target, callers)
            place = self._places[key] = _Place(
                replace(fact, name=known.name), key, self._sites.stack())
            if target is not None:
                place.found = beside(target, data, self._sites) if data is not None else (
                    variable_of(target, self._sites))
            if place.fact.built is not None:
                known.fact, known.written = replace(known.fact, built=place.fact.built), False
        elif place.found is not None and target is not None:
            place.found.met(target)
        if result.grad_fn is not None:
            place.asked = [*place.asked[-MOST_ASKED:], role]
        elif role() is CallRole.HELD_OUT:
            place.role = CallRole.HELD_OUT
        if not torch.is_grad_enabled() and place.written is None:
            self._write(place, step)

    def among(self, nodes: list[Any]) -> str | None:
        """The name of the only loss that was computed in this step and has its node among these."""
        found = {self._results.get(graph.sequence(node)) for node in nodes} - {None}
        return found.pop() if len(found) == 1 else None

    def _met(
        self, function: str, site: Site | None, given: torch.Tensor, target: Any, callers: set[int]
    ) -> LossCall:
        return LossCall(
            "", None, function, CallRole.OTHER, self._sites.location(site),
            tuple(given.shape), tuple(target.shape) if target is not None else (),
            self._sites.location(self._built()), self._sites.location(self._outer(callers)))

    def _built(self) -> Site | None:
        """Where the module of torch was constructed whose `forward` calls the loss function.

        One of the program's own takes other arguments than the function.
        """
        frame: FrameType | None = sys._getframe(2)
        for _ in range(MOST_FRAMES):
            if frame is None or self._sites.is_user(frame.f_code.co_filename):
                return None
            if frame.f_code.co_name == "forward":
                module = local_variables(frame).get("self")
                model = isinstance(module, nn.Module) and (
                    self._names.knows(module)
                    or next(iter(nn.Module.parameters(module)), None) is not None)
                return self._names.built_at(module) if isinstance(
                    module, nn.Module) and not model else None
            frame = frame.f_back
        return None

    def _outer(self, callers: set[int]) -> Site | None:
        """Where the program calls its function that calls the loss function.

        None if that function calls a model too, or is no function.
        """
        stack = self._sites.stack()
        if len(stack) < 2 or stack[0][0] in callers:
            return None
        return stack[1] if self._sites.code(stack[0]).co_name != "<module>" else None

    def flush(self, step: int) -> None:
        """A sampled step has ended: writes what is new."""
        self._results.clear()
        for place in self._places.values():
            self._write(place, step)

    def follow_back(self) -> None:
        """Follows targets back through the text, once the run is over."""
        for place in list(self._places.values())[:MOST_FOLLOWED]:
            target = target_place(place.fact.function)
            if target is not None:
                place.fact = replace(
                    place.fact, steps=steps_to(self._sites, place.stack, target))

    def _write(self, place: _Place, step: int) -> None:
        known = self._losses.known[place.key]
        trained = known.written or known.reached > 0
        if not trained and CallRole.HELD_OUT in [role() for role in place.asked]:
            place.role = CallRole.HELD_OUT
        place.asked = []
        variable = place.found.variable if place.found is not None else None
        if variable is not None and not trained and variable != place.fact.variable:
            place.fact = replace(
                place.fact, variable=variable, made=assigned(variable, self._sites))
        fact = replace(place.fact, loss=known.name if known.written else None,
                       role=CallRole.TRAIN if trained else place.role, variable=variable)
        if fact != place.written:
            place.written = fact
            self._writer.fact(fact, step)
