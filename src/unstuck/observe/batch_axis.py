"""Follows the samples of a batch through the axes of every operation of a graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from unstuck.observe import graph
from unstuck.observe.axes import OPEN, Axes, cut, free, holds, is_mixed, order_of
from unstuck.observe.batch_entry import Entry, memory
from unstuck.schema.facts.models import COMBINED

_VIEWS = frozenset({
    "ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "SqueezeBackward0",
    "SqueezeBackward1", "SqueezeBackward2", "UnsqueezeBackward0",
})


@dataclass(frozen=True, slots=True)
class Lost:
    """Where the samples are is no longer known since this operation."""

    operation: str


@dataclass(frozen=True, slots=True)
class Summed(Lost):
    """A product of matrices that adds up over the samples, in both of which they are."""

    node: Any
    given: tuple[int, ...]
    taken: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Mixed:
    """A view that mixes samples. `order` is that of the axes with which it would not."""

    node: Any
    given: tuple[int, ...]
    taken: tuple[int, ...]
    before: Axes
    order: tuple[int, ...]


State: TypeAlias = Axes | Lost | Mixed | None  # None: nothing of the batch is in it


def follow(output: Any, entry: Entry) -> State:
    """Where the samples of the model's input lie in what a node of its graph made."""
    states: dict[Any, State] = {}
    shapes: dict[Any, tuple[int, ...]] = {}
    nodes = sorted(graph.walk(output), key=graph.sequence)
    if len(nodes) >= graph.NODE_LIMIT:
        return Lost("")
    operations = []
    for node in nodes:
        leaf = graph.variable(node)
        if leaf is None:
            operations.append(node)
        else:
            states[node, 0], shapes[node, 0] = _of_leaf(leaf, entry), tuple(leaf.shape)
    for node in operations:
        inputs = [_Input(states.get(key, Lost("")), shapes.get(key, ())) if key[0] is not None
                  else None for key in node.next_functions]
        for number, made in enumerate(_shapes(node)):
            shapes[node, number] = made
            states[node, number] = _Step(node, number, made, inputs, entry).state()
    return states.get((output, 0))


def kept(state: State, samples: int) -> bool:
    """Whether each row along one axis belongs to a single sample, and each sample has its rows."""
    if state is None or isinstance(state, Lost | Mixed):
        return False
    of_batch = [f for axis in state for f in axis if f[1]]
    return of_batch == [(samples, 1)]


@dataclass(frozen=True, slots=True)
class _Input:
    state: State
    shape: tuple[int, ...]


def _of_leaf(leaf: torch.Tensor, entry: Entry) -> State:
    return entry.axes if entry.memory is not None and tuple(leaf.shape) == entry.shape and (
        memory(leaf) == entry.memory) else None


def _shapes(node: Any) -> list[tuple[int, ...]]:
    try:
        return [tuple(made.shape) for made in node._input_metadata]
    except (AttributeError, RuntimeError):
        return []


