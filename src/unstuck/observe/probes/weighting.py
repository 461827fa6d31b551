"""How much a loss lets each class count, beside how frequent the class is."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.binary import weighted_entropies
from unstuck.observe.probes.entropy import PICKS, picked
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.tensors import counted, is_plain, observable, spread
from unstuck.schema.signals.drawing import CLASS_SHARE, CLASS_WEIGHT
from unstuck.torch_api import BINARY, CLASS_LIKELIHOODS, WEIGHTED, target_among

MOST_CLASSES = 100
MOST_LOSSES = 16
ELEMENT_LIMIT = 1_000_000  # of the targets of a call


_PROBABILITIES = frozenset({"LogSoftmaxBackward0", "SoftmaxBackward0", "LogBackward0"})
_ELEMENTWISE = frozenset({
    "MulBackward0", "NegBackward0", "PowBackward0", "PowBackward1", "ExpBackward0",
    "LogBackward0", "AddBackward0", "SubBackward0", "RsubBackward1", "DivBackward0",
    "ClampBackward0", "ClampMinBackward0"}) | graph.RESHAPES


def _log_probabilities(nodes: list[Any], name: str) -> dict[int, tuple[str, torch.Tensor]]:
    """The nodes of a hand-written loss that pick a probability of each sample, with the classes."""
    found = {}
    for node in nodes:
        behind = graph.parents(node) if node.name() in PICKS else []
        shape = graph.shape(behind[0]) if behind and behind[0].name() in _PROBABILITIES else None
        classes = picked(node, shape[0]) if shape is not None and len(shape) == 2 else None
        if classes is not None:
            found[graph.sequence(node)] = name, classes
    return found


def _constant_factors(node: Any, without: Any = None) -> Iterator[torch.Tensor]:
    """The tensors without gradients in a product, whose factor `without` is not looked into."""
    if node.name() != "MulBackward0":
        return
    parents = graph.parents(node)
    if len(parents) == 1:
        slot = "self" if node.next_functions[0][0] is None else "other"
        if is_plain(weight := graph.saved(node, slot)):
            yield weight
    for parent in parents:
        if parent is not without:
            yield from _constant_factors(parent)


class _Classes:
    """Weights and counts of the classes of one loss. Of labels of 0 and 1, several can be one row.

    Both have shape (rows, classes): one row of all classes, or a row for each label, of two.
    """

    def __init__(self) -> None:
        self.counts: torch.Tensor | None = None
        self.sums: torch.Tensor | None = None  # of the weights of these targets

    def add(self, counts: torch.Tensor, sums: torch.Tensor) -> None:
        """Takes in a batch; one whose last classes did not come has fewer of them."""
        if self.counts is None or self.sums is None or len(self.counts) != len(counts):
            self.counts, self.sums = counts, sums
        else:
            self.counts = _sum(self.counts, counts)
            self.sums = _sum(self.sums, sums)


def _sum(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Of two tables with the same rows, of which one may have further classes."""
    width = max(one.shape[1], other.shape[1])
    return torch.nn.functional.pad(one, (0, width - one.shape[1])) + torch.nn.functional.pad(
        other, (0, width - other.shape[1]))


