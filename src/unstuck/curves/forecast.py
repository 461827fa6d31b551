"""How much lower a loss would get with more steps, and how sure that is. Nothing is judged here.

A falling loss is taken for a floor plus a part that dies out as a power of time, exponentially or
along an S. The forms are fitted for a grid of shapes; at one shape the fit is linear. What the
forecast does not know comes from fitting again to curves whose errors are drawn anew in blocks, the
forms averaged by how well they fit, and from the error that the same method would have made
before. (Domhan et al., 2015, average parametric curves likewise; a power of time with a floor is
what Hestness et al., 2017, and Viering and Loog, 2022, find most often.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from unstuck.curves.statistics import (
    Floats,
    block_levels,
    oscillation,
    point_noise,
    ratio,
    tidy,
    trend,
)
from unstuck.record.series import Series

FEWEST = 8  # points below which no shape can be fitted
BLOCKS = 60
DRAWS = 80
AHEAD = 0.5  # of the run: how far an outlook goes
COVERED = 0.8  # of the true gains lie within the interval
OFFSETS = (0.003, 0.03, 0.15, 0.5)  # where a power of time begins, in runs
POWERS = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
DECAYS = tuple(np.geomspace(0.03, 4.0, 16).tolist())  # time constants, in runs
CENTRES = (0.2, 0.4, 0.6, 0.8, 1.0)  # of an S, in runs: a network that had to find its way first
WIDTHS = (0.05, 0.1, 0.2, 0.35)
AGES = (1.0, 3.0, 8.0)  # a point's weight grows with such a power of its time: the end counts
DOUBT = 0.6  # of the level's error and of what a forecast of the last third missed: calibrated
FAR = 4.0  # times half of the run: beyond, more doubt says nothing
RESTLESS = 4.0  # correlated errors so much larger than noise show that no form fits
GRID_ERROR = 0.01  # of the loss: what the nearest shape of the grid may leave over
LASTING = 0.75  # the correlation of such errors with their neighbours


@dataclass(frozen=True, slots=True)
class Forecast:
    """What `more` further steps would take off a loss that now is `level`.

    `gain` is the median of what may come, `low` to `high` hold it with a probability of 0.8. A
    negative gain is a rise.
    """

    more: float
    level: float
    gain: float
    low: float
    high: float

    @property
    def share(self) -> float:
        """The gain relative to the level; 0 where the level is not positive."""
        return ratio(self.gain, self.level) if self.level > 0 else 0.0

    @property
    def sure_share(self) -> float:
        """The lower end of the gain relative to the level; 0 where the level is not positive."""
        return ratio(self.low, self.level) if self.level > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Abstained:
    """No forecast is made, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Form:
    """One way to die out: its values at the blocks, now and then; shapes (shapes, blocks or 1)."""

    seen: Floats
    now: Floats
    then: Floats


def outlook(series: Series) -> Forecast | Abstained:
    """The forecast for half as many steps more as the run has had; at least one point."""
    return forecast(series, AHEAD * float(np.ptp(series.steps)))


