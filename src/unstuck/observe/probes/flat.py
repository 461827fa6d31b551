"""Weights that the loss reaches only through an operation whose derivative is zero everywhere."""

from __future__ import annotations

import ast
from typing import Any

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import expression_at, user_trees
from unstuck.schema.facts.models import Flat
from unstuck.schema.places import SourceLocation

# Steps: constant but for jumps. What autograd calls them begins so.
_STEPS = {"Round": "rounding", "Floor": "rounding down", "Ceil": "rounding up",
          "Trunc": "rounding towards zero", "Sign": "taking the sign", "Sgn": "taking the sign"}
_NUMPY = frozenset({"np", "numpy", "math"})
MOST_NODES = 5_000
MOST_NAMES = 1_000  # of parameters


class FlatProbe(Probe):
    """Looks at the graphs of losses for steps, and for the parameters behind them alone."""

    facts = (Flat,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._finite = context.probe(FiniteProbe)
        self._parameters = context.probe(ParameterProbe)
        self._written: dict[str, bool] = {}  # kinds, and whether their place is known

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Writes each kind of step, with what is behind it, until its place is known."""
        steps = [node for node in nodes if _kind(node) is not None]
        if not steps or len(nodes) > MOST_NODES:
            return
        first = min(steps, key=graph.sequence)
        kind = _kind(first)
        if kind is None or self._written.get(kind):
            return
        root = max((node for node in nodes if graph.variable(node) is None), key=graph.sequence)
        before = _reached(root)
        held = self._parameters.held_now()
        lost = tuple(name for name, p in self._names.parameters()
                     if id(p) in leaves and id(p) in held and id(p) not in before)[:MOST_NAMES]
        if not lost:
            return
        line = self._finite.line_of(first)
        location = self._sites.operation(*line, first.name()) if line is not None else (
            self._only(kind.lower()))
        if kind in self._written and location is None:
            return
        self._written[kind] = location is not None
        self._writer.fact(Flat(_STEPS[kind], location, lost), self._moment.step)

    def _only(self, function: str) -> SourceLocation | None:
        """The only call of a function or method of this name in the user's files."""
        found = [(file, node) for file, tree in user_trees(self._sites) for node in ast.walk(tree)
                 if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                 and node.func.attr == function and last_name(node.func.value) not in _NUMPY]
        return expression_at(*found[0], self._sites.keeps_text) if len(found) == 1 else None


def _kind(node: Any) -> str | None:
    kind = node.name().rstrip("0123456789").removesuffix("Backward")
    return kind if kind in _STEPS else None


def _reached(root: Any) -> set[int]:
    """The identities of the leaves behind a node that are not behind a step."""
    seen, found, waiting = {root}, set(), [root]
    while waiting:
        node = waiting.pop()
        leaf = graph.variable(node)
        if leaf is not None:
            found.add(id(leaf))
        for parent in graph.parents(node) if _kind(node) is None else ():
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return found
