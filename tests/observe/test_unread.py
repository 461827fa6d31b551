"""What a call returns and the text never reads."""

from __future__ import annotations

import ast

import pytest

from unstuck.observe.source.unread import Unread, returned, unread


def found(text: str, call: str) -> tuple[ast.Module, ast.expr]:
    tree = ast.parse(text)
    return tree, next(node for node in ast.walk(tree)
                      if isinstance(node, ast.Call) and ast.unparse(node) == call)


@pytest.mark.parametrize(("text", "left"), [
    ("def f(x):\n    y = g(x)\n    return h(x)", Unread(("y",), 2)),
    ("def f(x):\n    y = g(x)\n    return h(y)", None),
    ("def f(x):\n    y = F.relu(g(x))\n    y = h(x)\n    return y", Unread(("y",), 2)),
    ("def f(x):\n    y = g(x)\n    y = h(y)\n    return y", None),
    ("def f(x):\n    y = g(x)\n    if x:\n        y = h(x)\n    return y", None),
    ("def f(x):\n    a, (_, b) = g(x)\n    return h(x)", Unread(("a", "b"), 2)),
    ("def f(x):\n    a, b = g(x)\n    return h(b)", None),
    ("def f(x):\n    for k in z:\n        y = g(x)\n    return y", Unread(("y",), 3, turns=True)),
    ("def f(x):\n    for k in z:\n        y = g(x)\n        x = h(y)\n    return y", None),
    ("def f(x):\n    y = x\n    for k in z:\n        x = y\n        y = g(x)\n    return x", None),
    ("def f(x):\n    g(x)\n    return h(x)", Unread((), 2)),
    ("def f(x):\n    F.relu(g(x))\n    return h(x)", Unread((), 2)),
    ("def f(x):\n    kept.append(g(x))\n    return h(x)", None),
    ("def f(self, x):\n    self.y = g(x)\n    return h(x)", None),
    ("def f(x):\n    y = g(x)\n    return lambda: y", None),
    ("def f(x):\n    return h(g(x))", None),
])
def test_a_result_is_left_unread(text: str, left: Unread | None) -> None:
    assert unread(*found(text, "g(x)")) == left


@pytest.mark.parametrize(("text", "handed_on"), [
    ("def f(x):\n    return g(x)", True),
    ("def f(x):\n    y, s = g(x)\n    return y, s", True),
    ("def f(x):\n    y = g(x)\n    return h(x)", False),
])
def test_a_function_returns_a_result(text: str, handed_on: bool) -> None:
    assert returned(*found(text, "g(x)")) is handed_on
