"""How well a target can be read from values: ridge regression, judged on samples left out.

Each sample is predicted by all others at once (the leave-one-out residuals of a linear smoother
have a closed form: Golub, Heath & Wahba 1979). A value is read linearly, linearly after each
feature is standardised, and by a Gaussian kernel; the best counts.
"""

from __future__ import annotations

import torch

from unstuck.questions.question import LEAST_SPREAD

_RIDGES = (1e-5, 1e-3, 1e-2, 1e-1)  # shares of the kernel's trace


def skill(values: torch.Tensor, targets: torch.Tensor) -> float:
    """The share of the targets' variance that is predicted from the values, from 0 to 1.

    Args:
        values: (samples, features), float64.
        targets: (samples, columns), float64; classes are columns of 0 and 1.
    """
    wanted = targets - targets.mean(0)
    total = float(wanted.square().sum())
    if not total > 0 or spread(values) < LEAST_SPREAD:
        return 0.0
    centred = (values - values.mean(0)) / values.square().mean().sqrt()
    deviations = centred.square().mean(0).sqrt()
    standard = (centred / deviations)[:, deviations > LEAST_SPREAD]
    kernels = [centred @ centred.T]
    if standard.shape[1]:
        linear = standard @ standard.T
        kernels += [linear, _gaussian(linear)]
    return max(0.0, *(_left_out(kernel, wanted, total) for kernel in kernels))


def spread(values: torch.Tensor) -> float:
    """How far samples differ, relative to the size of the values: root mean squares.

    0 where a value is not finite.
    """
    size = float(values.square().mean().sqrt())
    apart = float((values - values.mean(0)).square().mean().sqrt())
    return apart / size if 0 < size < float("inf") else 0.0


def columns(labels: torch.Tensor, classes: bool) -> torch.Tensor:
    """Targets as columns: one for each class, or numbers without their scale."""
    if classes:
        flat = labels.reshape(-1)
        return (flat[:, None] == flat.unique()[None, :]).double()
    rows = labels.reshape(len(labels), -1).double()
    deviations = rows.std(0)
    return (rows / deviations)[:, deviations > 0] if bool((deviations > 0).any()) else rows


def _gaussian(linear: torch.Tensor) -> torch.Tensor:
    norms = linear.diagonal()
    distances = (norms[:, None] + norms[None, :] - 2 * linear).clamp_min(0.0)
    middle = float(distances.median())
    kernel = torch.exp(-distances / middle) if middle > 0 else torch.ones_like(linear)
    return kernel - kernel.mean(0) - kernel.mean(1)[:, None] + kernel.mean()


def _left_out(kernel: torch.Tensor, wanted: torch.Tensor, total: float) -> float:
    """The best share of variance over a few strengths of the ridge, of a centred kernel.

    The mean is fitted without a ridge: what a ridge does to the constant vector is taken out.
    """
    trace = float(kernel.trace())
    if not trace > 0:
        return 0.0
    numbers, vectors = torch.linalg.eigh(kernel / trace)
    turned = vectors.T @ wanted
    best = 0.0
    for ridge in _RIDGES:
        shrunk = 1 / (numbers.clamp_min(0.0) + ridge)
        inverse = vectors.square() @ shrunk - 1 / (ridge * len(kernel))
        residuals = (vectors @ (shrunk[:, None] * turned)) / inverse[:, None]
        best = max(best, 1 - float(residuals.square().sum()) / total)
    return best
