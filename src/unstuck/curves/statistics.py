"""Statistics of curves: trends with honest intervals, levels, noise. Nothing is judged here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unstuck.record.series import Series, in_order

Floats = NDArray[np.float64]

BLOCKS = 60  # a curve is judged on at most so many levels
HUGE = 1e100  # finite values are cut here, so that no statistic overflows


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through a window: slope per step and its 95 % interval.

    `start` and `end` are the line's ends. `fall` is (start - end) / max(|start|, |end|).
    """

    slope: float
    low: float
    high: float
    start: float
    end: float
    fall: float
    points: int

    @property
    def falling(self) -> bool:
        """Whether the whole interval is below zero."""
        return self.high < 0

    @property
    def rising(self) -> bool:
        """Whether the whole interval is above zero."""
        return self.low > 0

    @property
    def score(self) -> float:
        """The slope over the half width of its interval: beyond ±1 it is more than noise."""
        return ratio(self.slope, (self.high - self.low) / 2)


@dataclass(frozen=True, slots=True)
class Oscillation:
    """How a curve swings from point to point.

    `changes` is the share of successive differences that change sign: 2/3 for white noise, 1 for
    a loss that alternates. `amplitude` is the median difference over the median level.
    """

    changes: float
    amplitude: float
    points: int

    @property
    def alternates(self) -> bool:
        """Whether nearly every difference undoes the one before: two losses, or a period of 2."""
        return self.points >= 30 and self.changes >= 0.9


@np.errstate(all="ignore")
def trend(series: Series) -> Trend | None:
    """The Theil-Sen slope with a moving-block bootstrap, which honours autocorrelation.

    None if there are fewer than 8 finite points or they share a step. Deterministic.
    """
    series = tidy(series)
    if len(series) < 8:
        return None
    x, y = block_levels(series, BLOCKS)
    i, j = np.triu_indices(len(x), 1)
    apart = x[j] - x[i] > 0
    i, j = i[apart], j[apart]
    if not len(i):
        return None
    x = x - x[0]
    slope = float(np.median((y[j] - y[i]) / (x[j] - x[i])))
    at_zero = float(np.median(y - slope * x))
    rest = y - at_zero - slope * x
    n = len(x)
    length = max(2, math.ceil(1.5 * n ** (1 / 3)))
    rng = np.random.default_rng(0)
    starts = rng.integers(0, n, size=(200, math.ceil(n / length)))
    picks = ((starts[..., None] + np.arange(length)) % n).reshape(200, -1)[:, :n]
    drawn = np.ascontiguousarray(rest[picks])
    slopes = np.take(drawn, j, axis=1)  # in place from here on: most of the time goes into this
    slopes -= np.take(drawn, i, axis=1)
    slopes /= x[j] - x[i]
    wiggle = np.median(slopes, axis=1, overwrite_input=True)
    # Residuals are smaller than errors; 1.4 is what simulated white noise asks for beyond that.
    wiggle *= 1.4 * math.sqrt(n / max(n - length, 1))
    low, high = np.percentile(wiggle, [2.5, 97.5])
    end = at_zero + slope * float(x[-1])
    return Trend(slope, slope - float(high), slope - float(low), at_zero, end,
                 fall_between(at_zero, end), len(series))


