"""Whether a backward pass drives an error up: the sign with which the loss measures its errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.source.sites import Sites
from unstuck.observe.tensors import is_plain, observable
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.losses import Ascent, Descent, UnboundedTerm
from unstuck.schema.places import SourceLocation

PASSES = 2  # sampled backward passes that must all drive an error up before it is said
NODE_LIMIT = 60
ELEMENT_LIMIT = 100_000

# Errors: the smaller the better. A square counts where a difference is squared.
_ERRORS = frozenset({
    "NllLossBackward0", "NllLoss2DBackward0", "MseLossBackward0", "SmoothL1LossBackward0",
    "HuberLossBackward0", "BinaryCrossEntropyBackward0", "BinaryCrossEntropyWithLogitsBackward0",
})
# Logarithms of probabilities: the larger the better.
_LOG_PROBABILITIES = frozenset({"LogSoftmaxBackward0", "LogSigmoidBackward0"})
_PROBABILITIES = frozenset({"SoftmaxBackward0", "SigmoidBackward0"})
# What grows without bound in both directions, or in one, and never falls below zero.
_GROWING = frozenset({
    "AbsBackward0", "ExpBackward0", "LinalgVectorNormBackward0", "NormBackward0", "PowBackward0",
    "CoshBackward0",
})
_POSITIVE = graph.RESHAPES | {
    "MeanBackward0", "MeanBackward1", "SumBackward0", "SumBackward1", "IndexBackward0",
    "GatherBackward0", "IndexSelectBackward0", "StackBackward0", "CatBackward0",
    "DiagonalBackward0", "UnbindBackward0",
}
_DIFFERENCES = ("SubBackward0", "RsubBackward0", "RsubBackward1")


class Ascents:
    """Notes losses that drive an error up in their first sampled backward passes, or down."""

    def __init__(self, writer: RecordWriter, sites: Sites, finite: FiniteProbe) -> None:
        self._writer = writer
        self._sites = sites
        self._finite = finite
        self._passes: dict[str, int] = {}
        # Where the passes so far showed a term without bound; None once one showed none, or at the
        # end.
        self._unbounded: dict[str, list[SourceLocation | None] | None] = {}

    def note(self, root: Any, climbs: bool, loss: str, step: int) -> None:
        """A loss is about to be differentiated at a sampled step; `climbs`: to be maximised."""
        self._note_unbounded(root, climbs, loss, step)
        count = self._passes.get(loss, 0) + 1
        if count > PASSES:
            return
        found = ascent(root, climbs)
        if found is None and count == 1 and not climbs and (falls := ascent(root, True)):
            self._writer.fact(Descent(loss, falls[1]), step)
        self._passes[loss] = count if found is not None else PASSES
        if found is None or count < PASSES:
            return
        path, of = found
        while len(path) > 1 and path[0].name() == "AddBackward0" and (
            len(graph.parents(path[0])) == 1
        ):
            del path[0]  # the sum of a loss and a constant is not where the sign is
        line = next((line for node in path if (line := self._finite.line_of(node))), None)
        node = next((node for node in path if self._finite.line_of(node) == line), root)
        location = self._sites.operation(*line, node.name()) if line else None
        self._writer.fact(Ascent(loss, location, of), step)

    def _note_unbounded(self, root: Any, climbs: bool, loss: str, step: int) -> None:
        places = self._unbounded.setdefault(loss, [])
        if places is None:
            return
        sign = -1.0 if climbs else 1.0
        beside = unbounded(root, sign, set())
        found = beside or unbounded(root, sign, set(), alone=True)
        if found is None:
            self._unbounded[loss] = None
            return
        line = self._finite.line_of(found)
        places.append(self._sites.operation(*line, found.name()) if line else None)
        if len(places) == PASSES:
            self._unbounded[loss] = None
            self._writer.fact(UnboundedTerm(
                loss, next(filter(None, places), None), alone=beside is None), step)


def unbounded(node: Any, sign: float, seen: set[Any], alone: bool = False) -> Any:
    """The innermost sum of an error to be made small and a term that falls without bound as
    something else grows: a square, a modulus or an exponential with a minus sign. None without one.

    With `alone`, of such a term and one that is no error, but grows no faster than linearly in what
    both are made of. That holds nothing back either: y z - exp(z), the logarithm of a likelihood
    of counts or of times, falls on both sides.
    """
    if node in seen or len(seen) > NODE_LIMIT:
        return None
    seen.add(node)
    parts = [(sign * factor, part) for factor, part in _weighted(node)]
    for own, part in parts:
        inner = unbounded(part, own, seen, alone)
        if inner is not None:
            return inner
    for (own, part), (other, beside) in (parts, parts[::-1]) if len(parts) == 2 else ():
        errors: list[tuple[float, list[Any]]] = []
        _collect(beside, other, [beside], errors, set())
        grown = list(_growing(part, own, set()))
        if not grown or any(each > 0 for each in grown) or any(each <= 0 for each, _ in errors):
            continue
        if errors if not alone else not errors and _shares(part, beside) and (
                not list(_growing(beside, other, set()))):
            return node
    return None


def _shares(one: Any, other: Any) -> bool:
    """Whether two terms are made of something in common."""
    nodes = {node for node in graph.walk(one, NODE_LIMIT) if graph.variable(node) is None}
    return any(node in nodes for node in graph.walk(other, NODE_LIMIT))


def _growing(node: Any, sign: float, seen: set[Any]) -> Iterator[float]:
    """The signs with which a term holds what grows without bound."""
    if node in seen or len(seen) > NODE_LIMIT:
        return
    seen.add(node)
    parents = graph.parents(node)
    if node.name() in _GROWING or (
        node.name() == "MulBackward0" and len(parents) == 2 and parents[0] is parents[1]  # x * x
    ):
        exponent = graph.saved(node, "exponent") if node.name() == "PowBackward0" else 2
        if isinstance(exponent, int | float) and not exponent % 2:
            yield sign
        return
    for factor, part in _weighted(node):
        yield from _growing(part, sign * factor, seen)


def _weighted(node: Any) -> list[tuple[float, Any]]:
    """The inputs of a linear operation, as `terms`; a weight that begins at zero is positive."""
    behind = [each for each in graph.parents(node) if graph.variable(each) is None]
    parts = terms(node, node.name(), behind)
    weight = graph.factor(node) if node.name() == "MulBackward0" and len(behind) == 1 else None
    if not parts and is_plain(weight) and weight.numel() == 1 and weight.is_cpu:
        return [(1.0, behind[0])]
    return parts


def ascent(root: Any, climbs: bool = False) -> tuple[list[Any], str] | None:
    """The path to an error that a loss with this root drives up, and the error's operation.

    With `climbs`, the optimizer makes the loss larger.

    None if there is none, if the loss holds errors of both signs (an adversary's), or if a sign
    cannot be told, for instance behind a factor that may be negative (an advantage, a reward).
    """
    found: list[tuple[float, list[Any]]] = []
    _collect(root, -1.0 if climbs else 1.0, [root], found, set())
    if not found or any(sign >= 0 for sign, _ in found):
        return None
    path = found[0][1]
    return path, path[-1].name()


def likelihood(node: Any) -> float:
    """1 if a node grows with the probability of the data, -1 if it falls with it, else 0."""
    found: list[tuple[float, list[Any]]] = []
    _collect(node, 1.0, [node], found, set())
    signs = {sign > 0 for sign, _ in found}
    return 0.0 if len(signs) != 1 else -1.0 if signs.pop() else 1.0


def _collect(
    node: Any, sign: float, path: list[Any], found: list[tuple[float, list[Any]]],
    seen: set[tuple[Any, float]],
) -> None:
    """Follows sums and known factors from the loss down to what measures an error."""
    if len(path) > NODE_LIMIT or len(seen) > NODE_LIMIT or (node, sign) in seen:
        return
    seen.add((node, sign))
    name = node.name()
    behind = [p for p in graph.parents(node) if graph.variable(p) is None]
    if name in _ERRORS or (name in ("PowBackward0", "AbsBackward0") and _is_residual(node)):
        found.append((sign, path))
    elif name in _LOG_PROBABILITIES or (
        name == "LogBackward0" and any(map(_is_probability, behind))
    ) or (name == "DivBackward0" and len(behind) == 2 and _is_overlap(node.next_functions[0][0])):
        found.append((-sign, path))
    elif (likelihood := _likelihood(node, behind)) is not None:
        factor, total = likelihood
        found.append((sign * factor, [*path, total]))
    else:
        for factor, parent in terms(node, name, behind):
            _collect(parent, sign * factor, [*path, parent], found, seen)


def _likelihood(node: Any, behind: list[Any]) -> tuple[float, Any] | None:
    """The sign and node of log sum exp(x) in its difference to picked values of x, if it is one.

    Log sum exp(x) less one of the x is a negative logarithm of a probability.
    """
    if len(behind) != 2:
        return None
    summands = []
    for factor, parent in terms(node, node.name(), behind):
        sign, source = _picked_from(parent)
        summands.append((factor * sign, source))
    total = next((term for term in summands if _summed_up(term[1]) is not None), None)
    other = next((term for term in summands if term is not total), None)
    if total is None or other is None or total[0] != -other[0]:
        return None
    return total if _picked_from(_summed_up(total[1]))[1] is other[1] else None


def _summed_up(node: Any) -> Any:
    """What a node is the logarithm of the summed exponentials of; None if it is another operation.
    """
    if node.name() in ("LogsumexpBackward0", "LogcumsumexpBackward0"):
        return next(iter(graph.parents(node)), None)
    if node.name() != "LogBackward0":
        return None
    for _ in range(4):
        behind = graph.parents(node)
        if len(behind) != 1:
            return None
        node = behind[0]
        if node.name() == "ExpBackward0":
            return next(iter(graph.parents(node)), None)
        if not node.name().startswith(("Sum", "Cumsum", "Add")):
            return None
    return None


def _is_overlap(node: Any) -> bool:
    """Whether a dividend is how much of the probability lies where the target is, as in Dice's
    coefficient and in intersection over union: the larger the better.
    """
    for _ in range(8):
        behind = graph.parents(node)
        if len(behind) != 1:
            return False
        factor = graph.factor(node) if node.name() == "MulBackward0" else None
        if is_plain(factor) and observable(factor) and 1 < factor.numel() <= ELEMENT_LIMIT:
            with torch.no_grad():
                marked = factor == 1
                return bool((marked | (factor == 0)).all() & marked.any()) and (
                    _is_probability(behind[0]))
        if not (factor is not None or node.name() in _POSITIVE or node.name() == "AddBackward0"):
            return False
        node = behind[0]
    return False


def _picked_from(node: Any) -> tuple[float, Any]:
    """What values were picked from, and the sign that they have got since."""
    sign = 1.0
    for _ in range(5):
        name = node.name()
        behind = graph.parents(node)
        if len(behind) != 1 or not (name in _POSITIVE or name == "NegBackward0"):
            break
        sign, node = -sign if name == "NegBackward0" else sign, behind[0]
    return sign, node


def terms(node: Any, name: str, behind: list[Any]) -> list[tuple[float, Any]]:
    """The inputs of a linear operation with the sign of their factor; none where it is unknown."""
    if name in _POSITIVE:
        return [(1.0, parent) for parent in behind]
    if name == "AddBackward0":
        return [(1.0, parent) for parent in behind]
    if name == "NegBackward0":
        return [(-1.0, parent) for parent in behind]
    if name == "RsubBackward1":
        return [(-1.0, parent) for parent in behind]
    if name == "SubBackward0":
        first = node.next_functions[0][0]
        return [(1.0 if parent is first else -1.0, parent) for parent in behind]
    if name == "DivBackward0" and node.next_functions[0][0] in behind:
        # A divisor may be learned too, such as a variance: its sign is what counts.
        factor = _sign(graph.saved(node, "other"), unsure=False)
        return [(factor, node.next_functions[0][0])] if factor else []
    if name == "MulBackward0" and len(behind) == 1:
        factor = _sign(graph.factor(node), unsure=True)
        return [(factor, behind[0])] if factor else []
    return []


def _sign(value: Any, *, unsure: bool) -> float:
    """The sign of a constant, 0 if it cannot be told.

    With `unsure`, a factor of many elements counts only if all lie between 0 and 1: labels, masks
    and shares. Anything else may be a reward or a cost.
    """
    if not is_plain(value) or not observable(value) or (
        value.numel() > ELEMENT_LIMIT
    ):
        return 0.0
    with torch.no_grad():
        low, high = (float(v) for v in torch.aminmax(value.double()))
    if unsure and value.numel() > 1:
        return 1.0 if low >= 0 and high <= 1 else 0.0
    return float((low > 0) - (high < 0))


def _is_probability(node: Any) -> bool:
    """Whether a node is a probability, one minus it, or one with a small number added."""
    for _ in range(5):
        name = node.name()
        behind = graph.parents(node)
        if name in _PROBABILITIES:
            return True
        if len(behind) != 1 or not (
            name in graph.RESHAPES or name.startswith(("Add", "Rsub", "Clamp"))
        ):
            return False
        node = behind[0]
    return False


def _is_residual(node: Any) -> bool:
    """Whether an even power or a modulus is taken of a difference."""
    if node.name() == "PowBackward0":
        exponent = graph.saved(node, "exponent")
        if not isinstance(exponent, int | float) or exponent % 2:
            return False
    return any(p.name() in _DIFFERENCES for p in graph.parents(node))
