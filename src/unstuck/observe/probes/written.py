"""Gradients and first values that the program writes itself, past `backward` and `nn.init`."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch.optim.optimizer import Optimizer

from unstuck.observe.identity import ByIdentity
from unstuck.observe.later import Later
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.assignments import (
    fillings,
    gradient_assignments,
    gradient_changes,
)
from unstuck.observe.source.naming import Names
from unstuck.observe.source.sites import Site, Sites
from unstuck.observe.tensors import (
    MARKED,
    first_elements,
    held_by,
    is_leaf,
    is_plain,
    mark,
    readable,
)
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.gradients import ChangedGradient, WrittenGradient
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.models import Initialisation

MOST_PARAMETERS = 2_000
SAME = 1e-2  # relative difference of sums, which another precision makes


class WrittenGradients:
    """Compares the gradients of a sampled step with those that its backward passes left."""

    def __init__(
        self, writer: RecordWriter, sites: Sites, parameters: ParameterProbe
    ) -> None:
        self._writer = writer
        self._sites = sites
        self._parameters = parameters
        # Gradients and their versions, by their parameters.
        self._left: dict[int, tuple[weakref.ref[torch.Tensor], int]] = {}
        self._written: set[str] = set()
        self._changed: set[str] = set()
        self._computed: Site | None = None  # where gradients were computed by `autograd.grad`
        self._sites_written: set[Site] = set()

    def after_backward(self) -> None:
        """A backward pass of a sampled step is over."""
        self._left = {
            id(p): (weakref.ref(p.grad), p.grad._version)
            for p in list(self._parameters.held())[:MOST_PARAMETERS]
            if is_plain(p) and is_leaf(p) and p.grad is not None}

    def computes(self) -> None:
        """The program calls `torch.autograd.grad` at a sampled step."""
        self._computed = self._sites.here()

    def steps(self, optimizer: Optimizer, backwards: int, step: int) -> None:
        """An optimizer without a closure is about to step at a sampled step."""
        site, self._computed = self._computed, None
        if not backwards and site is not None and site not in self._sites_written:
            self._sites_written.add(site)
            self._writer.fact(Backward(self._sites.location(site), "grad"), step)
        name = self._parameters.name(optimizer)
        if name not in self._changed and any(map(self._is_changed, held_by(optimizer))):
            self._changed.add(name)
            places = gradient_changes(self._sites)
            self._writer.fact(ChangedGradient(
                name, places[0] if len(places) == 1 else None), step)
        if name in self._written:
            return
        count = sum(1 for p in held_by(optimizer)[:MOST_PARAMETERS] if self._is_foreign(p))
        if count:
            self._written.add(name)
            found = gradient_assignments(self._sites)
            if found:  # else a library did it
                self._writer.fact(WrittenGradient(
                    name, found[0] if len(found) == 1 else None, count), step)

    def _is_foreign(self, parameter: Any) -> bool:
        if not is_plain(parameter) or not is_leaf(parameter) or parameter.grad is None:
            return False
        left = self._left.get(id(parameter))
        return left is None or left[0]() is not parameter.grad

    def _is_changed(self, parameter: Any) -> bool:
        gradient, version = self._left.get(id(parameter), (None, 0))
        known = gradient() if gradient is not None else None
        return known is not None and known is parameter.grad and known._version != version

    def flush(self) -> None:
        """A sampled step has ended."""
        self._left = {}
        self._computed = None


class FirstValues:
    """Compares parameters in their first forward pass with what `nn.init` left in them."""

    def __init__(
        self, writer: RecordWriter, later: Later, names: Names, sites: Sites
    ) -> None:
        self._writer = writer
        self._later = later
        self._names = names
        self._sites = sites
        self._marks: ByIdentity[torch.Tensor, tuple[torch.Tensor, int]] = ByIdentity()
        self._facts: list[Initialisation] = []

    def follow(self, before: FirstValues, step: int) -> None:
        """What was filled since the last step of the training before is about to be used."""
        for tensor, (known, filled) in before._marks.items():
            if filled == step:
                self._marks[tensor] = known, 0

    def initialised(self, tensor: Any, step: int) -> None:
        """A function of `torch.nn.init` has filled a tensor."""
        if is_plain(tensor) and is_leaf(tensor) and readable(tensor):
            with torch.no_grad():
                self._marks[tensor] = mark(tensor), step

    def graph(self, step: int) -> None:
        """A loss is about to be differentiated at a sampled step."""
        found = [(name, p, known[0]) for name, p in self._names.parameters()
                 if (known := self._marks.get(p)) is not None and known[1] == step
                 and not self._names.was_loaded(p) and readable(p)]
        self._marks.clear()
        if not found:
            return
        with torch.no_grad():
            names = [name for name, *_ in found]
            self._later.numbers(
                [*(before for *_, before in found), *(mark(p) for _, p, _ in found),
                 *(first_elements(p.detach(), MARKED).double().norm() for _, p, _ in found)],
                lambda numbers: self._compare(names, numbers))

    def _compare(self, names: list[str], numbers: list[float]) -> None:
        count = len(names)
        before, now, size = (numbers[i * count:(i + 1) * count] for i in range(3))
        self._facts += self._found([
            name for name, a, b, s in zip(names, before, now, size, strict=True)
            if not abs(a - b) <= SAME * max(abs(a), s)])

    def _found(self, names: list[str]) -> Iterator[Initialisation]:
        known = fillings(self._sites) if names else []
        for name in names if known else ():
            own = name.rpartition(".")[2]
            fitting = [f for f in known if own in f.names] or [
                f for f in known if not f.names & {"weight", "bias"}]
            one = fitting[0] if len(fitting) == 1 else None
            yield Initialisation(name, one.function if one is not None else "",
                                 one.location if one is not None else None)

    def flush(self, step: int) -> None:
        """A sampled step has ended: writes what came after the program's calls of `nn.init`."""
        self._later.read((), lambda _: self._write(step))

    def _write(self, step: int) -> None:
        for fact in self._facts:
            self._writer.fact(fact, step)
        self._facts = []