@dataclass(frozen=True, slots=True)
class _Step:
    """One output of an operation, and what goes into it; None stands for what has no graph."""

    node: Any
    number: int
    shape: tuple[int, ...]
    inputs: list[_Input | None]
    entry: Entry

    def state(self) -> State:
        """Where the samples are in it."""
        name = self.node.name()
        states = [i.state for i in self.inputs if i is not None]
        for given in self.inputs:
            if given is not None and isinstance(given.state, Mixed):
                back = name in _VIEWS and (given.shape, self.shape) == (
                    given.state.taken, given.state.given)
                return given.state.before if back else given.state
        for state in states:
            if isinstance(state, Lost):
                return state
        if graph.is_own(self.node):
            return self._lost()
        if not any(states):
            return self._entered(name)
        rule = next((rule for start, rule in _RULES.items() if name.startswith(start)), None)
        return rule(self) if rule is not None else self._alike()

    def _lost(self) -> Lost:
        return Lost(graph_name(self.node))

    def _axes(self, index: int) -> Axes:
        """The axes of an input, of which not all hold samples."""
        given = self.inputs[index]
        if given is None:
            return ()
        if isinstance(given.state, tuple):
            return given.state
        return tuple(free(size) for size in given.shape)

    def _first(self) -> tuple[Axes, tuple[int, ...]]:
        """The first input that holds samples."""
        return next((i.state, i.shape) for i in self.inputs
                    if i is not None and isinstance(i.state, tuple))

    # The beginning ------------------------------------------------------------------------------
    def _entered(self, name: str) -> State:
        """Data come in here, unless only constants do."""
        if None not in self.inputs and not name.startswith("Embedding"):
            return None
        samples = self.entry.samples
        rows = name.startswith(("Mm", "Addmm", "Convolution"))
        if not rows and not name.startswith("Embedding") and any(
            i is not None and i.shape == self.shape for i in self.inputs
        ):
            return None  # a parameter that is scaled or masked
        exact = self._in_memory(name) if rows or name.startswith("Embedding") else None
        if exact is not None:
            return exact
        if len(self.shape) < min(2, len(self.entry.shape)):
            return None  # a norm's iteration, the weight of a loss
        last = len(self.shape) - name.startswith(("Embedding", "MkldnnRnn", "CudnnRnn", "Mm"))
        places = [0] if rows else range(last)
        found = [i for i in places if i < len(self.shape) and self.shape[i] == samples]
        if len(found) == 1:
            return tuple(((size, 1 if i == found[0] else 0),) for i, size in enumerate(self.shape))
        if found:
            return self._lost()
        if rows and self.shape and self.shape[0] % samples == 0:
            return (((self.shape[0], OPEN),), *map(free, self.shape[1:]))
        return None

    def _in_memory(self, name: str) -> State:
        """Exact where the operation takes the very memory of the model's input."""
        for kind in ("mat1", "self", "input", "indices"):
            taken = graph.saved(self.node, kind)
            if not isinstance(taken, torch.Tensor) or self.entry.memory is None or (
                taken.numel() != math.prod(self.entry.shape) or memory(taken) != self.entry.memory
            ):
                continue
            axes = self._viewed(self.entry.axes, self.entry.shape, tuple(taken.shape))
            if not isinstance(axes, tuple):
                return axes
            if name.startswith("Embedding"):
                return (*axes, free(self.shape[-1]))
            return (axes[0], *map(free, self.shape[1:])) if not any(map(holds, axes[1:])) else (
                self._lost())
        return None

    # Rules --------------------------------------------------------------------------------------
    def _view(self) -> State:
        axes, given = self._first()
        return self._viewed(axes, given, self.shape)

    def _viewed(self, axes: Axes, given: tuple[int, ...], taken: tuple[int, ...]) -> State:
        found = cut(axes, taken)
        samples = self.entry.samples
        opened = any(stride == OPEN for axis in axes for _, stride in axis)
        if opened and found is not None:
            pieces = [f for axis in found for f in axis if f[1] == OPEN]
            if len(pieces) == 1:
                return found
            if [size for size, _ in pieces].count(samples) == 1:
                return tuple(tuple((s, int(s == samples)) if way == OPEN else (s, way)
                                   for s, way in axis) for axis in found)
        if opened:
            return self._lost()
        if is_mixed(found, samples):
            return Mixed(self.node, given, taken, axes, order_of(given, taken, axes))
        return found

    def _turned(self) -> State:
        axes, _ = self._first()
        size = len(axes)
        order = list(range(size))[::-1]
        if self.node.name().startswith("Permute"):
            order = [_signed(d) % size for d in graph.saved(self.node, "dims")]
        elif self.node.name().startswith("Transpose"):
            one, other = (_signed(graph.saved(self.node, d)) % size for d in ("dim0", "dim1"))
            order = list(range(size))
            order[one], order[other] = other, one
        return tuple(axes[i] for i in order)

    def _matrix(self) -> State:
        one, other = self._axes(len(self.inputs) - 2), self._axes(len(self.inputs) - 1)
        if any(holds(axis) for axis in (*one[-1:], *other[-2:-1])):
            left, right = self.inputs[-2:]
            if self.entry.rowed and left is not None and right is not None and (
                    holds(one[-1]) and holds(other[-2])):
                return Summed(graph_name(self.node), self.node, left.shape, right.shape)
            by_design = self.inputs[-2] is None and self.shape[0] == self.entry.samples
            return Lost(COMBINED) if by_design else self._lost()
        groups = [*one[:-2], *other[:-2]]
        group = next((axis for axis in groups if holds(axis)), groups[0] if groups else None)
        if any(holds(axis) and axis != group for axis in groups):
            return self._lost()
        return (*([group] if group else []),
                one[-2] if one else free(self.shape[-2]),
                other[-1] if other else free(self.shape[-1]))

    def _rows(self) -> State:
        """What keeps all axes but the last of its first input, or its first axis only."""
        axes, _ = self._first()
        convolution = self.node.name().startswith("Convolution")
        stay = 1 if convolution else len(axes) - 1
        if any(map(holds, axes[stay:])) or len(self.shape) != len(axes):
            return self._lost()
        # Queries that no sample goes into are as many as they are, not as many as the keys.
        same = [math.prod(size for size, _ in axis) == made
                for axis, made in zip(axes[:stay], self.shape, strict=False)]
        if any(holds(axis) and not fits for axis, fits in zip(axes, same, strict=False)):
            return self._lost()
        return (*(axis if fits else free(made)
                  for axis, made, fits in zip(axes, self.shape, same, strict=False)),
                *map(free, self.shape[stay:]))

    def _recurrent(self) -> State:
        axes, _ = self._first()
        group = [axis for axis in axes if holds(axis)]
        if len(group) != 1 or len(axes) != 3 or holds(axes[2]):
            return self._lost()
        if self.number == 0:
            return (*axes[:2], free(self.shape[-1]))
        return (*map(free, self.shape[:-2]), group[0], free(self.shape[-1]))

    def _removed(self) -> State:
        axes, _ = self._first()
        if len(self.shape) == len(axes):
            return self._alike()
        dims = graph.saved(self.node, "dim")
        gone = _places(range(len(axes)) if dims is None or dims == () else dims, axes)
        rest = tuple(axis for i, axis in enumerate(axes) if i not in gone)
        lost = any(holds(axes[i]) for i in gone) or len(rest) != len(self.shape)
        return self._lost() if lost else rest

    def _stacked(self) -> State:
        axes, _ = self._first()
        place = _signed(graph.saved(self.node, "dim")) % len(self.shape)
        return (*axes[:place], free(self.shape[place]), *axes[place:])

    def _repeated(self) -> State:
        axes, _ = self._first()
        repeats = tuple(graph.saved(self.node, "repeats") or ())
        new = len(repeats) - len(axes)
        return (*map(free, repeats[:new]),
                *((*free(n), *axis) for n, axis in zip(repeats[new:], axes, strict=True)))

    def _alike(self) -> State:
        """An operation by elements, or one that leaves the samples on their axis."""
        found: Axes | None = None
        over = graph.saved(self.node, "dim")
        over = graph.saved(self.node, "dims") if over is None else over
        for given in self.inputs:
            if given is None or not isinstance(given.state, tuple):
                continue
            axes = self._broadcast(given)
            along = _places(over, given.state) if isinstance(over, int | tuple) else set()
            if axes is None or any(holds(given.state[i]) for i in along) or (
                found is not None and not _agree(found, axes)
            ):
                return self._lost()
            found = axes if found is None or any(OPEN in f for a in found for f in a) else found
        return found

    def _broadcast(self, given: _Input) -> Axes | None:
        """The axes of an input in those of the output, counted from the last; None if lost."""
        axes = given.state
        assert isinstance(axes, tuple)
        new = len(self.shape) - len(axes)
        samples = self.entry.samples
        if new >= 0:
            joined = [axis if size == made else (None if holds(axis) else free(made))
                      for axis, size, made in zip(axes, given.shape, self.shape[new:],
                                                  strict=True)]
            if None not in joined:
                return (*map(free, self.shape[:new]), *(axis for axis in joined if axis))
        # No view: the only axis with their number holds the samples still.
        if self.shape.count(samples) == 1 and kept(axes, samples):
            return tuple(((size, int(size == samples)),) for size in self.shape)
        return None


