"""Reads a hand-written loss from its autograd graph: the formula, its shapes, its target."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.later import Number
from unstuck.observe.probes.binary import binary_entropy
from unstuck.observe.probes.constant import mean_error
from unstuck.observe.probes.entropy import class_entropy
from unstuck.observe.probes.margins import margin
from unstuck.observe.probes.summands import Summand, is_penalty, summands
from unstuck.observe.tensors import is_plain
from unstuck.schema.facts.losses import Loss
from unstuck.schema.places import SourceLocation

_REDUCTIONS = ("MeanBackward", "SumBackward", "NegBackward", "DivBackward", "MulBackward")
CHAIN = 12
NEAR = 500  # graph nodes among which the model's output is looked for


@dataclass(frozen=True, slots=True)
class Output:
    """What a model returned: its values, and the creation number of the node that made them."""

    value: torch.Tensor
    sequence: int


@dataclass(frozen=True, slots=True)
class Formula:
    """What a hand-written loss computes, as far as its graph shows.

    `root` is the node of the expression to point at, the `last` of its kind on its line or the
    first. `prediction` and `target` are known for a
    difference that is squared: the graph keeps the difference, the model's output is at hand.
    """

    function: str
    operations: tuple[str, ...]
    input_shape: tuple[int, ...] = ()
    target_shape: tuple[int, ...] = ()
    stretched: tuple[int, ...] | None = None
    softmax_dimension: int | None = None
    root: Any = None
    prediction: torch.Tensor | None = None
    target: torch.Tensor | None = None
    made_by: Any = None  # the node of the prediction
    input_first: bool | None = None
    last: bool = False
    factor: float | None = None  # of this term, where penalties are added to it

    def of(self, value: Number) -> Number:
        """The value of this term, where the whole loss came to `value`."""
        if self.factor is None or self.prediction is None or self.target is None:
            return value
        with torch.no_grad():
            return self.factor * mean_error(self.function, self.prediction, self.target)

    def fact(self, name: str, location: SourceLocation | None) -> Loss:
        """The loss as a record has it."""
        return Loss(
            name, self.function, True, location, self.input_shape, self.target_shape, "", "mean",
            self.operations, self.stretched, self.softmax_dimension,
            input_first=self.input_first,
        )


def read_formula(root: Any, output: Output | None) -> Formula:
    """Recognises mean squared and absolute errors; names the operations of anything else.

    Penalties on the weights that are added to it are left out.
    """
    data = _beside_penalties(root)
    if data is not None:
        found = _read(data.node, output)
        if found.target is not None:
            return replace(found, factor=data.factor)
    return _read(root, output)


def _beside_penalties(root: Any) -> Summand | None:
    """The only term of a sum that is no penalty, if its factor is known; None if there is no sum.
    """
    terms = summands(root, ()) if root.name() in graph.SUMS else []
    data = [term for term in terms if not is_penalty(term.node)]
    return data[0] if len(data) == 1 < len(terms) and data[0].factor is not None else None


def _read(root: Any, output: Output | None) -> Formula:
    chain = _chain(root)
    names = tuple(node.name() for node in chain)
    body = [n for n in chain if not n.name().startswith(_REDUCTIONS)]
    likelihood = _likelihood(chain, names, output)
    if likelihood is not None:
        return likelihood
    difference = _difference(chain)
    stretch = _accidental(root, output)
    entropy = binary_entropy(root) if stretch is None else None
    if entropy is not None:
        return Formula(
            "binary_cross_entropy_with_logits" if entropy.logits else "binary_cross_entropy",
            tuple(node.name() for node in graph.producers(entropy.made_by)),
            tuple(entropy.given.shape), tuple(entropy.target.shape), root=entropy.root,
            prediction=entropy.given, target=entropy.target, made_by=entropy.made_by, last=True)
    margins = margin(chain) if stretch is None and output is not None else None
    if margins is not None and output is not None:
        function, product, labels = margins
        made_by = graph.parents(product)[0]
        if output.sequence in map(graph.sequence, graph.reshaped(made_by)) and (
            output.value.numel() == labels.numel()
        ):
            return Formula(function, names, tuple(labels.shape), tuple(labels.shape), root=product,
                           prediction=output.value.reshape(labels.shape), target=labels,
                           made_by=made_by, input_first=_model_first(product))
    softmax = next((n for n in chain if n.name() == "SoftmaxBackward0"), None)
    if difference is None or (stretch is not None and stretch is not difference):
        given = graph.parents(stretch)[0] if stretch is not None else None
        return Formula("hand-written", names, root=stretch or (body[0] if body else root),
                       input_shape=(graph.shape(given) or ()) if given is not None else (),
                       stretched=graph.shape(stretch) if stretch is not None else None,
                       softmax_dimension=graph.dimension(softmax), made_by=_node(root, output),
                       input_first=_model_first(stretch) if stretch is not None else None)
    above = names[: chain.index(difference)]
    squared = "PowBackward0" in above or _squares(chain, difference)
    function = "mse_loss" if squared else "l1_loss" if "AbsBackward0" in above else "hand-written"
    shape = graph.shape(difference) or ()
    inner = [p for p in graph.parents(difference) if graph.variable(p) is None]
    given = graph.shape(inner[0]) or () if inner else ()
    target = _target(chain, difference, inner, output) if function != "hand-written" else None
    return Formula(
        function, names, given, tuple(target.shape) if target is not None else (),
        stretched=_stretched(shape, given, inner), root=difference,
        prediction=output.value if output is not None and target is not None else None,
        target=target, made_by=inner[0] if inner else None,
        input_first=_model_first(difference) if len(inner) == 1 else None,
    )


def _likelihood(
    chain: list[Any], names: tuple[str, ...], output: Output | None
) -> Formula | None:
    """The mean negative logarithm of the probability of one class per sample: a cross entropy."""
    if output is None or output.value.ndim != 2:
        return None
    found = class_entropy(chain, names, len(output.value))
    if found is None:
        return None
    root, logits, labels = found
    if labels is None or logits is None or graph.sequence(logits) != output.sequence:
        return None
    return Formula("cross_entropy", names, tuple(output.value.shape), tuple(labels.shape),
                   softmax_dimension=1, root=root, prediction=output.value, target=labels,
                   made_by=logits)


def _node(root: Any, output: Output | None) -> Any:
    """The node of what the model returned, if it is near."""
    if output is None:
        return None
    return next((node for node in graph.walk(root, NEAR)
                 if graph.sequence(node) == output.sequence), None)


def _chain(root: Any) -> list[Any]:
    chain: list[Any] = []
    node = root
    while node is not None and len(chain) < CHAIN:
        chain.append(node)
        behind = [p for p in graph.parents(node) if graph.variable(p) is None]
        node = behind[0] if behind else None
    return chain


def _difference(chain: list[Any]) -> Any:
    """The subtraction that the loss reduces, if only a power, a modulus and sums stand above it."""
    for node in chain:
        name = node.name()
        behind = {graph.sequence(p) for p in graph.parents(node) if graph.variable(p) is None}
        if name == "MulBackward0" and len(behind) > 1:  # a difference is a factor of another value
            return None
        if name in ("SubBackward0", "RsubBackward1", "RsubBackward0"):
            return node
        if not name.startswith((*_REDUCTIONS, "PowBackward", "AbsBackward")) and (
            name not in graph.RESHAPES
        ):
            return None
    return None


def _squares(chain: list[Any], difference: Any) -> bool:
    """Whether the difference is multiplied by itself."""
    above = chain[chain.index(difference) - 1] if chain.index(difference) else None
    return (above is not None and above.name() == "MulBackward0"
            and all(p is difference for p in graph.parents(above)))


def _stretched(
    shape: tuple[int, ...], given: tuple[int, ...], inner: list[Any]
) -> tuple[int, ...] | None:
    """The N × N shape that a difference of N predictions and N targets was stretched to.

    Only one side may come from the model: a difference between its own outputs is a pairwise loss.
    An explicit unsqueeze or expand just before it is on purpose.
    """
    if len(inner) != 1 or inner[0].name() in ("UnsqueezeBackward0", "ExpandBackward0"):
        return None
    count = max(given, default=0)
    if count < 2 or count != math.prod(given) or len(shape) != 2:
        return None
    return shape if shape == (count, count) else None


_ELEMENTWISE = frozenset({
    "SubBackward0", "RsubBackward0", "RsubBackward1", "AddBackward0", "MulBackward0",
    "DivBackward0",
})


def _accidental(root: Any, output: Output | None) -> Any:
    """The first operation between output and loss that stretches N predictions to N × N."""
    if output is None or output.value.ndim == 0:
        return None
    first, count = output.sequence, output.value.shape[0]
    found = None
    for node in graph.walk(root, 500):
        if node.name() not in _ELEMENTWISE or graph.sequence(node) <= first:
            continue
        inner = [p for p in graph.parents(node) if graph.variable(p) is None]
        given = graph.shape(inner[0]) if inner else None
        if given is None or max(given, default=0) != count:
            continue
        if _stretched(graph.shape(node) or (), given, inner) and (
            found is None or graph.sequence(node) < graph.sequence(found)
        ):
            found = node
    return found


def _target(
    chain: list[Any], difference: Any, inner: list[Any], output: Output | None
) -> torch.Tensor | None:
    """The target, from the saved difference and the model's output."""
    if output is None or len(inner) != 1:
        return None
    residual = _residual(chain[:chain.index(difference)])
    if residual is None:
        return None
    if output.sequence not in map(graph.sequence, graph.reshaped(inner[0])):
        return None
    with torch.no_grad():
        prediction = output.value
        if prediction.numel() != residual.numel():
            return None
        prediction = prediction.reshape(residual.shape)
        sign = -1.0 if difference.name() == "SubBackward0" and _model_first(difference) else 1.0
        return prediction + sign * residual


def _residual(above: list[Any]) -> torch.Tensor | None:
    """A difference, kept by what is computed of it; a number that it is scaled by is taken out."""
    scales: list[tuple[bool, torch.Tensor]] = []
    for node in reversed(above):
        if node.name() == "ToCopyBackward0":
            continue
        residual = graph.saved(node, "self")
        scaled = node.name() in ("DivBackward0", "MulBackward0") and len(graph.parents(node)) == 1
        by = graph.factor(node) if scaled else None
        if is_plain(by) and by.numel() == 1:
            scales.append((node.name() == "DivBackward0", by))
            continue
        if not is_plain(residual):
            return None
        with torch.no_grad():
            for divided, by in reversed(scales):
                residual = residual * by if divided else residual / by
        return residual
    return None


def _model_first(operation: Any) -> bool:
    """Whether the model's side stands left of the operator."""
    first = operation.next_functions[0][0]
    return first is not None
