"""Whether operations within the model run across the samples of a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.axes import cuts_in_order, swapped
from unstuck.observe.batch_axis import Lost, Mixed, Summed, follow, kept
from unstuck.observe.batch_entry import FEWEST, Entry, entry_of, has_rows
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.source.naming import unwrapped
from unstuck.observe.source.sites import Site
from unstuck.observe.source.variables import variable_of
from unstuck.observe.tensors import is_plain, tensors_in
from unstuck.schema.facts.models import BatchAxis, Pasted, Swapped
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.batches import PASTED_SHARE

STEPS = 3  # first steps that are looked at
_VIEWS = frozenset({"ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0"})
_SOFTMAX = frozenset({"SoftmaxBackward0", "LogSoftmaxBackward0"})
MOST_CALLS = 8  # of models in one step
FEWEST_ROWS = 4


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a model: its input, and the numbers of the nodes that made its outputs."""

    name: str
    entry: Entry | None  # None where no output has its rows
    outputs: tuple[int, ...]


class MixingProbe(Probe):
    """Compares the axis of an operation with the one along which the model gets its samples.

    The model's samples lie along the first axis of its input if its output has as many rows. They
    are followed from there to its outputs through every operation of the graph.
    """

    signals = (PASTED_SHARE,)
    facts = (Pasted, BatchAxis, Swapped)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._finite = context.probe(FiniteProbe)
        self._turned: tuple[str, tuple[int, ...], Site | None] | None = None
        self._drawn = 0  # samples of the last batch of a loader, if they were drawn out of order
        self._samples = 0  # in the batch that the model was called with last
        self._newest = -1  # node of that call
        self._known: set[str] = set()
        self._calls: list[_Call] = []

    def batch_drawn(self, iterator: Any, indices: Any) -> None:
        """Notes how many samples lie in a batch that was drawn in another order than theirs."""
        if self._moment.step < STEPS:
            self._drawn = len(indices) if type(indices) is list and all(
                type(i) is int for i in indices) and _out_of_order(indices) else 0

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Notes the first layer that takes time first."""
        if not self._moment.learns or self._moment.step >= STEPS or self._turned is not None or (
            module.__dict__.get("batch_first", True)
        ):
            return
        given = args[0] if args else None
        if isinstance(module, nn.RNNBase | nn.MultiheadAttention) and isinstance(
            given, torch.Tensor
        ) and given.ndim == 3:
            known = self._names.layer(module)
            if known is not None:
                self._turned = known[0], tuple(given.shape), self._sites.here()

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Compares what the model got with what that layer took."""
        step = self._moment.step
        turned, self._turned = self._turned, None
        self._newest = -1
        given = next((a for a in args if is_plain(a)), None)
        if step < STEPS and len(self._calls) < MOST_CALLS:
            self._note(module, given if given is not None else next(iter(tensors_in(kwargs)), None),
                       tensors_in(output))
        if step >= STEPS or given is None or given.ndim < 2 or not (
            is_plain(output) and output.ndim and output.grad_fn is not None
        ):
            return
        self._samples = given.shape[0]
        if self._samples < FEWEST or output.shape[0] != self._samples:
            return
        self._newest = graph.sequence(output.grad_fn)
        if turned is None:
            return
        name, shape, site = turned
        # Where the model's input has time first, its output has the samples second, and no pass
        # over the data takes time steps out of their order.
        if shape[0] == self._samples and 1 < shape[1] != shape[0] and (
            given.shape[:2] == shape[:2]
        ) and (shape[1] not in output.shape[1:2] or self._drawn == shape[0] or (
            self._picked(given))
        ):
            self._found(name, "order", tuple(given.shape), shape, self._sites.location(site), step,
                        self._samples)

    def _picked(self, given: torch.Tensor) -> bool:
        """Whether the rows of a batch are rows of a variable, out of their order."""
        found = variable_of(given, self._sites)
        return found is not None and found.part is not None and _out_of_order(found.places)

    def _note(self, module: nn.Module, given: Any, outputs: list[torch.Tensor]) -> None:
        """Keeps what must be known of a call when its graph is there."""
        made = [o for o in outputs if o.grad_fn is not None]
        if made:
            entry = None if given is None else next(
                filter(None, (entry_of(given, o) for o in made)), None)
            name = next((n for m, n in self._names.models() if m is unwrapped(module)),
                        type(module).__name__)
            self._calls.append(_Call(name, entry, tuple(
                graph.sequence(o.grad_fn) for o in made
                if entry is not None and has_rows(o, entry.samples))))

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Looks for operations across samples.

        That is when torch has noted the lines of operations, else at the last chance.
        """
        step = self._moment.step
        newest, self._newest = self._newest, -1
        calls, self._calls = self._calls, []
        if not (self._moment.traced or step == STEPS - 1):
            return
        for call in calls:
            self._follow(call, nodes, step)
        for node in nodes:
            if node.name() in _VIEWS:
                self._view(node, step)
        for node in nodes if newest >= 0 else ():
            if node.name() in _SOFTMAX and graph.sequence(node) <= newest:
                self._look(node, newest, step)

    def _follow(self, call: _Call, nodes: list[Any], step: int) -> None:
        """Follows the samples of a call through this graph."""
        if call.entry is None:
            self._end(call, False, "", step)
            return
        for node in nodes:
            if graph.variable(node) is not None or graph.sequence(node) not in call.outputs:
                continue
            state = follow(node, call.entry)
            if isinstance(state, Mixed):
                self._mixed(state, "view", call.entry.samples, step, state.order)
            elif isinstance(state, Summed):
                self._mixed(state, "sum", call.entry.samples, step)
            whole = kept(state, call.entry.samples)
            self._end(call, whole, state.operation if isinstance(state, Lost) else "", step)

    def _end(self, call: _Call, whole: bool, lost: str, step: int) -> None:
        key = f"{call.name} {whole} {lost}"
        if key not in self._known:
            self._known.add(key)
            self._writer.fact(BatchAxis(call.name, whole, lost), step)

    def _mixed(
        self, mixed: Mixed | Summed, how: str, samples: int, step: int,
        order: tuple[int, ...] = (),
    ) -> None:
        name, line = mixed.node.name(), self._finite.line_of(mixed.node)
        location = self._sites.operation(*line, name) if line is not None else None
        self._found(name.removesuffix("Backward0"), how, mixed.given, mixed.taken, location,
                    step, samples, order)

    def _view(self, node: Any, step: int) -> None:
        """Axes that a view of the program's own swaps by name only; a layer's parts its heads."""
        (parent, output), *_ = node.next_functions
        given, taken = graph.shape(parent), graph.shape(node)
        key = f"{given} {taken}"
        if given is None or taken is None or output or key in self._known or (
            graph.variable(parent) is not None
        ):
            return
        self._known.add(key)
        order = swapped(given, taken)
        if order and not self._finite.by_library(node):
            line, name = self._finite.line_of(node), node.name()
            location = self._sites.operation(*line, name) if line is not None else None
            self._writer.fact(
                Swapped(given, taken, order, cuts_in_order(given, taken), location), step)

    def _look(self, node: Any, newest: int, step: int) -> None:
        """Weights of one number a sample, or of samples by samples, are meant to compare them.

        What the model ends with is compared with what its loss expects.
        """
        name, shape = node.name(), graph.shape(node)
        if shape is None or len(shape) < 2 or graph.dimension(node) not in (0, -len(shape)):
            return
        if shape[0] == self._samples != shape[1] and math.prod(shape[1:]) > 1 and (
            graph.sequence(node) < newest
        ):
            line = self._finite.line_of(node)
            location = self._sites.operation(*line, name) if line is not None else None
            self._found(name.removesuffix("Backward0"), "softmax", shape, shape, location, step,
                        self._samples)

    def _found(
        self, name: str, how: str, given: tuple[int, ...], taken: tuple[int, ...],
        location: SourceLocation | None, step: int, samples: int, order: tuple[int, ...] = (),
    ) -> None:
        if name not in self._known:
            self._known.add(name)
            self._writer.sample(PASTED_SHARE, step, {name: 1.0})
            self._writer.fact(Pasted(
                name, samples, samples, given, taken, location, how, order), step)


def _out_of_order(places: Sequence[int]) -> bool:
    """Whether few of these follow one another."""
    follow = sum(b == a + 1 for a, b in pairwise(places))
    return len(places) >= FEWEST_ROWS and 2 * follow < len(places)
