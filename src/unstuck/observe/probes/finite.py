"""Finds the first non-finite number of a run: a weight, the data, or the operation that made it."""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.source.assignments import logarithm
from unstuck.observe.tensors import (
    all_finite,
    anywhere,
    held_here,
    is_plain,
    largest_size,
    observable,
    pieces,
    share,
    tensors_in,
)
from unstuck.schema.facts.run import NonFinite, NonFiniteStage
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.inputs import INPUT_NON_FINITE
from unstuck.words import number, percent

_LINE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_FRAME = re.compile(_LINE.pattern + r", in (?P<function>\S+)")
# Operations with an infinite slope somewhere in their domain, so that a finite loss can have a
# non-finite gradient.
_STEEP = ("SqrtBackward0", "PowBackward0", "LinalgVectorNormBackward0", "NormBackward0",
          "NormBackward1", "StdBackward0", "RsqrtBackward0", "AcosBackward0", "AsinBackward0",
          "LogBackward0", "DivBackward0", "CdistBackward0")
# Of these the operand, or the result, at which the slope is infinite. A norm, a standard deviation
# and a distance of nothing have a gradient of zero in torch.
_EDGES: Mapping[str, tuple[str, float]] = MappingProxyType({
    "SqrtBackward0": ("result", 0.0), "PowBackward0": ("self", 0.0),
    "AcosBackward0": ("self", 1.0), "AsinBackward0": ("self", 1.0)})
MOST_EDGES = 16  # operations of a graph that are looked at
_SUMS = ("AddBackward0", "SubBackward0", "RsubBackward1")
# A weight beyond this squares to infinity in single precision.
HUGE = 1e18
NEAR = 200  # graph nodes behind an operation among which its layer is looked for
OPERANDS = "its operands are the first non-finite values"
NO_NUMBERS = "the mean of no numbers"
NO_TARGETS = "every target is left out"
_MEAN = 1  # as torch numbers reductions
CONSTANT = "a value that no gradient flows to is infinite here, as the logarithm of 0 is"


