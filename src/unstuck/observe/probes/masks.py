"""What the masks of attention close: the padding, the real steps, or whole rows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional

from unstuck.observe import graph
from unstuck.observe.later import Number
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.flag_masks import flags
from unstuck.observe.probes.padding import Padded, PaddingProbe
from unstuck.observe.source.operations import computing
from unstuck.observe.source.sites import expression_at, syntax_tree
from unstuck.observe.tensors import is_plain
from unstuck.schema.facts.sequences import Mask, Ones
from unstuck.schema.places import SourceLocation
from unstuck.schema.quantities import PlaceSignal
from unstuck.schema.signals.sequences import (
    ATTENTION_ON_PADDING,
    CLOSED_ROWS,
    FLAG_MASK,
    PAST_CLOSED,
)

MOST_NODES = 5_000  # of a graph that is searched
MOST_MAPS = 32  # of attention in a step
ELEMENT_LIMIT = 16_000_000  # of a map; a larger one is not looked at
MOST_BESIDE = 4  # places of attention that belong to no step of the sequence
WHOLLY = 0.999  # of the attention
FLAG_STEPS = 3  # first ones at which what is added to the scores is looked at
NEAR = 8  # operations between a mask and its softmax
SOFTMAX = ("SoftmaxBackward0", "SafeSoftmaxBackward0")
FUSED = "ScaledDotProduct"
MASKS = {"MaskedFillBackward0": "maskedfill", "WhereBackward0": "where"}


class MaskProbe(Probe):
    """Looks at the weights of attention, and where they are not kept at its mask."""

    signals = (ATTENTION_ON_PADDING, CLOSED_ROWS, FLAG_MASK, PAST_CLOSED)
    facts = (Mask,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._padding = context.probe(PaddingProbe)
        self._finite = context.probe(FiniteProbe)
        self._on_padding: dict[str, torch.Tensor] = {}
        self._closed: dict[str, torch.Tensor] = {}
        self._past: dict[str, torch.Tensor] = {}
        self._facts: dict[str, Mask] = {}

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Measures each map of attention in the graph, the first of the forward pass first."""
        if len(nodes) > MOST_NODES:
            return
        found = [node for node in nodes if node.name() in SOFTMAX or node.name().startswith(FUSED)]
        for number, node in enumerate(sorted(found, key=graph.sequence)[:MOST_MAPS], 1):
            shape = graph.shape(node)
            if shape is None or len(shape) < 2:
                continue
            with torch.no_grad():
                self._look(f"attention {number}", node)

    def _look(self, name: str, node: Any) -> None:
        fused = node.name().startswith(FUSED)
        self._look_at_flags(name, node)
        masking = node if fused else _masking(node)
        rows = _open(masking) if masking is not None else None
        weights = _weights(node) if not fused else None
        if rows is not None and rows.shape[-1] > 1:
            open_at_all = rows.any(-1)
            self._closed[name] = (~open_at_all).float().mean()
            if rows.ndim > 1 and rows.shape[-1] == rows.shape[-2]:
                self._past[name] = (open_at_all & ~rows.tril().any(-1)).float().mean()
        for padded in self._padding.now:
            on_padding = _on_padding(weights if weights is not None else rows, rows, padded)
            if on_padding is not None:
                self._on_padding[name] = on_padding
                break
        if name in self._on_padding or name in self._closed:
            line = self._finite.line_of(masking if masking is not None else node)
            step = self._moment.step
            operation = MASKS.get(masking.name(), "") if masking is not None else None
            certain: Number = 1.0 if name in self._on_padding else self._closed[name] + (
                self._past.get(name, 0.0))
            self._later.values([certain], lambda found: self._know(Mask(
                name, self._place(line, operation or "") if line is not None else None,
                operation is not None), step) if found[0] > 0 else None)

    def _look_at_flags(self, name: str, node: Any) -> None:
        """Notes a mask of zeros and ones that is added to the scores."""
        step = self._moment.step
        known = self._facts.get(name)
        found = flags(node) if step < FLAG_STEPS and (
            known is None or known.location is None) else None
        if found is None:
            return
        line = self._finite.line_of(node)
        place = self._place(line, "") if line is not None else None

        def know(values: list[float]) -> None:
            if values[0]:
                ones = Ones.ABOVE if values[1] else Ones.BELOW if values[2] else Ones.OTHER
                self._writer.sample(FLAG_MASK, step, {name: 1.0})
                self._know(Mask(name, place, False, ones), step)

        self._later.numbers([each.float() for each in found], know)

    def _know(self, fact: Mask, step: int) -> None:
        before = self._facts.get(fact.name)
        if fact != before and (before is None or before.location is None):
            self._facts[fact.name] = fact
            self._writer.fact(fact, step)

    def _place(self, line: tuple[str, int], operation: str) -> SourceLocation | None:
        tree = syntax_tree(line[0])
        if tree is None:
            return None
        found = [*computing(tree, line[1], operation), *_masked_calls(tree, line[1])]
        if found:
            return expression_at(line[0], found[0], self._sites.keeps_text)
        return self._sites.operation(*line, "SoftmaxBackward0")

    def look_ended(self, step: int) -> None:
        """Writes what the step showed."""
        self._later.sample(ATTENTION_ON_PADDING, step, self._on_padding)
        self._write(CLOSED_ROWS, self._closed, step)
        self._write(PAST_CLOSED, self._past, step)
        self.left_halfway()

    def _write(self, signal: PlaceSignal, found: dict[str, torch.Tensor], step: int) -> None:
        names = list(found)
        self._later.values(list(found.values()), lambda shares: self._writer.sample(
            signal, step, {n: s for n, s in zip(names, shares, strict=True) if s > 0}))

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._on_padding, self._closed, self._past = {}, {}, {}


