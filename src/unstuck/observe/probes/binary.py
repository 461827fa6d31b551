"""Reads a hand-written binary cross entropy from its graph.

That is -(t log p + (1 - t) log(1 - p)), or of a score s log(1 + exp(s)) - ts, also as
max(s, 0) - ts + log(1 + exp(-|s|)), which never overflows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from unstuck.observe import graph
from unstuck.observe.tensors import is_plain, observable

Factor: TypeAlias = float | torch.Tensor

ELEMENT_LIMIT = 1_000_000
_SOFTPLUS = "SoftplusBackward0"
_ABOVE = ("ClampBackward1", "ClampMinBackward0", "ReluBackward0")  # what is left of a score above 0
DEEPEST = 8  # operations between a logarithm and the probability
# What keeps a probability away from 0 and 1, beside an added number.
_GUARDS = graph.RESHAPES | {"ClampBackward0", "ClampBackward1", "ClampMinBackward0",
                            "ClampMaxBackward0"}


@dataclass(frozen=True, slots=True)
class BinaryEntropy:
    """The parts of a binary cross entropy.

    `root` adds up its two terms. `given` are probabilities, or with `logits` scores, which the node
    `made_by` has made. `weights` are what the terms are multiplied by, None for none.
    """

    root: Any
    target: torch.Tensor
    given: torch.Tensor
    made_by: Any
    logits: bool
    weights: torch.Tensor | None = None


def binary_entropy(root: Any) -> BinaryEntropy | None:
    """The binary cross entropy that a loss with this root is the mean of; None if it is none."""
    sign, node = 1.0, root
    means = 0
    while node.name() in graph.RESHAPES or node.name().startswith(("Neg", "Mean")):
        sign = -sign if node.name().startswith("Neg") else sign
        means += node.name().startswith("Mean")
        behind = graph.parents(node)
        if len(behind) != 1:
            return None
        node = behind[0]
    found = _of_samples(node, sign) if means else None
    return found if found is not None and found.weights is None else None


def weighted_entropies(nodes: list[Any]) -> Iterator[BinaryEntropy]:
    """The binary cross entropies of single samples in a graph, weighted or to be weighted."""
    for node in nodes:
        if node.name() in ("AddBackward0", "SubBackward0", "NegBackward0") and (
                math.prod(graph.shape(node) or ()) > 1):
            found = _of_samples(node, 1.0) or _of_samples(node, -1.0)
            if found is not None:
                yield found


def _of_samples(node: Any, sign: float) -> BinaryEntropy | None:
    """The binary cross entropy of single samples, or its negative where the sign is -1."""
    terms = _terms(node, sign)
    if len(terms) < 2:
        return _of_score(node, sign)
    if len(terms) != 2:
        return None
    (first, one), (second, other) = ((factor, _source(log)) for factor, log in terms)
    if one is None or other is None or one[1] is other[1] or not _alike(one[0], other[0]):
        return None
    if one[1]:  # of 1 - p
        terms, first, second = terms[::-1], second, first
    log = terms[0][1]
    given = graph.saved(log, "self")
    if not isinstance(first, torch.Tensor) or not isinstance(second, torch.Tensor) or (
        first.shape != second.shape or not is_plain(given)
    ):
        return None
    with torch.no_grad():
        both, weights = first + second, None
        if not torch.allclose(both, -torch.ones_like(first), atol=1e-5):
            if bool((both >= 0).any()) or bool(((first != 0) & (second != 0)).any()):
                return None  # of the other sign, or of shares with weights
            weights, first = -both, first / -both
        if log.name() == _SOFTPLUS:
            given = -given
        return BinaryEntropy(node, -first, given, one[0], log.name() in (
            "LogSigmoidBackward0", _SOFTPLUS), weights)


def _alike(one: Any, other: Any) -> bool:
    """Whether two nodes are one, or sigmoids of one."""
    return one is other or (one.name() == other.name() == "SigmoidBackward0"
                            and graph.parents(one) == graph.parents(other))


def _of_score(node: Any, sign: float) -> BinaryEntropy | None:
    """A binary cross entropy that is told by the score, the label times the score, and what is
    added to them."""
    parts = list(_parts(node, sign))
    products = [each for factor, each in parts if factor < 0 and each.name() == "MulBackward0"]
    others = {each.name(): each for factor, each in parts if factor > 0}
    if len(products) != 1 or len(others) != len(parts) - 1:
        return None
    above = [others.get(_SOFTPLUS)]
    if above[0] is None:
        rest = others.pop("Log1PBackward0", None)
        size = next((each for each in graph.walk(rest, 4) if each.name() == "AbsBackward0"),
                    None) if rest is not None else None
        above = [next((each for name, each in others.items() if name in _ABOVE), None), size]
    made_by, target = graph.parents(products[0]), graph.factor(products[0])
    if len(others) != 1 or len(made_by) != 1 or any(
        each is None or graph.parents(each) != made_by for each in above
    ):
        return None
    given = graph.saved(above[-1], "self")
    if not is_plain(target) or not is_plain(given) or not observable(target) or (
        target.shape != given.shape
    ):
        return None
    return BinaryEntropy(node, target, given, made_by[0], True)


def _parts(node: Any, factor: Factor) -> Iterator[tuple[Factor, Any]]:
    """What a sum adds up, each with the factor of the sum or its negative."""
    name, behind = node.name(), graph.parents(node)
    if name == "NegBackward0":
        yield from _parts(behind[0], -factor)
    elif name in ("AddBackward0", "SubBackward0") and len(behind) == 2:
        yield from _parts(behind[0], factor)
        yield from _parts(behind[1], -factor if name == "SubBackward0" else factor)
    else:
        yield factor, node


def _terms(node: Any, factor: Factor) -> list[tuple[Factor, Any]]:
    """The logarithms that are added up, each with what it is multiplied by; none if unknown."""
    found: list[tuple[Factor, Any]] = []
    for own, part in _parts(node, factor):
        name, behind = part.name(), graph.parents(part)
        if name in ("LogBackward0", "Log1PBackward0", "LogSigmoidBackward0"):
            found.append((own, part))
        elif name == _SOFTPLUS:  # log(1 + exp(s)) is the same as -log(sigmoid(-s))
            found.append((-own, part))
        elif name == "MulBackward0" and len(behind) == 1:
            other = graph.factor(part)
            if is_plain(other) and observable(other) and other.numel() <= ELEMENT_LIMIT:
                with torch.no_grad():
                    found += _terms(behind[0], own * other)
    return found


def _source(logarithm: Any) -> tuple[Any, bool] | None:
    """The node whose probability, or its complement (True), the logarithm is of."""
    complement = logarithm.name() == _SOFTPLUS
    behind = graph.parents(logarithm)
    for depth in range(DEEPEST):
        if len(behind) != 1:
            return None
        node = behind[0]
        name, behind = node.name(), graph.parents(node)
        if name == "NegBackward0":  # log1p(-p), logsigmoid(-x)
            if depth or logarithm.name() == "LogBackward0":
                return node, complement
            complement = not complement
        elif name.startswith("Rsub") or (name == "SubBackward0" and (
                node.next_functions[0][0] is None)):
            complement = not complement
        elif name not in _GUARDS and not (name == "AddBackward0" and len(behind) == 1):
            return node, complement
    return None
