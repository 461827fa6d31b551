"""Weights that are frozen although nothing ever trained them, and the line that freezes them."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Any, Self

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.observe.identity import ByIdentity
from unstuck.observe.later import Number
from unstuck.observe.probe import Context, Probe
from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import Site, Sites, expression_at, syntax_tree, user_trees
from unstuck.observe.source.variables import own_attributes
from unstuck.observe.tensors import FirstValues, held_by, readable
from unstuck.schema.facts.models import Freezing, Thaw
from unstuck.schema.facts.run import EndKind
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.parameters import COLUMN_TIES, FROZEN

LIMIT = 2_000  # parameters of a model that are looked at
FEWEST_ROWS, MOST_ROWS = 32, 4_096  # of a table whose columns are compared,
FEWEST_COLUMNS, MOST_COLUMNS = 4, 1_024  # and of these
# Attributes that a parameter does not have, and that are meant for `requires_grad`.
MISSPELT = frozenset({"require_grad", "require_grads", "requires_grads", "required_grad",
                      "requires_gradient", "require_gradient", "requires_gradients", "trainable"})

_MODULES = ("children", "modules", "named_children", "named_modules")


class FrozenProbe(Probe):
    """Looks at frozen parameters at sampled steps only.

    A parameter is fresh if its module was constructed here (a copy or an unpickled model is not),
    no checkpoint was loaded into it, no earlier loss reached it, no earlier optimizer was to train
    it, and its values have rested since they were first seen.
    """

    signals = (COLUMN_TIES, FROZEN)
    facts = (Freezing, Thaw)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._trained: ByIdentity[torch.Tensor, bool] = ByIdentity()
        # What the optimizer built last was to train.
        self._latest: ByIdentity[torch.Tensor, bool] = ByIdentity()
        self._freezing: ByIdentity[torch.Tensor, tuple[Site | None]] = ByIdentity()
        self._first = FirstValues()
        self._written: set[str] = set()
        self._tied: set[str] = set()  # tables whose columns were compared
        # Of each model, what stayed frozen though the program was to unfreeze it, at the last look.
        self._meant: dict[str, tuple[str, ...]] = {}
        self._misspelt: dict[str, str] = {}  # of each model, the attribute that was set instead

    def follow(self, before: Self) -> None:
        """What was trained or frozen before is so still."""
        self._trained, self._latest = before._trained, before._latest
        self._freezing, self._first = before._freezing, before._first

    def frozen(self, module: nn.Module) -> None:
        """The program called `requires_grad_(False)` on a module."""
        site = self._sites.here()
        for parameter in nn.Module.parameters(module):
            self._freezing[parameter] = (site,)

    def optimizer_built(self, optimizer: Optimizer) -> None:
        """An earlier optimizer trained what it held, if only at steps that were not sampled."""
        for parameter, _ in self._latest.items():
            self._trained[parameter] = True
        self._latest.clear()
        for parameter in held_by(optimizer):
            if parameter.requires_grad:
                self._latest[parameter] = True

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Writes of each frozen parameter whether it is fresh."""
        self._look(leaves)

    def no_graph(self) -> None:
        """Writes the same of a loss that reaches nothing."""
        self._look(set())

    def finished(self, kind: EndKind) -> None:
        """Looks once more, and writes of what was to be unfrozen and was not to the end."""
        for model, name in self._names.models():
            self._look_for_thaw(model, name)
        for name, frozen in self._meant.items():
            if frozen:
                self._writer.fact(
                    Thaw(name, thawing(self._sites), frozen,
                         self._misspelt.get(name, "requires_grad")), max(self._moment.step - 1, 0))

    def _look(self, leaves: set[int]) -> None:
        step = self._moment.step
        for _, parameter in self._names.parameters():
            if id(parameter) in leaves:
                self._trained[parameter] = True
        found: dict[str, Number] = {}
        ties: dict[str, Number] = {}
        for model, name in self._names.models():
            every = [p for p in nn.Module.parameters(model) if readable(p)][:LIMIT]
            if all(p.requires_grad for p in every):
                self._meant.pop(name, None)
                continue
            self._look_for_thaw(model, name)
            built = {
                id(p) for module in model.modules() if self._names.was_built(module)
                for p in nn.Module.parameters(module, recurse=False)
            }
            tables = {id(module.weight) for module in model.modules()
                      if isinstance(module, nn.Embedding)}
            frozen = [p for p in every if not p.requires_grad]
            for parameter in frozen:
                label = self._names.parameter(parameter)
                if label is not None:
                    found[label] = self._fresh(parameter) if id(parameter) in built else 0.0
                    if id(parameter) in tables and label not in self._tied and (
                        _is_comparable(parameter)
                    ):
                        self._tied.add(label)
                        ties[label] = column_ties(parameter)
            if name not in self._written:
                self._written.add(name)
                self._writer.fact(Freezing(name, self._location(model, frozen)), step)
        self._later.sample(FROZEN, step, found)
        if ties:
            self._later.sample(COLUMN_TIES, step, ties)

    def _look_for_thaw(self, model: nn.Module, name: str) -> None:
        """Notes what is frozen in modules with an attribute that was meant for their parameters."""
        meant = [module for module in model.modules()
                 if vars(module).get("requires_grad") is True]
        found = [p for module in meant for p in nn.Module.parameters(module)]
        for parameter in nn.Module.parameters(model):
            for attribute, value in own_attributes(parameter).items():
                if value is True and attribute in MISSPELT:
                    self._misspelt[name] = attribute
                    found.append(parameter)
        frozen = {label: None for p in found
                  if not p.requires_grad and (label := self._names.parameter(p)) is not None}
        self._meant[name] = tuple(frozen)[:LIMIT]

    def _fresh(self, parameter: torch.Tensor) -> Number:
        if parameter in self._trained or self._names.was_loaded(parameter):
            return 0.0
        rests = self._first.rests(parameter)
        return 1.0 if rests is None else rests

    def _location(
        self, model: nn.Module, frozen: list[torch.nn.Parameter]
    ) -> SourceLocation | None:
        """The call that froze the largest, else the only other statement in the model's file that
        can have."""
        sites = {id(p): (self._freezing.get(p) or (None,))[0] for p in frozen}
        site = sites[id(max(frozen, key=torch.numel))] if frozen else None
        if site is not None:
            return self._sites.location(site)
        others = {place.line for each in sites.values()
                  if (place := self._sites.location(each)) is not None}
        built = self._sites.location(self._names.built_at(model))
        if built is None:
            return None
        tree = syntax_tree(built.file)
        if tree is None:
            return None
        found = [node for node in ast.walk(tree)
                 if isinstance(node, ast.Assign | ast.Call) and _freezes(node)
                 and node.lineno not in others]
        return expression_at(built.file, found[0], built.text is not None) if (
            len(found) == 1) else None


