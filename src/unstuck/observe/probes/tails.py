"""Whether the classes that a loss wants at each step end in padding, and whether that counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

import torch

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.probes.padding import WITHIN, padding_of, within
from unstuck.observe.tensors import is_plain, observable
from unstuck.schema.facts.sequences import PaddedTargets
from unstuck.schema.signals.sequences import TAIL_IN_LOSS
from unstuck.torch_api import CLASS_LIKELIHOODS, target_among

ELEMENT_LIMIT = 1_000_000  # of targets that are looked at
FEWEST_CLASSES = 3  # before the tail: fewer may be a state that lasts once it has come
NEAR = 60  # operations of a loss among which it picks the classes
IGNORE_INDEX = 4  # its place among the arguments of a classification loss


@dataclass(slots=True)
class _Targets:
    """Classes of shape (samples, steps), and where the gradient of the loss is not zero."""

    classes: torch.Tensor
    ignored: int | None
    counts: torch.Tensor | None = None


class TailProbe(Probe):
    """Looks at the targets of losses over steps, whether or not the inputs are padded too."""

    signals = (TAIL_IN_LOSS,)
    facts = (PaddedTargets,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._losses = context.probe(LossProbe)
        self._now: dict[str, _Targets] = {}
        self._written: set[str] = set()

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Takes the classes of a loss function, at a sampled step and with gradients on."""
        if not self._moment.sampled or not loss.requires_grad or function not in CLASS_LIKELIHOODS:
            return
        known = self._losses.known.get((function, self._sites.here()))
        target, scores = target_among(function, args), args[0]
        if known is None or not _are_classes(target) or not is_plain(scores) or (
            scores.grad_fn is None
        ):
            return
        shape = tuple(target.shape) if target.ndim == 2 else _steps(scores.grad_fn, target.numel())
        if shape is not None:
            ignored = args[IGNORE_INDEX] if len(args) > IGNORE_INDEX else None
            self._follow(known.name, scores.grad_fn, _Targets(
                target.detach().reshape(shape), ignored if isinstance(ignored, int) else None),
                1)

    def loss_differentiated(self, loss: torch.Tensor) -> None:
        """Takes the classes that a hand-written loss picks of log-probabilities."""
        known = self._losses.known.get(("", self._sites.here()))
        if not self._moment.sampled or loss.grad_fn is None or known is None:
            return
        for node in graph.walk(loss.grad_fn, NEAR):
            index = graph.saved(node, "index") if node.name() == "GatherBackward0" else None
            if index is not None and _are_classes(index) and (
                    index.ndim == 3 and index.shape[2] == 1):
                self._follow(known.name, node, _Targets(index.squeeze(2), None), 2)
                return

    def _follow(self, name: str, node: Any, targets: _Targets, axis: int) -> None:
        """Asks for the gradient at each target; `axis` is that of the classes, if there is one."""
        self._now[name] = targets
        count = targets.classes.numel()

        def note(gradients: Any) -> None:
            gradient = gradients[0] if gradients else None
            if not is_plain(gradient):
                return
            size = gradient.detach().abs()
            if size.numel() != count:
                size = size.amax(min(axis, size.ndim - 1))
            if size.numel() == count:
                targets.counts = size.reshape(targets.classes.shape) > 0

        node.register_prehook(self._guard.guarded(note))

    def look_ended(self, step: int) -> None:
        """Writes what the step showed."""
        now, self._now = self._now, {}
        for name, targets in now.items():
            if targets.counts is not None:
                self._later.read([targets.classes, targets.counts], self._write(
                    name, targets.ignored, step))

    def _write(self, name: str, ignored: int | None, step: int) -> Any:
        def write(found: list[torch.Tensor]) -> None:
            classes, counts = found
            share, value = _tail(classes, counts)
            if value is not None and name not in self._written:
                self._written.add(name)
                self._writer.fact(PaddedTargets(name, value, ignored), step)
            self._writer.sample(TAIL_IN_LOSS, step, {name: share})

        return write

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._now = {}


def _are_classes(target: Any) -> TypeGuard[torch.Tensor]:
    return bool(is_plain(target) and observable(target) and target.dtype == torch.int64
                and 1 <= target.ndim <= 3 and target.numel() <= ELEMENT_LIMIT)


def _steps(node: Any, count: int) -> tuple[int, int] | None:
    """The samples and steps of scores that were made one row for each of both."""
    for each in graph.reshaped(node):
        shape = graph.shape(each)
        if shape is not None and len(shape) == 3 and shape[0] * shape[1] == count:
            return shape[0], shape[1]
    return None


def _tail(classes: torch.Tensor, counts: torch.Tensor) -> tuple[float, float | None]:
    """The share of the targets that count which are padding, and the value of that; 0 and None."""
    with torch.no_grad():
        found = padding_of(classes)
        if found is None or within(classes, False, found) > WITHIN or (
            classes[~found.mask].unique().numel() < FEWEST_CLASSES
        ):
            return 0.0, None
        return float((counts & found.mask).sum() / counts.sum().clamp(min=1)), found.value
