"""Where a program seeds a random generator within each of its steps, and then picks by it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import expression_at, syntax_tree
from unstuck.schema.places import SourceLocation

_SEEDS = frozenset({"manual_seed", "manual_seed_all", "seed", "default_rng", "RandomState",
                    "Random"})
_PICKS = frozenset({"randint", "integers", "randrange", "choice", "choices", "sample",
                    "multinomial"})
_ORDERS = frozenset({"randperm", "permutation"})  # the first few of an order are picked too
_DEPTH = 3  # functions that call others
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def seeded_pick(calls: Iterable[SourceLocation], keep_text: bool) -> SourceLocation | None:
    """The expression that seeds a generator in each step whose samples are then picked at random.

    Args:
        calls: the places of the user's frames at a call of the model, innermost first.
        keep_text: whether the location carries the source line.
    """
    for place in calls:
        tree = syntax_tree(place.file)
        if tree is None:
            continue
        block, loops = _around(tree, place.line)
        nodes = list(_run(tree, block))
        seed = next((n for n in nodes if isinstance(n, ast.Call) and _called(n) in _SEEDS
                     and (n.args or n.keywords)), None)
        if seed is not None and any(map(_picks, nodes)):
            return expression_at(place.file, seed, keep_text)
        if loops:
            return None
    return None


def _around(tree: ast.Module, line: int) -> tuple[list[ast.stmt], bool]:
    """What runs each time that a line does: the body of the loop around it, else its function's.

    The second says whether it is a loop's.
    """
    block, loops = tree.body, False
    for node in ast.walk(tree):  # outer ones come first
        if isinstance(node, ast.For | ast.While | _Function) and (
            node.body[0].lineno <= line <= (node.end_lineno or 0)
        ):
            block, loops = node.body, not isinstance(node, _Function)
    return block, loops


def _run(tree: ast.Module, block: list[ast.stmt]) -> Iterator[ast.expr]:
    """The expressions of a block, and of the functions of its file that it calls."""
    functions: dict[str, list[ast.stmt]] = {}
    for each in ast.walk(tree):
        if isinstance(each, _Function):  # of one name there may be several, in classes
            functions.setdefault(each.name, []).extend(each.body)
    level: list[ast.AST] = list(block)
    seen: set[str] = set()
    for _ in range(_DEPTH):
        following: list[ast.AST] = []
        for node in (n for part in level for n in _executed(part)):
            if isinstance(node, ast.expr):
                yield node
            name = _called(node)
            if name in functions and name not in seen:
                seen.add(name)
                following += functions[name]
        level = following


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """A node and those in it, without the bodies of functions that are only defined there."""
    yield node
    for child in ast.iter_child_nodes(node) if not isinstance(
        node, _Function | ast.ClassDef | ast.Lambda
    ) else ():
        yield from _executed(child)


def _called(node: ast.AST) -> str:
    """The last name of what a call calls, else ""."""
    return last_name(node.func) if isinstance(node, ast.Call) else ""


def _picks(node: ast.AST) -> bool:
    """Whether an expression picks some of many at random."""
    return _called(node) in _PICKS or (
        isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice)
        and _called(node.value) in _ORDERS)
