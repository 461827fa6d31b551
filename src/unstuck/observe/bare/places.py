"""Where weights meet data in a graph: products with a leaf, convolutions, tables of vectors.

Where there is nothing of these, single numbers that are learned are weights too: `w * x + b`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.bare.recomputed import standing_for
from unstuck.observe.source.standins import (
    Convolution,
    Linear,
    Lookup,
    MatMul,
    Scale,
    StandIn,
)
from unstuck.observe.tensors import is_plain, observable
from unstuck.schema.facts.models import LayerRole

ELEMENT_LIMIT = 4_000_000  # elements of an output that is computed once more
STEPS = 4  # operations from a product to the addition of its bias,
RESHAPED = 8  # and those that may reshape weights on their way to a product
# Where an operation keeps what it multiplies, by names and in the order of `next_functions`.
_PRODUCTS = {
    "AddmmBackward0": (("mat1", 1), ("mat2", 2)), "MmBackward0": (("self", 0), ("mat2", 1)),
    "BmmBackward0": (("self", 0), ("mat2", 1)), "BaddbmmBackward0": (("batch1", 1), ("batch2", 2)),
    "MvBackward0": (("self", 0), ("vec", 1)), "ConvolutionBackward0": (("input", 0), ("weight", 1)),
}
_LOOKUPS = {"EmbeddingBackward0": "indices", "IndexBackward0": "indices",
            "IndexSelectBackward0": "index"}
_BIASES = {"AddmmBackward0": 0, "BaddbmmBackward0": 0, "ConvolutionBackward0": 2}
# Activations that a network may end with, which keep their result.
_ENDS = ("SigmoidBackward0", "SoftmaxBackward0", "TanhBackward0", "ReluBackward0")


@dataclass(frozen=True, slots=True)
class Place:
    """A use of weights: `node` multiplies by them, `end` has added the bias, if there is one.

    `source` is the node that made `given`, the other operand; None for data. `numbers` are what a
    Scale multiplies by and adds: elements of `weight` and `bias`.
    """

    kind: type[StandIn]
    weight: torch.Tensor
    bias: torch.Tensor | None
    node: Any
    end: Any
    given: torch.Tensor
    source: Any
    left: bool = False  # the weights stand to the left of what they multiply
    numbers: tuple[torch.Tensor, ...] = ()

    def taken(self) -> torch.Tensor:
        """What the weights met, with the samples along its first axis."""
        found = self.given
        if self.kind is Scale:
            return _as_column(found)
        if found.ndim == 3 and len(found) == 1:  # as `einsum` takes a matrix
            found = found[0]
        if self.source is not None:
            return standing_for(self.source, self._straight(found))
        whole = found._base
        if whole is not None and found.ndim == 2 and whole.ndim > 2 and (
            whole.numel() == found.numel() and whole.shape[-1] == found.shape[-1]
            and not whole.requires_grad
        ):
            return whole  # a batch of sequences that a product takes as rows
        return self._straight(found)

    def made(self) -> torch.Tensor | None:
        """What came of it, computed once more; None where that is not known or too large."""
        shape = graph.shape(self.end)
        if shape is None or math.prod(shape) > ELEMENT_LIMIT:
            return None
        with torch.no_grad():
            if self.kind is Scale:
                factor, *added = self.numbers
                return standing_for(self.end, _as_column(sum(added, self.given * factor)))
            values = self._product(self.given, self.weight.detach())
            if values is None or values.numel() != math.prod(shape):
                return None
            values = values.reshape(shape)
            if self.bias is not None and self.end is not self.node:
                values = values + self.bias.detach()
        return standing_for(self.end, self._straight(values))

    def _straight(self, values: torch.Tensor) -> torch.Tensor:
        return values.mT if self.left and values.ndim == 2 else values

    def _product(self, given: torch.Tensor, weight: torch.Tensor) -> torch.Tensor | None:
        if self.kind is Lookup:
            return weight[given]
        weight = weight.to(given.dtype)
        own = self.bias.detach().to(given.dtype) if self.bias is not None and (
            self.end is self.node) else None
        if self.kind is Convolution:
            made: torch.Tensor = torch.ops.aten.convolution(
                given, weight, own, *(getattr(self.node, f"_saved_{key}") for key in (
                    "stride", "padding", "dilation", "transposed", "output_padding", "groups")))
            return made
        if weight.ndim == 2 and (self.kind is MatMul) is self.left:
            weight = weight.mT
        left, right = (weight, given) if self.left else (given, weight)
        if left.shape[-1] != right.shape[-2 if right.ndim > 1 else 0] or (
            left.ndim == right.ndim == 3 and len(left) != len(right)
        ):
            return None
        return left @ right if own is None else left @ right + own


def places(nodes: Iterable[Any]) -> list[Place]:
    """The places of a graph, in the order in which they ran.

    None where a leaf meets a leaf: it is not known which of them are weights, and which data that
    the program wants the gradient of.
    """
    nodes = list(nodes)
    users: dict[Any, list[Any]] = {}
    for node in nodes:
        for parent in graph.parents(node):
            users.setdefault(parent, []).append(node)
    found = []
    biases: set[int] = set()
    for node in sorted((n for n in nodes if n.name() in _PRODUCTS or n.name() in _LOOKUPS),
                       key=graph.sequence):
        if node.name() in _PRODUCTS and all(
            _leaf(node.next_functions[at][0]) is not None for _, at in _PRODUCTS[node.name()]
        ):
            return []
        place = _lookup(node) if node.name() in _LOOKUPS else _place(node, users, biases)
        if place is not None:
            found.append(place)
    return found or [
        place for node in sorted((n for n in nodes if n.name() == "MulBackward0"),
                                 key=graph.sequence)
        if (place := _scale(node, users)) is not None]


def data_of(found: Iterable[Place]) -> torch.Tensor | None:
    """The data that the first weights meet; None if none do.

    Where they meet some at each step of a sequence, it is the whole sequence, or else the step in
    the middle: the first may be the same for all samples, and so may the last.
    """
    same = _meeting(found)
    if not same:
        return None
    whole = _sequence([place.given for place in same])
    return whole if whole is not None else _middle(same).taken()


def _sequence(steps: list[torch.Tensor]) -> torch.Tensor | None:
    """What these are the steps of, with the samples along its first axis; None if of nothing."""
    whole, shape = steps[0]._base, tuple(steps[0].shape)
    if len(steps) < 2 or whole is None or whole.ndim != len(shape) + 1 or any(
        step._base is not whole or tuple(step.shape) != shape for step in steps
    ) or whole.requires_grad:
        return None
    sizes = tuple(whole.shape)
    if sizes[1:] == shape and sizes[0] < 2 * len(steps):
        return whole.detach().transpose(0, 1)
    if sizes[:1] + sizes[2:] == shape and sizes[1] < 2 * len(steps):
        return whole
    return None


def data_in(nodes: Iterable[Any]) -> tuple[torch.Tensor, LayerRole] | None:
    """The same of a graph, and what these weights are.

    None where the weights also meet more samples, that something was computed of: data that the
    program differentiates by, beside a condition at a point.
    """
    found = places(nodes)
    same = _meeting(found)
    most = max(map(_rows, same), default=0)
    if not same or any(place.weight is same[0].weight and place.source is not None
                       and _rows(place) > most for place in found):
        return None
    return _middle(same).taken(), same[0].kind.role


def _middle(same: list[Place]) -> Place:
    """The one in the middle, of those with the most rows."""
    most = max(map(_rows, same))
    largest = [place for place in same if _rows(place) == most]
    return largest[len(largest) // 2]


def _rows(place: Place) -> int:
    return place.given.shape[0] if place.given.ndim else 1


def _meeting(found: Iterable[Place]) -> list[Place]:
    """Where the first weights meet data, at each step of a sequence.

    What a derivative begins with, which the loss may be made of, meets the same weights from the
    other side, and later. A state that begins with zeros is no data.
    """
    kinds: dict[int, type[StandIn]] = {}
    found = list(found)
    again = {id(place.weight) for place in found if place.source is not None}
    fresh = [place for place in found
             if kinds.setdefault(id(place.weight), place.kind) is place.kind
             and place.source is None
             and not (id(place.weight) in again and not bool(place.given.any()))]
    return [place for place in fresh if place.weight is fresh[0].weight]


def result_of(found: list[Place], nodes: Iterable[Any]) -> torch.Tensor | None:
    """What a network returns whose loss is written by hand: the last layer's output, activated."""
    last = next((place for place in reversed(found) if place.kind is not Lookup), None)
    if last is None or (last.kind is Scale and last is not found[0]):
        return None  # several numbers make a sum, of which the last is a term
    users = [node for node in nodes if any(p is last.end for p in graph.parents(node))]
    if len(users) == 1 and users[0].name() in _ENDS:
        values = graph.saved(users[0], "result")
        if is_plain(values):
            return standing_for(users[0], last._straight(values))
    return last.made()