def _is_comparable(parameter: torch.Tensor) -> bool:
    return parameter.ndim == 2 and parameter.is_floating_point() and (
        len(parameter) >= FEWEST_ROWS and FEWEST_COLUMNS <= parameter.shape[1] <= MOST_COLUMNS)


def column_ties(table: torch.Tensor) -> torch.Tensor:
    """The mean squared correlation between the columns of a table (n, D), times n.

    Of independent columns a correlation has the variance 1 / (n - 1).
    """
    with torch.no_grad():
        rows = table.detach()[:MOST_ROWS].double()
        apart = rows - rows.mean(0)
        unit = apart / torch.linalg.vector_norm(apart, dim=0).clamp(min=1e-12)
        squares = (unit.T @ unit).square()
        pairs = table.shape[1] * (table.shape[1] - 1)
        return len(rows) * (squares.sum() - squares.diagonal().sum()) / pairs


def thawing(sites: Sites) -> SourceLocation | None:
    """The only statement of the user's files that sets `requires_grad` of no known parameter."""
    found = []
    for file, tree in user_trees(sites):
        looped = {name.id for loop in ast.walk(tree)
                  if isinstance(loop, ast.For) and not _over_modules(loop.iter)
                  for name in ast.walk(loop.target) if isinstance(name, ast.Name)}
        found += [
            (file, node) for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and (
                _sets(node, True, MISSPELT)
                or (_sets(node, True) and not _of_a_parameter(node.targets[0], looped)))]
    if len(found) != 1:
        return None
    return expression_at(*found[0], sites.keeps_text)


def _over_modules(iterated: ast.expr) -> bool:
    """Whether a loop's expression says that it hands out modules."""
    return any(isinstance(node, ast.Attribute) and node.attr in _MODULES
               for node in ast.walk(iterated))


def _of_a_parameter(target: ast.expr, looped: set[str]) -> bool:
    """Whether it is `p.requires_grad` of what a loop hands out, or of a weight or bias."""
    held = target.value if isinstance(target, ast.Attribute) else target
    return last_name(held) in {"weight", "bias"} or (
        isinstance(held, ast.Name) and held.id in looped)


def _sets(
    node: ast.Assign, value: bool, names: Collection[str] = ("requires_grad",)
) -> bool:
    """Whether it is `p.requires_grad = value`, or with another of these names."""
    return isinstance(node.value, ast.Constant) and node.value.value is value and any(
        isinstance(t, ast.Attribute) and t.attr in names for t in node.targets)


def _freezes(node: ast.Assign | ast.Call) -> bool:
    """Whether it is `p.requires_grad = False` or `p.requires_grad_(False)`."""
    if isinstance(node, ast.Assign):
        return _sets(node, False)
    value = node.args[0] if node.args else None
    named = isinstance(node.func, ast.Attribute) and node.func.attr == "requires_grad_"
    return named and isinstance(value, ast.Constant) and value.value is False
