"""Follows a tensor back through the text to the call of a function that made it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from unstuck.repair import change, names
from unstuck.repair.cannot import Refused
from unstuck.repair.follow import DEEPEST, hop
from unstuck.repair.functions import drop_function, given_to
from unstuck.repair.index import Found, Index
from unstuck.repair.text import Function, Source, Splice, apply

# What makes another tensor of one, of the same or other numbers, but is not what is looked for.
_PASSING = ("log_softmax", "log", "squeeze", "unsqueeze", "view", "reshape", "flatten", "float",
            "clamp", "clamp_min", "clip", "contiguous", "permute", "transpose")


@dataclass(frozen=True, slots=True)
class Made:
    """The call that made a tensor, and the call of the program's own function that it is in."""

    found: Found
    called: Found | None = None
    function: tuple[Source, Function] | None = None


def made_by(index: Index, source: Source, node: ast.expr, wanted: str) -> Made | None:
    """The call of a function such as "softmax" that an expression's value comes from.

    None where the text does not say it without a doubt.
    """
    within: Made | None = None
    for _ in range(2 * DEEPEST):
        match node:
            case ast.Name():
                value = names.given_before(source, node)
                if value is not None:
                    node = value
                    continue
                origin = hop(index, source, node)
                if origin is None:
                    return None
                source, node = origin.source, origin.node
            case ast.Call() if names.called(node) == wanted:
                here = Found(source, node)
                return Made(here, within.called, within.function) if within else Made(here)
            case ast.Call() if names.called(node) in _PASSING:
                try:
                    node = given_to(index, Found(source, node))
                except Refused:
                    return None
            case ast.Call():
                own = _own(index, source, node)
                returned = _returned(own[1]) if own is not None else None
                if own is None or returned is None:
                    return None
                within = Made(Found(source, node), Found(source, node), own)
                source, node = own[0], returned
            case _:
                return None
    return None


def _own(index: Index, source: Source, call: ast.Call) -> tuple[Source, Function] | None:
    """The program's own function that a call certainly calls; of a module, its forward."""
    known = [(where, function) for where, function in index.functions(names.called(call))
             if function.name == names.called(call)]
    if len(known) == 1:
        return known[0]
    origin = hop(index, source, call.func) if isinstance(
        call.func, ast.Name | ast.Attribute) and not known else None
    if origin is not None and isinstance(origin.node, ast.Call):
        return index.forward_of(names.called(origin.node))
    return None


def _returned(function: Function) -> ast.expr | None:
    """What a function returns, if it has one return."""
    found = [node.value for node in names.inside(function) if isinstance(node, ast.Return)]
    return found[0] if len(found) == 1 else None


def without(index: Index, made: Made) -> tuple[Splice, ...] | None:
    """The argument in the place of the call that made a tensor.

    Where others call the function that it is in, this one call becomes what the function does
    without it. None where the text of that is not sure.
    """
    if made.function is None or made.called is None:
        return drop_function(made.found, index)
    where, function = made.function
    if function.name == "forward" or len(index.callers(where, function)) == 1:
        return drop_function(made.found, index)
    inner = given_to(index, made.found)
    text = _in_line(made, inner)
    return None if text is None else change.replace(made.called.source, made.called.node, text)


def _in_line(made: Made, inner: ast.expr) -> str | None:
    """An expression of a function of one line, with what a call of it passes."""
    assert made.called is not None
    assert made.function is not None
    source, call = made.called.source, made.called.call
    where, function = made.function
    method = isinstance(where.parents.get(function), ast.ClassDef)
    lines = [each for each in function.body if not (
        isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))]
    if len(lines) != 1 or function.decorator_list or where is not source:
        return None
    declared = [each.arg for each in function.args.args]
    given: dict[str, str] = {}
    if method:
        if not isinstance(call.func, ast.Attribute) or not names.dotted(call.func.value):
            return None
        given[declared.pop(0)] = source.code(call.func.value)
    if any(isinstance(each, ast.Starred) for each in call.args):
        return None
    for name, value in [*zip(declared, call.args, strict=False),
                        *((k.arg, k.value) for k in call.keywords if k.arg)]:
        given[name] = change.operand(source, value)
    start, end = where.span(inner)
    splices: list[Splice] = []
    for node in ast.walk(inner):
        if not isinstance(node, ast.Name):
            continue
        if node.id in given:
            left, right = where.span(node)
            splices.append(Splice(where.name, left - start, right - start, given[node.id]))
        elif names.bindings(where, function, node.id):
            return None  # a default, or a name of a comprehension
    return apply(where.text[start:end], splices)
