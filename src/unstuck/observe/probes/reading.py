"""What the network reads of padded sequences where it makes one vector of all time steps."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.padding import Padded, PaddingProbe
from unstuck.observe.source.operations import indexings
from unstuck.observe.source.sites import Site, expression_at, syntax_tree
from unstuck.observe.tensors import is_plain, tensors_in
from unstuck.schema.facts.sequences import Read, Reading
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.sequences import PADDING_READ

MOST_CALLS = 256  # of layers in a step
MOST_NODES = 5_000  # of a graph that is searched
ELEMENT_LIMIT = 16_000_000  # of an output whose values are looked at
MEANS = ("MeanBackward", "AdaptiveAvgPool", "AvgPool")


@dataclass(slots=True)
class _Call:
    """A layer's call, with the nodes that made its output and its last states."""

    name: str
    output: torch.Tensor | None  # without its graph
    shape: tuple[int, ...]
    packed: bool
    node: int
    states: frozenset[int]
    both_ways: bool
    time_first: bool
    site: Site | None


class ReadingProbe(Probe):
    """Follows the last layer that outputs all time steps to where they become one.

    The gradient of the loss at its output, step by step, says what is read.
    """

    signals = (PADDING_READ,)
    facts = (Read,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._padding = context.probe(PaddingProbe)
        self._finite = context.probe(FiniteProbe)
        self._calls: list[_Call] = []
        self._shares: dict[str, torch.Tensor] = {}
        self._facts: dict[str, Read] = {}

    # Forward ------------------------------------------------------------------------------------
    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Remembers a layer whose output may hold all time steps."""
        if not self._moment.learns or self._padding.over or len(self._calls) >= MOST_CALLS:
            return
        recurrent = isinstance(module, nn.RNNBase) and isinstance(output, tuple)
        first = output[0] if isinstance(output, tuple) and output else output
        packed = recurrent and isinstance(first, PackedSequence)
        first = first.data if packed else first
        known = self._names.layer(module)
        if known is None or not is_plain(first) or first.grad_fn is None or (
            first.ndim != 3 and not packed
        ):
            return
        states = tensors_in(*output[1:], *(s for s in output[1:] if isinstance(s, tuple))) if (
            recurrent) else []
        for call in self._calls:
            call.output = None  # of all but the last
        self._calls.append(_Call(
            known[0], first.detach(), tuple(first.shape), packed, graph.sequence(first.grad_fn),
            frozenset(graph.sequence(s.grad_fn) for s in states if s.grad_fn is not None),
            bool(getattr(module, "bidirectional", False)),
            not getattr(module, "batch_first", True), self._sites.here() if recurrent else None))

    # Backward -----------------------------------------------------------------------------------
    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Finds what the loss reads, and asks for its gradient."""
        calls, self._calls = self._calls, []
        if not calls or not self._padding.now or len(nodes) > MOST_NODES:
            return
        numbers = {graph.sequence(node): node for node in nodes}
        for call in reversed(calls):
            if call.packed and (call.node in numbers or call.states & numbers.keys()):
                self._shares[call.name] = torch.zeros(())
                for padded in self._padding.now:
                    self._unpacks(call, padded, nodes)
                return
            for padded in self._padding.now:
                axes = padded.wide(call.shape, call.time_first)
                if axes is None:
                    continue
                if call.node in numbers:
                    self._reads(call, padded, axes, numbers[call.node], nodes)
                    return
                if call.states & numbers.keys():
                    self._reads_state(call, padded, axes)
                    return

    def _unpacks(self, call: _Call, padded: Padded, nodes: list[Any]) -> None:
        """Behind a packed sequence the last step is zero where a sample has ended before."""
        for axis, shape in enumerate(((padded.steps, padded.samples),
                                      (padded.samples, padded.steps))):
            for node in nodes:
                parents = graph.parents(node)
                given = graph.shape(parents[0]) if len(parents) == 1 else None
                if (given or ())[:2] == shape and graph.saved(node, "dim") == axis and (
                        _kind(node, axis, padded.steps) is Reading.LAST):
                    self._shares[call.name] = padded.mask[:, -1].float().mean()
                    line = self._finite.line_of(node)
                    self._know(Read(call.name, Reading.LAST, self._place(
                        line, node, Reading.LAST) if line is not None else None, axis))
                    return

    def _reads_state(self, call: _Call, padded: Padded, axes: tuple[int, int]) -> None:
        """The last state of a recurrent layer stands behind all steps; backwards, before them."""
        behind = padded.mask[:, -1].float().mean()
        self._shares[call.name] = behind / 2 if call.both_ways else behind
        self._know(Read(call.name, Reading.STATE, self._sites.location(call.site), axes[1]))

    def _reads(
        self, call: _Call, padded: Padded, axes: tuple[int, int], node: Any, nodes: list[Any]
    ) -> None:
        reducing = _reducing(node, nodes, padded)
        if reducing is None:
            self._know(Read(call.name, Reading.EACH, None, axes[1]))
            return
        line = self._finite.line_of(reducing)
        kind = _kind(reducing, axes[1], padded.steps)
        location = self._place(line, reducing, kind) if line is not None else None
        if location is None and kind is Reading.LAST and call.site is not None:
            location = self._last_read(call.site)
        self._know(Read(call.name, kind, location, axes[1]))
        values = call.output
        if values is None or values.numel() > ELEMENT_LIMIT:
            values = None
        node.register_prehook(self._guard.guarded(self._noting(call.name, padded, axes, values)))

    def _noting(
        self, name: str, padded: Padded, axes: tuple[int, int], values: torch.Tensor | None
    ) -> Any:
        def note(gradients: Any) -> None:
            gradient = gradients[0] if gradients else None
            if not is_plain(gradient) or gradient.ndim != 3:
                return
            read = _by_step(gradient, axes)
            if values is not None:
                read = read * _by_step(values, axes)
            mask = padded.mask.to(read.device)
            total = read.sum(1)
            share = (read * mask).sum(1) / total.clamp(min=torch.finfo(read.dtype).tiny)
            self._shares[name] = share[total > 0].mean() if bool((total > 0).any()) else (
                torch.zeros((), device=read.device))

        return note

    def _know(self, fact: Read) -> None:
        before = self._facts.get(fact.name)
        if before is not None and before.location is not None and fact.location is None:
            return
        if fact != before:
            self._facts[fact.name] = fact
            self._writer.fact(fact, self._moment.step)

    def _place(
        self, line: tuple[str, int], node: Any, kind: Reading
    ) -> SourceLocation | None:
        tree = syntax_tree(line[0])
        found = list(indexings(tree, line[1])) if tree is not None else []
        if node.name().startswith(("Select", "Slice", "Index")) and found:
            return expression_at(line[0], found[0], self._sites.keeps_text)
        return self._sites.operation(*line, node.name())

    def _last_read(self, site: Site) -> SourceLocation | None:
        """The only expression in the function of a layer's call that reads a last step.

        Of a large graph torch notes no lines.
        """
        code = self._sites.code(site)
        tree = syntax_tree(code.co_filename)
        lines = [line for *_, line in code.co_lines() if line is not None]
        if tree is None or not lines:
            return None
        found = [node for node in ast.walk(tree) if isinstance(node, ast.Subscript)
                 and min(lines) <= node.lineno <= max(lines) and _reads_last(node.slice)]
        return expression_at(code.co_filename, found[0], self._sites.keeps_text) if (
            len(found) == 1) else None

    # The end of a step --------------------------------------------------------------------------
    def look_ended(self, step: int) -> None:
        """Writes what was read in the step."""
        self._writer.sample(PADDING_READ, step, {
            name: float(share) for name, share in self._shares.items()})
        self.left_halfway()

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._calls, self._shares = [], {}


def _by_step(tensor: torch.Tensor, axes: tuple[int, int]) -> torch.Tensor:
    """The norm of each sample's time steps, of shape (samples, steps)."""
    moved = tensor.detach().permute(*axes, 3 - sum(axes))
    return torch.linalg.vector_norm(moved.float(), dim=2)


def _reducing(node: Any, nodes: list[Any], padded: Padded) -> Any:
    """The first operation behind a node whose result has no axis of time steps.

    None if they are kept until the loss: it is about each step.
    """
    following: dict[Any, list[Any]] = {}
    for each in nodes:
        for parent in graph.parents(each):
            following.setdefault(parent, []).append(each)
    level, seen = [node], {node}
    while level:
        after = []
        for each in level:
            for child in following.get(each, ()):
                if child in seen:
                    continue
                seen.add(child)
                shape = graph.shape(child)
                if shape is None or not shape:
                    continue  # the loss
                if _has_steps(shape, padded):
                    after.append(child)
                else:
                    return child
        level = after
    return None


def _has_steps(shape: tuple[int, ...], padded: Padded) -> bool:
    """Whether a tensor of this shape has places for all time steps, flat or not."""
    return padded.samples * padded.steps in shape or (
        len(shape) > 1 and padded.steps in shape and padded.samples in shape
        and (padded.steps != padded.samples or list(shape).count(padded.steps) > 1))


def _kind(node: Any, axis: int, steps: int) -> Reading:
    name = node.name()
    if name == "SelectBackward0":
        index = graph.saved(node, "index")
        if isinstance(index, int) and (index if index < 2**63 else index - 2**64) in (
            -1, steps - 1
        ):
            return Reading.LAST
    return Reading.MEAN if name.startswith(MEANS) else Reading.OTHER


def _reads_last(index: ast.expr) -> bool:
    """Whether an index has -1 at one place, and takes all at the others."""
    places = index.elts if isinstance(index, ast.Tuple) else [index]
    last = [place for place in places if isinstance(place, ast.UnaryOp)
            and ast.unparse(place) == "-1"]
    return len(last) == 1 and all(place in last or (isinstance(place, ast.Slice) and not (
        place.lower or place.upper)) for place in places)
