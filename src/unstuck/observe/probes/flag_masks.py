"""Masks of zeros and ones that are added to the scores of attention, where they close nothing."""

from __future__ import annotations

from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.tensors import is_plain

ELEMENT_LIMIT = 1_000_000  # of scores that are computed anew
NEAR = 8  # operations between a product and its softmax
EXACT = 1e-3


def flags(attention: Any) -> torch.Tensor | None:
    """What is known of the numbers that attention adds to its scores.

    Args:
        attention: the node of fused attention, or of its softmax.

    Returns:
        Whether they are zeros and ones, both, and whether the ones lie above, or all but the ones
        below, the diagonal: three numbers that are 0 or 1. None if nothing is added that is known.
    """
    fused = attention.name().startswith("ScaledDotProduct")
    added = graph.saved(attention, "attn_mask") if fused else _added(attention)
    if not is_plain(added) or not added.is_floating_point() or added.ndim < 2 or (
            added.numel() > ELEMENT_LIMIT):
        return None
    ones, zeros = (added - 1).abs() < EXACT, added.abs() < EXACT
    known = (ones | zeros).all() & ones.any() & zeros.any()
    square = added.shape[-1] == added.shape[-2]
    above = torch.ones_like(ones).triu(1) if square else torch.zeros_like(ones)
    return torch.stack([known, (ones == above).all() & square, (ones == ~above).all() & square])


def _added(softmax: Any) -> torch.Tensor | None:
    """The numbers by which a softmax of a product differs from the product, the least of a row 0.

    A product keeps its factors, and a sum keeps nothing, so it is what is left.
    """
    result = graph.saved(softmax, "result")
    if not is_plain(result) or result.numel() > ELEMENT_LIMIT or (
            graph.dimension(softmax) not in (-1, result.ndim - 1)):
        return None
    node, adds = softmax, False
    scaled: list[tuple[str, Any]] = []
    for _ in range(NEAR):
        behind = graph.parents(node)
        if len(behind) != 1:
            return None
        node = behind[0]
        name = node.name()
        if name in ("BmmBackward0", "BaddbmmBackward0"):
            adds = adds or name == "BaddbmmBackward0"
            pair = [graph.saved(node, key) for key in (
                ("batch1", "batch2") if name == "BaddbmmBackward0" else ("self", "mat2"))]
            if not adds or not all(map(is_plain, pair)):
                return None
            scores = torch.bmm(*pair)
            if scores.numel() != result.numel():
                return None
            scores = scores.reshape(result.shape)
            for kind, by in reversed(scaled):
                scores = scores / by if kind == "DivBackward0" else scores * by
            left = result.clamp_min(torch.finfo(result.dtype).tiny).log() - scores
            return left - left.amin(-1, keepdim=True)
        if name in ("DivBackward0", "MulBackward0"):
            by = graph.saved(node, "other")
            if not is_plain(by) or by.ndim:
                return None
            scaled.append((name, by))
        elif name == "AddBackward0":
            adds = True
        elif name not in graph.RESHAPES:
            return None
    return None
