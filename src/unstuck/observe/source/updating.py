"""Where the text of a program changes the weights or the learning rate itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from unstuck.observe.source.lexical import Function
from unstuck.observe.source.nodes import nodes_of
from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import Sites, expression_at, user_trees
from unstuck.schema.facts.calls import WrittenUpdate
from unstuck.schema.facts.optimizers import WrittenRate

MOST = 16
_ADDS = frozenset({"add_", "sub_"})


def written_updates(sites: Sites) -> Iterator[WrittenUpdate]:
    """The expressions that add to what the same function takes the gradient of, in the order of
    the text.
    """
    for file, tree in user_trees(sites):
        seen: set[ast.stmt] = set()
        functions = [each for each in nodes_of(tree) if isinstance(each, Function)]
        within = {part for each in functions for part in ast.walk(each)}
        returned = any(isinstance(node, ast.Call) and last_name(node.func) == "grad"
                       for node in nodes_of(tree))
        for body in (*functions, tree):
            parts = [part for part in ast.walk(body) if body is not tree or part not in within]
            owners = {ast.unparse(part.value) for part in parts
                      if isinstance(part, ast.Attribute) and part.attr == "grad"}
            owners |= {name for part in parts if returned for name in _stepped(part)}
            for part in parts:
                if isinstance(part, ast.stmt) and part not in seen and len(seen) < MOST and (
                        added := _added(part)) is not None and (
                        re.sub(r"\.data$", "", ast.unparse(added)) in owners):
                    seen.add(part)
                    yield WrittenUpdate(expression_at(file, part, sites.keeps_text))


def written_rates(sites: Sites) -> Iterator[WrittenRate]:
    """The statements that set the learning rate of an optimizer's groups, in the text's order."""
    count = 0
    for file, tree in user_trees(sites):
        for loop in nodes_of(tree):
            if not isinstance(loop, ast.For) or "param_groups" not in ast.unparse(loop.iter):
                continue
            for part in ast.walk(loop):
                if isinstance(part, ast.Assign | ast.AugAssign) and _is_rate(part) and count < MOST:
                    count += 1
                    yield WrittenRate(expression_at(file, part, sites.keeps_text))


def _stepped(part: ast.AST) -> Iterator[str]:
    """The parameters of a loop over them and what `autograd.grad` has returned for them."""
    match part:
        case ast.For(target=ast.Tuple(elts=[ast.Name(id=one), ast.Name(id=other)]),
                     iter=ast.Call(func=ast.Name(id="zip"))):
            for statement in part.body:
                added = _added(statement)
                if added is not None and ast.unparse(added).removesuffix(".data") == one and any(
                        isinstance(each, ast.Name) and each.id == other
                        for each in ast.walk(statement)):
                    yield one


def _is_rate(statement: ast.Assign | ast.AugAssign) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value="lr"))]) | ast.AugAssign(
                target=ast.Subscript(slice=ast.Constant(value="lr"))):
            return True
    return False


def _added(statement: ast.stmt) -> ast.expr | None:
    """What a statement adds to or takes from."""
    match statement:
        case ast.AugAssign(target=target, op=ast.Add() | ast.Sub()):
            return target
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=value, attr=attr))):
            return value if attr in _ADDS else None
        case ast.Assign(targets=[target], value=ast.BinOp(op=ast.Add() | ast.Sub(), left=left)):
            return target if ast.unparse(left) == ast.unparse(target) else None
    return None