def _weights(node: Any) -> torch.Tensor | None:
    """The weights that a softmax has made, those of one row along the last axis."""
    result = graph.saved(node, "result")
    axis = graph.dimension(node)
    if not is_plain(result) or axis is None or result.numel() > ELEMENT_LIMIT:
        return None
    return result.movedim(axis, -1)


def _masking(node: Any) -> Any:
    """The operation that masks what a softmax receives."""
    for _ in range(NEAR):
        behind = [each for each in graph.parents(node) if graph.variable(each) is None]
        if not behind:
            return None
        node = behind[0]
        if node.name() in MASKS:
            return node
        if node.name() not in graph.RESHAPES and not node.name().startswith(("Div", "Mul")):
            return None
    return None


def _open(masking: Any) -> torch.Tensor | None:
    """Which places a mask leaves open, of any shape that goes with that of the scores."""
    if masking.name() == "MaskedFillBackward0":
        mask = graph.saved(masking, "mask")
        return ~mask if is_plain(mask) and mask.dtype is torch.bool else None
    if masking.name() == "WhereBackward0":
        mask = graph.saved(masking, "condition")
        scores_first = masking.next_functions[0][0] is not None
        return (mask if scores_first else ~mask) if is_plain(mask) else None
    mask = graph.saved(masking, "attn_mask")
    if not is_plain(mask) or mask.numel() > ELEMENT_LIMIT:
        return None
    return mask if mask.dtype is torch.bool else mask > torch.finfo(mask.dtype).min / 2


def _on_padding(
    weights: torch.Tensor | None, rows: torch.Tensor | None, padded: Padded
) -> torch.Tensor | None:
    """How much of the attention of samples with padding goes to it; None if it is not about them.

    A masked map may have places beside those of the sequence, such as one for a class token. They
    stand before it or after it: all of the attention is on the padding if it is so in either way.
    """
    if weights is None:
        return None
    beside = weights.shape[-1] - padded.steps
    if beside == 0:
        return _share(weights, padded.mask)
    if rows is None or not 0 < beside <= MOST_BESIDE:
        return None
    before, after = (
        _share(weights, functional.pad(padded.mask, ends)) for ends in ((beside, 0), (0, beside)))
    if before is None or after is None:
        return None
    most = torch.maximum(before, after)
    return torch.where(most >= WHOLLY, most, torch.minimum(before, after))


def _share(weights: torch.Tensor, mask: torch.Tensor) -> torch.Tensor | None:
    """How much goes to what a mask of shape (samples, places) marks, in samples that have both.

    Rows that attend to nothing are left out.
    """
    samples, places = mask.shape
    if weights.ndim < 2 or weights.shape[0] % samples:
        return None
    rows = weights.reshape(samples, -1, places).float()
    mask = mask.to(rows.device)
    short = mask.any(1) & ~mask.all(1)
    rows, mask = rows[short], mask[short]
    total = rows.sum(-1)
    share = (rows * mask.unsqueeze(1)).sum(-1) / total
    share = share[(total > 0) & share.isfinite()]
    return share.mean() if len(share) else None


def _masked_calls(tree: ast.Module, line: int) -> Iterator[ast.expr]:
    """Calls on a line that are given a mask by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (
            node.lineno <= line <= (node.end_lineno or node.lineno)
            and any("mask" in (keyword.arg or "") for keyword in node.keywords)
        ):
            yield node
