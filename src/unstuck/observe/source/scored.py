"""What a program hands to a function together with what its model returned: the right answers."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from unstuck.observe.source.named import Scope, tensor_of
from unstuck.observe.source.results import Kept
from unstuck.observe.source.taken import picked, rows_of
from unstuck.observe.source.variables import own_attributes

METRICS = "sklearn.metrics"
KEPT = 256  # places of which it is remembered
DEPTH = 12  # operations between what a model returned and what is handed on
_SAME = frozenset({  # methods after which numbers are the same
    "clone", "contiguous", "cpu", "detach", "double", "flatten", "float", "numpy", "ravel",
    "reshape", "squeeze", "tolist", "unsqueeze", "view",
})
_JOINED = frozenset({  # functions whose numbers are those that they are given
    "array", "as_tensor", "asarray", "cat", "concatenate", "from_numpy", "hstack", "stack",
    "tensor", "vstack",
})
_LIBRARIES = ("F", "math", "np", "numpy", "torch")
_INVERSE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "exp": torch.log, "expm1": torch.log1p, "log": torch.exp, "log1p": torch.expm1,
    "sqrt": torch.square, "square": torch.sqrt,
}


@dataclass(frozen=True, slots=True)
class Answers:
    """What stands beside a result in a call: its text, the numbers in the unit of what the model
    returned, whether the function is a metric that compares the two by definition, and how many
    functions further out than the call it is.
    """

    text: str
    values: torch.Tensor
    by_metric: bool
    outwards: int


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two arguments of one call, of which one is computed of what a model returned, or holds it in
    some `rows`: `predictions[held] = model(x[held])`.
    """

    call: ast.Call
    result: ast.expr
    other: ast.expr
    rows: ast.expr | None


def answers(results: list[Kept], near: list[Scope], in_unit: bool) -> Iterator[Answers]:
    """What functions receive beside the result of the call under way, where it is kept.

    As `r2_score(y[held], predictions)`; of all names of a frame only what the text names is read.

    Args:
        results: where the call's result is kept.
        near: the user's frames.
        in_unit: whether they are values, which must be in the unit of what the model returned.
    """
    for outwards, kept in enumerate(results):
        scope = next((each for each in near if (each.file, each.function, each.line) == (
            kept.file, kept.function, kept.line)), None)
        if scope is None:
            continue
        values = _Values(scope)
        for pair in _pairs(kept):
            found = values.tensor(pair.other)
            if found is not None and pair.rows is not None:
                found = values.rows(found, pair.rows)
            if found is None or not found.ndim:
                continue
            told = _undone(pair.result, found.float(), kept, values) if in_unit else found
            if told is not None:
                yield Answers(
                    ast.unparse(pair.other), told, values.is_metric(pair.call.func), outwards)


class _Values:
    """Values of the expressions that can be read without running anything of the program's."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def of(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._named(node.id)
        if isinstance(node, ast.Attribute):
            held = self.of(node.value)
            return None if held is None or isinstance(held, torch.Tensor | np.ndarray) else (
                own_attributes(held).get(node.attr))
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            held = self.of(node.value)
            return dict.get(held, node.slice.value) if isinstance(held, dict) and isinstance(
                node.slice.value, str) else None
        return None

    def _named(self, name: str) -> Any:
        inside = self._scope.variables
        return inside[name] if name in inside else self._scope.module.get(name)

    def tensor(self, node: ast.expr) -> torch.Tensor | None:
        """An array or a tensor, or rows of one."""
        node = _source(node)
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant):
            whole = tensor_of(self.of(node.value))
            return None if whole is None else self.rows(whole, node.slice)
        return tensor_of(self.of(node))

    def rows(self, whole: torch.Tensor, index: ast.expr) -> torch.Tensor | None:
        """What an index picks of a tensor."""
        return rows_of(whole, picked(self._named, index))

    def is_metric(self, called: ast.expr) -> bool:
        """Whether a function is one of a library that compares truth and predictions."""
        function = self.of(called)
        if function is None and isinstance(called, ast.Attribute):
            module = self.of(called.value)
            function = vars(module).get(called.attr) if type(module) is type(sys) else None
        return str(getattr(function, "__module__", "")).startswith(METRICS)


@lru_cache(maxsize=KEPT)
def _pairs(kept: Kept) -> tuple[_Pair, ...]:
    """The calls of a function that receive what is made of a result, and one thing beside it."""
    statement = kept.statement
    whole: ast.expr | None = None  # what is put into some rows
    rows: ast.expr | None = None
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript):
        whole, rows = statement.value, statement.targets[0].slice
    found = []
    for node in kept.nodes():
        given = [*node.args, *(each.value for each in node.keywords)] if isinstance(
            node, ast.Call) else []
        results = [each for each in given if _reads(each, kept)]
        others = [each for each in given if each not in results and _is_taken(each)]
        if isinstance(node, ast.Call) and len(results) == len(others) == 1:
            result = whole if whole is not None and isinstance(results[0], ast.Name) else results[0]
            found.append(_Pair(node, result, others[0], rows))
    return tuple(found)


def _reads(node: ast.expr, kept: Kept) -> bool:
    """Whether an argument is made of the result, by its name or where it is computed."""
    return any(
        (isinstance(each, ast.Name) and each.id in kept.names)
        or (isinstance(each, ast.Call) and bool(each.args) and each.lineno <= kept.line <= (
            each.end_lineno or each.lineno))
        for each in ast.walk(node))


def _is_taken(node: ast.expr) -> bool:
    """Whether an expression only names an array, or takes rows of one."""
    node = _source(node)
    if isinstance(node, ast.Subscript):
        node = node.value
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _source(node: ast.expr) -> ast.expr:
    """What an expression takes its numbers from, as `y` in `y.cpu().numpy()`."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and (
            node.func.attr in _SAME and not node.args):
        node = node.func.value
    return node


