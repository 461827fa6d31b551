"""How signals can flow: first weights, layers that nothing bends, repeated weights."""

from __future__ import annotations

import math
import sys
import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.sites import OWN_FOLDER, Site
from unstuck.observe.tensors import evenly, is_plain, norm, readable, rows_of
from unstuck.schema.facts.models import Initialisation, Straight
from unstuck.schema.signals.layers import CURVED_OPERATIONS, STACKED_LAYERS, TIME_GROWTH, TWIN_UNITS

ELEMENT_LIMIT = 1_000_000  # elements of a matrix that are looked at
GRAPH_LIMIT = 5_000  # operations of a graph that is searched for missing activations
MOST_INITIALISED = 10_000  # tensors whose initialisation is remembered
GRAPH_STEPS = 3  # steps at which it is searched; a program's graph is the same at most steps
STRIPE = 64  # rows that are compared at a time
SAME = 1e-4  # relative distance below which two rows are the same
SUSPECT = 0.25  # share of twins at the first look from which a matrix is looked at again
REPEATS = 6  # uses of one weight in a forward that count as a recurrence

_INIT_FILE = nn.init.__file__
# Where a product keeps what it multiplies: input and weight, in the order of `next_functions`.
_OPERANDS = {
    "AddmmBackward0": (1, 2), "MmBackward0": (0, 1), "ConvolutionBackward0": (0, 1),
    "BmmBackward0": (0, 1), "BaddbmmBackward0": (1, 2), "MvBackward0": (1, 0),
}
# Operations through which what comes out is a linear function of what goes in, whatever the other
# operand is: a constant, a parameter or a second branch.
_LINEAR = frozenset({
    "AddBackward0", "SubBackward0", "NegBackward0", "MeanBackward0", "MeanBackward1",
    "SumBackward0", "SumBackward1", "AvgPool2DBackward0", "AdaptiveAvgPool2DBackward0",
    "CatBackward0", "StackBackward0", "UnbindBackward0", "SplitBackward0", "NativeDropoutBackward0",
    "NativeBatchNormBackward0", "CudnnBatchNormBackward0", "ConstantPadNdBackward0",
    "SplitWithSizesBackward0", "UpsampleNearest2DBackward0", "UpsampleBilinear2DBackward0",
})


@dataclass(slots=True)
class _Product:
    """A multiplication by weights: the layer they belong to, and the nodes its input comes from."""

    parameter: torch.Tensor
    layer: str
    inputs: list[Any]


