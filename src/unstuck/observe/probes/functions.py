"""Activations that the program applies as functions, with the expressions that apply them."""

from __future__ import annotations

from typing import Any

from unstuck.observe import graph
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.layers import LayerProbe
from unstuck.observe.source.naming import Names, numbered
from unstuck.observe.source.operations import assigned, computing, operation_name
from unstuck.observe.source.sites import Sites, expression_at, syntax_tree
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.models import Activation
from unstuck.schema.places import SourceLocation

MOST = 256  # expressions
NEAR = 100  # graph nodes behind an operation among which its layer is looked for
MEASURED = frozenset({"sigmoid", "tanh"})  # whose line is worth knowing, if not the expression
SPELLED = {"leakyrelu": "leaky_relu", "prelukernel": "prelu", "rreluwithnoise": "rrelu",
           "logsoftmax": "log_softmax", "clampmin": "clamp_min", "clampmax": "clamp_max"}
FUNCTIONS = frozenset({
    "relu", "leakyrelu", "prelukernel", "rreluwithnoise", "elu", "gelu", "silu", "mish", "softplus",
    "sigmoid", "tanh", "hardtanh", "hardsigmoid", "hardswish", "logsigmoid", "softmax",
    "logsoftmax", "clamp", "clampmin", "clampmax", "exp", "abs", "softsign", "threshold", "glu",
    "square", "sin", "cos",
})


class Functions:
    """Looks through the one graph of which torch noted the lines."""

    def __init__(
        self, writer: RecordWriter, names: Names, sites: Sites, finite: FiniteProbe,
        layers: LayerProbe,
    ) -> None:
        self._writer = writer
        self._names = names
        self._sites = sites
        self._finite = finite
        self._layers = layers
        self._counts: dict[str, int] = {}
        self._known: set[tuple[SourceLocation, str]] = set()

    def graph(self, nodes: list[Any], step: int) -> None:
        """A loss with this graph is about to be differentiated; torch noted its lines."""
        lines: dict[tuple[str, int, str], list[Any]] = {}
        for node in sorted(nodes, key=graph.sequence):
            function = operation_name(node.name())
            if function not in FUNCTIONS or self._layers.is_module(node):
                continue
            place = self._finite.line_of(node)
            if place is not None:
                lines.setdefault((*place, function), []).append(node)
        for (file, line, function), made in lines.items():
            tree = syntax_tree(file)
            found = computing(tree, line, function) if tree is not None else []
            for node, expression in zip(made, assigned(len(made), found), strict=True):
                if len(self._known) >= MOST:
                    return
                if expression is not None:
                    self._write(node, function, expression_at(
                        file, expression, self._sites.keeps_text), True, step)
                elif function in MEASURED and not found:
                    self._write(node, function, self._sites.operation(
                        file, line, node.name()), False, step)

    def _write(
        self, node: Any, function: str, location: SourceLocation | None, exact: bool, step: int
    ) -> None:
        nearest = self._names.nearest(node, NEAR)
        layer = nearest[0] if nearest is not None else ""
        if location is None or (location, layer) in self._known:
            return
        self._known.add((location, layer))
        function = SPELLED.get(function, function)
        name = numbered(self._counts, f"{layer} > {function}" if layer else function)
        self._writer.fact(Activation(name, location, function, layer, exact), step)
