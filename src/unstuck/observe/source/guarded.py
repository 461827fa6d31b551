"""Calls that stand under a condition in the program's text, and may never be reached."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from unstuck.observe.source.nodes import nodes_of
from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import Sites, expression_at, user_trees
from unstuck.schema.facts.calls import Guarded

MOST = 16
_METHODS = {"step": 0, "zero_grad": 0, "load_state_dict": 1}  # with how many arguments at least


def guarded_calls(sites: Sites) -> Iterator[Guarded]:
    """Those of the user's files, in the order of the text: of optimizers, and of copies of weights.
    """
    count = 0
    for file, tree in user_trees(sites):
        optimizers = _optimizers(tree)
        for statement, condition in _under_conditions(tree.body, None):
            call = statement.value if isinstance(statement, ast.Expr) else None
            if condition is None or count >= MOST or not isinstance(call, ast.Call) or not (
                isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS
            ):
                continue
            method, name = call.func.attr, last_name(call.func.value)
            if len(call.args) < _METHODS[method] or (method == "step" and (
                    call.args or name not in optimizers)):
                continue
            count += 1
            yield Guarded(expression_at(file, call, sites.keeps_text), method,
                          expression_at(file, condition, sites.keeps_text))


def _optimizers(tree: ast.Module) -> set[str]:
    """The names whose gradients the program clears, and those that are given an optimizer."""
    names: set[str] = set()
    for node in nodes_of(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr == "zero_grad":
                names.add(last_name(node.func.value))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and (
            any("optim" in part.lower() for part in _parts(node.value.func))
        ):
            names |= {last_name(target) for target in node.targets}
    return names


def _parts(function: ast.expr) -> Iterator[str]:
    """The names in what is called: "torch", "optim" and "SGD" of torch.optim.SGD."""
    for node in ast.walk(function):
        if isinstance(node, ast.Name | ast.Attribute):
            yield last_name(node)


def _under_conditions(
    body: list[ast.stmt], condition: ast.expr | None
) -> Iterator[tuple[ast.stmt, ast.expr | None]]:
    """All statements, each with the test that it runs under within its function or loop.

    `if test: return` puts what follows under the test as well.
    """
    for statement in body:
        yield statement, condition
        if isinstance(statement, ast.If):
            main = isinstance(statement.test, ast.Compare) and (
                ast.unparse(statement.test.left) == "__name__")
            for part in (statement.body, statement.orelse):
                yield from _under_conditions(part, condition if main else statement.test)
            if isinstance(statement.body[-1], ast.Return | ast.Continue) and not statement.orelse:
                condition = statement.test
        else:
            inside = None if isinstance(statement, _OWN) else condition
            for name in ("body", "orelse", "finalbody"):
                yield from _under_conditions(getattr(statement, name, None) or [], inside)
            for handler in getattr(statement, "handlers", ()):
                yield from _under_conditions(handler.body, condition)


_OWN = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
