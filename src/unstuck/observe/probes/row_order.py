"""Whether what a loss receives has its rows in the order of the targets."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.axes import Axes, cut, factors, free, holds, swapped
from unstuck.observe.batch_axis import follow
from unstuck.observe.batch_entry import Entry, entry_of
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.tensors import is_plain, observable, tensors_in
from unstuck.schema.facts.losses import RowsApart
from unstuck.schema.facts.models import Swapped
from unstuck.torch_api import BINARY, CLASS_LIKELIHOODS, REGRESSION, target_among

STEPS = 3  # first steps that are looked at
_LINEAR = ("AddmmBackward0", "MmBackward0", "LinearBackward0")
_VIEWS = ("ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0")
MOST = 8  # calls of models, or losses, in one step


@dataclass(frozen=True, slots=True)
class _Targets:
    """Targets of this shape, which are a view of a `whole` from a place on; no data are kept."""

    shape: tuple[int, ...]
    whole: tuple[int, ...]
    start: int


@dataclass(frozen=True, slots=True)
class _Loss:
    """A loss: the number of the node that made the outputs it was given, and its targets."""

    node: int
    targets: _Targets
    classes: bool  # axis 1 of the outputs has a number for each class


class RowOrderProbe(Probe):
    """Follows the samples of a batch from the model's input to the rows that a loss receives.

    Those of the targets are known where they are a view of a batch whose shape tells the samples.
    """

    facts = (RowsApart, Swapped)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._finite = context.probe(FiniteProbe)
        self._entries: list[Entry] = []
        self._losses: list[_Loss] = []
        self._classes: dict[int, int] = {}  # of a loss, by the node that made its outputs
        self._known = False

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Keeps where the samples are in the input."""
        given = next(iter(tensors_in(*args, *kwargs.values())), None)
        if given is not None and self._moment.step < STEPS and len(self._entries) < MOST:
            self._entries += [found for each in tensors_in(output) if each.grad_fn is not None
                              and (found := entry_of(given, each)) is not None][:1]

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Keeps what was given until the graph is there."""
        if self._moment.step >= STEPS or self._known or len(self._losses) >= MOST or (
            function not in CLASS_LIKELIHOODS | REGRESSION | BINARY or not loss.requires_grad
        ):
            return
        given, target = args[0], target_among(function, args)
        if function in CLASS_LIKELIHOODS and is_plain(given) and given.ndim > 1 and (
                given.grad_fn is not None):
            self._classes[graph.sequence(given.grad_fn)] = int(given.shape[1])
        if is_plain(given) and is_plain(target) and given.grad_fn is not None and (
            targets := _targets(target)
        ) is not None:
            self._losses.append(_Loss(
                graph.sequence(given.grad_fn), targets, target.ndim == given.ndim - 1))

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Compares the order of the rows of each loss."""
        entries, self._entries = self._entries, []
        losses, self._losses = self._losses, []
        classes, self._classes = self._classes, {}
        if not (self._moment.traced or self._moment.step == STEPS - 1):
            return
        wanted = {loss.node for loss in losses} | classes.keys()
        made = {number: node for node in nodes if (number := graph.sequence(node)) in wanted}
        for number in classes.keys() & made.keys():
            self._torn(made[number], classes[number])
        for loss in losses:
            for entry in entries if loss.node in made else ():
                self._compare(loss, made[loss.node], entry)

    def _torn(self, made: Any, classes: int) -> None:
        """Whether a view has cut up the axis in which a layer puts a number for each class."""
        chain = list(graph.reshaped(made))[::-1]
        axis = _of_classes(chain[0], classes)
        for before, node in itertools.pairwise(chain):
            given, taken = graph.shape(before), graph.shape(node)
            if axis is None or given is None or taken is None or self._known:
                return
            kept = graph.moved(node, axis, given, taken)
            if kept is None and node.name() in _VIEWS and math.prod(given) == math.prod(taken):
                self._known = True
                others = (i for i in range(1, len(given)) if i != axis)
                order = swapped(given, taken) or (0, *others, axis)
                line = self._finite.line_of(node)
                self._writer.fact(Swapped(
                    given, taken, order, False,
                    self._sites.operation(*line, node.name()) if line is not None else None,
                    classes), self._moment.step)
            axis = kept

    def _compare(self, loss: _Loss, made: Any, entry: Entry) -> None:
        wanted = _layout(loss.targets, entry.samples)
        if wanted is None or self._known:
            return
        state = follow(made, entry)
        if not isinstance(state, tuple):
            return
        rows = [*state[:1], *state[2:]] if loss.classes else [*state]
        ordered, expected = factors(tuple(rows)), factors(wanted)
        if ordered != expected and sorted(ordered) == sorted(expected) and len(ordered) == 2:
            self._known = True
            node = next((each for each in graph.reshaped(made)
                         if _joins(each)), None)
            before: tuple[int, ...] = ()
            place = None
            if node is not None:
                before = graph.shape(graph.parents(node)[0]) or ()
                line = self._finite.line_of(node)
                place = self._sites.operation(*line, node.name()) if line is not None else None
            self._writer.fact(RowsApart(
                entry.samples, bool(ordered[0][1]), before, place), self._moment.step)

    def look_ended(self, step: int) -> None:
        """Nothing is kept from one step to the next."""
        self.left_halfway()

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._entries, self._losses, self._classes = [], [], {}


def _of_classes(layer: Any, classes: int) -> int | None:
    """The axis in which a layer has made so many numbers for each place of its input."""
    shape = graph.shape(layer) or ()
    name = layer.name()
    axis = 1 if name == "ConvolutionBackward0" else len(shape) - 1 if name in _LINEAR else None
    return axis if axis is not None and len(shape) > 1 and shape[axis] == classes else None


def _joins(node: Any) -> bool:
    """Whether a node makes fewer axes of those that it is given."""
    before = [graph.shape(parent) for parent in graph.parents(node)]
    made = graph.shape(node)
    return "View" in node.name() and made is not None and bool(before) and (
        len(before[0] or ()) > len(made))


def _targets(target: torch.Tensor) -> _Targets | None:
    """What tells the order of targets; None if their numbers do not lie in that of a batch."""
    whole = target if target._base is None else target._base
    if not (is_plain(whole) and observable(whole) and observable(target)) or target.ndim == 0 or (
        whole.ndim < 2 or not (whole.is_contiguous() and target.is_contiguous())
    ):
        return None
    return _Targets(tuple(target.shape), tuple(whole.shape), target.storage_offset())


def _layout(targets: _Targets, samples: int) -> Axes | None:
    """The axes of targets, told by the batch that they are a view of; None if that is open."""
    whole, row = targets.whole, math.prod(targets.whole[1:])
    if math.prod(whole) == math.prod(targets.shape):
        if whole.count(samples) != 1:
            return None
        axes: Axes = tuple(((size, 1),) if size == samples else free(size) for size in whole)
    elif math.prod(targets.shape) == samples * row and samples != row and not targets.start % row:
        axes = ((samples, 1),), free(row)  # some rows of all targets
    else:
        return None
    found = cut(axes, targets.shape)
    return found if found is not None and any(map(holds, found)) else None
