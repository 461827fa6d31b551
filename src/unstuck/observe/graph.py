"""Reads the autograd graph behind a loss, without changing it and before it is freed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import torch

from unstuck.observe.tensors import is_plain, is_there

# Operations that only change a tensor's shape or dtype.
RESHAPES = frozenset({
    "ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "SqueezeBackward0",
    "SqueezeBackward1", "SqueezeBackward2", "UnsqueezeBackward0", "TransposeBackward0",
    "TransposeBackward1",
    "PermuteBackward0", "TBackward0", "CloneBackward0", "ToCopyBackward0", "AliasBackward0",
    "ExpandBackward0", "SelectBackward0", "SliceBackward0",
})
# Operations that add tensors up, and those that leave a sum of terms a sum of terms.
SUMS = frozenset({"AddBackward0", "SubBackward0", "StackBackward0", "CatBackward0"})
LINEAR = RESHAPES | {
    "MulBackward0", "DivBackward0", "NegBackward0", "MeanBackward0", "MeanBackward1",
    "SumBackward0", "SumBackward1",
}
NODE_LIMIT = 20_000
_BUILT_IN = re.compile(r"Backward\d+$|CopySlices$|CopyBackwards$|^BackwardHookFunction")


def parents(node: Any) -> list[Any]:
    """The nodes that a node's inputs come from."""
    return [parent for parent, _ in node.next_functions if parent is not None]


def walk(root: Any, limit: int = NODE_LIMIT) -> Iterator[Any]:
    """Every node behind `root`, itself first, breadth first, each once, at most `limit`."""
    seen = {root}
    level = [root]
    count = 0
    while level:
        following = []
        for node in level:
            yield node
            count += 1
            if count >= limit:
                return
            for parent in parents(node):
                if parent not in seen:
                    seen.add(parent)
                    following.append(parent)
        level = following


def variable(node: Any) -> torch.Tensor | None:
    """The leaf tensor of an AccumulateGrad node, else None."""
    return getattr(node, "variable", None) if node.name().endswith("AccumulateGrad") else None


def data_beside(tensor: Any) -> torch.Tensor | None:
    """The part of a tensor that is data which no layer has met, beside what layers have made.

    None if there is none, or more than one; nor are the zeros that a state begins with data.
    """
    node = getattr(tensor, "grad_fn", None)
    if node is None or node.name() != "CatBackward0":
        return None
    made = [behind is not None for behind, _ in node.next_functions]
    if all(made) or not any(made):
        return None
    first = made.index(False)
    last = len(made) - made[::-1].index(False)
    axis = node._saved_dim  # -1 is read as an unsigned number
    axis = axis if axis < tensor.ndim else axis - 2**64
    shapes = [shape(behind) or () for behind, _ in node.next_functions]
    if any(made[first:last]) or any(
            there and len(each) != tensor.ndim for there, each in zip(made, shapes, strict=True)):
        return None
    known = [each[axis] if there else 0 for there, each in zip(made, shapes, strict=True)]
    data = tensor.detach().narrow(axis, sum(known[:first]), tensor.shape[axis] - sum(known))
    return None if data.is_cpu and not data.any() else data


def leaves(nodes: Iterable[Any]) -> set[int]:
    """The identities of the leaf tensors among nodes."""
    return {id(tensor) for node in nodes if (tensor := variable(node)) is not None}


def sequence(node: Any) -> int:
    """The creation number of a node; later nodes of a thread have higher ones. Leaves: huge."""
    return int(node._sequence_nr())


def shape(node: Any) -> tuple[int, ...] | None:
    """The shape of what a node produced."""
    try:
        return tuple(node._input_metadata[0].shape)
    except (AttributeError, IndexError, RuntimeError):
        return None


def kept(node: Any, name: str) -> Any:
    """What a node saved for backward, the program's own tensor where it is one; None if there is
    nothing or it cannot be read safely.

    Under `torch.utils.checkpoint` reading a saved tensor would run the forward again, which moves
    buffers and random states: such tensors have an unpack hook and are left alone.
    """
    raw = getattr(node, f"_raw_saved_{name}", None)
    for each in raw if isinstance(raw, tuple | list) else (raw,):
        if getattr(each, "unpack_hook", None) is not None:
            return None
    try:
        return getattr(node, f"_saved_{name}", None)
    except RuntimeError:  # modified in place since it was saved, or freed
        return None


def saved(node: Any, name: str) -> Any:
    """A value that a node saved for backward, without its graph; None if it cannot be read."""
    value = kept(node, name)
    if isinstance(value, torch.Tensor):
        return value.detach() if is_plain(value) and is_there(value) else None
    return value


def factor(product: Any) -> Any:
    """What a product has kept of the side that no gradient flows to."""
    own = product.next_functions[0][0] is not None
    return saved(product, "other" if own else "self")


def saved_names(node: Any) -> list[str]:
    """The names of all tensors that a node saved."""
    return [n.removeprefix("_raw_saved_") for n in dir(node) if n.startswith("_raw_saved_")]


def reshaped(node: Any) -> Iterator[Any]:
    """A node, and while it only reshapes what one other made, that one and so on."""
    while node is not None:
        yield node
        behind = parents(node)
        node = behind[0] if node.name() in RESHAPES and len(behind) == 1 else None