@np.errstate(all="ignore")
def forecast(series: Series, more: float) -> Forecast | Abstained:
    """The gain of `more` further steps, or why it is unknown. Deterministic, linear time."""
    series = tidy(series)
    fault = _ill_behaved(series)
    if fault is not None or not more > 0:
        return Abstained(fault or "no further steps were asked for")
    x, y = block_levels(series, BLOCKS)
    span = float(series.steps[-1] - series.steps[0])
    u = (x - float(series.steps[0])) / span
    unit = float(np.max(np.abs(y))) or 1.0
    drawn = _draws(u, y / unit, 1 + more / span)
    if drawn is None:
        return Abstained("the loss does not follow any steady course")
    now, then = drawn
    level, seen = float(np.median(now)), len(u) * 2 // 3
    slip = 0.0
    if seen >= FEWEST:
        # What the same method would have made of the last third, had it not been seen.
        before = _draws(u[:seen], y[:seen] / unit, float(u[-1]))
        if before is not None:
            slip = abs(float(np.median(before[1])) - level)
    rng = np.random.default_rng(1)
    error = point_noise(y[len(y) // 2:] / unit) / math.sqrt(max(len(y) / 10, 1))
    doubt = DOUBT * math.hypot(error, slip * min(2 * more / span, FAR))
    gains = now - then + doubt * rng.standard_normal(len(now))
    if np.min(y) >= 0:
        gains = np.minimum(gains, level)  # there is nothing below zero
    low, middle, high = np.quantile(gains, [0.5 - COVERED / 2, 0.5, 0.5 + COVERED / 2])
    return Forecast(more, level * unit, *(float(v) * unit for v in (middle, low, high)))


def _draws(u: Floats, y: Floats, later: float) -> tuple[Floats, Floats] | None:
    """Levels at the last of the times `u` and at `later`, as they might be; None if restless."""
    calm = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(y, 2, mode="edge"), 5), axis=1)
    # Errors grow with the loss; a signed loss has no such scale.
    scale = np.abs(calm) + 1e-4 if np.min(y) >= 0 else np.ones(len(y))
    floor = 0.0 if np.min(y) >= 0 else -math.inf
    length = max(2, math.ceil(1.5 * len(y) ** (1 / 3)))
    rng = np.random.default_rng(0)
    now, then, restless = [], [], []
    for age in AGES:
        ages = (u / u[-1] + 1 / len(u)) ** age
        weights = ages / scale**2
        fits = [(form, *_fit(form, weights, y[:, None], floor)) for form in _forms(u, later)]
        errors = [(y - line[:, 0]) / scale for _, line, _, _ in fits]
        quality = np.array([float(np.sum(weights * (e * scale) ** 2)) for e in errors]) + 1e-12
        best = int(np.argmin(quality))
        restless.append(_restless(errors[best], y / scale))
        odds = (quality / quality[best]) ** (-0.5 * len(y) / length)
        for (form, line, _, _), error, odd in zip(fits, errors, odds / odds.sum(), strict=True):
            count = round(DRAWS * float(odd))
            if not count:
                continue
            # An error where a form hardly has to fit says nothing of those where it has.
            starts = rng.choice(len(y), p=ages / ages.sum(), size=(count, -(-len(y) // length)))
            picks = (starts[..., None] - np.arange(length)) % len(y)
            picks = picks.reshape(count, picks.shape[1] * length)[:, : len(y)]
            other = error[picks].T * scale[:, None]
            _, at_end, after = _fit(form, weights, line + other, floor)
            now.append(at_end)
            then.append(after)
    return None if all(restless) else (np.concatenate(now), np.concatenate(then))


def _ill_behaved(series: Series) -> str | None:
    """Why the course of a curve cannot be foreseen, None if it may be."""
    if len(series) < FEWEST:
        there = "is" if len(series) == 1 else "are"
        return f"the shape of the curve needs at least {FEWEST} points; there {there} {len(series)}"
    if not series.steps[-1] > series.steps[0]:
        return "all points belong to one step"
    swings = oscillation(series, amplitude=False)
    if swings is not None and swings.alternates:
        return "the loss alternates from point to point"
    late = trend(Series(series.steps[-max(len(series) // 2, 8):],
                        series.values[-max(len(series) // 2, 8):]))
    if late is not None and late.score > 1.1:
        return "the loss has been rising lately"
    return None


def _restless(errors: Floats, heights: Floats) -> bool:
    """Whether the residuals of a form are correlated and larger than noise."""
    late = errors[len(errors) // 3:]
    if len(late) < 8:
        return False
    late = late - np.mean(late)
    together = ratio(float(np.sum(late[1:] * late[:-1])), float(np.sum(late**2)))
    size = 1.4826 * float(np.median(np.abs(late)))
    return together > LASTING and size > RESTLESS * max(point_noise(heights), GRID_ERROR)


def _forms(u: Floats, later: float) -> list[_Form]:
    """The power, the exponential and the S at the grid of their shapes."""
    seen, ends = u[None], np.array([[u[-1], later]])
    starts, powers = _grid(OFFSETS, POWERS)
    centres, widths = _grid(CENTRES, WIDTHS)
    times = np.array(DECAYS)[:, None]

    def form(shape: Callable[[Floats], Floats]) -> _Form:
        both = shape(ends)
        return _Form(shape(seen), both[:, :1], both[:, 1:])

    return [form(lambda t: (t + starts) ** -powers), form(lambda t: np.exp(-t / times)),
            form(lambda t: 1 / (1 + np.exp((t - centres) / widths)))]


def _grid(one: Sequence[float], other: Sequence[float]) -> tuple[Floats, Floats]:
    """All pairs, as two columns."""
    first, second = np.meshgrid(one, other)
    return first.reshape(-1, 1), second.reshape(-1, 1)


def _fit(form: _Form, weights: Floats, y: Floats, floor: float) -> tuple[Floats, Floats, Floats]:
    """The best shape for each curve of `y` (blocks, curves): its line, its value now and then.

    Least squares for floor + size * form with size ≥ 0 and the floor no lower than `floor`.
    """
    g, w = form.seen, weights / weights.sum()
    mean_g = g @ w  # (shapes,)
    mean_y = w @ y  # (curves,)
    spread = (g**2) @ w - mean_g**2
    both = (g * w) @ y - mean_g[:, None] * mean_y
    size = np.maximum(both / np.maximum(spread, 1e-15)[:, None], 0.0)
    base = mean_y - size * mean_g[:, None]
    if floor > -math.inf:
        alone = np.maximum((g * w) @ y, 0.0) / ((g**2) @ w)[:, None]
        low = base < floor
        base, size = np.where(low, floor, base), np.where(low, alone, size)
    # The sum of squared errors, from moments: sum w (y - base - size g)^2.
    squared = (w @ y**2 + base**2 + size**2 * ((g**2) @ w)[:, None] - 2 * base * mean_y
               - 2 * size * ((g * w) @ y) + 2 * base * size * mean_g[:, None])
    best, each = np.argmin(squared, axis=0), np.arange(y.shape[1])
    base, size = base[best, each], size[best, each]
    return (base + size * g[best].T, base + size * form.now[best, 0],
            base + size * form.then[best, 0])
