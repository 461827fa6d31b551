"""What a program takes from its tensors by the index that it takes a model's input by."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from unstuck.observe.source.named import Scope, tensor_of
from unstuck.observe.source.nodes import nodes_of
from unstuck.observe.source.sites import syntax_tree
from unstuck.observe.tensors import is_plain, observable

KEPT = 256  # lines of which it is remembered


def taken_alike(scope: Scope, rows: int) -> Iterator[tuple[str, torch.Tensor]]:
    """The rows of longer tensors or arrays, as `y[held]` beside the call `model(x[held])`, or
    `y[cut:]` beside `model(x[cut:])`.

    The call is on a scope's line. Each under its text; `rows` is how many the call received.
    """
    tree = syntax_tree(scope.file)
    known = _alike(tree, scope.line) if tree is not None else None
    if known is None:
        return
    index, names = known
    rows_picked = picked(scope.variables.get, index)
    for name in names:
        whole = tensor_of(scope.variables.get(name), rows)
        if whole is not None and whole.ndim and len(whole) >= rows and (
            (found := rows_of(whole, rows_picked)) is not None and len(found) == rows
        ):
            yield f"{name}[{ast.unparse(index)}]", found


def picked(value: Callable[[str], Any], index: ast.expr) -> Any:
    """What an index is now: a variable, or a slice between variables and numbers.

    Args:
        value: of a name.
    """
    if isinstance(index, ast.Name):
        return value(index.id)
    if not isinstance(index, ast.Slice):
        return None
    bounds = [each.value if isinstance(each, ast.Constant) else picked(value, each)
              for each in (index.lower, index.upper) if each is not None]
    if not all(type(bound) is int for bound in bounds):
        return None
    return slice(bounds[0] if index.lower is not None else None,
                 bounds[-1] if index.upper is not None else None)


def _is_index(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or (isinstance(node, ast.Slice) and node.step is None and all(
        isinstance(bound, ast.Name | ast.Constant | None) for bound in (node.lower, node.upper)))


@lru_cache(maxsize=KEPT)
def _alike(tree: ast.Module, line: int) -> tuple[ast.expr, tuple[str, ...]] | None:
    """The index by which the only such call on a line gets its input, and what else it picks."""
    parts = {node: (node.value.id, ast.unparse(node.slice)) for node in nodes_of(tree)
             if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
             and _is_index(node.slice)}
    given = {parts[call.args[0]] for call in nodes_of(tree)
             if isinstance(call, ast.Call) and call.args and call.args[0] in parts
             and call.lineno <= line <= (call.end_lineno or call.lineno)}
    if len(given) != 1:
        return None
    (inputs, index), = given
    node = next(node.slice for node, part in parts.items() if part == (inputs, index))
    return node, tuple(sorted({name for name, by in parts.values()
                               if by == index and name != inputs}))


def rows_of(whole: torch.Tensor, by: Any) -> torch.Tensor | None:
    """The rows that an index picks: a slice, numbers of rows or a mask; None by anything else."""
    if isinstance(by, slice):
        return whole[by]
    if type(by) is np.ndarray and by.ndim == 1 and by.dtype.kind in "iub":
        by = torch.from_numpy(by)
    if not is_plain(by) or not observable(by) or by.ndim != 1 or (
        by.is_floating_point() or by.is_complex()
    ):
        return None
    if by.dtype is torch.bool:
        return whole[by.to(whole.device)] if len(by) == len(whole) else None
    places = by.long().to(whole.device)
    inside = len(places) and int(places.min()) >= -len(whole) and int(places.max()) < len(whole)
    return whole[places] if inside else None
