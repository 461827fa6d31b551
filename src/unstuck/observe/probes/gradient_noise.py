"""How far the gradients of two successive steps agree, from which noise and bouncing are read."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim.optimizer import Optimizer

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.tensors import first_elements, held_by, held_here, is_plain, observable
from unstuck.schema.signals.parameters import BY_HAND, GRADIENT_PRODUCT, GRADIENT_SQUARE

ELEMENT_LIMIT = 250_000  # elements of a parameter's gradient that are kept for one step
TOTAL_LIMIT = 2_000_000  # of all parameters together

Pairs = Sequence[tuple[torch.Tensor, torch.Tensor]]  # parameters with their gradients


@dataclass(frozen=True, slots=True)
class _Kept:
    """The gradients of a step, until the next: of an optimizer, or of a program without one."""

    optimizer: weakref.ref[Optimizer] | None
    step: int
    gradients: list[tuple[weakref.ref[torch.Tensor], torch.Tensor]]


class GradientNoiseProbe(Probe):
    """Keeps the gradient of a sampled step until the next step of the same optimizer.

    Two independent batches of B samples are a batch of B and one of 2 B, for which appendix A of
    McCandlish et al. 2018 (arXiv 1812.06162) estimates the square of the true gradient as
    2 |(g + g') / 2|² - (|g|² + |g'|²) / 2, which is the product of the two. Scale-free sums of
    both are written.
    """

    signals = (GRADIENT_PRODUCT, GRADIENT_SQUARE)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        self._kept: _Kept | None = None
        self._evaluates: weakref.ref[Optimizer] | None = None  # whose closure is about to come

    def quiet_until(self, step: int) -> float:
        """No step is, while the gradient of the step before is kept."""
        return step if self._kept is not None else math.inf

    def optimizer_built(self, optimizer: Optimizer) -> None:
        """Its steps are not made by hand."""
        self._moment.pairs = False

    def before_step(self, optimizer: Optimizer | None, closure: bool) -> None:
        """The gradients are complete: compares them with those that are kept, and keeps them."""
        self._evaluates = None
        if optimizer is None or not (self._moment.sampled or self._kept is not None):
            return
        if not closure:
            self._complete(optimizer)
        elif self._moment.backwards:
            self._kept = None  # those that are there are about to be replaced, or added to
        else:
            self._evaluates = weakref.ref(optimizer)

    def backward_ended(self) -> None:
        """A closure first computes the gradient at the weights before the step."""
        evaluates, self._evaluates = self._evaluates, None
        optimizer = evaluates() if evaluates is not None else None
        if optimizer is not None:
            self._complete(optimizer)
        elif not self._parameters.has_optimizer:
            self._by_hand([(p, g) for _, p in self._names.parameters()
                           if (g := _gradient(p)) is not None])

    def gradients_given(self, outputs: Any, inputs: Any, gradients: Any) -> None:
        """The same, where `torch.autograd.grad` has computed them."""
        if not self._parameters.has_optimizer and isinstance(inputs, tuple | list):
            self._by_hand([
                (p, held) for p, g in zip(inputs, gradients, strict=False)
                if self._names.parameter(p) is not None and is_plain(g)
                and (held := _observable(g)) is not None])

    def _by_hand(self, pairs: Pairs) -> None:
        """The program updates its weights itself: once for each of its losses, as far as known."""
        kept, self._kept = self._kept, None
        with torch.no_grad():
            if kept is not None and kept.optimizer is None and (
                    kept.step + 1 == self._moment.step):
                self._compare(kept, pairs, BY_HAND)
            if self._moment.sampled:
                self._keep(None, pairs)
        self._moment.pairs = self._kept is not None

    def after_step(self, optimizer: Optimizer | None) -> None:
        """A closure that computed nothing leaves nothing to compare."""
        if self._evaluates is not None:
            self._evaluates = self._kept = None

    def _complete(self, optimizer: Optimizer) -> None:
        kept, self._kept = self._kept, None
        with torch.no_grad():
            pairs = [(p, g) for p in held_by(optimizer) if (g := _gradient(p)) is not None]
            if kept is not None and _continues(kept, optimizer):
                self._compare(kept, pairs, self._parameters.name(optimizer))
            if self._moment.sampled:
                self._keep(weakref.ref(optimizer), pairs)

    def _keep(self, optimizer: weakref.ref[Optimizer] | None, pairs: Pairs) -> None:
        kept, total = [], 0
        for parameter, gradient in pairs:
            part = _part(gradient)
            total += part.numel()
            if total > TOTAL_LIMIT:
                break
            kept.append((weakref.ref(parameter), part.clone()))
        if kept:
            self._kept = _Kept(optimizer, self._moment.step, kept)

    def _compare(self, kept: _Kept, pairs: Pairs, name: str) -> None:
        step = self._moment.step
        gradients = {id(parameter): gradient for parameter, gradient in pairs}
        old, new = [], []
        for ref, before in kept.gradients:
            gradient = gradients.get(id(ref()))
            if gradient is None:
                continue
            after = _part(gradient)
            if after.shape == before.shape and after.device == before.device:
                old.append(before.float())
                new.append(after.float())
        if not old:
            return
        products = [torch.dot(a, b) for a, b in zip(old, new, strict=True)]
        norms = torch._foreach_norm([*old, *new])
        self._later.numbers(
            [*products, *norms], lambda numbers: self._write(numbers, len(products), name, step))

    def _write(self, numbers: list[float], count: int, name: str, step: int) -> None:
        first = math.hypot(*numbers[count:2 * count])
        second = math.hypot(*numbers[2 * count:])
        size = max(first, second)
        if not 0 < size < math.inf:
            return
        # In units of the larger of the two, so that no step outweighs all others.
        self._writer.sample(GRADIENT_PRODUCT, step,
                            {name: math.fsum(numbers[:count]) / size / size})
        self._writer.sample(GRADIENT_SQUARE, step,
                            {name: ((first / size) ** 2 + (second / size) ** 2) / 2})


def _continues(kept: _Kept, optimizer: Optimizer) -> bool:
    """Whether an optimizer is the one before, or was made in the place of one that is gone."""
    before = kept.optimizer
    return before is not None and (before() is optimizer or (before() is None and any(
        parameter is kept.gradients[0][0]() for parameter in held_by(optimizer))))


def _gradient(parameter: torch.Tensor) -> torch.Tensor | None:
    return None if parameter.grad is None else _observable(parameter.grad)


def _observable(gradient: torch.Tensor) -> torch.Tensor | None:
    held = held_here(gradient)
    return held if held is not None and observable(held) else None


def _part(gradient: torch.Tensor) -> torch.Tensor:
    return first_elements(gradient.detach(), ELEMENT_LIMIT)
