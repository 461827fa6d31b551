"""Statements of a program that put values into tensors or settings, found in its source."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass, replace

from unstuck.observe.source.sites import Sites, call_at, expression_at, syntax_tree, user_trees
from unstuck.schema.facts.calls import Variable
from unstuck.schema.places import SourceLocation

_VALUES = frozenset({"weight", "bias", "data"})  # attributes with a parameter's values
_RATES = frozenset({"lr", "learning_rate"})  # arguments of the libraries that train
_LOGARITHMS = frozenset({"log", "log2", "log10"})
_NO_FILLING = frozenset({"requires_grad_", "detach_", "retain_grad_"})


@dataclass(frozen=True, slots=True)
class Filling:
    """An expression that fills a tensor in place, by a method or an assignment to its data."""

    function: str
    names: frozenset[str]  # attributes on the way to the tensor
    location: SourceLocation


def gradient_assignments(sites: Sites) -> list[SourceLocation]:
    """The statements of the user's files that assign something to a `grad`, other than None."""
    found = []
    for file, tree in user_trees(sites):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Assign) or (
                isinstance(node.value, ast.Constant) and node.value.value is None
            ):
                continue
            if any(isinstance(part, ast.Attribute) and part.attr == "grad"
                   and isinstance(part.ctx, ast.Store)
                   for target in node.targets for part in ast.walk(target)):
                found.append(expression_at(file, node, sites.keeps_text))
    return found


def gradient_changes(sites: Sites) -> list[SourceLocation]:
    """The expressions of the user's files that change a `grad` in place, other than clearing it."""
    found = []
    for file, tree in user_trees(sites):
        named = _named_gradients(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.AugAssign):
                changed: ast.AST = node.target
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and (
                    re.fullmatch(r"[a-z]\w*[a-z]_", node.func.attr)
                    and node.func.attr not in ("zero_", *_NO_FILLING)):
                changed = node.func.value
            else:
                continue
            if _mentions_gradient(changed) or (
                isinstance(changed, ast.Name) and changed.id in named
            ):
                found.append(expression_at(file, node, sites.keeps_text))
    return found


def _named_gradients(tree: ast.AST) -> set[str]:
    """The names of gradients themselves, as `g` in `for g in [p.grad for p in parameters]`."""
    found: set[str] = set()  # of gradients, and of lists of them
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) for t in node.targets):
            value = node.value.elt if isinstance(
                node.value, ast.ListComp | ast.GeneratorExp) else node.value
            if isinstance(value, ast.Attribute) and value.attr == "grad":
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        match node:
            case ast.For(target=ast.Name(id=name), iter=ast.Name(id=each)) if each in found:
                found.add(name)
            case ast.For(target=ast.Tuple(elts=names), iter=ast.Call(
                    func=ast.Name(id="zip"), args=lists)):
                found |= {name.id for name, each in zip(names, lists, strict=False)
                          if isinstance(name, ast.Name) and isinstance(each, ast.Name)
                          and each.id in found}
    return found


def rate_setting(sites: Sites, rate: float) -> tuple[str, SourceLocation] | None:
    """The argument by which the user's files set a learning rate, and the call with it, if one can.

    Of several the one that is written as just this number.
    """
    found: list[tuple[bool, str, SourceLocation]] = []
    for file, tree in user_trees(sites):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            for keyword in node.keywords:
                name, value = keyword.arg or "", keyword.value
                if name not in _RATES and not name.endswith("__lr"):
                    continue
                if not isinstance(value, ast.Constant) or value.value == rate:
                    found.append((isinstance(value, ast.Constant), name,
                                  expression_at(file, node, sites.keeps_text)))
    exact = [each for each in found if each[0]] or found
    return exact[0][1:] if len(exact) == 1 else None


def parameter_expressions(sites: Sites, kind: type) -> dict[str, SourceLocation]:
    """What a class of the user's assigns to its attributes, if each has one assignment."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    tree = syntax_tree(file) if isinstance(file, str) and sites.is_user(file) else None
    if tree is None or not isinstance(file, str):
        return {}
    found: dict[str, list[ast.expr]] = {}
    for owner in ast.walk(tree):
        if isinstance(owner, ast.ClassDef) and owner.name == kind.__name__:
            for node in ast.walk(owner):
                for target in node.targets if isinstance(node, ast.Assign) else ():
                    if isinstance(target, ast.Attribute) and isinstance(
                            target.value, ast.Name) and isinstance(node, ast.Assign):
                        found.setdefault(target.attr, []).append(node.value)
    return {name: expression_at(file, values[0], sites.keeps_text)
            for name, values in found.items() if len(values) == 1}


def fillings(sites: Sites) -> list[Filling]:
    """The expressions of the user's files that set values of parameters in place."""
    found = []
    for file, tree in user_trees(sites):
        for node in ast.walk(tree):
            known = _filling(node)
            if known is not None and isinstance(node, ast.expr | ast.stmt):
                found.append(Filling(*known, expression_at(file, node, sites.keeps_text)))
    return found


