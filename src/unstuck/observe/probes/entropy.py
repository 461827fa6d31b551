"""Reads a cross entropy of classes that is written by hand from its autograd graph."""

from __future__ import annotations

from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.tensors import is_plain

PICKS = frozenset({"GatherBackward0", "IndexBackward0"})
# The node to point at, that of the scores, and the labels.
Parts = tuple[Any, Any, torch.Tensor | None]


def class_entropy(chain: list[Any], names: tuple[str, ...], samples: int) -> Parts | None:
    """The parts of the mean negative logarithm of the probability of one class per sample."""
    return next(filter(None, (form(chain, names, samples) for form in (
        _logarithm_of_one, _score_of_one, _one_hot))), None)


def _above(names: tuple[str, ...], at: int) -> list[str]:
    return sorted(name for name in names[:at] if name not in graph.RESHAPES)


def _logarithm_of_one(chain: list[Any], names: tuple[str, ...], samples: int) -> Parts | None:
    """The logarithm of the softmax at the label's place."""
    at = next((n for n, name in enumerate(names) if name in PICKS), None)
    if at is None or at + 1 >= len(chain):
        return None
    above = _above(names, at)
    logarithm = "LogBackward0" in above
    if above != sorted(["MeanBackward0", "NegBackward0", *(["LogBackward0"] if logarithm else [])]):
        return None
    return chain[at], _logits(chain[at + 1], logarithm), picked(chain[at], samples)


def _score_of_one(chain: list[Any], names: tuple[str, ...], samples: int) -> Parts | None:
    """The score at the label's place less the log-sum-exp of all, or with the signs turned."""
    at = next((n for n, name in enumerate(names) if name == "SubBackward0"), None)
    behind = [_unshaped(each) for each in graph.parents(chain[at])] if at is not None else []
    if at is None or len(behind) != 2:
        return None
    turned = behind[0].name() in PICKS
    pick, whole = behind if turned else behind[::-1]
    if _above(names, at) != ["MeanBackward0", *(["NegBackward0"] if turned else [])] or (
        pick.name() not in PICKS or whole.name() != "LogsumexpBackward0"
    ):
        return None
    logits = graph.parents(whole)[0]
    return (pick, logits, picked(pick, samples)) if graph.parents(pick)[0] is logits else None


def _one_hot(chain: list[Any], names: tuple[str, ...], samples: int) -> Parts | None:
    """The logarithm of the softmax times a table with a one at the label's place of each row."""
    at = next((n for n, name in enumerate(names) if name == "MulBackward0"), None)
    if at is None or at + 1 >= len(chain):
        return None
    kinds, product = dict(zip(names[:at], chain[:at], strict=True)), chain[at]
    above, over = _above(names, at), None
    if above == ["MeanBackward0", "NegBackward0", "SumBackward1"]:
        over = graph.saved(kinds["SumBackward1"], "dim") in ((1,), (-1,), (2**64 - 1,))
    elif above == ["DivBackward0", "NegBackward0", "SumBackward0"]:
        by = graph.factor(kinds["DivBackward0"])
        over = is_plain(by) and by.numel() == 1 and float(by) == samples
    table = graph.factor(product)
    logits = _logits(chain[at + 1], False)
    if not over or logits is None or not is_plain(table) or table.ndim != 2 or (
        table.shape != graph.shape(logits)
    ):
        return None
    with torch.no_grad():
        ones = bool(((table == 0) | (table == 1)).all()) and bool((table.sum(1) == 1).all())
        return (product, logits, table.argmax(1)) if ones else None


def _logits(node: Any, logarithm: bool) -> Any:
    """The scores whose softmax over the classes, or its logarithm, a node computes; else None."""
    name, behind = node.name(), graph.parents(node)
    if name == ("SoftmaxBackward0" if logarithm else "LogSoftmaxBackward0"):
        return behind[0] if behind and graph.dimension(node) in (1, -1) else None
    if len(behind) != 2:
        return None
    first, second = behind[0], _unshaped(behind[1])
    if logarithm and name == "DivBackward0" and first.name() == "ExpBackward0" and (
        second.name() == "SumBackward1" and _is_the_same(_unshaped(graph.parents(second)[0]), first)
    ):
        shifted = graph.parents(first)[0]  # often less the largest score
        return graph.parents(shifted)[0] if shifted.name() == "SubBackward0" else shifted
    if logarithm or name != "SubBackward0":
        return None
    if second.name() == "LogsumexpBackward0" and graph.parents(second)[0] is first:
        return first
    total = _unshaped(graph.parents(second)[0]) if second.name() == "LogBackward0" else None
    if total is not None and total.name() == "SumBackward1" and (
        (summed := _unshaped(graph.parents(total)[0])).name() == "ExpBackward0"
        and graph.parents(summed)[0] is first
    ):
        return _unshifted(first)
    return None


def _unshifted(node: Any) -> Any:
    """The scores, where the largest of each sample was subtracted from all of them."""
    behind = graph.parents(node)
    return behind[0] if node.name() == "SubBackward0" and len(behind) == 2 and (
        behind[1].name() in ("MaxBackward0", "AmaxBackward0")) else node


def _is_the_same(one: Any, other: Any) -> bool:
    """Whether two nodes are one, or exponentials of the same."""
    return one is other or (one.name() == other.name() == "ExpBackward0" and (
        graph.parents(one)[0] is graph.parents(other)[0]))


def _unshaped(node: Any) -> Any:
    *_, last = graph.reshaped(node)
    return last


def picked(pick: Any, samples: int) -> torch.Tensor | None:
    """The class that is picked of each sample; None if anything else is picked."""
    index = graph.saved(pick, "index")
    if pick.name() == "IndexBackward0":
        indices = graph.saved(pick, "indices")
        rows, index = indices if isinstance(indices, tuple | list) and len(indices) == 2 else (
            None, None)
        if not is_plain(rows) or rows.ndim != 1 or len(rows) != samples:
            return None
        with torch.no_grad():
            if not torch.equal(rows, torch.arange(samples, device=rows.device)):
                return None
    elif graph.saved(pick, "dim") not in (1, 2**64 - 1):
        return None
    if not is_plain(index) or index.dtype != torch.int64 or index.numel() != samples:
        return None
    return index.detach().reshape(samples)
