"""Whether padded time steps count in the loss, and what the loss leaves out."""

from __future__ import annotations

from typing import Any

import torch

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.probes.padding import Padded, PaddingProbe
from unstuck.observe.tensors import is_plain, observable
from unstuck.schema.facts.sequences import PaddedTargets
from unstuck.schema.signals.sequences import IGNORED_TARGETS, PADDING_IN_LOSS, REAL_IN_LOSS
from unstuck.torch_api import BINARY, CLASS_LIKELIHOODS, IGNORE_INDEX, REGRESSION, target_among

ELEMENT_LIMIT = 4_000_000  # of targets that are looked at
ALL = 0.99  # of the padded targets must be one value, that
WITHIN = 0.02  # of the others may be as well


class PaddedTargetProbe(Probe):
    """Finds targets at padded steps, and asks for the gradient there: a mask may come later."""

    signals = (IGNORED_TARGETS, PADDING_IN_LOSS, REAL_IN_LOSS)
    facts = (PaddedTargets,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._padding = context.probe(PaddingProbe)
        self._losses = context.probe(LossProbe)
        self._ignored: dict[str, torch.Tensor] = {}
        self._shares: dict[str, torch.Tensor] = {}
        self._real: dict[str, torch.Tensor] = {}
        self._written: dict[str, PaddedTargets] = {}

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Looks at the targets, at a sampled step and with gradients on."""
        classes = function in CLASS_LIKELIHOODS
        if not self._moment.sampled or not loss.requires_grad or not (
            classes or function in REGRESSION or function in BINARY
        ):
            return
        target = target_among(function, args)
        known = self._losses.known.get((function, self._sites.here()))
        if known is None or not is_plain(target) or not observable(target) or (
            target.numel() > ELEMENT_LIMIT or (classes and target.is_floating_point())
        ):
            return
        target = target.detach()
        ignored = int(args[IGNORE_INDEX]) if classes else None
        if ignored is not None:
            self._ignored[known.name] = (target == ignored).float().mean()
        node = args[0].grad_fn
        if node is not None and is_plain(args[0]):
            self._compare(known.name, function, node, tuple(args[0].shape), target, ignored)

    def loss_differentiated(self, loss: torch.Tensor) -> None:
        """Looks at the targets of a loss that is written by hand."""
        known = self._losses.known.get(("", self._sites.here()))
        formula = known.by_hand if known is not None and self._moment.sampled else None
        if known is None or formula is None or formula.function not in BINARY or (
            formula.target is None or formula.made_by is None
            or formula.target.numel() > ELEMENT_LIMIT or not observable(formula.target)
        ):
            return
        self._compare(known.name, formula.function, formula.made_by, formula.input_shape,
                      formula.target.detach(), None)

    def _compare(
        self, name: str, function: str, node: Any, given: tuple[int, ...], target: torch.Tensor,
        ignored: int | None,
    ) -> None:
        """Asks for the gradient of outputs, made by a node, whose targets are padded."""
        classes = function in CLASS_LIKELIHOODS
        for padded in self._padding.now:
            steps = steps_of(target, padded, given, classes)
            found = value_at(target, *steps) if steps is not None else None
            if steps is None or found is None or not (
                    found[1] or function not in REGRESSION):
                continue
            fact = PaddedTargets(name, found[0], ignored, own=found[1])
            if self._written.get(name) != fact:
                self._written[name] = fact
                self._writer.fact(fact, self._moment.step)
            node.register_prehook(self._guard.guarded(
                self._noting(name, *steps, classes and len(given) > 2)))
            return

    def _noting(
        self, name: str, mask: torch.Tensor, far: torch.Tensor, classes_second: bool
    ) -> Any:
        def note(gradients: Any) -> None:
            gradient = gradients[0] if gradients else None
            if not is_plain(gradient):
                return
            size = gradient.detach().abs()
            size = size.amax(1) if classes_second else size.reshape(mask.numel(), -1).amax(1)
            counts = size.reshape(-1) > 0
            here = mask.to(counts.device)
            self._shares[name] = (counts & here).sum() / counts.sum().clamp(min=1)
            real = far.to(counts.device)
            self._real[name] = (counts & real).sum() / real.sum()  # NaN if there are none

        return note

    def look_ended(self, step: int) -> None:
        """Writes what the step showed."""
        names = list(self._ignored)
        self._later.values(list(self._ignored.values()), lambda shares: self._writer.sample(
            IGNORED_TARGETS, step, {n: s for n, s in zip(names, shares, strict=True) if s > 0}))
        self._later.sample(PADDING_IN_LOSS, step, self._shares)
        self._later.sample(REAL_IN_LOSS, step, self._real)
        self.left_halfway()

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._ignored, self._shares, self._real = {}, {}, {}


def steps_of(
    target: torch.Tensor, padded: Padded, given: tuple[int, ...], classes: bool
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Which targets, in the order of their rows, stand at padded steps, and which far from them.

    None if they are not steps. Targets that are the inputs shifted by one may be one step fewer, or
    begin with the padding one step earlier.
    """
    rows = given[0] * (given[2] if classes and len(given) > 2 else 1)
    if classes and len(given) > 3:
        return None
    if not classes:
        rows = given[0] * given[1] if len(given) > 1 and given[0] in (
            padded.samples, padded.steps) else given[0]
    for steps in (padded.steps, padded.steps - 1):
        if padded.samples * steps != rows or target.numel() < rows:
            continue
        mask = padded.mask[:, padded.steps - steps:]
        first = target.shape[0]
        turned = bool(padded.axis) if first == rows else first == steps != padded.samples
        far = ~mask
        far[:, :-1] &= ~mask[:, 1:]
        far[:, 1:] &= ~mask[:, :-1]
        return _flat(mask, turned), _flat(far, turned)
    return None


def _flat(mask: torch.Tensor, turned: bool) -> torch.Tensor:
    return (mask.T if turned else mask).reshape(-1)


def value_at(
    target: torch.Tensor, mask: torch.Tensor, far: torch.Tensor
) -> tuple[float, bool] | None:
    """The value of all targets at padded steps, and whether hardly any has it far from them."""
    with torch.no_grad():
        rows = target.cpu().reshape(mask.numel(), -1)
        inside = rows[mask]
        if not len(inside) or bool(mask.all()):
            return None
        value = inside.reshape(-1).mode().values
        same = (rows == value).all(1)
        if float(same[mask].float().mean()) < ALL or bool(same[~mask].all()):
            return None
        return float(value), int((same & far).sum()) <= WITHIN * int(far.sum())