@np.errstate(all="ignore")
def smooth(series: Series, width: int) -> Series:
    """The running median over `width` points of the finite part, steps in order.

    More than 4096 points are first thinned to 4096 block levels. May be empty.
    """
    tidied = tidy(series)
    if not len(tidied):
        return tidied
    x, y = block_levels(tidied, 4096)
    width = max(1, min(round(width * len(y) / len(tidied)), len(y)))
    padded = np.pad(y, (width // 2, width - 1 - width // 2), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)
    return Series(x.astype(np.int64), np.median(windows, axis=1))


@np.errstate(all="ignore")
def noise(series: Series) -> float | None:
    """The standard deviation from point to point, robust, blind to a smooth trend.

    It comes from second differences. None with fewer than 5 finite points.
    """
    values = tidy(series).values
    return point_noise(values) if len(values) >= 5 else None


@np.errstate(all="ignore")
def relative_fall(series: Series) -> float | None:
    """(start - end) / max(|start|, |end|): 1 is a fall to zero, 0 flat, negative a rise.

    The start is the level of the first 5 % of the finite points (at least 3). None with fewer
    than 6.
    """
    values = tidy(series).values
    if len(values) < 6:
        return None
    start, _ = steady_mean(values[: max(3, len(values) // 20)])
    return fall_between(start, end_level(values)[0])


@np.errstate(all="ignore")
def oscillation(series: Series, *, amplitude: bool = True) -> Oscillation | None:
    """How the finite points swing, and how far if that is asked for; None with fewer than 10."""
    values = tidy(series).values
    if len(values) < 10:
        return None
    steps = np.diff(values)
    up, down = steps > 0, steps < 0
    changes = float(np.mean((up[1:] & down[:-1]) | (down[1:] & up[:-1])))
    if not amplitude:
        return Oscillation(changes, 0.0, len(values))
    size, level = float(np.median(np.abs(steps))), abs(float(np.median(values)))
    return Oscillation(changes, ratio(size, level), len(values))


def tidy(series: Series) -> Series:
    """The finite points in the order of their steps, cut at HUGE."""
    series = in_order(series).finite
    if not len(series) or (np.max(series.values) <= HUGE and np.min(series.values) >= -HUGE):
        return series
    return Series(series.steps, np.clip(series.values, -HUGE, HUGE))


def ratio(part: float, whole: float) -> float:
    """part / whole for whole ≥ 0, finite in any case."""
    if not whole > 0:
        return math.copysign(HUGE, part) if part else 0.0
    return min(max(part / whole, -HUGE), HUGE)


def fall_between(start: float, end: float) -> float:
    """The fall relative to the higher of the two, between -2 and 2."""
    return ratio(start - end, max(abs(start), abs(end)))


def middle_mean(values: Floats) -> float:
    """The mean of the middle half: spikes do not move it, and two mixed losses average."""
    cut = len(values) // 4
    middle = np.partition(values, (cut, len(values) - cut - 1))[cut: len(values) - cut]
    return float(np.mean(middle))


def of_three(values: Floats) -> Floats:
    """The median of each value and its two neighbours, without the first and the last."""
    before, here, after = values[:-2], values[1:-1], values[2:]
    low, high = np.minimum(before, here), np.maximum(before, here)
    np.minimum(high, after, out=high)
    return np.maximum(low, high, out=low)


def point_noise(values: Floats) -> float:
    """The robust standard deviation that second differences show."""
    bends = np.abs(values[2:] - 2 * values[1:-1] + values[:-2])
    return 1.4826 * float(np.median(bends)) / math.sqrt(6) if len(bends) else 0.0


def steady_mean(values: Floats) -> tuple[float, float]:
    """The mean with far outliers cut, and its standard error. Unlike a median it fits skew."""
    low, middle, high = np.percentile(values, [20, 50, 80])
    reach = 8 * max(1.4826 * float(np.median(np.abs(values - middle))), float(high - low) / 1.68)
    cut = np.clip(values, middle - reach, middle + reach)
    return float(np.mean(cut)), float(high - low) / 1.68 / math.sqrt(len(values))


def ending(values: Floats) -> Floats:
    """The points at which a curve ends: a fifth of them up to ten, then a tenth; at least three.

    Ten points average the noise of batches. A tenth of a run is short beside it, so a loss that
    still falls has hardly fallen within it. Of a short curve, ten points would be most of it.
    """
    return values[-max(len(values) // 10, min(len(values) // 5, 10), 3):]


def end_level(values: Floats) -> tuple[float, float]:
    """The level at which a train loss ends, and its standard error; of finite values, at least one.

    It is a mean, because a constant's loss is one: with skewed noise a median would lie below it.
    """
    return steady_mean(ending(values))


def end_median(values: Floats) -> float:
    """The same for a curve that may leap: of held-out passes one may be odd, a loss may run away.
    """
    return float(np.median(ending(values)))


def early_fall(values: Floats) -> tuple[float, float]:
    """How far the curve fell at its very beginning: relative to its height, and in deviations.

    The mean of the first k points, for k = 2, 4, 8 .., is compared with means of k points in the
    last half: a fall of a few steps shows in a long run.
    """
    n = len(values)
    half, tail = values[n // 2:], steady_mean(values[-max(n // 4, 5):])[0]
    score, most, spread, k = 0.0, 0.0, math.inf, 2
    while k <= n // 4:
        if len(half) // k >= 8:
            means = half[: len(half) // k * k].reshape(-1, k).mean(axis=1)
            low, high, near = np.percentile(means, [2.5, 97.5, 50])
            spread = max(1.4826 * float(np.median(np.abs(means - near))), float(high - low) / 3.92)
        elif k == 2 and len(half) > 4:
            spread = float(np.ptp(half))  # of a few points their range is sure to be wide enough
        else:
            spread /= math.sqrt(2)
        head = float(np.mean(values[:k]))
        most, score = max(most, fall_between(head, tail)), max(score, ratio(head - tail, spread))
        k *= 2
    return most, score


def block_levels(series: Series, most: int) -> tuple[Floats, Floats]:
    """Middle steps and levels of at most `most` blocks of equal numbers of points."""
    if len(series) <= most:
        return series.steps.astype(np.float64), series.values
    edges = np.linspace(0, len(series), most + 1).astype(int)
    pairs = list(pairwise(edges))
    return (np.array([series.steps[(a + b) // 2] for a, b in pairs], dtype=np.float64),
            np.array([middle_mean(series.values[a:b]) for a, b in pairs]))
