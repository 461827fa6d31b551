"""The places at which the program calls its models, and what each call is for."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, is_dataclass
from itertools import islice
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.source.naming import Names, unwrapped
from unstuck.observe.source.provenance import steps_to
from unstuck.observe.source.sites import Site, Sites
from unstuck.observe.source.standins import StandIn
from unstuck.observe.source.variables import Found, variable_of
from unstuck.observe.tensors import is_plain
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.calls import CallRole, DataStep, ModelCall

MOST_PLACES = 256
MOST_FOLLOWED = 8  # places whose data are followed back
MOST_CALLS = 256  # of a step that are followed,
FEW = 16  # of those without a graph
LONGEST = 2  # ends of steps at which one may still lead to a loss: a generator's does at the second
MOST_SEARCHES = 3  # for the variable of a place
NEAR = 500  # graph nodes between two calls

_RANK = {CallRole.OTHER: 0, CallRole.HELD_OUT: 1, CallRole.TRAIN: 2}


@dataclass(slots=True)
class _Place:
    """A call place. What is learned of it is never taken back."""

    name: str
    module: weakref.ref[nn.Module]
    site: Site | None
    stack: list[Site]
    shape: tuple[int, ...]
    gradients: bool
    label: str | None = None
    role: CallRole = CallRole.OTHER
    first: bool = False
    last: bool = False
    found: Found | None = None
    searches: int = 0
    steps: tuple[DataStep, ...] = ()
    network: StandIn | None = None
    without: list[Site] | None = None  # the first call without gradients, where others have them
    looked_at: tuple[DataStep, ...] = ()
    written: ModelCall | None = None


@dataclass(slots=True)
class _Call:
    """A call whose result may yet lead to a loss."""

    place: _Place
    role: Callable[[], CallRole]  # if it does not
    nodes: set[int]  # that made its results
    outputs: list[weakref.ref[torch.Tensor]]
    fresh: bool  # it received nothing that another call made
    given: Callable[[], torch.Tensor | None] = lambda: None
    age: int = 0
    before: list[_Call] = field(default_factory=list)  # whose results it received


class ModelCalls:
    """Follows calls of models at sampled steps, and notes those from which nothing is learned.

    `data` is told of what a call received once it is known that it takes data in training: the name
    of the place, the model, the tensor.
    """

    def __init__(self, writer: RecordWriter, names: Names, sites: Sites) -> None:
        self._writer = writer
        self._names = names
        self._sites = sites
        self._places: dict[tuple[Site | None, int], _Place] = {}
        self._calls: list[_Call] = []
        self.data_found: Found | None = None  # where the last call's data are, if just found
        self.data: Callable[[str, nn.Module, torch.Tensor], None] = lambda name, model, given: None

    # Calls --------------------------------------------------------------------------------------
    def called(
        self, module: nn.Module, args: Any, kwargs: Any, output: Any,
        role: Callable[[], CallRole], sampled: bool, step: int,
    ) -> None:
        """A model was called from outside.

        `role` says what the call is for if no loss of it reaches backward.
        """
        learns = torch.is_grad_enabled()
        place = self._place(module, args, kwargs, learns)
        if place is None:
            return
        if not learns:
            self._grows(place, role())
            if place.gradients and place.without is None:
                place.without = self._sites.stack()
        given = list(_tensors((*args, *kwargs.values())))
        fresh = True
        if sampled and len(self._calls) < MOST_CALLS:
            fresh = self._follow(place, role, given, output)
        self.data_found = None
        if place.found is not None and given:
            place.found.met(given[0])
        elif fresh and given and place.searches < MOST_SEARCHES:
            place.searches += 1
            self.data_found = place.found = variable_of(given[0], self._sites)
        if not learns and place.written is None:
            self._write(place, step)

    def _place(self, module: nn.Module, args: Any, kwargs: Any, learns: bool) -> _Place | None:
        site = self._sites.here()
        key = site, id(module)
        place = self._places.get(key)
        if place is None:
            # A model that is built anew, for each fold say, is called at the same place.
            old = next((k for k, p in self._places.items() if k[0] == site and p.module() is None),
                       None)
            if old is not None:
                place = self._places[key] = self._places.pop(old)
        if place is not None:
            if place.module() is not module:
                place.module, place.label = weakref.ref(module), None
            return place
        if len(self._places) >= MOST_PLACES:
            return None
        first = next(_tensors((*args, *kwargs.values())), None)
        place = self._places[key] = _Place(
            f"{len(self._places) + 1}", weakref.ref(module), site, self._sites.stack(),
            tuple(first.shape) if first is not None else (), learns,
            network=module if isinstance(module, StandIn) else None)
        return place

    def _follow(
        self, place: _Place, role: Callable[[], CallRole], given: list[torch.Tensor], output: Any
    ) -> bool:
        """Keeps a call until its step ends; whether it received nothing that another made."""
        before = self._behind(given)
        results = list(_tensors(output))
        nodes = {graph.sequence(t.grad_fn) for t in results if t.grad_fn is not None}
        call = _Call(place, role, nodes, [weakref.ref(t) for t in results], not before,
                     before=before)
        if given:
            call.given = weakref.ref(given[0])
        self._calls.append(call)
        if not nodes:  # an evaluation has many
            without = [other for other in self._calls if not other.nodes]
            if len(without) > FEW:
                self._calls.remove(without[0])
        return not before

    def _behind(self, given: list[torch.Tensor]) -> list[_Call]:
        """The calls whose results these tensors are, or were made from."""
        by_node = {node: call for call in self._calls for node in call.nodes}
        outputs = {id(t): call for call in self._calls for ref in call.outputs
                   if (t := ref()) is not None}
        stored = {key: call for call in self._calls for ref in call.outputs
                  if (t := ref()) is not None and (key := _storage(t))}
        found: dict[int, _Call] = {}
        for tensor in given:
            if tensor.grad_fn is not None and by_node:
                numbers, _ = graph.find(tensor.grad_fn, set(by_node), NEAR)
                for number in numbers:
                    found[id(by_node[number])] = by_node[number]
            call = outputs.get(id(tensor)) or stored.get(_storage(tensor))
            if call is not None:
                found[id(call)] = call
        return list(found.values())

    # Backward and steps -------------------------------------------------------------------------
    def graph(self, nodes: list[Any]) -> None:
        """A loss with this graph is about to be differentiated."""
        if not self._calls:
            return
        numbers = {graph.sequence(node) for node in nodes}
        reached = [call for call in self._calls if call.nodes & numbers]
        used = {id(before) for call in reached for before in call.before}
        for call in reached:
            call.place.last = call.place.last or id(call) not in used
            self._trains(call)
        kept = {id(call) for call in reached}
        self._calls = [call for call in self._calls if id(call) not in kept]

    def gradients_given(self) -> None:
        """A step uses gradients that a function has returned: of the last call with a graph."""
        call = next((call for call in reversed(self._calls) if call.nodes), None)
        if call is not None:
            call.place.last = True
            self._trains(call)
            self._calls = [other for other in self._calls if other is not call]

    def _trains(self, call: _Call) -> None:
        """A call led to a loss: so did those that it received anything from."""
        open_, seen = [call], {id(call)}
        while open_:
            now = open_.pop()
            self._grows(now.place, CallRole.TRAIN)
            if now.fresh:
                now.place.first = True
                given, module = now.given(), now.place.module()
                if given is not None and module is not None:
                    self.data(now.place.name, module, given)
            for before in now.before:
                if id(before) not in seen:
                    seen.add(id(before))
                    open_.append(before)

    def flush(self, step: int) -> None:
        """A sampled step has ended: writes what is new."""
        for call in self._calls:
            call.age += 1
            if call.age >= LONGEST:
                self._grows(call.place, call.role())
        self._calls = [call for call in self._calls if call.age < LONGEST]
        for place in list(self._places.values()):
            self._write(place, step)

    def drop(self) -> None:
        """Forgets the calls of a step that was left halfway."""
        self._calls = []

    def follow_back(self) -> None:
        """Follows data back through the text: that takes milliseconds, so it is left for the end.
        """
        wanted = [place for place in self._places.values()
                  if place.first or place.gradients or place.role is CallRole.HELD_OUT]
        for place in wanted[:MOST_FOLLOWED]:
            place.steps = steps_to(self._sites, place.stack, 0, place.network)
            if place.without is not None:
                place.looked_at = steps_to(self._sites, place.without, 0, place.network)

    def _grows(self, place: _Place, role: CallRole) -> None:
        if _RANK[role] > _RANK[place.role]:
            place.role = role

    def _label(self, place: _Place) -> str:
        """The name of what is called, as a model's fact has it."""
        if place.label is None:
            module = place.module()
            known = self._names.layer(unwrapped(module)) if module is not None else None
            if known is None:
                return type(module).__name__ if module is not None else ""
            place.label = known[0]
        return place.label

    def _write(self, place: _Place, step: int) -> None:
        label = self._label(place)
        if not label:
            return
        fact = ModelCall(
            place.name, label, place.role, self._sites.location(place.site), place.first,
            place.last, place.shape, place.gradients,
            place.found.variable if place.found is not None else None, place.steps,
            place.looked_at)
        if fact != place.written:
            place.written = fact
            self._writer.fact(fact, step)

    def trained_from(self) -> torch.Tensor | None:
        """The only variable with more rows than a batch that training takes its data from.

        None as well if other calls take theirs from it, which may want the rows to be left out.
        """
        parts = [(place.role, place.found.part, place.found) for place in self._places.values()
                 if place.found is not None and place.found.part is not None]
        trained = [(part, found) for role, part, found in parts if role is CallRole.TRAIN]
        if len(trained) != 1 or any(
            part.name == trained[0][0].name for role, part, _ in parts
            if role is not CallRole.TRAIN
        ):
            return None
        return trained[0][1].rows()

    def functions(self) -> set[int]:
        """The identities of the code that calls a model."""
        return {place.site[0] for place in self._places.values() if place.site is not None}


def _tensors(value: Any, depth: int = 2) -> Iterator[torch.Tensor]:
    """The tensors in arguments or results: lists, tuples, dicts and plain objects are opened."""
    if is_plain(value):
        yield value
    elif depth:
        items: Any = ()
        if isinstance(value, list | tuple | dict):  # past what a subclass makes of it
            items = dict.values(value) if isinstance(value, dict) else (
                list.__iter__(value) if isinstance(value, list) else tuple.__iter__(value))
        elif is_dataclass(value) and not isinstance(value, type):
            items = getattr(value, "__dict__", {}).values()
        for item in islice(items, MOST_CALLS):
            yield from _tensors(item, depth - 1)


def _storage(tensor: torch.Tensor) -> int:
    """Where a tensor's memory begins; 0 if it has none."""
    try:
        return int(tensor.untyped_storage().data_ptr())
    except (RuntimeError, NotImplementedError):
        return 0