def assigned(variable: Variable, sites: Sites) -> SourceLocation | None:
    """What the last statement assigns to a variable; of a part of an object, to the object."""
    tree = syntax_tree(variable.file) if sites.is_user(variable.file) else None
    scope = next((node for node in ast.walk(tree) if isinstance(
        node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name == variable.function.rpartition(".")[2]), tree) if tree is not None else None
    found: dict[str, ast.expr] = {}
    for node in ast.walk(scope) if scope is not None else ():
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        values = [node.value] * len(targets)
        if isinstance(targets[0], ast.Tuple):
            same = isinstance(node.value, ast.Tuple) and len(node.value.elts) == len(
                targets[0].elts)
            values = node.value.elts if isinstance(node.value, ast.Tuple) and same else (
                [node.value] * len(targets[0].elts))
            targets = targets[0].elts
        for target, value in zip(targets, values, strict=True):
            known = found.get(ast.unparse(target))
            if known is None or value.lineno > known.lineno:
                found[ast.unparse(target)] = value
    last = found.get(variable.name) or found.get(re.split(r"[.\[]", variable.name)[0])
    return expression_at(variable.file, last, sites.keeps_text) if last is not None else None


def given(call: SourceLocation | None, function: str, sites: Sites) -> SourceLocation | None:
    """What made the first argument of a call in a function: a call itself, or the value of a name.
    """
    tree = syntax_tree(call.file) if call is not None and sites.is_user(call.file) else None
    if call is None or tree is None:
        return None
    node = call_at(call, ast.walk(tree))
    if node is None or not (node.args or node.keywords):
        return None
    first = node.args[0] if node.args else node.keywords[0].value
    if isinstance(first, ast.Call):
        return expression_at(call.file, first, sites.keeps_text)
    return assigned(Variable(ast.unparse(first), call.file, function, 0, True), sites)


def logarithm(place: SourceLocation, sites: Sites) -> SourceLocation | None:
    """The only logarithm in an expression, or in what its function assigns to the names in it."""
    tree = syntax_tree(place.file) if sites.is_user(place.file) else None
    if tree is None:
        return None
    around = [node for node in ast.walk(tree) if isinstance(
        node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= place.line <= (node.end_lineno or node.lineno)]
    scope = max(around, key=lambda node: node.lineno, default=tree)
    own = [node for node in ast.walk(scope) if isinstance(node, ast.expr) and replace(
        expression_at(place.file, node, False), text=place.text) == place]
    names = {node.id for each in own for node in ast.walk(each) if isinstance(node, ast.Name)}
    made = [node.value for node in ast.walk(scope) if isinstance(node, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id in names for t in node.targets)]
    found = {node for each in (*own, *made) for node in ast.walk(each) if isinstance(node, ast.Call)
             and ast.unparse(node.func).rpartition(".")[2] in _LOGARITHMS}
    return expression_at(place.file, found.pop(), sites.keeps_text) if len(found) == 1 else None


def _filling(node: ast.AST) -> tuple[str, frozenset[str]] | None:
    """By what a statement or a call fills which attributes, if it does."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        method = node.func.attr
        if not method.endswith("_") or method.startswith("_") or method in _NO_FILLING or (
            _mentions_gradient(node)  # an update by hand
        ):
            return None
        names = _attributes(node.func.value)
        return (method, names) if names & _VALUES or isinstance(
            node.func.value, ast.Name) else None
    if isinstance(node, ast.Assign) and not _mentions_gradient(node):
        for target in node.targets:
            if isinstance(target, ast.Attribute) and target.attr == "data":
                return "data", _attributes(target)
            if isinstance(target, ast.Subscript) and _attributes(target) & _VALUES:
                return "data", _attributes(target)
    return None


def _attributes(node: ast.AST) -> frozenset[str]:
    return frozenset(part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute))


def _mentions_gradient(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr == "grad" for part in ast.walk(node))
