"""The terms of a loss that is a sum, and where their ways through the graph join."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.tensors import is_plain

MOST_TERMS = 16
MOST_NODES = 2_000  # of a term that is looked at
# What penalties are made of: nothing among them multiplies weights by data, or picks by these.
_OF_PENALTIES = (
    "Add", "Sub", "Mul", "Div", "Neg", "Pow", "Abs", "Sqrt", "Sum", "Mean", "Norm",
    "LinalgVectorNorm", "Cat", "Stack", "View", "UnsafeView", "ReshapeAlias", "Clone", "Dot",
    "Square", "Unsqueeze", "Squeeze", "T", "ToCopy", "Sign", "Clamp", "Maximum",
)
_FACTORS = ("MulBackward0", "DivBackward0", "NegBackward0")


@dataclass(frozen=True, slots=True)
class Summand:
    """A term, by the node that made it, and the constant that the sum multiplies it by."""

    node: Any
    factor: float | None


def summands(root: Any, losses: Collection[int]) -> list[Summand]:
    """The terms of the sum that a loss is, from left to right; one if it is no sum.

    What adds up numbers within a term, such as a divergence, is not taken apart: below the first
    sum, and before a mean, a sum counts if one of `losses` is in it, creation numbers of nodes.
    Empty if there are too many.
    """
    found = list(_below(root, 1.0, set(losses), True))
    return found if len(found) <= MOST_TERMS else []


def sums(root: Any) -> Iterator[Any]:
    """The nodes that add terms up, the last one of the program first."""
    level = [root]
    while level:
        node = level.pop(0)
        name = node.name()
        behind = graph.parents(node)
        if name in graph.SUMS and len(behind) > 1:
            yield node
        if name in graph.SUMS or (name in graph.LINEAR and len(behind) == 1):
            level += behind


def _below(node: Any, factor: float | None, losses: set[int], first: bool) -> Iterator[Summand]:
    """The terms below a node; `first` says that no other sum leads to it, or that from the left."""
    behind = graph.parents(node)
    name = node.name()
    scalar = first and graph.shape(node) == ()
    # A loss may itself be made of a sum, as a cross entropy with smoothed labels is.
    whole = name in graph.SUMS and graph.sequence(node) in losses
    if name in graph.SUMS and behind and not whole and (scalar or _holds(node, losses)):
        for index, (parent, _) in enumerate(node.next_functions):
            if parent is not None:
                minus = name == "SubBackward0" and index == 1
                yield from _below(parent, -factor if minus and factor is not None else factor,
                                  losses, first and (index == 0 or len(behind) == 1))
        return
    if name in graph.LINEAR and len(behind) == 1 and graph.variable(behind[0]) is None:
        inner = list(_below(behind[0], _times(node, factor), losses, first))
        if len(inner) > 1 or name in _FACTORS:
            yield from inner
            return
    yield Summand(node, factor)


def square_of(root: Any) -> tuple[torch.Tensor, bool] | None:
    """What a term with this node is the mean square of, and whether that is a difference between
    one thing that is learned and what is given. None if the term is no mean square."""
    node, mean = root, False
    while node.name() in graph.RESHAPES or node.name().startswith("Mean"):
        mean = mean or node.name().startswith("Mean")
        behind = graph.parents(node)
        if len(behind) != 1:
            return None
        node = behind[0]
    name, inside = node.name(), graph.parents(node)
    squared = (name == "PowBackward0" and graph.saved(node, "exponent") == 2) or (
        name == "MulBackward0" and len(inside) == 2 and inside[0] is inside[1])
    values = graph.saved(node, "self") if squared and mean else None
    if not is_plain(values) or not values.is_floating_point() or not inside:
        return None
    difference = inside[0].name() in ("SubBackward0", "RsubBackward1", "AddBackward0")
    return values, difference and len(graph.parents(inside[0])) == 1


def is_penalty(term: Any) -> bool:
    """Whether nothing but parameters goes into what a node has made."""
    known, waiting, leaves = {term}, [term], 0
    while waiting and len(known) <= MOST_NODES:
        node = waiting.pop()
        if graph.variable(node) is not None:
            leaves += 1
            continue
        if node.name().partition("Backward")[0] not in _OF_PENALTIES or any(
                is_plain(other) and other.numel() > 1
                for (parent, _), name in zip(node.next_functions, ("self", "other"), strict=False)
                if parent is None and (other := graph.saved(node, name)) is not None):
            return False
        fresh = set(graph.parents(node)) - known
        known |= fresh
        waiting += fresh
    return leaves > 0 and not waiting


def _holds(node: Any, losses: set[int]) -> bool:
    return bool(losses) and bool(graph.find(node, losses)[0])


def _times(node: Any, factor: float | None) -> float | None:
    """The factor of what stands behind a node that multiplies it by a constant."""
    name = node.name()
    if factor is None or name not in _FACTORS:
        return factor
    if name == "NegBackward0":
        return -factor
    second = node.next_functions[0][0] is None
    value = graph.saved(node, "self" if second else "other")
    if is_plain(value) and value.numel() == 1 and value.is_cpu:
        value = float(value)
    if not isinstance(value, int | float) or not value:
        return None
    return factor * value if name == "MulBackward0" else factor / value


@dataclass(frozen=True, slots=True)
class Joint:
    """Where the way of some terms joins those of others: an edge of the graph.

    `terms` are those whose gradient comes along it, as bits. `into` numbers what it leads to, and
    `shape` is that of the gradient there. It holds no node: a hook on one that did would keep
    the graph alive for ever.
    """

    edge: int  # of the node that it begins at
    into: int
    terms: int
    shape: tuple[int, ...]


def reaching(nodes: list[Any], terms: list[Summand]) -> dict[Any, int]:
    """For each node of a graph the terms that lead to it, as bits."""
    reached = dict.fromkeys(nodes, 0)
    for bit, term in enumerate(terms):
        reached[term.node] |= 1 << bit
    for node in _ordered(nodes):
        for parent in graph.parents(node):
            reached[parent] |= reached[node]
    return reached


def joints(reached: dict[Any, int]) -> list[tuple[Any, Joint]]:
    """All edges at which the gradient of some terms is added to that of others, by their node."""
    found = []
    numbers: dict[tuple[Any, int], int] = {}
    for node, terms in reached.items():
        for edge, (parent, output) in enumerate(node.next_functions if terms else ()):
            if parent is None or reached[parent] == terms:
                continue
            shape = _shape(parent, output)
            if shape is not None:
                into = numbers.setdefault((parent, output), len(numbers))
                found.append((node, Joint(edge, into, terms, shape)))
    return found


def _ordered(nodes: list[Any]) -> Iterator[Any]:
    """Each node before those behind it."""
    waits = dict.fromkeys(nodes, 0)
    for node in nodes:
        for parent in graph.parents(node):
            waits[parent] += 1
    ready = [node for node, count in waits.items() if not count]
    while ready:
        node = ready.pop()
        yield node
        for parent in graph.parents(node):
            waits[parent] -= 1
            if not waits[parent]:
                ready.append(parent)


def _shape(node: Any, number: int) -> tuple[int, ...] | None:
    leaf = graph.variable(node)
    if isinstance(leaf, torch.Tensor):
        return tuple(leaf.shape)
    try:
        return tuple(node._input_metadata[number].shape)
    except (AttributeError, IndexError, RuntimeError):
        return None
