"""Which activation of torch something computes, judged by numbers rather than by names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph

CLOSE = 1e-5  # as far apart as two ways of computing the same in single precision may be
FEWEST = 8  # numbers by which one is recognised

# Operations of torch that may stand for an activation, with the name that a place gets by them.
_INVERSE = "ReciprocalBackward0"
FUNCTIONAL = {
    _INVERSE: "sigmoid",
    "ReluBackward0": "relu", "SigmoidBackward0": "sigmoid", "TanhBackward0": "tanh",
    "ClampBackward1": "clamp", "ClampMinBackward0": "clamp_min",
}
_KINDS: tuple[tuple[type[nn.Module], Callable[[torch.Tensor], torch.Tensor]], ...] = (
    (nn.ReLU, torch.relu), (nn.Sigmoid, torch.sigmoid), (nn.Tanh, torch.tanh),
)
# Their inverses, and the ends of their range.
_SQUASHING: tuple[
    tuple[type[nn.Module], Callable[[torch.Tensor], torch.Tensor], float, float], ...
] = ((nn.Tanh, torch.atanh, -1.0, 1.0), (nn.Sigmoid, torch.logit, 0.0, 1.0))


def computed_by(given: torch.Tensor, made: torch.Tensor) -> type[nn.Module] | None:
    """The activation that makes one tensor from another; None where that is open.

    Numbers that are hardly changed decide nothing: small ones look alike to tanh and to a copy.
    """
    if given.numel() < FEWEST or not given.is_floating_point() or made.dtype != given.dtype or (
        torch.allclose(given, made, rtol=CLOSE, atol=CLOSE)
    ):
        return None
    return next((kind for kind, function in _KINDS
                 if torch.allclose(function(given), made, rtol=CLOSE, atol=CLOSE)), None) or next(
        (kind for kind, inverse, low, high in _SQUASHING
         if _is_scaled(given, made, inverse, low, high)), None)


def _is_scaled(
    given: torch.Tensor, made: torch.Tensor, inverse: Callable[[torch.Tensor], torch.Tensor],
    low: float, high: float,
) -> bool:
    """Whether a squashing function was applied to a multiple: its inverse is one of the input."""
    middle, reach = (low + high) / 2, (high - low) / 2
    if not bool(((made >= low) & (made <= high)).all()):
        return False
    away = (made - middle).abs() / reach
    told = (away > 0.1) & (away < 0.95)  # rounding hides the slope elsewhere
    if int(told.sum()) < FEWEST:
        return False
    slopes = inverse(made[told]) / given[told]
    slope = slopes.median()
    return bool(((slopes - slope).abs() <= 1e-3 * slope.abs()).all())


def _of_an_exponential(node: Any) -> bool:
    """Whether an inverse is of one and an exponential, which makes it a sigmoid."""
    return any(sum_.name() == "AddBackward0" and any(
        each.name() == "ExpBackward0" for each in graph.parents(sum_))
        for sum_ in graph.parents(node))


def functional(node: Any) -> tuple[str, torch.Tensor] | None:
    """The activation that an operation of a graph is, and values whose sign is its output's."""
    kind = FUNCTIONAL.get(node.name())
    if kind is None or (node.name() == _INVERSE and not _of_an_exponential(node)):
        return None
    if not kind.startswith("clamp"):
        values = graph.saved(node, "result")
    elif graph.saved(node, "min") == 0 and graph.saved(node, "max") is None:
        kind, values = "clamp", graph.saved(node, "self")
    else:
        return None
    return (kind, values) if isinstance(values, torch.Tensor) else None
