"""How many things data sets and samplers hold: by their lengths, and by the numbers in them."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from unstuck.observe.source.altering import definition, method_of
from unstuck.observe.source.sites import Sites, expression_at
from unstuck.observe.tensors import is_plain
from unstuck.schema.places import SourceLocation

MOST_NUMBERS = 200_000  # of an attribute
DEPTH = 3  # of containers: numbers by length, in lists of lists

Divided = tuple[tuple[str, ...], SourceLocation]


def divided_length(kind: type, sites: Sites) -> Divided | None:
    """The attributes that a class of data sets fetches item i from, and what its length divides.

    Item i is `self.images[i]`, by the argument itself, and nothing but this and the length reads
    `self.images` once the object is made. A window, a pair or a row of an order is none such. The
    place is the expression with a division that `__len__` returns.
    """
    fetching, counting = (_defined(kind, name, sites) for name in ("__getitem__", "__len__"))
    if fetching is None or counting is None or len(fetching[0].args.args) != 2:
        return None
    owner, index = (each.arg for each in fetching[0].args.args)
    returned = [n.value for n in ast.walk(counting[0]) if isinstance(n, ast.Return)]
    if len(returned) != 1 or returned[0] is None or not any(
        isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div | ast.FloorDiv)
        for n in ast.walk(returned[0])
    ) or any(isinstance(n, ast.Name) and n.id == index and not isinstance(n.ctx, ast.Load)
             for n in ast.walk(fetching[0])):
        return None
    taken = [n.value.attr for n in ast.walk(fetching[0])
             if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Name)
             and n.slice.id == index and isinstance(n.value, ast.Attribute)
             and isinstance(n.value.value, ast.Name) and n.value.value.id == owner]
    others = {name for base in kind.__mro__ for name, value in vars(base).items()
              if type(value) is FunctionType} - {"__init__", "__len__"}
    mentioned = [n.attr for name in others
                 for node in [_defined(kind, name, sites)] if node is not None
                 for n in ast.walk(node[0]) if isinstance(n, ast.Attribute)]
    names = tuple(dict.fromkeys(n for n in taken if mentioned.count(n) == taken.count(n)))
    return (names, expression_at(counting[1], returned[0], sites.keeps_text)) if names else None


def _defined(
    kind: type, name: str, sites: Sites
) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, str] | None:
    function = method_of(kind, name)
    if function is None or not sites.is_user(function.__code__.co_filename):
        return None
    node = definition(function)
    return (node, function.__code__.co_filename) if node is not None else None


def held(attributes: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """How many things the attributes hold; None if that cannot be read without the user's code."""
    counts = [_count(attributes.get(name)) for name in names]
    known = [count for count in counts if count is not None]
    return min(known) if len(known) == len(counts) and known else None


def _count(thing: Any) -> int | None:
    if type(thing) in (list, tuple):
        return len(thing)
    if is_plain(thing):
        return int(thing.shape[0]) if thing.ndim else None
    if type(thing).__module__ == "numpy" and type(thing).__name__ == "ndarray":
        return int(thing.shape[0]) if thing.ndim else None
    return None


def numbers_held(attributes: Mapping[str, Any], samples: int | None, data: Any) -> int:
    """How many samples a sampler is about: all, if it holds the data set itself.

    Else it is the most different whole numbers that one attribute holds, in containers of Python or
    as dictionary of lists.
    """
    if samples and any(value is data for value in attributes.values()):
        return samples
    return max((len(set(_numbers(value, DEPTH))) for value in attributes.values()), default=0)


def _numbers(thing: Any, depth: int) -> Iterator[int]:
    if type(thing) in (dict, defaultdict):
        thing = list(dict.values(thing))
    if type(thing) not in (list, tuple, set) or not depth or len(thing) > MOST_NUMBERS:
        return
    for each in thing:
        if type(each) is int:
            yield each
        else:
            yield from _numbers(each, depth - 1)


def batches_made(kind: type, sites: Sites) -> SourceLocation | None:
    """What the innermost loop goes over in which a sampler of the program's makes its batches."""
    iterating = _defined(kind, "__iter__", sites)
    if iterating is None:
        return None
    loops = [node for node in ast.walk(iterating[0]) if isinstance(node, ast.For)]
    inner = [node for node in loops if not any(
        isinstance(each, ast.For) for each in ast.walk(node) if each is not node)]
    return expression_at(iterating[1], inner[0].iter, sites.keeps_text) if inner else None
