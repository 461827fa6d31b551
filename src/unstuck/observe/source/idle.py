"""Statements of a program that do nothing: a result is not kept, a method is not called."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from unstuck.observe.source.nodes import nodes_of
from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import Sites, expression_at, user_trees
from unstuck.schema.facts.calls import REBOUND, SHUFFLES, USED_UP, Idle

MOST = 64
_METHODS = frozenset({"backward", "step", "zero_grad"})
# Functions and methods that return an iterator, which can be gone over once.
_ITERATORS = frozenset({
    "zip", "map", "filter", "enumerate", "reversed", "iter", "parameters", "named_parameters",
    "modules", "children",
})
# Activations by the names of their functions and methods; with "_" at the end they act in place.
_ACTIVATIONS = frozenset({
    "relu", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "sigmoid",
    "tanh", "hardtanh", "hardswish", "relu6", "clamp", "clamp_min", "softmax", "log_softmax",
    "dropout",
})
# Methods of tensors that have a form with "_" at the end, which alone changes the tensor.
_OUT_OF_PLACE = frozenset({"lerp", "add", "sub", "mul", "div", "addcmul", "addcdiv"})


def idle_statements(sites: Sites) -> Iterator[Idle]:
    """Those of the user's files, in the order of the text."""
    count = 0
    for file, tree in user_trees(sites):
        nodes = nodes_of(tree)
        built: dict[str, list[ast.expr]] = {}  # what is assigned to attributes, by their names
        defaults: dict[int, dict[str, ast.expr]] = {}  # of the innermost function, by statement
        for node in nodes:
            if isinstance(node, ast.FunctionDef) and (given := _defaults(node)):
                defaults |= dict.fromkeys(map(id, ast.walk(node)), given)
        for node in nodes:
            if not isinstance(node, ast.Assign):
                continue
            value = node.value
            if isinstance(value, ast.Name):
                value = defaults.get(id(node), {}).get(value.id, value)
            for target in node.targets:
                if isinstance(target, ast.Attribute):
                    built.setdefault(target.attr, []).append(value)
        for loop in (node for node in nodes if isinstance(node, ast.For)):
            for statement in _rebound(loop):
                count += 1
                yield Idle(expression_at(file, statement, sites.keeps_text), REBOUND, False)
        for iterator in _used_up(nodes, built):
            count += 1
            yield Idle(expression_at(file, iterator, sites.keeps_text), USED_UP, True)
        for node in nodes:
            if not isinstance(node, ast.Expr) or count >= MOST:
                continue
            found = node.value
            if isinstance(found, ast.Attribute) and found.attr in _METHODS:
                function, called = found.attr, False
            elif isinstance(found, ast.Call) and (name := _discarded(found, built)) is not None:
                function, called = name, True
            else:
                continue
            count += 1
            yield Idle(expression_at(file, found, sites.keeps_text), function, called)


def _defaults(function: ast.FunctionDef) -> dict[str, ast.expr]:
    """The defaults of a function's parameters, by their names."""
    given = function.args
    places = [*given.posonlyargs, *given.args]
    pairs = [*zip(places[len(places) - len(given.defaults):], given.defaults, strict=True),
             *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    return {name.arg: value for name, value in pairs if value is not None}


def _rebound(loop: ast.For) -> Iterator[ast.Assign | ast.Expr]:
    """Assignments to what a loop over parameters hands out, and methods of it whose result is not
    kept: they change no parameter."""
    handed = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
    if not any(isinstance(node, ast.Call) and last_name(node.func) == "parameters"
               for node in ast.walk(loop.iter)):
        return
    inside = [node for statement in loop.body for node in ast.walk(statement)]
    for node in inside:
        if isinstance(node, ast.Expr) and isinstance(call := node.value, ast.Call) and isinstance(
                call.func, ast.Attribute) and call.func.attr in _OUT_OF_PLACE and any(
                    isinstance(each, ast.Name) and each.id in handed
                    for each in ast.walk(call.func.value)):
            yield node
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and (
            isinstance(name := node.targets[0], ast.Name) and name.id in handed
        ) and not any(isinstance(later, ast.Name) and later.id == name.id
                      and later.lineno > (node.end_lineno or 0) for later in inside):
            yield node


def _used_up(nodes: Sequence[ast.AST], built: dict[str, list[ast.expr]]) -> Iterator[ast.expr]:
    """Iterators given to attributes, once, that a loop in another function goes over."""
    once = {name: made[0] for name, made in built.items() if len(made) == 1 and (
        isinstance(made[0], ast.GeneratorExp) or (
            isinstance(made[0], ast.Call) and last_name(made[0].func) in _ITERATORS))}
    for function in nodes if once else ():
        if not isinstance(function, ast.FunctionDef):
            continue
        own = {target.attr for node in ast.walk(function) if isinstance(node, ast.Assign)
               for target in node.targets if isinstance(target, ast.Attribute)}
        for loop in ast.walk(function):
            if isinstance(loop, ast.For) and isinstance(loop.iter, ast.Attribute) and (
                    loop.iter.attr in once.keys() - own):
                yield once[loop.iter.attr]


def _discarded(call: ast.Call, built: dict[str, list[ast.expr]]) -> str | None:
    """The activation whose result a call makes and nobody keeps."""
    if any(keyword.arg == "inplace" for keyword in call.keywords):
        return None
    name = last_name(call.func)
    if name in SHUFFLES:
        return name
    own = isinstance(call.func, ast.Attribute) and (
        isinstance(call.func.value, ast.Name) and call.func.value.id == "self")
    if not own:
        return name if name in _ACTIVATIONS else None
    made = built.get(name, [])
    if len(made) != 1:
        return None
    if not isinstance(made[0], ast.Call):  # a function: torch.tanh
        kind = last_name(made[0])
        return kind if kind in _ACTIVATIONS else None
    if any(keyword.arg == "inplace" for keyword in made[0].keywords):
        return None
    kind = last_name(made[0].func).lower()
    return kind if kind in {each.replace("_", "") for each in _ACTIVATIONS} else None