class FlowProbe(Probe):
    """Looks at weights before the first update, and at the graph."""

    signals = (CURVED_OPERATIONS, STACKED_LAYERS, TIME_GROWTH, TWIN_UNITS)
    facts = (Initialisation, Straight)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        self._finite = context.probe(FiniteProbe)
        self._straight = False  # an activation that bends nothing was met, and its place
        self._initialised: dict[int, tuple[str, Site | None, int]] = {}  # by where the values lie
        self._met: ByIdentity[torch.Tensor, bool] = ByIdentity()
        self._suspects: dict[str, weakref.ref[torch.Tensor]] = {}
        self._growth: dict[str, list[torch.Tensor | None]] = {}

    def follow(self, before: Self) -> None:
        """Networks may have been built before."""
        self._initialised = before._initialised

    # Initialisation -----------------------------------------------------------------------------
    def initialised(self, function: str, tensor: Any) -> None:
        """A function of `torch.nn.init` has filled a tensor.

        Only calls of the user's own are noted: torch's layers call these functions as well.
        """
        frame = sys._getframe(1)
        while frame.f_back is not None and (
            frame.f_code.co_filename == _INIT_FILE
            or frame.f_code.co_filename.startswith(OWN_FOLDER)
        ):
            frame = frame.f_back
        if not is_plain(tensor):
            return
        users = self._sites.is_user(frame.f_code.co_filename)
        with suppress(RuntimeError, NotImplementedError):  # a tensor without storage
            key = tensor.data_ptr()
            if users:
                if len(self._initialised) >= MOST_INITIALISED:
                    del self._initialised[next(iter(self._initialised))]
                self._initialised[key] = function, self._sites.here(), tensor.numel()
            else:
                self._initialised.pop(key, None)

    def _first_look(self, step: int) -> None:
        """Measures matrices that are met for the first time, and again those that were suspect."""
        looked: dict[str, torch.Tensor] = {}
        for name, parameter in self._names.parameters():
            if parameter not in self._met:
                self._met[parameter] = True
                self._write_initialisation(name, parameter, step)
            elif self._suspects.get(name, lambda: None)() is not parameter:
                continue
            if parameter.requires_grad and readable(parameter) and parameter.ndim >= 2:
                looked[name] = parameter
        with torch.no_grad():
            shares = {n: s for n, p in looked.items()
                      if (s := _twins(self._names.by_unit(p).detach())) is not None}
        suspects = {name: weakref.ref(looked[name]) for name in shares}
        self._later.numbers(
            list(shares.values()), lambda numbers: self._write_twins(suspects, numbers, step))

    def _write_twins(
        self, suspects: dict[str, weakref.ref[torch.Tensor]], shares: list[float], step: int
    ) -> None:
        values = dict(zip(suspects, shares, strict=True))
        self._writer.sample(TWIN_UNITS, step, values)
        self._suspects = {n: suspects[n] for n, share in values.items() if share >= SUSPECT}

    def _write_initialisation(self, name: str, parameter: torch.Tensor, step: int) -> None:
        if not readable(parameter):
            return
        with suppress(RuntimeError, NotImplementedError):
            found = self._initialised.get(parameter.data_ptr())
            if found is not None and found[2] == parameter.numel():
                self._writer.fact(Initialisation(
                    name, found[0], self._sites.location(found[1])), step)

    # Graph --------------------------------------------------------------------------------------
    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Looks at the weights first, then at the operations of the graph."""
        step = self._moment.step
        self._first_look(step)
        if len(nodes) > GRAPH_LIMIT:
            return
        nodes = [node for node in nodes if node.name() in _OPERANDS]
        if step >= GRAPH_STEPS and len(nodes) < REPEATS:
            return
        products = {}
        for node in sorted(nodes, key=graph.sequence):
            product = self._product(node)
            if product is not None:
                products[node] = product
        if step < GRAPH_STEPS:
            self._stacks(products, step)
        self._repeats(products)

    def _product(self, node: Any) -> _Product | None:
        """A node that multiplies by a parameter of a known model."""
        places = _OPERANDS.get(node.name())
        if places is None:
            return None
        parents = [parent for parent, _ in node.next_functions]
        for given, weight in (places, places[::-1]):
            parameter = self._weight(parents[weight])
            if parameter is None and node.name() == "MvBackward0" and parents[weight] is not None:
                parameter = graph.variable(parents[weight])  # the vector of a single output
            if parameter is None:
                continue
            name = self._names.parameter(parameter)
            if name is None:
                continue
            layer = name.rpartition(".")[0].partition(".parametrizations")[0] or name
            inputs = [parents[given]] if parents[given] is not None else []
            return _Product(parameter, layer, inputs)
        return None

    def _weight(self, node: Any) -> torch.Tensor | None:
        """The parameter behind an operand, which may be reshaped or rescaled (weight norm)."""
        found = None
        for behind in graph.walk(node, 24) if node is not None else ():
            if behind.name() in _OPERANDS:
                return None
            tensor = graph.variable(behind)
            if tensor is not None and tensor.ndim >= 2 and found is None:
                found = tensor
        return found

    def _stacks(self, products: dict[Any, _Product], step: int) -> None:
        """Counts for each layer the layers before it with nothing between that bends the signal."""
        depth: dict[Any, int] = {}
        curved: set[Any] = set()
        places: dict[str, float] = {}
        for node, product in products.items():
            before, bent = self._linear_ways(product.inputs, products)
            # What bends the data before any weights leaves the layers one behind the other.
            curved |= {each for each in bent if any(n in products for n in graph.walk(each))}
            depth[node] = 1 + max((depth.get(b, 0) for b in before), default=-1)
            places[product.layer] = max(places.get(product.layer, 0.0), float(depth[node]))
        self._writer.sample(STACKED_LAYERS, step, places)
        if places:
            self._writer.row(CURVED_OPERATIONS, step, float(len(curved)))

    def _linear_ways(
        self, start: list[Any], products: dict[Any, _Product]
    ) -> tuple[set[Any], set[Any]]:
        """The products that feed `start` in a linear way, and operations that end other ways."""
        before: set[Any] = set()
        curved: set[Any] = set()
        seen = set(start)
        open_ = list(start)
        while open_:
            node = open_.pop()
            if node in products:
                before.add(node)
                continue
            parents = graph.parents(node)
            if parents and not _is_linear(node, parents):
                curved.add(node)
                continue
            if not self._straight and _is_straight(node):
                line = self._finite.line_of(node)
                self._straight = line is not None  # not known at the first step
                self._writer.fact(Straight(self._sites.operation(
                    *line, node.name()) if line else None), self._moment.step)
            for parent in parents:
                if parent not in seen:
                    seen.add(parent)
                    open_.append(parent)
        return before, curved

    def _repeats(self, products: dict[Any, _Product]) -> None:
        """Watches the gradient at an early, a middle and the last use of a recurrent weight."""
        uses: dict[int, list[Any]] = {}
        for node, product in products.items():
            uses.setdefault(id(product.parameter), []).append(node)
        for found in uses.values():
            name = self._names.parameter(products[found[0]].parameter)
            # Only a recurrence: the last use depends on the first.
            if len(found) < REPEATS or name is None or name in self._growth:
                continue
            if not _reaches(found[1], found[0]):
                continue
            norms: list[torch.Tensor | None] = [None, None, None]
            self._growth[name] = norms
            # The first use may be of a state of zeros, at which nothing passes a ReLU.
            for index, node in enumerate((found[1], found[len(found) // 2], found[-1])):
                node.register_prehook(self._guard.guarded(_noting(norms, index)))

    def left_halfway(self) -> None:
        """Forgets what was noted of a step that was left halfway."""
        self._growth = {}

    # End of the step ----------------------------------------------------------------------------
    def look_ended(self, step: int) -> None:
        """Writes what a sampled step showed."""
        known = {name: found for name, norms in self._growth.items()
                 if len(found := [norm for norm in norms if norm is not None]) == 3}
        self._later.numbers([norm for norms in known.values() for norm in norms], lambda numbers: (
            self._writer.sample(TIME_GROWTH, step, {
                name: _growth(*numbers[3 * i:3 * i + 3]) for i, name in enumerate(known)})))
        self._growth = {}


def _twins(matrix: torch.Tensor) -> torch.Tensor | None:
    """The share of rows that equal another row, nearly; None for a matrix of one row."""
    if matrix.shape[0] < 2:
        return None
    width = matrix[0].numel()
    rows = matrix[: max(2, ELEMENT_LIMIT // max(width, 1))]
    rows = rows_of(rows, evenly(width, ELEMENT_LIMIT, rows.device)).double()
    # Rows that are the same have the same mark; sorted by it they are neighbours.
    marks = rows @ torch.cos(torch.arange(
        1, rows.shape[1] + 1, dtype=torch.float64, device=rows.device))
    order = marks.argsort()
    size = torch.linalg.vector_norm(rows, dim=1)[order]
    # A few at a time: of all in their order there would be a second copy, and of all differences.
    apart = torch.cat([
        torch.linalg.vector_norm(rows[after] - rows[before], dim=1)
        for before, after in zip(order[:-1].split(STRIPE), order[1:].split(STRIPE), strict=True)])
    least = torch.minimum(size[1:], size[:-1])
    # Where others have left zero, a unit that is still there is one that nothing reads.
    same = (apart <= SAME * least) & ((least > 0) | ~size.any())
    none = torch.zeros(1, dtype=torch.bool, device=rows.device)
    return (torch.cat([none, same]) | torch.cat([same, none])).double().mean()


def _is_linear(node: Any, parents: list[Any]) -> bool:
    """Whether a node's output is a linear function of what it got from the graph."""
    name = node.name()
    if name in graph.RESHAPES or name in _LINEAR or _is_straight(node):
        return True
    if name in _OPERANDS or name in ("MulBackward0", "DivBackward0"):
        if name == "DivBackward0" and len(node.next_functions) > 1 and (
            node.next_functions[1][0] is not None
        ):
            return False
        flowing = [p for p in parents if graph.variable(p) is None]
        if len(flowing) == 1 and len(parents) == 2 and name != "DivBackward0":
            return True  # by a parameter
        return len(parents) == 1 and (name != "MulBackward0" or _is_constant_factor(node))
    return False


