"""Whether what a layer hands on to its own next call keeps its graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

from unstuck.observe import graph
from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.cuts import CutProbe
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import observable, tensors_in
from unstuck.schema.facts.models import CutState
from unstuck.schema.places import SourceLocation

FEWEST = 3  # calls in a row that get their last output without a graph
MOST_LAYERS = 64
MOST_CALLS = 10_000  # of a layer in a step


@dataclass(slots=True)
class _Calls:
    """Those of one layer since the last backward pass."""

    made: list[StorageWeakRef] = field(default_factory=list)  # by the last one
    nodes: list[set[int]] = field(default_factory=list)  # of what each made
    cut: int = 0
    carried: bool = False
    stack: tuple[Site, ...] = ()


class StateProbe(Probe):
    """Knows a layer's last output by its memory, as long as the program holds that: a detached
    state shares it with the output, which may be gone.

    Where a series is cut on purpose, the parts before the cut have a loss of their own.
    """

    facts = (CutState,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._cuts = context.probe(CutProbe)
        self._layers: ByIdentity[nn.Module, _Calls] = ByIdentity()
        self._met = 0  # layers since the last backward pass
        self._looks: dict[str, int] = {}
        self._places: dict[str, SourceLocation | None] = {}

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Compares what a layer got with what it made last."""
        if not self._moment.learns:
            return
        calls = self._layers.get(module)
        if calls is None:
            if self._met >= MOST_LAYERS:
                return
            self._met += 1
            calls = self._layers[module] = _Calls()
        if len(calls.nodes) >= MOST_CALLS:
            return
        before = {ref.cdata for ref in calls.made if not ref.expired()}
        kept = [each.requires_grad for each in tensors_in(*args)
                if observable(each) and each.untyped_storage()._cdata in before]
        if kept:
            calls.carried |= any(kept)
            calls.cut += 1
            calls.stack = calls.stack or tuple(self._sites.stack())
        returned = output if type(output) is tuple else (output,)
        made = [each for each in tensors_in(*returned)
                if observable(each) and each.grad_fn is not None]
        calls.made = [StorageWeakRef(each.untyped_storage()) for each in made]
        calls.nodes.append({graph.sequence(each.grad_fn) for each in made})

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Writes which layers the loss reaches through their last call only."""
        cut = [(module, calls) for module, calls in self._layers.items()
               if calls.cut >= FEWEST and not calls.carried]
        self._forget()
        if not cut:
            return
        known = {graph.sequence(node) for node in nodes}
        for module, calls in cut:
            *before, last = calls.nodes
            earlier: set[int] = set().union(*before)
            name = self._names.layer(module)
            if name is None or last.isdisjoint(known) or not earlier.isdisjoint(known):
                continue
            looks = self._looks[name[0]] = self._looks.get(name[0], 0) + 1
            if looks == 1:
                self._places[name[0]] = self._cuts.within(calls.stack)
            if looks <= FEWEST:
                self._writer.fact(CutState(
                    name[0], self._places[name[0]], len(calls.nodes), looks), self._moment.step)

    def look_ended(self, step: int) -> None:
        """Nothing is kept from one step to the next."""
        self._forget()

    def _forget(self) -> None:
        self._layers.clear()
        self._met = 0