# The unit ----------------------------------------------------------------------------------------
def _undone(
    result: ast.expr, answers: torch.Tensor, kept: Kept, values: _Values
) -> torch.Tensor | None:
    """Answers in the unit of what the model returned: what was done to that is undone.

    None if it is brought to another unit by what cannot be read.
    """
    found = answers
    node: ast.expr | None = result
    for _ in range(DEPTH):
        if isinstance(node, ast.Name):
            bound = _assigned(kept, node.id)
            if len(bound) > 1:
                return None
            node = bound[0] if bound else None
        elif isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call):
            inner, of_arrays = _inner(node)
            name = getattr(node.func, "attr", "")
            if inner is not None and name in _INVERSE:
                found = _INVERSE[name](found)
            elif of_arrays and name not in _SAME | _JOINED:
                return None
            node = inner if name in _SAME or name in _INVERSE else None
        elif isinstance(node, ast.BinOp):
            step = _step(node, found, kept, values)
            if step is None:
                return None
            found, node = step
        else:
            return found
    return None


def _inner(call: ast.Call) -> tuple[ast.expr | None, bool]:
    """What a call is made of: of a library's function its argument, of a method its object; and
    whether it is one of a library, or a method that arrays have.
    """
    if not isinstance(call.func, ast.Attribute):
        return None, False
    if isinstance(call.func.value, ast.Name) and call.func.value.id in _LIBRARIES:
        return call.args[0] if call.args else None, True
    return call.func.value, hasattr(torch.Tensor, call.func.attr) or hasattr(
        np.ndarray, call.func.attr)


def _step(
    node: ast.BinOp, found: torch.Tensor, kept: Kept, values: _Values
) -> tuple[torch.Tensor, ast.expr] | None:
    """Undoes a sum or a product with a number, or with one for each column."""
    for inner, other, left in ((node.left, node.right, True), (node.right, node.left, False)):
        number = _number(values.of(other), found)
        if number is None:
            continue
        if isinstance(node.op, ast.Add):
            return found - number, inner
        if isinstance(node.op, ast.Sub):
            return (found + number if left else number - found), inner
        if isinstance(node.op, ast.Mult):
            return found / number, inner
        if isinstance(node.op, ast.Div) and left:
            return found * number, inner
    return None


def _number(value: Any, answers: torch.Tensor) -> torch.Tensor | None:
    """A number, or one for each column of the answers."""
    if type(value) in (int, float) or isinstance(value, np.integer | np.floating):
        return torch.tensor(float(value), device=answers.device)
    found = tensor_of(value)
    if found is None or (found.numel() > 1 and found.shape[-1:] != answers.shape[1:]) or (
        found.numel() != 1 and found.numel() != found.shape[-1]
    ):
        return None
    return found.detach().to(answers.device).reshape(-1).float()


@lru_cache(maxsize=KEPT)
def _assigned(kept: Kept, name: str) -> tuple[ast.expr, ...]:
    """What the statements of a function that bind a name, or change it, compute it by."""
    return tuple(node.value for node in kept.nodes()
                 if isinstance(node, ast.Assign | ast.AugAssign) and any(
                     isinstance(target, ast.Name) and target.id == name for target in (
                         node.targets if isinstance(node, ast.Assign) else [node.target])))