def numbered(nodes: Iterable[Any]) -> Iterator[tuple[Any, str, int]]:
    """Nodes in the order of their creation, with name and ordinal among those of the name."""
    ordinals: dict[str, int] = {}
    for node in sorted(nodes, key=sequence):
        name = node.name()
        ordinal = ordinals[name] = ordinals.get(name, -1) + 1
        yield node, name, ordinal


def dimension(softmax: Any) -> int | None:
    """The dimension that a softmax node runs over."""
    value = saved(softmax, "dim") if softmax is not None else None
    return signed(value) if isinstance(value, int) else None


def dimension_in(node: Any, softmax: Any) -> int | None:
    """The dimension of a softmax in what `node` made of it, which may lie in another order or be
    flattened; None if it is not one of its axes any more.
    """
    found = dimension(softmax)
    if found is None:
        return None
    between: list[Any] = []
    while node is not None and node is not softmax:
        between.append(node)
        behind = [p for p in parents(node) if variable(p) is None]
        node = behind[0] if behind else None
    before = shape(softmax) if node is softmax else None
    for each in reversed(between):
        after = shape(each)
        if found is None or before is None or after is None:
            return None
        if after != before or each.name() in _TURNS:
            found = moved(each, found % len(before), before, after)
        before = after
    return found


_TURNS = frozenset({
    "TransposeBackward0", "TransposeBackward1", "TBackward0", "PermuteBackward0"})


def moved(
    node: Any, axis: int, before: tuple[int, ...], after: tuple[int, ...]
) -> int | None:
    """Where a node has put an axis of what it was given; None if it is joined, cut or gone."""
    name = node.name()
    if name in _TURNS:
        order = list(range(len(before)))
        if name == "PermuteBackward0":
            dims = saved(node, "dims") or ()
            order = [signed(each) % len(before) for each in dims]
        elif name == "TBackward0":
            order.reverse()
        else:
            first, second = (signed(saved(node, key)) for key in ("dim0", "dim1"))
            order[first], order[second] = order[second], order[first]
        return order.index(axis) if axis in order else None
    if name == "SelectBackward0":
        gone = signed(saved(node, "dim")) % len(before)
        return None if axis == gone else axis - (gone < axis)
    if name == "SliceBackward0":
        return axis
    if name not in RESHAPES or prod(before) != prod(after):
        return None
    places = (place for place, size in enumerate(after)
              if size == before[axis] and prod(after[:place]) == prod(before[:axis]))
    return next(places, None)


def signed(value: int) -> int:
    """A dimension as the program wrote it; torch keeps a negative one unsigned."""
    return value - 2**64 if value >= 2**63 else value


def producers(node: Any, limit: int = 8) -> list[Any]:
    """The chain of nodes that a tensor comes from, nearest first, reshapes left out.

    Follows the first input that has a graph; ends at the first layer's matrix product.
    """
    chain: list[Any] = []
    while node is not None and len(chain) < limit:
        name = node.name()
        if name not in RESHAPES:
            chain.append(node)
        behind = [p for p in parents(node) if variable(p) is None]
        if name in _PRODUCTS or not behind:
            break
        node = behind[0]
    return chain


_PRODUCTS = frozenset({
    "AddmmBackward0", "MmBackward0", "BmmBackward0", "ConvolutionBackward0", "BaddbmmBackward0",
})


@dataclass(frozen=True, slots=True)
class Way:
    """How one node leads to another.

    `plain`: through nothing but arithmetic with constants: divided for accumulation, scaled,
    negated, or added to 0 by `sum`. `negated`: an odd number of times. `shifted`: by an addition.
    """

    plain: bool = False
    negated: bool = False
    shifted: bool = False


def find(root: Any, wanted: set[int], limit: int = 64) -> tuple[set[int], Way]:
    """Which of the creation numbers `wanted` are reached from `root`.

    Nodes older than the oldest wanted one cannot lead to it and are pruned, so this costs a few
    microseconds at every backward.

    Returns:
        The numbers found, and how the one found is reached.
    """
    oldest = min(wanted)
    found: set[int] = set()
    plain, negated, shifted = True, False, False
    level = [root]
    seen = {root}
    visited = 0
    while level and visited < limit:
        following = []
        for node in level:
            visited += 1
            number = sequence(node)
            if number in wanted:
                found.add(number)
                continue
            name = node.name()
            behind = [p for p in parents(node) if variable(p) is None]
            if name not in _ARITHMETIC or len(behind) != 1:
                plain = False
            negated ^= name == "NegBackward0"
            shifted |= name == "AddBackward0"
            for parent in behind:
                if parent not in seen and sequence(parent) >= oldest:
                    seen.add(parent)
                    following.append(parent)
        level = following
    return found, Way(plain and len(found) == 1, negated, shifted)


_ARITHMETIC = frozenset({
    "DivBackward0", "MulBackward0", "ToCopyBackward0", "MeanBackward0", "ViewBackward0",
    "SqueezeBackward0", "AliasBackward0", "NegBackward0", "AddBackward0",
})


def is_own(node: Any) -> bool:
    """Whether no operation of torch made a node, but a `torch.autograd.Function` of somebody's."""
    return _BUILT_IN.search(node.name()) is None
