"""Reads a hand-written loss of margins, the score times a label of -1 or 1, from its graph.

The hinge loss max(0, 1 - ts) and its square, the logistic loss log(1 + exp(-ts)) and the
exponential loss exp(-ts) of a score s and a label t (Hastie, Tibshirani and Friedman 2009, The
Elements of Statistical Learning, 10.6).
"""

from __future__ import annotations

from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.tensors import is_plain, observable

ELEMENT_LIMIT = 1_000_000
LOGISTIC = "soft_margin_loss"
HINGE = "hinge_loss"
EXPONENTIAL = "exponential_loss"
_REDUCTIONS = ("MeanBackward", "SumBackward", "DivBackward", "PowBackward")
_SHIFTS = ("RsubBackward", "NegBackward", "AddBackward", "SubBackward")
_KINDS = {
    ("ClampMinBackward0",): HINGE, ("ClampBackward1",): HINGE, ("ReluBackward0",): HINGE,
    ("MaximumBackward0",): HINGE, ("SoftplusBackward0",): LOGISTIC,
    ("LogSigmoidBackward0",): LOGISTIC, ("Log1PBackward0", "ExpBackward0"): LOGISTIC,
    ("LogBackward0", "AddBackward0", "ExpBackward0"): LOGISTIC, ("ExpBackward0",): EXPONENTIAL,
}


def margin(chain: list[Any]) -> tuple[str, Any, torch.Tensor] | None:
    """The kind of loss, the product of score and label, and the labels; None if it is another.

    `chain` are the nodes from a loss down. A product with a mask that is summed up is none of them:
    there the loss is 0 where the mask is, and here it is not.
    """
    nodes = [node for node in chain if node.name() not in graph.RESHAPES]
    at = next((n for n, node in enumerate(nodes) if node.name() == "MulBackward0"
               and len(graph.parents(node)) == 1 and not _is_constant(node)), None)
    if at is None:
        return None
    body = [node for node in nodes[:at] if not node.name().startswith(_REDUCTIONS)]
    shifts = 0
    while body and (_is_shift(body[-1]) or _is_guard(body)):
        shifts += not body.pop().name().startswith(("NegBackward", "ClampBackward"))
    names = tuple(node.name() for node in body)
    kind = _KINDS.get(names[1:] if names[:1] == ("NegBackward0",) else names)
    labels = graph.factor(nodes[at])
    if kind is None or (kind == HINGE and not shifts) or not is_plain(labels) or (
        not observable(labels) or labels.dtype is torch.bool or labels.numel() > ELEMENT_LIMIT
        or tuple(labels.shape) != graph.shape(nodes[at])
    ):
        return None
    with torch.no_grad():
        return kind, nodes[at], torch.where((labels <= 0).all(), -labels, labels)  # -t * s


def _is_shift(node: Any) -> bool:
    return node.name().startswith(_SHIFTS) and len(graph.parents(node)) == 1


def _is_guard(body: list[Any]) -> bool:
    """Whether the product is clamped to what an exponential can take; alone it would be a hinge."""
    return len(body) > 1 and body[-1].name().startswith("ClampBackward")


def _is_constant(product: Any) -> bool:
    """Whether a product is with a number."""
    other = graph.factor(product)
    return not isinstance(other, torch.Tensor) or other.ndim == 0
