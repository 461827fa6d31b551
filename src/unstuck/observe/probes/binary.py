"""Reads a hand-written binary cross entropy, -(t log p + (1 - t) log(1 - p)), from its graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.tensors import is_plain, observable

ELEMENT_LIMIT = 1_000_000
DEEPEST = 8  # operations between a logarithm and the probability
# What keeps a probability away from 0 and 1, beside an added number.
_GUARDS = graph.RESHAPES | {"ClampBackward0", "ClampBackward1", "ClampMinBackward0",
                            "ClampMaxBackward0"}


@dataclass(frozen=True, slots=True)
class BinaryEntropy:
    """The parts of a binary cross entropy.

    `root` adds up its two terms. `given` are probabilities, or with `logits` scores, which the node
    `made_by` has made.
    """

    root: Any
    target: torch.Tensor
    given: torch.Tensor
    made_by: Any
    logits: bool


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
    terms = _terms(node, sign) if means else []
    if len(terms) != 2:
        return None
    (first, one), (second, other) = ((factor, _source(log)) for factor, log in terms)
    if one is None or other is None or one[0] is not other[0] or one[1] is other[1]:
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
        if not torch.allclose(first + second, -torch.ones_like(first), atol=1e-5):
            return None  # weighted, or of the other sign
        return BinaryEntropy(node, -first, given, one[0], log.name() == "LogSigmoidBackward0")


def _terms(node: Any, factor: float | torch.Tensor) -> list[tuple[float | torch.Tensor, Any]]:
    """The logarithms that are added up, each with what it is multiplied by; none if unknown."""
    name, behind = node.name(), graph.parents(node)
    if name in ("LogBackward0", "Log1PBackward0", "LogSigmoidBackward0"):
        return [(factor, node)]
    if name == "NegBackward0":
        return _terms(behind[0], -factor)
    if name in ("AddBackward0", "SubBackward0") and len(behind) == 2:
        return [*_terms(behind[0], factor),
                *_terms(behind[1], -factor if name == "SubBackward0" else factor)]
    if name == "MulBackward0" and len(behind) == 1:
        other = graph.factor(node)
        if is_plain(other) and observable(other) and other.numel() <= ELEMENT_LIMIT:
            with torch.no_grad():
                return _terms(behind[0], factor * other)
    return []


def _source(logarithm: Any) -> tuple[Any, bool] | None:
    """The node whose probability, or its complement (True), the logarithm is of."""
    complement = False
    behind = graph.parents(logarithm)
    for depth in range(DEEPEST):
        if len(behind) != 1:
            return None
        node = behind[0]
        name, behind = node.name(), graph.parents(node)
        if name == "NegBackward0":  # log1p(-p), logsigmoid(-x)
            if depth or logarithm.name() == "LogBackward0":
                return node, complement
            complement = True
        elif name.startswith("Rsub") or (name == "SubBackward0" and (
                node.next_functions[0][0] is None)):
            complement = not complement
        elif name not in _GUARDS and not (name == "AddBackward0" and len(behind) == 1):
            return node, complement
    return None