def _agree(one: Axes, other: Axes) -> bool:
    """Whether the samples lie along the same axes."""
    return [holds(axis) for axis in one] == [holds(axis) for axis in other]


def _places(dims: Any, axes: Axes) -> set[int]:
    """Which axes dimensions name."""
    return {_signed(d) % max(len(axes), 1)
            for d in ((dims,) if isinstance(dims, int) else dims)} if axes else set()


def _signed(value: int) -> int:
    """A dimension as the program gave it; torch keeps a negative one unsigned."""
    return value - 2**64 if value >= 2**63 else value


def graph_name(node: Any) -> str:
    """The name of an operation: "Index" of "IndexBackward0"."""
    return str(node.name()).rpartition("::")[2].partition("Backward")[0]


def _rules() -> Iterator[tuple[str, Callable[[_Step], State]]]:
    for name in _VIEWS:
        yield name, _Step._view
    for name in ("TransposeBackward", "PermuteBackward", "TBackward"):
        yield name, _Step._turned
    for name in ("MmBackward", "AddmmBackward", "BmmBackward", "BaddbmmBackward"):
        yield name, _Step._matrix
    for name in ("ConvolutionBackward", "LinearBackward", "ScaledDotProduct"):
        yield name, _Step._rows
    for name in ("MkldnnRnnLayerBackward", "CudnnRnnBackward", "MiopenRnnBackward"):
        yield name, _Step._recurrent
    for name in ("Select", "Unbind", "Sum", "Mean", "Max", "Min", "Amax", "Amin", "Var", "Std",
                 "Logsumexp", "LinalgVectorNorm", "Norm", "Prod", "Median", "Kthvalue", "Mode"):
        yield f"{name}Backward", _Step._removed
    yield "StackBackward", _Step._stacked
    yield "RepeatBackward", _Step._repeated
    yield "AsStridedBackward", _Step._lost


_RULES = dict(_rules())
