"""Where a data set transforms two parts of a sample by calls of their own."""

from __future__ import annotations

import ast
import re

from unstuck.observe.source.altering import definition, method_of, ordered
from unstuck.observe.source.sites import Sites, expression_at, user_trees
from unstuck.schema.places import SourceLocation

_TURNS = re.compile(r"(?i)transform|(^|_)tfm?s?($|_)|(^|_)aug|crop|flip|rotat|jitter|affine|warp"
                    r"|shift|roll")

_SOURCE = re.compile("(?i)rng|gen|rand|self")  # what numbers are drawn from
# Functions that draw no numbers: they read or convert.
_PLAIN = frozenset({
    "float", "int", "str", "len", "tensor", "as_tensor", "from_numpy", "array", "asarray", "open",
    "load", "imread", "ToTensor", "to_tensor", "long", "stack", "join", "astype", "clone", "copy",
    "ascontiguousarray", "unsqueeze", "squeeze", "to", "normalize", "range", "zip",
})


def drawn_apart(kind: type, sites: Sites) -> SourceLocation | None:
    """The second of two calls in the `__getitem__` of a class that transform different things.

    They call the same function, or functions whose names say that they transform.
    """
    function = method_of(kind, "__getitem__")
    file = function.__code__.co_filename if function is not None else ""
    node = definition(function) if function is not None and sites.is_user(file) else None
    call = _second(node, False) if node is not None else None
    return expression_at(file, call, sites.keeps_text) if call is not None else None


def turned_apart(sites: Sites) -> SourceLocation | None:
    """The second of two calls in one loop of the program that transform different things."""
    for file, tree in user_trees(sites):
        for loop in ast.walk(tree):
            if isinstance(loop, ast.For | ast.While):
                call = _second(loop, True)
                if call is not None:
                    return expression_at(file, call, sites.keeps_text)
    return None


def _second(node: ast.AST, named: bool) -> ast.Call | None:
    """A call that transforms another thing than one before it in the same block.

    `named` says that its function's name must say so. Calls that are given the same drawn numbers,
    as a further argument, belong together.
    """
    for outer in ast.walk(node):
        for block in (getattr(outer, "body", None), getattr(outer, "orelse", None)):
            if not isinstance(block, list):
                continue
            first: dict[str, ast.Call] = {}
            for call in (n for statement in block if not hasattr(statement, "body")
                         for n in ordered(statement) if isinstance(n, ast.Call) and n.args):
                last = ast.unparse(call.func).rpartition(".")[2]
                turns = _TURNS.search(last) is not None
                known = first.get(ast.unparse(call.func)) or (first.get("") if turns else None)
                if known is not None and _apart(known, call) and (
                    turns or (not named and last not in _PLAIN)
                ):
                    return call
                first.setdefault(ast.unparse(call.func), call)
                if turns:
                    first.setdefault("", call)
    return None


def _apart(a: ast.Call, b: ast.Call) -> bool:
    """Whether two calls take different things and share no number that was drawn for both."""
    if ast.unparse(a.args[0]) == ast.unparse(b.args[0]) or a in ast.walk(b):
        return False
    given = [{ast.unparse(each) for each in (*call.args[1:], *(k.value for k in call.keywords))
              if isinstance(each, ast.Name | ast.Attribute | ast.Starred)} for call in (a, b)]
    return all(_SOURCE.search(name) for name in given[0] & given[1])
