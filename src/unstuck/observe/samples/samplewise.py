"""What each sample contributes to a loss: its own loss and the size of its gradient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unstuck.record.series import Floats
from unstuck.torch_api import CLASS_LIKELIHOODS

STRIPE = 256  # samples that are worked on at a time
SMALLEST = -100.0  # torch clamps the logarithms of binary_cross_entropy there


@np.errstate(all="ignore")
def sample_losses(
    function: str, outputs: NDArray[np.float32], targets: Floats
) -> Floats | None:
    """The loss of each sample at each visit, averaged over the elements of its target.

    Args:
        function: name of the loss function in torch.nn.functional, with its default options.
        outputs: (N, V, K), NaN where there was no visit.
        targets: (N, T); T = 1 for class indices, else T = K.

    Returns:
        (N, V), or None for another function or shapes that do not belong together.
    """
    found = _loss_and_slope(function, outputs, targets)
    return None if found is None else found[0]


@np.errstate(all="ignore")
def sample_slopes(
    function: str, outputs: NDArray[np.float32], targets: Floats
) -> Floats | None:
    """The L2 norm of the gradient of each sample's loss with respect to its output: (N, V)."""
    found = _loss_and_slope(function, outputs, targets)
    return None if found is None else found[1]


def _loss_and_slope(
    function: str, outputs: NDArray[np.float32], targets: Floats
) -> tuple[Floats, Floats] | None:
    # Some samples at a time: on the way there are several tables of all outputs.
    parts = [
        _of_some(function, outputs[i:i + STRIPE], targets[i:i + STRIPE])
        for i in range(0, max(1, len(outputs)), STRIPE)]
    found = [part for part in parts if part is not None]
    if not found:
        return None
    losses, slopes = zip(*found, strict=True)
    return np.concatenate(losses), np.concatenate(slopes)


def _of_some(
    function: str, outputs: NDArray[np.float32], targets: Floats
) -> tuple[Floats, Floats] | None:
    given = outputs.astype(np.float64)
    wanted = targets[:, None, :]
    width = given.shape[2]
    if function in CLASS_LIKELIHOODS and targets.shape[1] == 1 and width > 1:
        if function == "cross_entropy":
            given = log_softmax(given)
        valid = (wanted >= 0) & (wanted < width)
        classes = np.where(valid, wanted, 0).astype(np.int64)
        classes = np.broadcast_to(classes, (*given.shape[:2], 1))
        chosen = np.take_along_axis(given, classes, 2)
        slope = np.exp(given) - np.equal(np.arange(width), classes)
        missing = ~valid[:, :, 0]
        return (np.where(missing, np.nan, -chosen[:, :, 0]),
                np.where(missing, np.nan, np.linalg.norm(slope, axis=2)))
    if targets.shape[1] != width:
        return None
    error = given - wanted
    if function == "mse_loss":
        each, slope = error**2, 2 * error
    elif function == "l1_loss":
        each, slope = np.abs(error), np.sign(error)
    elif function in ("smooth_l1_loss", "huber_loss"):
        near = np.abs(error) < 1
        each = np.where(near, error**2 / 2, np.abs(error) - 0.5)
        slope = np.where(near, error, np.sign(error))
    elif function == "binary_cross_entropy_with_logits":
        each = np.logaddexp(0, given) - wanted * given
        slope = 1 / (1 + np.exp(-given)) - wanted
    elif function == "binary_cross_entropy":
        each = -(wanted * np.maximum(np.log(given), SMALLEST)
                 + (1 - wanted) * np.maximum(np.log1p(-given), SMALLEST))
        slope = error / np.maximum(given * (1 - given), 1e-12)
    else:
        return None
    return each.mean(2), np.linalg.norm(slope, axis=2) / width


def log_softmax(scores: Floats) -> Floats:
    """Over the last axis."""
    top = scores.max(-1, keepdims=True)
    found: Floats = scores - top - np.log(np.exp(scores - top).sum(-1, keepdims=True))
    return found