def _lookup(node: Any) -> Place | None:
    weight = _leaf(graph.parents(node)[0]) if graph.parents(node) else None
    if weight is None or weight.ndim < 2:
        return None
    chosen = graph.kept(node, _LOOKUPS[node.name()])
    if isinstance(chosen, tuple | list):
        chosen = chosen[0] if len(chosen) == 1 else None
    elif graph.saved(node, "dim"):  # other than rows
        return None
    if not is_plain(chosen) or chosen.dtype in (torch.bool, torch.uint8) or chosen.ndim == 0 or (
        not observable(chosen)
    ):
        return None
    return Place(Lookup, weight, None, node, node, chosen, None)


def _place(node: Any, users: dict[Any, list[Any]], biases: set[int]) -> Place | None:
    sides = _PRODUCTS[node.name()]
    behind = [node.next_functions[at][0] for _, at in sides]
    leaves = [_leaf(each) for each in behind]
    if leaves[1] is not None and leaves[0] is None:
        at, other = 1, 0
    elif leaves[0] is not None and leaves[1] is None and node.name() != "ConvolutionBackward0":
        at, other = 0, 1
    else:
        return None
    weight = leaves[at]
    assert weight is not None
    given = graph.kept(node, sides[other][0])
    if weight.ndim < (1 if node.name() == "MvBackward0" else 2) or not is_plain(given) or (
        not given.is_floating_point() or not observable(given)
    ):
        return None
    kind: type[StandIn] = Convolution if node.name() == "ConvolutionBackward0" else (
        MatMul if (at == 1) is not _is_turned(weight, behind[at]) else Linear)
    end, bias = _with_bias(node, users, biases)
    return Place(kind, weight, bias, node, end, given, behind[other],
                 at == 0 and kind is not Convolution)


