"""Derivatives with respect to inputs: whether they are zero, or constants in the loss."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.source.naming import numbered
from unstuck.observe.source.results import Kept, kept
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import is_plain, observable, tensors_in
from unstuck.schema.facts.derivatives import Differentiation, FixedDerivative
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.derivatives import SECOND_DERIVATIVE

MOST_CALLS = 64  # of a step
NEAREST = 4  # nodes from an output on among which the operation is that was differentiated
NODES = 2_000  # of the graph behind what is differentiated
LOOKS = 2  # at which a derivative without a graph is met before it is noted
_SUMS = frozenset({"AddBackward0", "SubBackward0"})
_ARITHMETIC = _SUMS | {"MulBackward0", "DivBackward0"}


@dataclass(slots=True)
class _Fixed:
    """A derivative without a graph, of this step: what it is of, and where it is kept."""

    site: Site | None
    shape: tuple[int, ...]
    of: frozenset[int]  # creation numbers of the operations that were differentiated
    by: weakref.ref[torch.Tensor]
    again: bool
    kept: list[Kept]

    def meets(self, node: Any) -> bool:
        """Whether a node is of what was differentiated, or is the input that a second derivative
        is taken by: an equation holds further terms of it.
        """
        variable = graph.variable(node)
        if variable is None:
            return graph.sequence(node) in self.of
        return self.again and self.by() is variable


@dataclass(slots=True)
class _Known:
    """What is known of a call that returns derivatives without a graph."""

    looks: int = 0
    used: SourceLocation | None = None


class DerivativeProbe(Probe):
    """Follows what `torch.autograd.grad` returns within a step into its next call and the loss."""

    signals = (SECOND_DERIVATIVE,)
    facts = (Differentiation, FixedDerivative)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._first: list[weakref.ref[torch.Tensor]] = []  # derivatives by inputs, with a graph
        self._found: list[tuple[str, torch.Tensor | None]] = []  # whether any is nonzero
        self._places: dict[Site | None, str] = {}
        self._counts: dict[str, int] = {}
        self._finite = context.probe(FiniteProbe)
        self._fixed: list[_Fixed] = []
        self._known: dict[Site | None, _Known] = {}

    def gradients_given(self, outputs: Any, inputs: Any, gradients: Any) -> None:
        """Notes a derivative by inputs, and looks at one of an earlier derivative."""
        given = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
        results = list(gradients) if isinstance(gradients, tuple | list) else [gradients]
        pairs = [(x, g) for x, g in zip(given, results, strict=False) if self._is_input(x)]
        if not pairs or len(self._found) >= MOST_CALLS or len(self._first) >= MOST_CALLS:
            return
        again = bool(self._first) and self._again(outputs)
        self._note_fixed(
            outputs, [(x, g) for x, g in pairs if is_plain(g) and g.grad_fn is None], again)
        if again:
            with torch.no_grad():
                self._found += [(self._place(), torch.ne(g, 0).any() if observable(g) else None)
                                for _, g in pairs if g is None or is_plain(g)]
        self._first += [weakref.ref(g) for _, g in pairs
                        if is_plain(g) and g.grad_fn is not None]

    def _is_input(self, tensor: Any) -> bool:
        return (is_plain(tensor) and not isinstance(tensor, nn.Parameter)
                and tensor.is_floating_point() and self._names.parameter(tensor) is None)

    def _again(self, outputs: Any) -> bool:
        """Whether the graph behind what is differentiated holds an earlier derivative."""
        known = {ref().grad_fn for ref in self._first if ref() is not None}  # type: ignore[union-attr]
        return any(node in known for output in tensors_in(outputs, *(
            outputs if isinstance(outputs, tuple | list) else ()))
            if output.grad_fn is not None for node in graph.walk(output.grad_fn, NODES))

    def _note_fixed(
        self, outputs: Any, pairs: list[tuple[torch.Tensor, torch.Tensor]], again: bool
    ) -> None:
        """Remembers derivatives that have no graph, to look for them in that of the loss."""
        site = self._sites.here()
        known = self._known.get(site)
        if not pairs or (known is not None and known.looks >= LOOKS):
            return
        roots = [node for output in tensors_in(outputs, *(
            outputs if isinstance(outputs, tuple | list) else ())) if output.grad_fn is not None
            for node in graph.walk(output.grad_fn, NODES if again else NEAREST)]
        of = frozenset(graph.sequence(node) for node in roots if graph.variable(node) is None)
        self._fixed += [
            _Fixed(site, tuple(g.shape), of, weakref.ref(x), again, kept(self._sites))
            for x, g in pairs if g.numel() > 1]

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Looks where the graph of the loss takes a derivative of this step as a constant."""
        if not self._fixed or not self._moment.traced:
            return
        for node in nodes:
            if node.name() not in _ARITHMETIC or len(node.next_functions) != 2 or (
                len(behind := graph.parents(node)) != 1
            ):
                continue
            made = graph.shape(node) or ()
            for fixed in self._fixed:
                if self._used(fixed) is not None or not _fit(made, fixed.shape) or (
                    not made and node.name() not in _SUMS  # of the terms of a loss
                ):
                    continue
                if any(each.is_in(*frame) for frame in self._finite.frames(node)[-1:]
                       for each in fixed.kept) and any(
                    fixed.meets(each) for each in graph.walk(behind[0], NODES)
                ):
                    self._known.setdefault(fixed.site, _Known()).used = self._finite.called_at(
                        node, None)

    def _used(self, fixed: _Fixed) -> SourceLocation | None:
        known = self._known.get(fixed.site)
        return known.used if known is not None else None

    def _place(self) -> str:
        site = self._sites.here()
        name = self._places.get(site)
        if name is None:
            name = self._places[site] = numbered(self._counts, "grad")
            self._writer.fact(
                Differentiation(name, self._sites.location(site)), self._moment.step)
        return name

    def look_ended(self, step: int) -> None:
        """Writes what a sampled step showed."""
        found, self._found, self._first = self._found, [], []
        fixed, self._fixed = {each.site: each for each in self._fixed}, []
        for site, each in fixed.items():
            known = self._known.setdefault(site, _Known())
            known.looks += 1
            if known.looks == LOOKS:
                name = self._places.get(site) or numbered(self._counts, "grad")
                self._writer.fact(FixedDerivative(
                    name, self._sites.location(site), known.used, each.again, LOOKS), step)
        self._later.values(
            [0.0 if flag is None else flag for _, flag in found],
            lambda values: self._write([name for name, _ in found], values, step))

    def _write(self, names: list[str], values: list[float], step: int) -> None:
        places: dict[str, float] = {}
        for name, value in zip(names, values, strict=True):
            places[name] = max(places.get(name, 0.0), value)
        self._writer.sample(SECOND_DERIVATIVE, step, places)


def _fit(made: tuple[int, ...], derivative: tuple[int, ...]) -> bool:
    """Whether a result may be of a derivative, or of several side by side, or of sums over axes."""
    return all(one == other or 1 in (one, other)
               for one, other in zip(made, derivative, strict=False))
