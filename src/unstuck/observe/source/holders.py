"""By what name the program holds a tensor of weights, and what made it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from unstuck.observe.source.assignments import parameter_expressions
from unstuck.observe.source.sites import Sites, expression_at, syntax_tree
from unstuck.observe.source.variables import MOST_NAMES, MOST_PARTS, attributes, scopes
from unstuck.schema.places import SourceLocation

DEPTH = 8  # of names, containers and calls that are followed


@dataclass(frozen=True, slots=True)
class Held:
    """A tensor's name: that of a variable, an attribute or a key, or "weights[2]" in a list.

    Names with a point are parts of an object in a list: "layers[0].weight".
    """

    name: str
    made: SourceLocation | None


def holders(wanted: Collection[torch.Tensor], sites: Sites) -> dict[int, Held]:
    """The names of tensors in the user's frames, by their identity, as far as there are any.

    Of several names it is the first whose making stands in the text: a loop's variable has none.
    """
    keys = {id(tensor) for tensor in wanted}
    found: dict[int, Held] = {}
    for function, file, names in scopes(sites):
        text = _Text(sites, file, function)
        for key, held in _in_scope(names, text, sites, keys):
            if key not in found or (found[key].made is None and held.made is not None):
                found[key] = held
        if all(key in found and found[key].made is not None for key in keys):
            break
    return found


def _in_scope(
    names: dict[str, Any], text: _Text, sites: Sites, keys: Collection[int]
) -> Iterator[tuple[int, Held]]:
    """The tensors that have one of the `keys`. What made others is not looked for: it takes time.
    """
    parts = []
    for name, value in list(names.items())[:MOST_NAMES]:
        if not isinstance(name, str) or name.startswith("__"):
            continue
        if isinstance(value, torch.Tensor):
            if id(value) in keys:
                yield id(value), Held(name, text.of(name))
        else:
            parts.append((name, value))
    for name, value in parts:
        if isinstance(value, nn.Module):
            for path, tensor in nn.Module.named_parameters(value):
                if id(tensor) in keys:
                    yield id(tensor), Held(path, _by_class(value, path, sites))
        elif type(value) in (dict, list, tuple):
            yield from _in_container(name, value, text, sites, keys)
        else:
            for key, part in attributes(value):
                if id(part) in keys:
                    yield id(part), Held(key, _made(value, key, sites))
                elif type(part) in (dict, list, tuple):
                    own = text.of_class(type(value))
                    yield from _in_container(key, part, own or text, sites, keys)


def _in_container(
    name: str, value: Any, text: _Text, sites: Sites, keys: Collection[int]
) -> Iterator[tuple[int, Held]]:
    items = list(value.items() if type(value) is dict else enumerate(value))[:MOST_PARTS]
    for key, part in items:
        called = key if type(key) is str and key.isidentifier() else f"{name}[{key!r}]"
        if isinstance(part, torch.Tensor):
            if id(part) in keys:
                yield id(part), Held(called, text.inside(name, key))
            continue
        inner = enumerate(part) if type(part) in (list, tuple) else attributes(part)
        for own, tensor in list(inner)[:MOST_PARTS]:
            if id(tensor) not in keys:
                continue
            if isinstance(own, str):
                yield id(tensor), Held(f"{called}.{own}", _made(part, own, sites))
            else:
                yield id(tensor), Held(f"{called}[{own}]", text.inside(name, key, own))


def _by_class(module: nn.Module, path: str, sites: Sites) -> SourceLocation | None:
    owner, _, name = path.rpartition(".")
    part = dict(nn.Module.named_modules(module)).get(owner)
    return _made(part, name, sites) if part is not None else None


def _made(owner: Any, name: str, sites: Sites) -> SourceLocation | None:
    return parameter_expressions(sites, type(owner)).get(name)


class _Text:
    """What the text of a function says of its variables, or that of a class of its attributes."""

    def __init__(
        self, sites: Sites, file: str, function: str, scope: ast.ClassDef | None = None
    ) -> None:
        self._sites = sites
        self._file = file
        self._function = function.rpartition(".")[2]
        self._nodes: list[ast.AST] | None = list(ast.walk(scope)) if scope is not None else None

    def of_class(self, kind: type) -> _Text | None:
        """What the text of a class says, if it stands in the same file."""
        tree = syntax_tree(self._file)
        scope = next((node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
                      and node.name == kind.__name__), None) if tree is not None else None
        return _Text(self._sites, self._file, "", scope) if scope is not None else None

    def _function_of(self, name: str) -> ast.AST | None:
        tree = syntax_tree(self._file)
        return next((node for node in ast.walk(tree) if isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name == name), None) if tree is not None else None

    def _all(self) -> list[ast.AST]:
        if self._nodes is None:
            scope = self._function_of(self._function) or syntax_tree(self._file)
            self._nodes = list(ast.walk(scope)) if scope is not None else []
        return self._nodes

    def of(self, name: str) -> SourceLocation | None:
        """The expression that made a variable's first value."""
        value, path = _assigned(self._all(), name)
        return self._at(self._element(self._all(), value, path, DEPTH) if value and path else value)

    def inside(self, name: str, *path: Any) -> SourceLocation | None:
        """The expression that made an element of a list or dict; of one within, by its path."""
        return self._at(self._element(self._all(), ast.Name(name), path, DEPTH))

    def _element(
        self, nodes: list[ast.AST], value: ast.expr, path: tuple[Any, ...], depth: int
    ) -> ast.expr | None:
        """What a function makes, by its nodes, of that part of a value."""
        if not depth:
            return None
        if isinstance(value, ast.Name):
            first, within = _assigned(nodes, value.id)
            path = (*within, *path)
            if path and (first is None or (isinstance(first, ast.List) and not first.elts)):
                part = _appended(nodes, value.id, path[0])
                return self._element(
                    nodes, part, path[1:], depth - 1) if part is not None else None
            return self._element(nodes, first, path, depth - 1) if first is not None else None
        if not path:
            named = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and (
                value.func.attr == "requires_grad_") and value.func.value
            return self._element(
                nodes, named, path, depth - 1) if isinstance(named, ast.Name) else value
        part = None
        if isinstance(value, ast.Dict):
            part = next((element for own, element in zip(value.keys, value.values, strict=True)
                         if isinstance(own, ast.Constant) and own.value == path[0]), None)
        elif isinstance(value, ast.List | ast.Tuple):
            fits = isinstance(path[0], int) and path[0] < len(value.elts)
            part = value.elts[path[0]] if fits else None
        elif isinstance(value, ast.ListComp):
            part = value.elt
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            inner = self._function_of(value.func.id)
            own = list(ast.walk(inner)) if inner is not None else []
            given = [node.value for node in own if isinstance(node, ast.Return) and node.value]
            return self._element(own, given[0], path, depth - 1) if len(given) == 1 else None
        return self._element(nodes, part, path[1:], depth - 1) if part is not None else None

    def _at(self, value: ast.expr | None) -> SourceLocation | None:
        if value is None or isinstance(value, ast.Name | ast.Constant):
            return None
        return expression_at(self._file, value, self._sites.keeps_text)