class FiniteProbe(Probe):
    """Looks for the origin once a loss is found to be non-finite."""

    signals = (INPUT_NON_FINITE,)
    facts = (NonFinite,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.found = False
        # File and line of each operation, and which it is among those of its name there.
        self._lines: dict[tuple[str, int], tuple[str, int, tuple[int, int]]] = {}
        # What was found before any lines were noted, with the operation that it is about.
        self._placeless: tuple[NonFinite, str, int] | None = None
        self._edges: set[tuple[str, int]] = set()  # operations where their slope was infinite
        self.given: Sequence[weakref.ref[torch.Tensor]] = ()  # what the model was last called with

    def model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Remembers what the model is trained with."""
        if self._moment.learns:
            self.remember(args, kwargs)

    def remember(self, args: Any, kwargs: Any) -> None:
        """Remembers, weakly, what the model was last called with."""
        self.given = [weakref.ref(value) for value in tensors_in(*args, *kwargs.values())]

    def inputs(self) -> list[torch.Tensor]:
        """What the model was last called with, as far as it still exists."""
        return [tensor for known in self.given if (tensor := known()) is not None]

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Keeps the user's line of each operation of a graph that torch noted the lines of."""
        beside: dict[tuple[str, str, int], list[int]] = {}
        for node, name, ordinal in graph.numbered(nodes) if self._moment.traced else ():
            line = self.line_of(node)
            if line is not None:
                beside.setdefault((name, *line), []).append(ordinal)
        if not self.found:
            self._note_edges(nodes)
        for (name, file, at), ordinals in beside.items():
            for which, ordinal in enumerate(ordinals):
                self._lines.setdefault((name, ordinal), (file, at, (which, len(ordinals))))
        if self._placeless is not None and self._moment.traced:
            fact, name, ordinal = self._placeless
            self._placeless = None
            self._place(fact, name, ordinal)

    def _note_edges(self, nodes: list[Any]) -> None:
        """Notes which operations meet a value at which their slope is infinite."""
        steep = [(node, name, ordinal) for node, name, ordinal in graph.numbered(nodes)
                 if name in _EDGES and _is_steep(node, name)]
        asked, places = [], []
        with torch.no_grad():
            for node, name, ordinal in steep[-MOST_EDGES:]:
                key, edge = _EDGES[name]
                own = graph.saved(node, key)
                if is_plain(own) and observable(own):
                    asked.append(torch.stack(
                        [(piece.abs() == edge).any() for piece in pieces(own)]).any())
                    places.append((name, ordinal))
        if asked:
            self._later.values(asked, lambda found: self._edges.update(
                place for place, at_edge in zip(places, found, strict=True) if at_edge))

    def line_of(self, node: Any) -> tuple[str, int] | None:
        """File and line of the user's innermost frame when the node was made, if torch noted it."""
        for text in reversed(node.metadata.get("traceback_") or []):
            match = _LINE.search(text)
            if match and self._sites.is_user(match["file"]):
                return match["file"], int(match["line"])
        return None

    def by_library(self, node: Any) -> bool:
        """Whether a library's own function called the operation, as far as torch noted it."""
        found = [match for text in node.metadata.get("traceback_") or []
                 if (match := _LINE.search(text))]
        return bool(found) and not self._sites.is_user(found[-1]["file"])

    def frames(self, node: Any) -> list[tuple[str, int, str]]:
        """File, line and function of the user's frames when a node was made, outermost first."""
        found = (_FRAME.search(text) for text in node.metadata.get("traceback_") or [])
        return [(match["file"], int(match["line"]), match["function"]) for match in found
                if match and self._sites.is_user(match["file"])]

    def call_of(self, root: Any, made_by: Any) -> SourceLocation | None:
        """Where the program calls its own function with the operation `root`.

        That is in the function that calls the model too; None if `root` stands there itself.
        """
        if root is None or made_by is None:
            return None
        inner, outer = self.frames(root), self.frames(made_by)
        shared = 0
        for one, other in zip(inner, outer, strict=False):
            if (one[0], one[2]) != (other[0], other[2]):
                break
            shared += 1
        if not 0 < shared < len(inner):
            return None
        file, line, _ = inner[shared - 1]
        return self._sites.operation(file, line, inner[shared][2])

    def called_at(self, node: Any, made_by: Any) -> SourceLocation | None:
        """The same, or the operation itself."""
        line = self.line_of(node)
        return self.call_of(node, made_by) or (
            self._sites.operation(*line, node.name()) if line is not None else None)

    def location_of(self, name: str, ordinal: int) -> SourceLocation | None:
        """Where the n-th operation of a name stands in the program."""
        if (name, ordinal) not in self._lines:
            return None
        file, line, among = self._lines[name, ordinal]
        return self._sites.operation(file, line, name, among=among)

    def non_finite(self, root: Any, step: int) -> None:
        """Names the origin of a non-finite loss; called before its backward."""
        if self.found:
            return
        self.found = True
        for name, parameter in self._names.parameters():
            if (held := held_here(parameter)) is not None and not all_finite(held):
                self._in_parameter(name, parameter, root, step)
                return
        for given in self.inputs():
            if observable(given) and not all_finite(given):
                self._writer.sample(INPUT_NON_FINITE, step, non_finite_features(given))
                self._write(step, NonFiniteStage.INPUT, None, None, 0,
                            f"{percent(_share(given))} of the model's input is NaN or infinite")
                return
        for node, name, ordinal in graph.numbered(graph.walk(root)):
            empty = _of_nothing(node)
            if empty is not None:
                self._write(step, NonFiniteStage.EMPTY, name, node, ordinal, empty)
                return
            detail = _makes_non_finite(node, name)
            if detail is None:
                continue
            if detail == OPERANDS and (met := _met_constant(node)) is not None:
                node, detail = met, CONSTANT
                name, ordinal = next((n, i) for each, n, i in graph.numbered(graph.walk(root))
                                     if each is met)
            stage = {"input": NonFiniteStage.INPUT, "target": NonFiniteStage.TARGET}.get(
                detail, NonFiniteStage.OPERATION)
            if detail == OPERANDS and _is_residual(node):
                stage = NonFiniteStage.TARGET
            if stage is not NonFiniteStage.OPERATION:
                detail = "values that reach it from outside the graph are NaN or infinite"
            self._write(step, stage, name, node, ordinal, detail)
            return
        for name, parameter in self._names.parameters():
            held = held_here(parameter)
            largest = float(largest_size(held)) if held is not None and held.numel() else 0.0
            if largest > HUGE:
                self._in_parameter(name, parameter, None, step, f"has grown to {number(largest)}")
                return
        self._write(step, NonFiniteStage.UNKNOWN, None, None, 0,
                    "no operation kept the values that would show where it began")

    def _place(self, fact: NonFinite, name: str, ordinal: int) -> None:
        """Writes what was found, at the place of the operation it is about, the n-th of a name.

        In the next step, which does the same, if the lines of this one were not noted.
        """
        place = self.location_of(name, ordinal)
        if place is not None:
            made = logarithm(place, self._sites) if fact.detail == CONSTANT else None
            fact = replace(fact, location=place) if made is None else replace(
                fact, location=made, operation="LogBackward0")
        elif fact.stage is NonFiniteStage.OPERATION and not self._moment.traced:
            self._placeless = fact, name, ordinal
        self._writer.fact(fact, fact.step)
        self._writer.flush()

    def _in_parameter(
        self, name: str, parameter: torch.Tensor, root: Any, step: int,
        says: str = "is NaN or infinite",
    ) -> None:
        # The loss of the step before was finite, so its gradient, or the update, was not. The
        # graph has the same operations at every step: those with an infinite slope are suspects.
        suspects = []
        for node, kind, ordinal in graph.numbered(graph.walk(root) if root is not None else ()):
            if _is_steep(node, kind):
                suspects.append((kind, ordinal))
        suspects = [each for each in suspects if each in self._edges] or suspects
        operation = suspects[-1][0] if len({kind for kind, _ in suspects}) == 1 else None
        location = self.location_of(*suspects[-1]) if operation else None
        self._writer.fact(NonFinite(
            step, NonFiniteStage.PARAMETER, operation, name, location,
            f"{name} {says} after the update at step {max(0, step - 1)}",
        ), step)
        self._writer.flush()

    def _write(
        self, step: int, stage: NonFiniteStage, name: str | None, node: Any, ordinal: int,
        detail: str,
    ) -> None:
        nearest = self._names.nearest(node, NEAR) if node is not None else None
        layer = nearest[0] if nearest is not None else None
        clean = None if not self.inputs() else stage is not NonFiniteStage.INPUT or name is not None
        fact = NonFinite(step, stage, name, layer, None, detail, clean)
        if name is not None:
            self._place(fact, name, ordinal)
        else:
            self._writer.fact(fact, step)
            self._writer.flush()


def non_finite_features(tensor: torch.Tensor) -> dict[str, float]:
    """The share of non-finite numbers of each feature that has any, the first hundred."""
    axis = 1 if tensor.ndim == 4 else -1
    values = tensor if tensor.ndim else tensor.reshape(1)
    shares = share(values, axis, lambda piece: ~piece.isfinite()).tolist()
    return dict([(str(i), share) for i, share in enumerate(shares) if share > 0][:100])


def _share(tensor: torch.Tensor) -> float:
    good = sum(int(piece.isfinite().sum()) for piece in pieces(tensor.detach()))
    return 1 - good / int(tensor.numel())


def _from_outside(node: Any) -> bool:
    """Whether a node is a parameter, or one that is only reshaped."""
    if graph.variable(node) is not None:
        return True
    return node.name() in graph.RESHAPES and all(map(_from_outside, graph.parents(node)))


def _is_residual(node: Any) -> bool:
    """Whether this is the power or modulus of a difference that is NaN.

    Everything before it was finite, the prediction included: the target is not. Weights that are
    too large make a prediction infinite before it is NaN.
    """
    return node.name() in ("PowBackward0", "AbsBackward0", "MulBackward0") and any(
        before.name() in ("SubBackward0", "RsubBackward1")
        and anywhere(own, torch.isnan) and not anywhere(own, torch.isinf)
        for own, before in _operands(node))


def _operands(node: Any) -> list[tuple[torch.Tensor, Any]]:
    """What an operation kept of its operands, each with the node that made it."""
    found = []
    for side, key in enumerate(("self", "other")):
        own = graph.saved(node, key)
        before = node.next_functions[side][0] if side < len(node.next_functions) else None
        if before is not None and is_plain(own):
            found.append((own, before))
    return found


def _met_constant(node: Any) -> Any:
    """The sum or difference with a constant that made an operand infinite; None for others."""
    return next((before for own, before in _operands(node)
                 if before.name() in _SUMS and len(graph.parents(before)) == 1
                 and len(before.next_functions) == 2
                 and not all_finite(own) and not anywhere(own, torch.isnan)), None)


def _is_steep(node: Any, name: str) -> bool:
    if name == "PowBackward0":
        exponent = graph.saved(node, "exponent")
        return isinstance(exponent, int | float) and exponent < 1
    return name in _STEEP


def _of_nothing(node: Any) -> str | None:
    """What shows that an operation took a mean of no numbers, which is NaN."""
    own, weight = graph.saved(node, "self"), graph.saved(node, "total_weight")
    if node.name().startswith("Mean"):
        empty = graph.saved(node, "self_sym_numel") == 0
    else:
        empty = graph.saved(node, "reduction") == _MEAN and is_plain(own) and own.numel() == 0
    if empty:
        return NO_NUMBERS
    return NO_TARGETS if is_plain(weight) and not bool(weight.any()) else None


def _makes_non_finite(node: Any, name: str) -> str | None:
    """What shows that this operation made a non-finite number; "input" if it received one."""
    values = {key: graph.saved(node, key) for key in graph.saved_names(node)}
    tensors = {k: v for k, v in values.items()
               if is_plain(v) and v.is_floating_point()}
    with torch.no_grad():
        own = tensors.get("self")
        if name in ("LogBackward0", "Log2Backward0", "Log10Backward0"):
            if own is not None and anywhere(own, lambda piece: piece <= 0):
                return f"the logarithm of {number(float(own.min()))}"
            return None
        if name == "DivBackward0":
            other = tensors.get("other")
            if other is not None and anywhere(other, lambda piece: piece == 0):
                return "a division by 0"
        if name == "SqrtBackward0":
            result = tensors.get("result")
            return "the square root of a negative number" if (
                result is not None and anywhere(result, torch.isnan)) else None
        if name in ("ExpBackward0", "Expm1Backward0"):
            result = tensors.get("result")
            return "the exponential overflows" if (
                result is not None and not all_finite(result)) else None
        if name == "PowBackward0" and own is not None and all_finite(own):
            exponent = values.get("exponent")
            if isinstance(exponent, int | float) and not all(
                all_finite(piece.pow(exponent)) for piece in pieces(own)
            ):
                base = number(float(largest_size(own)))
                return f"the power {number(exponent)} of {base} overflows"
            return None
        for side, key in enumerate(("self", "other") if name == "MulBackward0" else ()):
            if key in tensors and not all_finite(tensors[key]) and (
                node.next_functions[side][0] is None and len(parents := graph.parents(node)) == 1
                and not _from_outside(parents[0])
            ):
                return "target"  # a constant that meets the output: a target or its weight
        for key, tensor in tensors.items():
            if not all_finite(tensor):
                if key == "result":
                    return "its result is the first non-finite value"
                if key == "target":
                    return "target"
                if all(map(_from_outside, graph.parents(node))):
                    return "input"
                return OPERANDS
    return None
