"""What the best prediction that ignores the input would cost, from the targets seen so far."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch

from unstuck.observe.later import Later, Number
from unstuck.observe.probes.moments import Moments
from unstuck.observe.tensors import (
    PIECE,
    SPREAD,
    counted,
    is_plain,
    observable,
    pieces,
    spread,
)
from unstuck.torch_api import BINARY, CLASS_LIKELIHOODS, COUNTS, DIFFERENCES

CLASS_LIMIT = 10_000
COLUMN_LIMIT = 65_536

# Arguments that make the constant's loss another one than computed here.
_PLAIN = {"weight": None, "pos_weight": None, "size_average": None, "reduce": None}


class ConstantLoss:
    """Collects target statistics of one loss.

    For classes the best constant is their frequencies and costs their entropy (in nats); for
    values it is the mean of each column and costs what the loss function itself says, which for
    an absolute error is slightly more than the median would cost. Weights of classes count as the
    loss counts them.
    """

    def __init__(
        self, function: str, original: Callable[..., Any] | None = None, args: Any = (),
        kwargs: Any = None,
    ) -> None:
        self._function = function
        self._original = original
        self.options = _options(original, args, kwargs or {})
        self.reduction = str(self.options.get("reduction", "mean"))
        self.log_input = bool(self.options.get("log_input", True)) if (
            function in COUNTS) else None
        self._weights = self._of_classes()
        self._known = function in CLASS_LIKELIHOODS | BINARY | DIFFERENCES and all(
            self.options.get(name) is value or self.options[name] is self._weights
            for name, value in _PLAIN.items()
        )
        self._counts: torch.Tensor | None = None
        self._moments = Moments()
        self._costs: list[float] = []  # of each call, for a loss whose best constant is computed
        self._calls = self._terms = 0  # that were added, and the terms of all of them
        self._counted = 0  # calls whose classes are in the counts
        self._scale: torch.Tensor | None = None  # of a hand-written loss, to the mean of its terms

    def _of_classes(self) -> torch.Tensor | None:
        """The weights of the classes, or those of what is right in each column."""
        name = "weight" if self._function in CLASS_LIKELIHOODS else "pos_weight"
        given = self.options.get(name)
        return given if is_plain(given) and observable(given) and given.ndim <= 1 and (
            not given.requires_grad) else None

    def add(self, args: Any, later: Later, value: Number | None = None) -> None:
        """Takes in the target of one call.

        Args:
            args: what the call received, the prediction first.
            later: reads numbers.
            value: what a hand-written loss came to: sums, halves and weights are seen by that.
        """
        if not self._known or len(args) < 2 or not is_plain(args[1]):
            return
        given, target = args[0], args[1].detach()
        if not observable(target):
            return
        with torch.no_grad():
            self._calls += 1
            self._terms += _terms(self._function, given, target)
            if self._function in CLASS_LIKELIHOODS:
                self._add_classes(given, target)
            else:
                self._add_values(target, later)
            if value is not None and self._function == "mse_loss" and is_plain(given):
                error = mean_error(self._function, given, target)
                # Of a loss that is not reduced, the record has the sum.
                whole = value.double().sum() if is_plain(value) else value
                self._scale = torch.where(error > 0, whole / error, 1.0)

    def _add_classes(self, given: torch.Tensor, target: torch.Tensor) -> None:
        classes = given.shape[1] if given.ndim > 1 else given.shape[0]
        if classes > CLASS_LIMIT:
            return
        if target.is_floating_point():
            axis = 1 if target.ndim > 1 else 0
            counts = reduce(torch.add, (
                piece.double().movedim(axis, -1).reshape(-1, classes).sum(0)
                for piece in pieces(target, keep=axis)))
        else:
            ignored = self.options.get("ignore_index", -100)
            counts = reduce(torch.add, (
                counted(piece, classes, ignored) for piece in pieces(target))).double()
        same = self._counts is not None and self._counts.shape == counts.shape
        self._counts = self._counts + counts if same and self._counts is not None else counts
        self._counted = self._counted + 1 if same else 1

    def _add_values(self, target: torch.Tensor, later: Later) -> None:
        target = spread(target, SPREAD)
        columns = target.reshape(target.shape[0], -1) if target.ndim > 1 else target.reshape(-1, 1)
        if columns.shape[1] > COLUMN_LIMIT:
            columns = target.reshape(-1, 1)
        self._moments.add(columns)
        mean = self._moments.mean_tensor()
        if self._function in ("l1_loss", "smooth_l1_loss", "huber_loss") and mean is not None:
            constant = mean.to(columns.dtype).expand_as(columns)
            options = {k: v for k, v in self.options.items() if k in ("beta", "delta")}
            if self._original is not None:
                parts = columns.split(max(1, PIECE // columns.shape[1]))
                sizes = [len(part) for part in parts]
                later.read(
                    [self._original(mine, theirs, **options) for mine, theirs in zip(
                        constant.split(sizes), parts, strict=True)],
                    lambda costs: self._costs.append(sum(
                        float(cost) * size for cost, size in zip(costs, sizes, strict=True)
                    ) / sum(sizes)))

    def ask(self, later: Later, then: Callable[[float], None]) -> None:
        """Calls `then` with the loss of the best constant as the program reduces it, if known.

        Of a sum it is that of a batch of the usual size.
        """
        if not self._known:
            return
        sums, calls = self.reduction == "sum", self._counted
        terms = self._usual() if sums else 1.0
        if self._function in CLASS_LIKELIHOODS:
            if self._counts is not None:
                later.read(self._entropy(self._counts), lambda found: (
                    # Labels that are ignored are no terms.
                    then(float(found[1]) * (float(found[0]) / calls if sums else 1.0))
                    if float(found[0]) > 0 else None))
        elif self._function in BINARY or self._function == "mse_loss":
            cost = self._mean_cost()
            if cost is not None:
                scaled = cost if self._scale is None else cost * self._scale
                later.read([scaled], lambda found: then(float(found[0]) * terms))
        else:
            later.read((), lambda _: (
                then(sum(self._costs) / len(self._costs) * terms) if self._costs else None))

    @property
    def is_plain(self) -> bool:
        """Whether nothing weighs the terms of the loss, and shares are shares as far as known."""
        mean = self._moments.mean_tensor()
        by_hand = (self._scale is not None or self._function == "cross_entropy"
                   or self._function in BINARY)
        return self._known and self._weights is None and (
            self._original is not None or by_hand) and (
            self._function not in BINARY or mean is None or bool(((mean >= 0) & (mean <= 1)).all()))

    def of(self, given: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """What this loss function returns, called as the program calls it; or a formula by hand."""
        if self._original is None:
            return self._by_hand(given, target)
        result: torch.Tensor = self._original(given, target, **self.options)
        return result

    def _by_hand(self, given: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if self._function == "cross_entropy":
            labels = target.long().clamp(0, given.shape[1] - 1).unsqueeze(1)
            return (given.logsumexp(1) - given.gather(1, labels).squeeze(1)).mean()
        if self._function in BINARY:
            chance = given if self._function == "binary_cross_entropy" else given.sigmoid()
            other = 1 - chance if chance is given else (-given).sigmoid()
            return -(torch.special.xlogy(target, chance)
                     + torch.special.xlogy(1 - target, other)).mean()
        error = mean_error(self._function, given, target)
        return error if self._scale is None else error * self._scale.to(error.device)

    def per_term(self, value: Number, args: Any) -> Number:
        """A value of this loss as a mean, which batches of any size have in common.

        Args:
            value: what a call returned.
            args: what that call received.
        """
        if self.reduction != "sum" or len(args) < 2 or not is_plain(args[1]):
            return value
        return value / _terms(self._function, args[0], args[1])

    def of_a_step(self, mean: Number) -> Number:
        """A mean as this loss would have it in a training step."""
        return mean * self._usual() if self.reduction == "sum" else mean

    def _usual(self) -> float:
        """How many terms a call adds up."""
        return self._terms / self._calls if self._calls else 1.0

    def _entropy(self, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """How many labels were counted, and the entropy of their frequencies; a label counts as
        much as its class weighs.
        """
        if self._weights is not None:
            counts = counts * self._weights.to(counts)
        number = counts.sum()
        share = counts / number
        smoothing = self.options.get("label_smoothing", 0.0)
        if isinstance(smoothing, float) and smoothing > 0:
            share = share * (1 - smoothing) + smoothing / len(share)
        return number, -torch.special.xlogy(share, share).sum()

    def _mean_cost(self) -> torch.Tensor | None:
        """What the mean of each column costs, as a mean of terms."""
        mean = self._moments.mean_tensor()
        if mean is None or self._function not in BINARY:
            return self._moments.variance()
        p = mean.clamp(0, 1)
        weight = 1.0 if self._weights is None else self._weights.to(p)
        if is_plain(weight) and weight.numel() not in (1, p.numel()):
            return None  # of the last axis of several
        right = weight * p  # each right answer counts so much
        best = right / (right + 1 - p).clamp(min=1e-12)
        return -(torch.special.xlogy(right, best) + torch.special.xlogy(1 - p, 1 - best)).mean()


def mean_error(function: str, given: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The mean of the squared differences, or of their absolute values for an absolute error."""
    apart = (given.detach().reshape(target.shape) - target).double()
    return (apart.square() if function == "mse_loss" else apart.abs()).mean()


def _terms(function: str, given: torch.Tensor, target: torch.Tensor) -> int:
    """How many terms a loss adds up: one for each sample with classes, else one for each number."""
    count: int = target.numel()
    if function in CLASS_LIKELIHOODS and target.is_floating_point():
        count //= given.shape[1] if given.ndim > 1 else given.shape[0]
    return max(count, 1)


def _options(original: Callable[..., Any] | None, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments of a loss call by name, tensors of data left out."""
    if original is None:
        return {}
    names = list(inspect.signature(original).parameters)
    return {name: value for name, value in [*zip(names, args, strict=False), *kwargs.items()]
            if name not in ("input", "target")}
