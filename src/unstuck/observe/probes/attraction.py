"""Which pairs of samples a loss pulls together, and which it pushes apart."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.source.vectors import vectors
from unstuck.observe.tensors import observable, tensors_in
from unstuck.schema.facts.pairs import Attraction, TwoValues
from unstuck.schema.facts.run import EndKind
from unstuck.schema.places import SourceLocation

STEPS = 30  # first steps that are looked at
MOST_CALLS = 16  # of modules in a step,
BLOCKS = 4  # of one module,
MOST_ROWS = 1_024  # of one call,
ELEMENTS = 4_000_000  # of what it is given
ENOUGH = 600  # pairs
TRIPLET = 3  # samples, one of which is in both pairs
FEWEST_ROWS = 6
_FORMS = {(0.0, 1.0): TwoValues.BITS, (-1.0, 1.0): TwoValues.SIGNS}
NEAR = 1e-3  # of a gradient may lie outside the plane of a pair


@dataclass(slots=True)
class _Call:
    """A call of a module with data: what it made, without its graph, and the gradient there."""

    module: int
    given: torch.Tensor
    made: torch.Tensor
    node: int
    gradient: torch.Tensor | None = None


@dataclass(slots=True)
class _Pairs:
    """Distances of the inputs of pairs, and of two samples that are no pair."""

    pulled: list[float] = field(default_factory=list)
    pushed: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)


class AttractionProbe(Probe):
    """Reads from the gradient at two outputs of one network whether a loss brings them together.

    A loss of a pair moves an output within the plane of both outputs. At the first steps, before
    anything is learned, the inputs of pairs that are pulled together are compared with those of
    pairs that are pushed apart.
    """

    facts = (Attraction,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._finite = context.probe(FiniteProbe)
        self._calls: list[_Call] = []
        self._pairs = _Pairs()
        self._location: SourceLocation | None = None
        self._labels: tuple[str, TwoValues] | None = None
        self._triplets = False
        self._done = False

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Keeps what a model made of its data."""
        self._keep(module, (*args, *kwargs.values()), output)

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Keeps what a part of a model, such as an encoder of two inputs, made of its data."""
        if self._moment.learns:
            self._keep(module, args, output)

    def _keep(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if self._done or self._moment.step >= STEPS or len(self._calls) >= MOST_CALLS:
            return
        given = next(iter(tensors_in(*args)), None)
        if given is None or given.requires_grad or not given.is_floating_point() or (
            given.ndim < 2 or given.numel() > ELEMENTS or not observable(given)
        ) or not isinstance(output, torch.Tensor) or not observable(output) or (
            output.grad_fn is None or not output.is_floating_point()
            or output.ndim != 2 or output.shape[1] < 2
            or not FEWEST_ROWS <= len(output) == len(given) <= MOST_ROWS
        ):
            return
        self._calls.append(_Call(
            id(module), given.detach(), output.detach(), graph.sequence(output.grad_fn)))

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Asks for the gradients at the outputs that the loss depends on."""
        wanted = {call.node: call for call in self._calls}
        self._calls = []
        for node in nodes if wanted else ():
            call = wanted.get(graph.sequence(node))
            if call is not None:
                node.register_prehook(self._guard.guarded(_noting(call)))
                self._calls.append(call)
        if self._calls and self._moment.traced and self._location is None:
            found = next(((line, node) for node in nodes
                          if (line := self._finite.line_of(node)) is not None), None)
            if found is not None:
                self._location = self._sites.operation(*found[0], found[1].name())

    def backward_ended(self) -> None:
        """Compares the pairs of the step."""
        calls, self._calls = [call for call in self._calls if call.gradient is not None], []
        with torch.no_grad():
            for _, group in itertools.groupby(
                    sorted(calls, key=lambda call: (call.module, call.node)),
                    key=lambda call: call.module):
                blocks = list(group)[:BLOCKS]
                for each in [blocks] if len(blocks) > 1 else [_parts(blocks[0], 2),
                                                              _parts(blocks[0], 3)]:
                    self._compare(each)
        if len(self._pairs.pulled) + len(self._pairs.pushed) >= ENOUGH:
            self._write()

    def _compare(self, blocks: list[_Call]) -> None:
        """Has the pairs read that two calls are; what moves one of them is told by the other."""
        for left, right in itertools.combinations(blocks, 2):
            if left.given.shape != right.given.shape or left.made.shape != right.made.shape:
                continue
            here = (left.given - right.given).flatten(1)
            across = (left.given - right.given.roll(1, 0)).flatten(1)
            self._later.read(
                [torch.stack([_toward(left, right), _toward(right, left)]),
                 *(torch.linalg.vector_norm(each.double(), dim=1) for each in (here, across))],
                partial(self._take, len(blocks) == TRIPLET))

    def _take(self, triplets: bool, found: list[torch.Tensor]) -> None:
        ways, here, across = (each.numpy() for each in found)
        toward = next((way for way in ways if np.isfinite(way).all() and way.any()), None)
        if toward is None or self._done:
            return
        whole = np.isfinite(here) & np.isfinite(across)
        self._pairs.pulled += here[whole & (toward > 0)].tolist()
        self._pairs.pushed += here[whole & (toward < 0)].tolist()
        self._pairs.others += across[whole & (toward != 0)].tolist()
        self._triplets = self._triplets or triplets
        if self._labels is None:
            self._labels = self._label(toward)

    def _label(self, toward: np.ndarray) -> tuple[str, TwoValues] | None:
        """The variable of two values that tells which pairs are pulled together."""
        moved = toward != 0
        pulled = toward[moved] > 0
        for vector in vectors(self._sites, len(toward)):
            values = vector.values.numpy()
            form = _FORMS.get(tuple(np.unique(values).tolist()))
            high = values[moved] == 1
            if form is not None and 0 < high.mean() < 1 and (
                    (high == pulled).all() or (high != pulled).all()):
                return vector.name, TwoValues.BOOL if vector.type == "bool" else form
        return None

    def _write(self) -> None:
        # The same pairs at each step are no more pairs.
        pulled, pushed, others = (np.unique(each) for each in (
            self._pairs.pulled, self._pairs.pushed, self._pairs.others))
        self._done, self._pairs = True, _Pairs()
        if not (len(pulled) and len(pushed)):
            return
        farther = _exceeds(pulled, pushed)
        spread = math.sqrt((len(pulled) + len(pushed) + 1) / (12 * len(pulled) * len(pushed)))
        self._writer.fact(Attraction(
            len(pulled), len(pushed), farther, (farther - 0.5) / spread,
            _exceeds(pulled, others), _exceeds(pushed, others), self._triplets, self._location,
            *(self._labels or (None, None))), self._moment.step)

    def finished(self, kind: EndKind) -> None:
        """Writes what was seen, if it is not known yet."""
        if not self._done:
            self._write()

    def look_ended(self, step: int) -> None:
        """Nothing is kept from one step to the next."""
        self.left_halfway()

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._calls = []


