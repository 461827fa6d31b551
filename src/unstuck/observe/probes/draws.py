"""What a network draws at random in its middle, where the graph ends at the draw."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, TypeGuard

import torch
from torch import distributions, nn

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.source.comparisons import scope_at
from unstuck.observe.source.named import Scope, scopes
from unstuck.observe.source.nodes import nodes_of
from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import expression_at, syntax_tree
from unstuck.observe.tensors import is_plain, observable, tensors_in
from unstuck.schema.facts.models import Draw

STEPS = 3  # first steps that are looked at
MOST = 64  # calls of a step
NEAR = 3  # frames around a call


class DrawProbe(Probe):
    """Looks for `.sample()` of a distribution that a network has made, in front of a layer.

    A distribution whose log-probabilities the program takes may be trained by these, and is left
    out.
    """

    facts = (Draw,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._found: dict[int, Draw] = {}  # by the number of the node that the layer made
        self._calls = 0
        self._known = False

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Looks at what a model is given."""
        self._look(module, (*args, *kwargs.values()), output)

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Looks at what a part of a model is given."""
        if self._moment.learns:
            self._look(module, args, output)

    def _look(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if self._known or self._moment.step >= STEPS or self._calls >= MOST:
            return
        given = next(iter(tensors_in(*args)), None)
        made = next((each for each in tensors_in(output) if each.grad_fn is not None), None)
        if given is None or made is None or given.requires_grad or not (
                given.is_floating_point() and observable(given)):
            return
        self._calls += 1
        known = self._names.layer(module)
        for scope in scopes(self._sites, 2)[0][:NEAR]:
            found = _drawn(scope, given)
            if found is not None:
                call, kind = found
                self._found[graph.sequence(made.grad_fn)] = Draw(
                    kind, known[0] if known is not None else "", expression_at(
                        scope.file, call, self._sites.keeps_text))
                return

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Writes the draw, if the loss uses what was made of it."""
        for node in nodes if self._found and not self._known else ():
            found = self._found.get(graph.sequence(node))
            if found is not None:
                self._known = True
                self._writer.fact(found, self._moment.step)
                return

    def look_ended(self, step: int) -> None:
        """Nothing is kept from one step to the next."""
        self.left_halfway()

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._found, self._calls = {}, 0


def _drawn(scope: Scope, given: torch.Tensor) -> tuple[ast.Call, str] | None:
    """The call that has drawn a tensor, of a distribution with a graph; and its kind."""
    tree = syntax_tree(scope.file)
    if tree is None or not any(map(_is_draw, nodes_of(tree))):
        return None
    function = scope_at(tree, scope.function, scope.line)
    for call, names in _draws(function):
        owner = call.func.value if isinstance(call.func, ast.Attribute) else call
        kind = _kind(scope, owner)
        here = call.lineno <= scope.line <= (call.end_lineno or 0)
        held = any(_is_the_same(scope.variables.get(name), given) for name in names)
        if kind and (held or (here and not names)) and not any(
                isinstance(node, ast.Attribute) and node.attr == "log_prob"
                and ast.unparse(node.value) == ast.unparse(owner) for node in ast.walk(function)):
            return call, kind
    return None


def _draws(function: ast.AST) -> Iterator[tuple[ast.Call, list[str]]]:
    """The calls of `sample`, each with the names that its statement gives the result, if any."""
    for statement in ast.walk(function):
        if not isinstance(statement, ast.Assign | ast.Return | ast.Expr):
            continue
        names = [target.id for target in statement.targets if isinstance(target, ast.Name)
                 ] if isinstance(statement, ast.Assign) else []
        value = statement.value
        for node in ast.walk(value) if value is not None else ():
            if _is_draw(node):
                yield node, names if node is value else []


def _is_draw(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and (
        node.func.attr == "sample")


def _kind(scope: Scope, owner: ast.expr) -> str:
    """The kind of a distribution that could draw with a graph and has one; else empty."""
    if isinstance(owner, ast.Name):
        held = scope.variables.get(owner.id)
        if isinstance(held, distributions.Distribution) and held.has_rsample and any(
                is_plain(each) and each.requires_grad for each in vars(held).values()):
            return type(held).__name__
    elif isinstance(owner, ast.Call):
        name = last_name(owner.func)
        kind = getattr(distributions, name, None)
        given = [scope.variables.get(each.id) for argument in owner.args
                 for each in ast.walk(argument) if isinstance(each, ast.Name)]
        if isinstance(kind, type) and issubclass(kind, distributions.Distribution) and getattr(
                kind, "has_rsample", False) and any(
                    is_plain(each) and each.requires_grad for each in given):
            return name
    return ""


def _is_the_same(value: Any, given: torch.Tensor) -> bool:
    """Whether a variable is a tensor, or a view of the same numbers."""
    return is_plain(value) and observable(value) and value.numel() == given.numel() and (
        value.data_ptr() == given.data_ptr())