def _assigned(nodes: list[ast.AST], name: str) -> tuple[ast.expr | None, tuple[int, ...]]:
    """What the first statement assigns to a name: an expression, or the part of it on a path."""
    found: list[tuple[ast.expr, tuple[int, ...]]] = []
    for node in nodes:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs: list[tuple[ast.expr, ast.expr, tuple[int, ...]]] = [
                    (own, value, ()) for own, value in
                         zip(target.elts, node.value.elts, strict=False)]
            elif isinstance(target, ast.Tuple):
                pairs = [(own, node.value, (at,)) for at, own in enumerate(target.elts)]
            else:
                pairs = [(target, node.value, ())]
            found += [(value, path) for own, value, path in pairs if _is_named(own, name)]
    return min(found, key=lambda each: each[0].lineno, default=(None, ()))


def _appended(nodes: list[ast.AST], name: str, place: Any) -> ast.expr | None:
    """What a list of a name was given as its element at a place.

    By its only call of `append`, or, where those of one pass of a loop give it all, in turn.
    """
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(
        node.func, ast.Attribute) and node.func.attr == "append" and len(node.args) == 1
        and _is_named(node.func.value, name)]
    if len(calls) <= 1:
        return calls[0].args[0] if calls else None
    for loop in nodes:
        if isinstance(loop, ast.For) and type(place) is int:
            held = [each.value for each in loop.body if isinstance(each, ast.Expr)]
            turn = [call for each in held for call in calls if call is each]
            if len(turn) == len(calls):
                return turn[place % len(turn)].args[0]
    return None


def _is_named(node: ast.expr, name: str) -> bool:
    return (isinstance(node, ast.Name) and node.id == name) or (
        isinstance(node, ast.Attribute) and node.attr == name)