def _noting(call: _Call) -> Any:
    def note(gradients: Any) -> None:
        gradient = gradients[0] if gradients else None
        if isinstance(gradient, torch.Tensor) and observable(gradient) and (
                gradient.shape == call.made.shape):
            call.gradient = gradient.detach()

    return note


def _parts(call: _Call, number: int) -> list[_Call]:
    """The parts of a batch that was put together of several."""
    rows, rest = divmod(len(call.made), number)
    if rest or rows < FEWEST_ROWS or call.gradient is None:
        return []
    gradient = call.gradient
    return [_Call(call.module, call.given[start:start + rows], call.made[start:start + rows],
                  call.node, gradient[start:start + rows])
            for start in range(0, len(call.made), rows)]


def _toward(one: _Call, other: _Call) -> torch.Tensor:
    """How far a step along the gradient brings each output of `one` towards its partner.

    0 where nothing moves; NaN where an output moves out of the plane of the pair, or, of two
    numbers, off its line: what moves it is not this pair.
    """
    assert one.gradient is not None
    moves = -one.gradient.double()
    way = (other.made - one.made).double()
    size = torch.linalg.vector_norm(moves, dim=1)
    moved = size > 1e-6 * size.max()
    rest = _without(moves, way)
    if moves.shape[1] > 2:
        rest = _without(rest, _without(one.made.double(), way))
    apart = moved & (torch.linalg.vector_norm(rest, dim=1) > NEAR * size)
    return torch.where(moved, (moves * way).sum(1), 0.0).masked_fill(apart, math.nan)


def _without(rows: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
    """Rows without their part along others."""
    scale = (of * of).sum(1, keepdim=True).clamp(min=torch.finfo(of.dtype).tiny)
    return rows - (rows * of).sum(1, keepdim=True) / scale * of


def _exceeds(these: np.ndarray, those: np.ndarray) -> float:
    """How often one of `these` is larger than one of `those`; 0.5 if they are alike."""
    places = np.searchsorted(np.sort(those), these, side="left") + (
        np.searchsorted(np.sort(those), these, side="right"))
    return float(places.mean()) / (2 * len(those))
