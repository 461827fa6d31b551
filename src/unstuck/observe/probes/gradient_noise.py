"""How far the gradients of two successive steps agree, from which noise and bouncing are read."""

from __future__ import annotations

import math
import weakref

import torch
from torch.optim.optimizer import Optimizer

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.tensors import first_elements, held_by, held_here, observable
from unstuck.schema.signals.parameters import GRADIENT_PRODUCT, GRADIENT_SQUARE

ELEMENT_LIMIT = 250_000  # elements of a parameter's gradient that are kept for one step
TOTAL_LIMIT = 2_000_000  # of all parameters together

# An optimizer, and the gradients of its parameters.
Kept = tuple[weakref.ref[Optimizer], list[tuple[weakref.ref[torch.Tensor], torch.Tensor]]]


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
        self._kept: Kept | None = None
        self._evaluates: weakref.ref[Optimizer] | None = None  # whose closure is about to come

    def quiet_until(self, step: int) -> float:
        """No step is, while the gradient of the step before is kept."""
        return step if self._kept is not None else math.inf

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

    def after_step(self, optimizer: Optimizer | None) -> None:
        """A closure that computed nothing leaves nothing to compare."""
        if self._evaluates is not None:
            self._evaluates = self._kept = None

    def _complete(self, optimizer: Optimizer) -> None:
        kept, self._kept = self._kept, None
        with torch.no_grad():
            if kept is not None and _continues(kept, optimizer):
                self._compare(
                    kept[1], self._parameters.name(optimizer), self._moment.step)
            if self._moment.sampled:
                self._keep(optimizer)

    def _keep(self, optimizer: Optimizer) -> None:
        kept, total = [], 0
        for parameter in held_by(optimizer):
            gradient = _gradient(parameter)
            if gradient is None:
                continue
            part = _part(gradient)
            total += part.numel()
            if total > TOTAL_LIMIT:
                break
            kept.append((weakref.ref(parameter), part.clone()))
        if kept:
            self._kept = (weakref.ref(optimizer), kept)

    def _compare(
        self, kept: list[tuple[weakref.ref[torch.Tensor], torch.Tensor]], name: str, step: int
    ) -> None:
        old, new = [], []
        for ref, before in kept:
            parameter = ref()
            gradient = _gradient(parameter)
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


def _continues(kept: Kept, optimizer: Optimizer) -> bool:
    """Whether an optimizer is the one before, or was made in the place of one that is gone."""
    before, gradients = kept
    return before() is optimizer or (before() is None and any(
        parameter is gradients[0][0]() for parameter in held_by(optimizer)))


def _gradient(parameter: torch.Tensor | None) -> torch.Tensor | None:
    gradient = parameter.grad if parameter is not None else None
    held = held_here(gradient) if gradient is not None else None
    return held if held is not None and observable(held) else None


def _part(gradient: torch.Tensor) -> torch.Tensor:
    return first_elements(gradient.detach(), ELEMENT_LIMIT)
