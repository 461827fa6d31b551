"""What a loss receives: the range of its input, the sums of its rows, its targets."""

from __future__ import annotations

from typing import Any

import torch

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
    LOSS_INPUT_MAXIMUM,
    LOSS_INPUT_MINIMUM,
    TARGET_DEVIATION,
    TARGET_MEAN,
    TARGET_SUM_ERROR,
)

SIGNALS = (
    BATCH_SUM_ERROR, CLASS_SUM_ERROR, LOSS_INPUT_MAXIMUM, LOSS_INPUT_MINIMUM, TARGET_DEVIATION,
    TARGET_MEAN, TARGET_SUM_ERROR,
)


def write_input(later: Later, loss: str, given: torch.Tensor, step: int) -> None:
    """Measures the first argument of a loss function, of shape (batch, classes or anything)."""
    with torch.no_grad():
        given = given.detach()
        if not given.is_floating_point() or not observable(given):
            return
        low, high = torch.aminmax(given)
        later.sample(LOSS_INPUT_MINIMUM, step, {loss: low})
        later.sample(LOSS_INPUT_MAXIMUM, step, {loss: high})
        if given.ndim >= 2:
            for signal, axis in ((CLASS_SUM_ERROR, 1), (BATCH_SUM_ERROR, 0)):
                # Sums of pieces: all sums of a large tensor are many as well.
                errors = [(piece.sum(axis) - 1).abs().max() for piece in pieces(given, keep=axis)]
                later.sample(signal, step, {loss: torch.stack(errors).max()})


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
