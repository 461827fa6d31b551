"""Whether operations within the model run across the samples of a batch, by their shapes alone."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import is_plain
from unstuck.schema.facts.models import Pasted
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.batches import PASTED_SHARE

STEPS = 3  # first steps that are looked at
FEWEST = 3  # samples of a batch
_SOFTMAX = frozenset({"SoftmaxBackward0", "LogSoftmaxBackward0"})
_VIEWS = frozenset({"ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0"})


class MixingProbe(Probe):
    """Compares the axis of an operation with the one along which the model gets its samples.

    The model's samples lie along the first axis of its input if its output has as many rows.
    """

    signals = (PASTED_SHARE,)
    facts = (Pasted,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._finite = context.probe(FiniteProbe)
        self._turned: tuple[str, tuple[int, ...], Site | None] | None = None
        self._samples = 0  # in the batch that the model was called with last
        self._newest = -1  # node of that call
        self._known: set[str] = set()

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Notes the first layer that takes time first."""
        if not self._moment.learns or self._moment.step >= STEPS or self._turned is not None or (
            module.__dict__.get("batch_first", True)
        ):
            return
        given = args[0] if args else None
        if isinstance(module, nn.RNNBase | nn.MultiheadAttention) and isinstance(
            given, torch.Tensor
        ) and given.ndim == 3:
            known = self._names.layer(module)
            if known is not None:
                self._turned = known[0], tuple(given.shape), self._sites.here()

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Compares what the model got with what that layer took."""
        step = self._moment.step
        turned, self._turned = self._turned, None
        self._newest = -1
        given = next((a for a in args if is_plain(a)), None)
        if step >= STEPS or given is None or given.ndim < 2 or not (
            is_plain(output) and output.ndim and output.grad_fn is not None
        ):
            return
        self._samples = given.shape[0]
        if self._samples < FEWEST or output.shape[0] != self._samples:
            return
        self._newest = graph.sequence(output.grad_fn)
        if turned is None:
            return
        name, shape, site = turned
        # Where the model's input has time first, its output has the samples second.
        if shape[0] == self._samples and 1 < shape[1] != shape[0] and (
            given.shape[:2] == shape[:2] and shape[1] not in output.shape[1:2]
        ):
            self._found(name, "order", tuple(given.shape), shape, self._sites.location(site), step)

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Looks for operations across samples.

        That is when torch has noted the lines of operations, else at the last chance.
        """
        step = self._moment.step
        newest, self._newest = self._newest, -1
        if newest < 0 or not (self._moment.traced or step == STEPS - 1):
            return
        for node in nodes:
            name = node.name()
            if name in _SOFTMAX or name in _VIEWS:
                shape = graph.shape(node)
                if shape is not None and len(shape) > 1 and graph.sequence(node) <= newest:
                    self._look(node, name, shape, newest, step)

    def _look(
        self, node: Any, name: str, shape: tuple[int, ...], newest: int, step: int
    ) -> None:
        if name in _SOFTMAX:
            # Weights of one number a sample, or of samples by samples, are meant to compare them;
            # what the model ends with is compared with what its loss expects.
            across = graph.dimension(node) in (0, -len(shape)) and shape[0] == self._samples and (
                shape[1] != self._samples and math.prod(shape[1:]) > 1
                and graph.sequence(node) < newest)
            given, how = shape, "softmax"
        else:
            given = tuple(graph.saved(node, "self_sym_sizes") or ())
            # A view that counts off the same axes in another order moves no number along.
            across = given[:1] == (self._samples,) and shape[0] != self._samples and (
                min(given) > 1 and sorted(given) == sorted(shape))
            how = "view"
        line = self._finite.line_of(node) if across else None
        if across:
            location = self._sites.operation(*line, name) if line is not None else None
            self._found(name.removesuffix("Backward0"), how, given, shape, location, step)

    def _found(
        self, name: str, how: str, given: tuple[int, ...], taken: tuple[int, ...],
        location: SourceLocation | None, step: int,
    ) -> None:
        if name not in self._known:
            self._known.add(name)
            self._writer.sample(PASTED_SHARE, step, {name: 1.0})
            self._writer.fact(Pasted(
                name, self._samples, self._samples, given, taken, location, how), step)
