"""What a loss receives: the range of its input, the sums of its rows, its targets."""

from __future__ import annotations

from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.later import Later
from unstuck.observe.tensors import (
    PIECE,
    is_plain,
    mean_deviation,
    observable,
    pieces,
    spread,
)
from unstuck.schema.signals.targets import (
    BATCH_SUM_ERROR,
    CLASS_SUM_ERROR,
    LIKELIHOOD_SUM_ERROR,
    LOSS_INPUT_DROPPED,
    LOSS_INPUT_MAXIMUM,
    LOSS_INPUT_MINIMUM,
    TARGET_DEVIATION,
    TARGET_MEAN,
    TARGET_SUM_ERROR,
)
from unstuck.torch_api import CLASS_LIKELIHOODS, LOG_PROBABILITIES, SEQUENCES

SIGNALS = (
    BATCH_SUM_ERROR, CLASS_SUM_ERROR, LIKELIHOOD_SUM_ERROR, LOSS_INPUT_DROPPED, LOSS_INPUT_MAXIMUM,
    LOSS_INPUT_MINIMUM, TARGET_DEVIATION, TARGET_MEAN, TARGET_SUM_ERROR,
)


def mask_of(node: Any) -> torch.Tensor | None:
    """What may be the mask of a dropout that made what a loss receives, by the node that did."""
    chain = graph.producers(node, 1) if node is not None else []
    name = chain[0].name() if chain else ""
    if name not in ("MulBackward0", "NativeDropoutBackward0"):
        return None
    mask = graph.factor(chain[0]) if name == "MulBackward0" else graph.saved(chain[0], "result1")
    return mask if is_plain(mask) and observable(mask) and (
        tuple(mask.shape) == graph.shape(chain[0])) else None


def _dropped(mask: torch.Tensor) -> torch.Tensor:
    """The share of zeros in a mask of zeros and one number above 1; 0 for other tensors."""
    if mask.dtype is torch.bool:
        return 1 - mask.float().mean()
    zeros, kept = mask == 0, mask.max()
    return (zeros.float().mean() * ((zeros | (mask == kept)).all() & (kept > 1))).float()


def write_input(
    later: Later, loss: str, function: str, given: torch.Tensor, step: int
) -> None:
    """Measures the first argument of a loss function, of shape (batch, classes or anything)."""
    with torch.no_grad():
        given, mask = given.detach(), mask_of(given.grad_fn)
        if not given.is_floating_point() or not observable(given):
            return
        if mask is not None:
            later.sample(LOSS_INPUT_DROPPED, step, {loss: _dropped(mask)})
        low, high = torch.aminmax(given)
        later.sample(LOSS_INPUT_MINIMUM, step, {loss: low})
        later.sample(LOSS_INPUT_MAXIMUM, step, {loss: high})
        if given.ndim >= 2:
            classes = given.ndim - 1 if function in SEQUENCES else 1
            for signal, axis in ((CLASS_SUM_ERROR, classes), (BATCH_SUM_ERROR, 0)):
                # Sums of pieces: all sums of a large tensor are many as well.
                errors = [(piece.sum(axis) - 1).abs().max() for piece in pieces(given, keep=axis)]
                later.sample(signal, step, {loss: torch.stack(errors).max()})
            if function in CLASS_LIKELIHOODS & LOG_PROBABILITIES or function in SEQUENCES:
                errors = [(piece.exp().sum(classes) - 1).abs().max()
                          for piece in pieces(given, keep=classes)]
                later.sample(LIKELIHOOD_SUM_ERROR, step, {loss: torch.stack(errors).max()})


def write_target(later: Later, loss: str, target: Any, step: int) -> None:
    """Measures the target of a loss, if it is a tensor."""
    if not is_plain(target):
        return
    with torch.no_grad():
        values = target.detach()
        if not observable(values):
            return
        mean, deviation = mean_deviation(values)
        later.sample(TARGET_MEAN, step, {loss: mean})
        later.sample(TARGET_DEVIATION, step, {loss: deviation})
        if values.ndim >= 2 and values.shape[1] > 1 and values.is_floating_point():
            apart = (spread(values, PIECE, keep=1).sum(1) - 1).abs().mean()
            later.sample(TARGET_SUM_ERROR, step, {loss: apart})