def _scale(node: Any, users: dict[Any, list[Any]]) -> Place | None:
    """Where a single number that is learned multiplies data, and another may be added."""
    if len(node.next_functions) != 2:
        return None
    own = int(node.next_functions[0][0] is None)
    found = _number(*node.next_functions[own])
    given = graph.kept(node, "self" if own else "other")
    if found is None or node.next_functions[1 - own][0] is not None or not is_plain(given) or (
        not observable(given) or not given.is_floating_point() or given.ndim == 0
        or given.numel() == 1
    ):
        return None
    weight, number = found
    following = users.get(node, [])
    if len(following) == 1 and following[0].name() == "AddBackward0":
        for behind, output in following[0].next_functions:
            added = _number(behind, output)
            if added is not None:
                return Place(Scale, weight, added[0], node, following[0], given, None,
                             numbers=(number, added[1]))
    return Place(Scale, weight, None, node, node, given, None, numbers=(number,))


def _number(node: Any, output: int) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The leaf that a single number is, or of which it is an element; and its value."""
    if node is None:
        return None
    index, name = None, node.name()
    if name in ("SelectBackward0", "UnbindBackward0"):
        index = output if name == "UnbindBackward0" else graph.signed(graph.saved(node, "index"))
        node = next(iter(graph.parents(node)), node)
    leaf = graph.variable(node)
    if leaf is None or leaf.ndim > 1 or not is_plain(leaf) or not observable(leaf):
        return None
    number = leaf.detach() if index is None else leaf.detach()[index]
    return (leaf, number) if number.numel() == 1 else None


def _as_column(values: torch.Tensor) -> torch.Tensor:
    """Single numbers of samples, as rows."""
    return values.unsqueeze(-1) if values.ndim == 1 else values


def _with_bias(
    node: Any, users: dict[Any, list[Any]], biases: set[int]
) -> tuple[Any, torch.Tensor | None]:
    """Where the bias of a product is added, and the bias; it belongs to the first of several."""
    own = _BIASES.get(node.name())
    if own is not None:
        bias = _leaf(node.next_functions[own][0]) if len(node.next_functions) > own else None
        if bias is not None:
            biases.add(id(bias))
        return node, bias
    now = node
    for _ in range(STEPS):
        following = users.get(now, [])
        if len(following) != 1:
            break
        user = following[0]
        if user.name() == "AddBackward0":
            for parent in graph.parents(user):
                bias = _leaf(parent) if parent is not now else None
                if bias is not None and id(bias) not in biases:
                    biases.add(id(bias))
                    return user, bias
            break
        if user.name() not in graph.RESHAPES:
            break
        now = user
    return node, None


def _leaf(node: Any) -> torch.Tensor | None:
    """The plain leaf that a node is, or that it only reshapes."""
    for each in islice(graph.reshaped(node), RESHAPED):
        tensor = graph.variable(each)
        if tensor is not None:
            return tensor if is_plain(tensor) and observable(tensor) else None
    return None


def _is_turned(weight: torch.Tensor, node: Any) -> bool:
    """Whether a matrix is transposed on its way to a product: by its shape, where that tells."""
    shape = (graph.shape(node) or ())[-2:]
    if weight.ndim == 2 and weight.shape[0] != weight.shape[1] and len(shape) == 2:
        return bool(shape != weight.shape)
    turns = ("TBackward0", "TransposeBackward0", "PermuteBackward0", "NumpyTBackward0")
    return sum(each.name() in turns for each in islice(graph.reshaped(node), RESHAPED)) % 2 == 1
