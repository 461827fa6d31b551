"""Runs whose outcome is known because they were drawn so: losses, scores and returns by epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """A run of n points. Losses and scores of training and held-out data, a learning rate, returns.

    `truth` are the outcomes that a careful person may give to the train and held-out losses.
    """

    train: Floats
    held: Floats
    accuracy: Floats
    held_accuracy: Floats
    rate: Floats
    returns: Floats
    truth: tuple[str, ...]

    @property
    def n(self) -> int:
        return len(self.train)


def _time(n: int) -> Floats:
    return np.arange(n) / max(n - 1, 1)


def _made(n: int, seed: int, truth: str, train: Callable[[Floats], Floats],
          held: Callable[[Floats], Floats], *, height: float = 1.0, noise: float = 0.01,
          accuracy: Callable[[Floats], Floats] | None = None) -> Drawn:
    g, t = np.random.default_rng(seed), _time(n)

    def noisy(values: Floats, by: float) -> Floats:
        return values * np.exp(by * g.standard_normal(len(values)))

    losses, others = noisy(train(t), noise) * height, noisy(held(t), noise) * height
    good = np.clip(1 - accuracy(t) if accuracy else 1 - 0.9 * train(t), 0.01, 0.995)
    other = np.clip(good - 0.03 - 0.3 * np.clip(held(t) - train(t), 0, 1), 0.01, 0.99)
    rates = np.where(t < 0.5, 1e-3, 1e-4)
    gone = 20 + 180 * (1 - np.exp(-2 * t)) + 6 * g.standard_normal(n)
    return Drawn(losses, others, np.round(noisy(good, 0.004).clip(0, 1), 4),
                 np.round(noisy(other, 0.006).clip(0, 1), 4), rates, gone,
                 tuple(truth.split("|")))


def learning(n: int = 30, seed: int = 0, **more: float) -> Drawn:
    """Both losses fall to the end."""
    return _made(n, seed, "learning", lambda t: np.exp(-1.6 * t), lambda t: np.exp(-1.5 * t) + 0.05,
                 **more)  # type: ignore[arg-type]


def slow(n: int = 40, seed: int = 0, **more: float) -> Drawn:
    """A fall of a few percent in the last quarter, with hardly any noise: slow and certain."""
    return _made(n, seed, "learning", lambda t: 0.55 + 0.45 * (1 + 12 * t) ** -0.8 - 0.06 * t,
                 lambda t: 0.6 + 0.42 * (1 + 12 * t) ** -0.8 - 0.05 * t,
                 **{"noise": 0.002, **more})  # type: ignore[arg-type]


def converged(n: int = 40, seed: int = 0, **more: float) -> Drawn:
    """Both losses fall to nothing and stay there."""
    return _made(n, seed, "converged", lambda t: np.exp(-18 * t) + 0.006,
                 lambda t: np.exp(-18 * t) + 0.008, **more)  # type: ignore[arg-type]


def stuck(n: int = 40, seed: int = 0, **more: float) -> Drawn:
    """Both losses fall to two fifths and stay there; the best score is known, and far away."""
    return _made(n, seed, "plateau|converged", lambda t: 0.6 * np.exp(-12 * t) + 0.4,
                 lambda t: 0.6 * np.exp(-12 * t) + 0.43, **more)  # type: ignore[arg-type]


def overfitting(n: int = 40, seed: int = 0, **more: float) -> Drawn:
    """The held-out loss turns early and rises."""
    return _made(n, seed, "overfitting", lambda t: np.exp(-3.5 * t),
                 lambda t: 0.55 * np.exp(-9 * t) + 0.45 + 0.45 * t,
                 accuracy=lambda t: 0.9 * np.exp(-3.5 * t), **more)  # type: ignore[arg-type]


def memorising(n: int = 40, seed: int = 0, **more: float) -> Drawn:
    """The held-out loss is flat from early on while the train loss falls to a tenth of it."""
    return _made(n, seed, "overfitting", lambda t: np.exp(-4 * t),
                 lambda t: 0.35 * np.exp(-14 * t) + 0.65, **more)  # type: ignore[arg-type]


def flat(n: int = 40, seed: int = 0, **more: float) -> Drawn:
    """Nothing is learned."""
    return _made(n, seed, "not-learning", lambda t: 1 + 0 * t, lambda t: 1.01 + 0 * t,
                 accuracy=lambda t: 0.9 + 0 * t, **more)  # type: ignore[arg-type]


def rising(n: int = 40, seed: int = 0, **more: float) -> Drawn:
    """The train loss falls a little and then rises above its start."""
    return _made(n, seed, "broken|diverged", lambda t: 1 - 0.6 * t + 1.6 * t**2,
                 lambda t: 1 - 0.5 * t + 1.6 * t**2,
                 accuracy=lambda t: 0.5 + 0.3 * t, **more)  # type: ignore[arg-type]


def lost(n: int = 30, seed: int = 0, **more: float) -> Drawn:
    """The losses become NaN for good in the second half."""
    drawn = learning(n, seed, **more)
    for values in (drawn.train, drawn.held):
        values[2 * n // 3 :] = np.nan
    return replace(drawn, truth=("diverged",))


def short(n: int = 4, seed: int = 0, **more: float) -> Drawn:
    """Too few points for any trend."""
    return replace(learning(n, seed, **more), truth=("too-short-to-tell",))
