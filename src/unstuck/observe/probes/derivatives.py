"""Second derivatives with respect to inputs: whether they are anything but zero."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.source.naming import numbered
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import is_plain, observable, tensors_in
from unstuck.schema.facts.derivatives import Differentiation
from unstuck.schema.signals.derivatives import SECOND_DERIVATIVE

MOST_CALLS = 64  # of a step
NODES = 2_000  # of the graph behind what is differentiated


class DerivativeProbe(Probe):
    """Follows what `torch.autograd.grad` returns within a step into its next call."""

    signals = (SECOND_DERIVATIVE,)
    facts = (Differentiation,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._first: list[weakref.ref[torch.Tensor]] = []  # derivatives by inputs, with a graph
        self._found: list[tuple[str, torch.Tensor | None]] = []  # whether any is nonzero
        self._places: dict[Site | None, str] = {}
        self._counts: dict[str, int] = {}

    def gradients_given(self, outputs: Any, inputs: Any, gradients: Any) -> None:
        """Notes a derivative by inputs, and looks at one of an earlier derivative."""
        given = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
        results = list(gradients) if isinstance(gradients, tuple | list) else [gradients]
        pairs = [(x, g) for x, g in zip(given, results, strict=False) if self._is_input(x)]
        if not pairs or len(self._found) >= MOST_CALLS or len(self._first) >= MOST_CALLS:
            return
        if self._first and self._again(outputs):
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
        self._later.values(
            [0.0 if flag is None else flag for _, flag in found],
            lambda values: self._write([name for name, _ in found], values, step))

    def _write(self, names: list[str], values: list[float], step: int) -> None:
        places: dict[str, float] = {}
        for name, value in zip(names, values, strict=True):
            places[name] = max(places.get(name, 0.0), value)
        self._writer.sample(SECOND_DERIVATIVE, step, places)
