"""Statements of a program that do nothing: a result is not kept, a method is not called."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from unstuck.observe.source.sites import Sites, expression_at, syntax_tree
from unstuck.schema.facts.calls import Idle

MOST = 64
_METHODS = frozenset({"backward", "step", "zero_grad"})
# Activations by the names of their functions and methods; with "_" at the end they act in place.
_ACTIVATIONS = frozenset({
    "relu", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "sigmoid",
    "tanh", "hardtanh", "hardswish", "relu6", "clamp", "clamp_min", "softmax", "log_softmax",
    "dropout",
})


def idle_statements(sites: Sites) -> Iterator[Idle]:
    """Those of the user's files, in the order of the text."""
    count = 0
    for file in sites.files():
        tree = syntax_tree(file) if sites.is_user(file) else None
        if tree is None:
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Expr) or count >= MOST:
                continue
            found = node.value
            if isinstance(found, ast.Attribute) and found.attr in _METHODS:
                function, called = found.attr, False
            elif isinstance(found, ast.Call) and (name := _discarded(tree, found)) is not None:
                function, called = name, True
            else:
                continue
            count += 1
            yield Idle(expression_at(file, found, sites.keeps_text), function, called)


def _discarded(tree: ast.Module, call: ast.Call) -> str | None:
    """The activation whose result a call makes and nobody keeps."""
    if any(keyword.arg == "inplace" for keyword in call.keywords):
        return None
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else (
        function.id if isinstance(function, ast.Name) else "")
    if name in _ACTIVATIONS and not (isinstance(function, ast.Attribute) and (
            isinstance(function.value, ast.Name) and function.value.id == "self")):
        return name
    built = _built(tree, name)
    if built is None or any(keyword.arg == "inplace" for keyword in built.keywords):
        return None
    kind = built.func.attr if isinstance(built.func, ast.Attribute) else (
        built.func.id if isinstance(built.func, ast.Name) else "")
    return kind.lower() if kind.lower() in {a.replace("_", "") for a in _ACTIVATIONS} else None


def _built(tree: ast.Module, attribute: str) -> ast.Call | None:
    """The only call whose result is assigned to `self.attribute`."""
    found = [node.value for node in ast.walk(tree)
             if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
             and any(isinstance(target, ast.Attribute) and target.attr == attribute
                     for target in node.targets)]
    return found[0] if len(found) == 1 else None