class WeightingProbe(Probe):
    """Looks at the targets of weighted losses, and at the weight that each of them gets."""

    signals = (CLASS_SHARE, CLASS_WEIGHT)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._losses = context.probe(LossProbe)
        self._known: dict[str, _Classes] = {}
        self._single: dict[int, tuple[str, torch.Tensor]] = {}  # losses of single samples

    def loss_called(
        self, function: str, original: Callable[..., Any], args: Any, kwargs: Any, result: Any
    ) -> None:
        """Counts the targets of a training loss by class, each by its weight."""
        if not self._moment.sampled or function not in WEIGHTED or not is_plain(result) or (
            result.grad_fn is None
        ):
            return
        known = self._losses.known.get((function, self._sites.here()))
        target = target_among(function, args)
        if known is None or not is_plain(target) or not observable(target) or (
            target.numel() > ELEMENT_LIMIT
        ):
            return
        names = list(inspect.signature(original).parameters)
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        with torch.no_grad():
            if function in CLASS_LIKELIHOODS:
                self._of_classes(known.name, args[0], target.detach(), given)
            elif function in BINARY:
                self._of_flags(known.name, target.detach(), given)
        if result.numel() > 1 and result.shape == target.shape:
            self._single[graph.sequence(result.grad_fn)] = known.name, target.detach()

    def _of_classes(
        self, name: str, output: torch.Tensor, target: torch.Tensor, given: dict[str, Any]
    ) -> None:
        weight = given.get("weight")
        if not is_plain(weight) or weight.ndim != 1 or len(weight) > MOST_CLASSES or (
            target.is_floating_point()
        ):
            return
        counts = counted(target, len(weight), given.get("ignore_index", -100)).double()[None]
        self._later.read([counts, counts * weight.detach().double()],
                         lambda found: self._add(name, found[0], found[1]))

    def _of_flags(self, name: str, target: torch.Tensor, given: dict[str, Any]) -> None:
        positive, weight = given.get("pos_weight"), given.get("weight")
        tables = [w.detach() for w in (positive, weight) if is_plain(w)]
        if tables and target.is_floating_point():
            first, last = is_plain(positive), is_plain(weight)  # not these: they must be able to go
            self._later.read_now([target, *tables], lambda found: self._flags(
                name, found[0], found[1] if first else None, found[-1] if last else None))

    def _flags(
        self, name: str, target: torch.Tensor, positive: torch.Tensor | None,
        weight: torch.Tensor | None,
    ) -> None:
        tables = [w for w in (positive, weight) if w is not None]
        if bool(((target != 0) & (target != 1)).any()):
            return
        try:
            shape = torch.broadcast_shapes(target.shape, *(w.shape for w in tables))
        except RuntimeError:
            return
        flags = target.expand(shape)
        weights = torch.ones_like(flags)
        if positive is not None:
            weights = torch.where(flags > 0, positive.to(weights), weights)
        if weight is not None:
            weights = weights * weight.to(weights)
        several = positive is not None and positive.numel() > 1
        self._weighed(name, flags.long(), weights, 2, several)

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Weights that the program multiplies the losses of single samples with."""
        written = self._losses.known.get(("", self._sites.here()))
        found = dict(self._single)
        if written is not None and not found:
            found = _log_probabilities(nodes, written.name) or self._entropies(nodes, written.name)
        if not found:
            return
        for node in sorted(nodes, key=graph.sequence):
            if node.name() not in _ELEMENTWISE:
                continue
            for parent in graph.parents(node):
                known = found.get(graph.sequence(parent))
                if known is None or math.prod(graph.shape(node) or ()) != known[1].numel():
                    continue
                found[graph.sequence(node)] = known
                name, target = known
                for weight in _constant_factors(node, parent):
                    if weight.numel() == target.numel():
                        with torch.no_grad():
                            size = weight.float().abs().reshape(target.shape)
                        self._later.read_now([target, size], partial(self._read, name))

    def _entropies(self, nodes: list[Any], name: str) -> dict[int, tuple[str, torch.Tensor]]:
        """The nodes of binary cross entropies of single samples, with the labels."""
        found = {}
        for each in weighted_entropies(nodes):
            found[graph.sequence(each.root)] = name, each.target
            if each.weights is not None:
                self._later.read_now([each.target, each.weights], partial(self._read, name))
        return found

    def _read(self, name: str, found: list[torch.Tensor]) -> None:
        with torch.no_grad():
            self._multiplied(name, *found)

    def _multiplied(self, name: str, target: torch.Tensor, weight: torch.Tensor) -> None:
        if target.is_floating_point() and bool(((target != 0) & (target != 1)).any()):
            return
        labels = target.long()
        top = int(labels.max())
        if int(labels.min()) >= 0 and top < MOST_CLASSES:
            self._weighed(name, labels, weight, max(top + 1, 2), False)

    def _weighed(
        self, name: str, labels: torch.Tensor, weights: torch.Tensor, classes: int, several: bool
    ) -> None:
        """Sums of weights by class; with `several`, for each place along the last axis."""
        rows = labels.shape[-1] if several else 1
        if rows > MOST_CLASSES:
            return
        labels = spread(labels, ELEMENT_LIMIT, keep=-1).reshape(-1, rows)
        weights = spread(weights, ELEMENT_LIMIT, keep=-1).reshape(-1, rows).double()
        hot = torch.nn.functional.one_hot(labels, classes).double()
        self._add(name, hot.sum(0), (hot * weights[..., None]).sum(0))

    def _add(self, name: str, counts: torch.Tensor, sums: torch.Tensor) -> None:
        if name in self._known or len(self._known) < MOST_LOSSES:
            self._known.setdefault(name, _Classes()).add(counts, sums)

    def look_ended(self, step: int) -> None:
        """Writes the shares and the mean weights of all classes that came."""
        self._single = {}
        self._later.read((), lambda _: self._write(step))

    def _write(self, step: int) -> None:
        shares: dict[str, float] = {}
        weights: dict[str, float] = {}
        for name, classes in self._known.items():
            if classes.counts is None or classes.sums is None:
                continue
            for row, (counts, sums) in enumerate(
                zip(classes.counts.tolist(), classes.sums.tolist(), strict=True)
            ):
                label = f"label {row}, " if len(classes.counts) > 1 else ""
                for i, (number, total) in enumerate(zip(counts, sums, strict=True)):
                    if number:
                        place = f"{name}: {label}class {i}"
                        shares[place], weights[place] = number / sum(counts), total / number
        self._writer.sample(CLASS_SHARE, step, shares)
        self._writer.sample(CLASS_WEIGHT, step, weights)