def _is_straight(node: Any) -> bool:
    """Whether a node is an activation whose two slopes are the same, so that it bends nothing."""
    return bool(
        node.name() == "LeakyReluBackward0" and graph.saved(node, "negative_slope") == 1)


def _is_constant_factor(node: Any) -> bool:
    """Whether a tensor without graph multiplies as a constant or as dropout does.

    Other tensors may be masks that depend on the values, as in a ReLU.
    """
    factors = [v for n in ("self", "other")
               if is_plain(v := graph.saved(node, n))]
    if not factors:
        return True  # a Python number
    for factor in factors:
        if factor.numel() == 1:
            return True
        if factor.is_floating_point() and factor.numel() <= ELEMENT_LIMIT:
            low, high = (float(v) for v in torch.aminmax(factor))
            if low == 0 and high > 1 and bool(((factor == 0) | (factor == high)).all()):
                return True
    return False


def _reaches(later: Any, earlier: Any) -> bool:
    """Whether a node depends on an older one."""
    found, _ = graph.find(later, {graph.sequence(earlier)}, 512)
    return bool(found)


def _noting(norms: list[torch.Tensor | None], index: int) -> Any:
    def note(gradients: Any) -> None:
        if gradients and is_plain(gradients[0]) and norms[index] is None:
            norms[index] = norm(gradients[0])

    return note


def _growth(first: float, middle: float, last: float) -> float:
    """The growth of a gradient on its way back through time, if it grows all the way.

    Where few sequences are so long that their last steps count, it is small there alone.
    """
    whole = _ratio(first, last)
    return whole if whole <= 1 else max(min(whole, _ratio(first, middle) ** 2), 1.0)


def _ratio(first: float, last: float) -> float:
    """How much larger the first is; NaN where the last is 0, for then the loss does not read it."""
    return first / last if last else math.nan
