"""Decides what became of a run from its loss curves. The statistics are in trends.py."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.facts import EndKind
from unstuck.findings import Outcome, OutcomeKind
from unstuck.record import Record, Series
from unstuck.signals import CONSTANT_LOSS, HELD_OUT_LOSS, TRAIN_LOSS, StepSignal
from unstuck.trends import (
    BLOCKS,
    HUGE,
    Floats,
    Trend,
    block_levels,
    early_fall,
    oscillation,
    point_noise,
    ratio,
    steady_mean,
    tidy,
    trend,
)

FEWEST = 30  # backward passes below which nothing but divergence is called
FEW = 100  # below which a run that --max-steps cut short is not called stuck
NO_BETTER = 0.96  # of the constant's loss: a level above this is no better than a constant
SKILLED = 0.9  # skill from which a flat curve has converged
NEAR_ZERO = 0.02  # of the loss at the start or of the constant: nothing is left to gain
MATERIAL = 0.03  # a change of the level smaller than this is no change
SURE = 1.1  # a trend counts if its slope is so many half widths of its interval
DIVERGED = 3.0  # times the start and the constant


@dataclass(frozen=True, slots=True)
class _Curve:
    """The train loss, reduced to what the rules ask for."""

    points: Series
    x: Floats  # blocks of at least 4 points
    y: Floats
    error: float  # of a block's level
    start: float
    end: float
    end_error: float
    constant: float | None
    skill: float | None
    positive: bool
    mixed: bool  # the points alternate between losses
    cut_short: bool
    whole: Trend | None
    half: Trend | None
    quarter: Trend | None

    @property
    def n(self) -> int:
        return len(self.points)

    @property
    def reference(self) -> float:
        """The height that a change is measured against."""
        return self.constant or max(abs(self.start), abs(self.end))

    def outcome(self, kind: OutcomeKind, confidence: float, says: str, since: float | None = None,
                more: int | None = None) -> Outcome:
        """An outcome of this curve; mixed and signed losses never make one sure of the worst."""
        if kind in (OutcomeKind.BROKEN, OutcomeKind.NOT_LEARNING) and not (
            self.positive and not self.mixed
        ):
            confidence = min(confidence, 0.4)
        step = int(self.points.steps[0] if since is None else since)
        confidence = round(min(max(confidence, 0.05), 0.99), 2)
        return Outcome(kind, confidence, says, step, self.skill, more)


@np.errstate(all="ignore")
def judge(record: Record) -> Outcome:
    """What became of the run, from its loss curves alone. Never raises."""
    raw = _read(record, TRAIN_LOSS)
    if raw is None:
        return Outcome(OutcomeKind.NO_TRAINING, 0.99, "No loss ever reached a backward pass.")
    held = _read(record, HELD_OUT_LOSS)
    finite = tidy(raw)
    curve = _curve(record, finite) if len(finite) else None
    found = _non_finite(raw, curve) or (_runaway(curve) if curve else None)
    if found:
        return found
    assert curve is not None  # without a finite value the run has diverged
    if record.end.kind is EndKind.EXCEPTION:
        return curve.outcome(
            OutcomeKind.CRASHED, 0.99,
            f"The program ended in {record.end.exception or 'an error'} after {curve.n} backward "
            f"passes, at a loss of {curve.end:.3g}.", float(curve.points.steps[-1]),
        )
    if curve.n < FEWEST:
        return curve.outcome(
            OutcomeKind.TOO_SHORT, 0.95,
            f"{curve.n} backward passes are too few to judge a trend; it takes {FEWEST} or more.",
            more=FEWEST - curve.n,
        )
    held = tidy(held) if held is not None else None
    return _rising(curve, held) or _overfitting(curve, held) or _by_level(curve, held)


def _read(record: Record, signal: StepSignal) -> Series | None:
    series = record.series(signal) if record.measured(signal) else None
    if series is None or not len(series):
        return None
    order = np.argsort(series.steps, kind="stable")
    return Series(series.steps[order], series.values[order])


def _curve(record: Record, points: Series) -> _Curve:
    n = len(points)
    known = _read(record, CONSTANT_LOSS)
    constant = float(known.values[-1]) if known is not None else None
    if constant is None or not 0 < constant < HUGE:
        constant = None
    positive = bool(np.min(points.values) >= 0)
    x, y = block_levels(points, min(BLOCKS, max(n // 4, 1)))
    # A mean, for a constant's loss is a mean: a median sits below it where the noise is skewed.
    level, level_error = steady_mean(points.values[-max(n // 10, min(n, 10)):])
    skill = 1 - level / constant if constant and positive else None
    swings = oscillation(points)
    start = float(np.median(points.values[: max(1, min(5, n // 10))]))
    return _Curve(
        points, x, y, point_noise(y), start, level, level_error,
        constant, skill if skill is not None and math.isfinite(skill) else None, positive,
        len(record.backwards) > 1 or (swings is not None and swings.alternates),
        record.end.kind is EndKind.STOPPED and n < FEW,
        *(_part(points, share) for share in (1.0, 0.5, 0.25)),
    )


def _part(points: Series, share: float) -> Trend | None:
    first = max(len(points) - max(round(len(points) * share), 8), 0)
    return trend(Series(points.steps[first:], points.values[first:]))


def _non_finite(raw: Series, curve: _Curve | None) -> Outcome | None:
    """Diverged, if the loss ended non-finite or was so more often than not."""
    bad = ~np.isfinite(raw.values)
    count, n = int(bad.sum()), len(bad)
    good = np.flatnonzero(~bad)
    trailing = n - 1 - int(good[-1]) if len(good) else n
    if not count or not (trailing or count > n / 2):
        return None
    first = (int(good[-1]) + 1 if len(good) else 0) if trailing else int(np.argmax(bad))
    sure = 0.6 if not trailing else 0.99 if trailing >= 3 or trailing == n else 0.8
    before = f", after {raw.values[first - 1]:.3g}" if first else ", from the first value on"
    return Outcome(
        OutcomeKind.DIVERGED, sure,
        f"The loss is {'inf' if np.isinf(raw.values[first]) else 'nan'} from step "
        f"{int(raw.steps[first])} on{before} ({count} of {n} values are not finite).",
        int(raw.steps[first]), curve.skill if curve and not trailing else None,
    )


def _runaway(curve: _Curve) -> Outcome | None:
    """Diverged, if a finite loss went far above its start for good, or endlessly below zero."""
    values, n = curve.points.values, curve.n
    if n < 6:
        return None
    end = float(np.median(values[-max(n // 10, 3):]))
    head = np.abs(values[: max(5, n // 20)])
    start = float(np.max(head) if n < FEW else np.median(head) + np.ptp(head) / 2)
    height = max(start, curve.constant or 0.0)
    times = ratio(abs(end), height)
    limit = DIVERGED if curve.positive else 30.0
    if end < 0:
        limit = 1e6 if curve.constant is None else 1e3
    for_good = np.quantile(np.abs(values[-max(n // 10, 3):]), 0.25) >= 0.6 * times * height
    if not times >= (limit if n >= FEWEST else 100.0) or (times < 100 and not for_good):
        return None
    peak = float(np.max(curve.y))
    late = curve.quarter
    if 0 < end < peak / 3 and late is not None and late.falling and times < 100:
        return None  # on its way back from a spike
    sure = min(0.55 + 0.15 * math.log10(times), 0.97)
    if (curve.mixed or not curve.positive) and times < 1e4:
        sure = min(sure, 0.4)
    within = np.flatnonzero(np.abs(values) <= height * 2)
    since = int(curve.points.steps[min(int(within[-1]) + 1 if len(within) else 0, n - 1)])
    way = "rose to" if end > 0 else "ran away below zero, to"
    than = f"{height:.3g} at the start" if height == start else f"a constant's {height:.3g}"
    return curve.outcome(OutcomeKind.DIVERGED, sure,
                         f"The loss {way} {end:.3g}, {times:.3g} times {than}, for good.", since)


def _rising(curve: _Curve, held: Series | None) -> Outcome | None:
    """Broken, if the train loss rises with confidence and ends above its start or its best."""
    y, whole, late = curve.y, curve.whole, curve.half
    k = max(3, len(y) // 10)
    start, end = float(np.median(y[:k])), float(np.median(y[-k:]))
    calm = np.median(np.stack([y[:-2], y[1:-1], y[2:]]), axis=0)
    best = int(np.argmin(calm)) + 1
    low = float(calm[best - 1])
    after = curve.points.since(int(curve.x[best]))
    since_best = trend(after)
    above_start = (
        whole is not None and whole.score > SURE and late is not None and late.high > 0
        and end - start > 5 * curve.error / math.sqrt(k)
        and end - start > 0.1 * max(abs(start), curve.constant or 0.0)
    )
    turned = (
        since_best is not None and since_best.score > SURE and len(y) - best >= len(y) / 5
        and end - low > max(5 * curve.error, 0.25 * curve.reference, 0.5 * (curve.start - low))
        and point_noise(curve.points.values) < end - low
    )
    if not (above_start or turned) or not (curve.positive or end > abs(start)):
        return None
    if held is not None:
        other = trend(held)
        if other is not None and other.falling and other.fall > 0.1:
            return curve.outcome(
                OutcomeKind.DATA_PROBLEM, 0.4, f"The train loss rose from {low:.3g} to {end:.3g} "
                f"while the held-out loss fell by {other.fall:.0%}.", float(curve.x[best]))
    if curve.cut_short:
        return _too_short(curve, 1.0)
    size = ratio(end - max(low, 0.0 if above_start else low), max(abs(low), 4 * curve.error))
    sure = (0.7 if above_start else 0.55) + 0.25 * min(size, 1.0)
    against = f"its start at {start:.3g}" if above_start else f"its best of {low:.3g}"
    return curve.outcome(
        OutcomeKind.BROKEN, sure,
        f"The train loss rises: it ends at {end:.3g}, above {against}.", float(curve.x[best]))


def _overfitting(curve: _Curve, held: Series | None) -> Outcome | None:
    """Overfitting, if train went on falling after the best held-out loss, which did not."""
    if held is None or len(held) < 6:
        return None
    values, m = held.values, len(held)
    calm = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    best = int(np.argmin(calm)) + 1
    low, step = float(calm[best - 1]), int(held.steps[best])
    late = values[-max(3, m // 5):]
    end, spread = float(np.median(late)), point_noise(values)
    error = spread * math.sqrt(1 / 3 + 1.6 / len(late))
    then = curve.y[np.abs(curve.x - step) <= max((curve.x[-1] - curve.x[0]) / 20, 1)]
    now = float(np.median(curve.y[-max(3, len(curve.y) // 10):]))
    before = float(np.median(then)) if len(then) else curve.start
    fell = before - now
    train_fell = fell > max(2 * curve.error, 0.05 * abs(before))
    train_low = curve.positive and now <= NEAR_ZERO * curve.reference
    rise = end - low
    enough = m - best > max(3, m // 5)
    if (enough and (train_fell or train_low)
            and rise > max(4 * error, 0.03 * abs(low), 0.02 * curve.reference)):
        return curve.outcome(
            OutcomeKind.OVERFITTING, 0.6 + 0.35 * min(ratio(rise, max(0.5 * abs(low), error)), 1.0),
            f"The held-out loss was best at {low:.3g} (step {step}) and ended at {end:.3g}, while "
            f"the train loss went from {before:.3g} to {now:.3g}.", step)
    # Flat: only a wide gap that keeps widening speaks of overfitting.
    middle = float(np.median(values[m // 2: m // 2 + 3]))
    mid_step = int(held.steps[m // 2])
    around = curve.y[np.abs(curve.x - mid_step) <= max((curve.x[-1] - curve.x[0]) / 20, 1)]
    was = float(np.median(around)) if len(around) else curve.start
    if (m >= 10 and curve.positive and middle - end < max(error, 0.02 * abs(middle))
            and end - now > max(now, 0.1 * curve.reference) and now < 0.7 * was
            and was - now > 2 * curve.error):
        return curve.outcome(
            OutcomeKind.OVERFITTING, 0.5,
            f"The held-out loss has stayed at {end:.3g} since step {mid_step}, while the train "
            f"loss fell from {was:.3g} to {now:.3g}.", mid_step)
    return None


def _too_short(curve: _Curve, unsure: float) -> Outcome:
    """Too short to tell; `unsure` is the relative change that could hide in the noise."""
    times = min(max((unsure / 0.1) ** 2, 1.5), 20.0)
    more = max(math.ceil(curve.n * (times - 1)), FEW - curve.n, 1)
    return curve.outcome(
        OutcomeKind.TOO_SHORT, 0.7,
        f"After {curve.n} backward passes a change of {min(unsure, 9.99):.0%} could hide in the "
        f"noise of the loss; about {more} more would tell.", more=more)


def _by_level(curve: _Curve, held: Series | None) -> Outcome:
    """A curve that does not rise: learning, converged, bottleneck, not-learning, data-problem."""
    quarter, half, whole = curve.quarter, curve.half, curve.whole
    level, skill, n = curve.end, curve.skill, curve.n
    fallen, seen = _fallen(curve)
    learned = level + 3 * curve.end_error < 0.9 * (curve.constant or 0.0)
    fell = seen or (skill is not None and learned)  # or it was too fast to be seen
    scale = float(np.ptp(curve.y)) / 2
    if curve.positive:
        scale = max(abs(level), 1e-3 * curve.reference)
    gain = _gain(quarter, half, whole, scale)
    falling = gain > MATERIAL or _dropping(curve)
    done = curve.positive and fell and level <= NEAR_ZERO * curve.reference
    no_better = not fell if skill is None else level > NO_BETTER * (curve.constant or 0.0)
    flat_from = float(curve.x[_flat_from(curve)])
    flat = half if fell and not no_better else whole
    since = int(curve.points.steps[n // 2 if flat is half else 0])
    other = trend(held.since(since)) if held is not None else None
    if (not falling and other is not None and other.score < -SURE and other.fall > 0.1
            and _slack(flat, scale) < other.fall / 3 and not done
            and other.start - other.end > 0.1 * curve.reference):
        return curve.outcome(
            OutcomeKind.DATA_PROBLEM, 0.7 if flat is whole else 0.5,
            f"The train loss stays at {level:.3g} while the held-out loss fell by "
            f"{other.fall:.0%}, from {other.start:.3g} to {other.end:.3g}.")
    if falling and not done:
        return curve.outcome(
            OutcomeKind.LEARNING, min(0.6 + 2 * gain, 0.95) if gain > MATERIAL else 0.5,
            f"The loss is still falling: from {curve.start:.3g} to {level:.3g}, by {gain:.0%} of "
            f"its level over the last part of the run.")
    if no_better or not fell:
        width = (whole.high - whole.low) * (curve.x[-1] - curve.x[0]) if whole else math.inf
        unsure = ratio(float(width) / 2, scale if curve.positive else max(scale, abs(level)))
        if skill is not None and no_better:
            unsure = min(unsure, 2 * ratio(curve.end_error, level))
        if not unsure < 0.2 or curve.cut_short:
            return _too_short(curve, unsure)
        sure = 0.5 + 0.4 * n / (n + 150)
        if skill is not None and no_better:
            return curve.outcome(
                OutcomeKind.NOT_LEARNING, sure + 0.08,
                f"The loss ends at {level:.3g}, no better than a constant prediction's "
                f"{curve.constant:.3g}.")
        return curve.outcome(
            OutcomeKind.NOT_LEARNING, sure - (0.3 if skill is not None else 0.1),
            f"The loss did not fall: it stayed at {level:.3g} for {n} backward passes, and a fall "
            f"of {max(unsure, MATERIAL):.0%} would have been seen.")
    slack = _slack(quarter, scale)
    if done or (skill is not None and skill >= SKILLED):
        left = (f"{ratio(level, curve.start):.1%} of its start" if skill is None
                else f"a skill of {skill:.2f}")
        return curve.outcome(OutcomeKind.CONVERGED, 0.9 if slack < 0.1 else 0.75,
                             f"The loss fell from {curve.start:.3g} to {level:.3g}, {left}, and is "
                             f"flat.", flat_from)
    maybe = half is None or not half.score > -0.7
    if curve.cut_short or not slack < (0.12 if maybe else 0.5):
        return curve.outcome(
            OutcomeKind.LEARNING, 0.4,
            f"The loss fell from {curve.start:.3g} to {level:.3g}; whether it still falls cannot "
            f"be told from the noise.")
    if skill is not None:
        return curve.outcome(
            OutcomeKind.BOTTLENECK, (0.65 if slack < 0.1 else 0.5) if seen else 0.4,
            f"The loss {'fell from' if seen else 'began at'} {curve.start:.3g} and is stuck at "
            f"{level:.3g} since step {flat_from:.0f}, a skill of {skill:.2f}.", flat_from)
    return curve.outcome(
        OutcomeKind.CONVERGED, 0.35 + 0.35 * min(max(fallen, 0.0), 1.0),
        f"The loss fell from {curve.start:.3g} to {level:.3g} and is flat; its floor is unknown, "
        f"so it may be stuck there.", flat_from)


def _gain(quarter: Trend | None, half: Trend | None, whole: Trend | None, scale: float) -> float:
    """How much of the level the last quarter or half took off with confidence; else 0."""
    if quarter is None or half is None or whole is None or not max(quarter.slope, whole.slope) < 0:
        return 0.0
    last = ratio(quarter.start - quarter.end, scale)
    if quarter.score < -SURE and half.score < -0.7:
        return last
    return ratio(half.start - half.end, scale) if half.score < -SURE and last > MATERIAL else 0.0


def _slack(line: Trend | None, scale: float) -> float:
    """How much of the level the fall may have been that the interval leaves open."""
    if line is None or not line.slope < 0 or not line.start > line.end:
        return 0.0 if line is not None else 1.0
    return ratio((line.start - line.end) * line.low / line.slope, scale)


def _fallen(curve: _Curve) -> tuple[float, bool]:
    """The fall relative to the start's height, and whether it is more than noise."""
    early, score = early_fall(curve.points.values)
    line = curve.whole
    by_line = line is not None and line.score < -SURE and line.fall > MATERIAL
    by_head = score > 4.5 and early > MATERIAL
    return max(early, line.fall if line else 0.0), by_line or by_head


def _dropping(curve: _Curve) -> bool:
    """Whether the very end broke away downwards from a long plateau."""
    y = curve.y
    k = max(2, len(y) // 20)
    if len(y) < 12:
        return False
    before = y[len(y) // 2: -k]
    return bool(np.max(y[-k:]) < np.min(before) - 4 * curve.error - MATERIAL * curve.reference)


def _flat_from(curve: _Curve) -> int:
    """The first block from which the curve is at its end level."""
    end = float(np.median(curve.y[-max(3, len(curve.y) // 10):]))
    band = max(3 * curve.error, MATERIAL * abs(end))
    high = np.flatnonzero(curve.y > end + band)
    high = high[high < len(curve.y) * 0.9]
    return min(int(high[-1]) + 1, len(curve.y) - 1) if len(high) else 0
