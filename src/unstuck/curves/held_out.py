"""Overfitting, as a held-out curve shows it beside the train curve."""

from __future__ import annotations

import math

import numpy as np

from unstuck.curves.loss_curve import NEAR_ZERO, SURE, LossCurve
from unstuck.curves.statistics import (
    end_median,
    ending,
    fall_between,
    of_three,
    point_noise,
    ratio,
    tidy,
    trend,
)
from unstuck.record.reader import Record
from unstuck.record.series import Series
from unstuck.schema.facts.run import Log
from unstuck.schema.findings import Outcome, OutcomeKind
from unstuck.schema.signals.losses import METRIC
from unstuck.words import number

FEWEST = 4  # held-out points
FEW = 6  # below which their noise is unknown: only a rise at every single one counts
RISES = 3  # of such points in a row; of a curve without a trend one in 24 does so
MATERIAL = 0.1  # of the best: such a rise
FLAT = 0.03  # of its level: a held-out loss that stays within it is flat
FLAT_IF_FAR = 0.1  # the same for one that is far above the train loss
FEWEST_OF_A_METRIC = 12  # held-out points
WORSE = 0.1  # of its best, at least
BETTER = 0.25  # of that, before: a score that falls from the start on may count errors
MEMORISED = 0.5  # of a constant's loss: held-out data on which at least so much is left
FAR_ABOVE = 4.0  # times the train loss
FLAT_POINTS = 4
UNLIKE = 8.0  # times the first held-out loss: a train loss in another unit, such as a sum
STILL = 0.7  # of what the train loss was: it has learned on meanwhile


def overfitting(record: Record, curve: LossCurve, held: Series | None) -> Outcome | None:
    """Overfitting, if train went on falling after the best held-out loss, which did not, or where
    none is known, after the best of all held-out metrics."""
    if held is None:
        return _by_metrics(record, curve)
    if len(held) < FEWEST:
        return None
    unit = unit_of(_at(curve, int(held.steps[0])), float(held.values[0]))
    if unit != 1:
        return _risen(curve, held, unit)
    return _risen(curve, held) or _flat(curve, held) or _memorised(curve, held)


def unit_of(train: float, held: float) -> float:
    """What one of the train loss is in the unit of the held-out loss, by both at one time.

    1 unless the train loss is so many times the held-out loss that it is a sum over what the other
    is a mean of.
    """
    return ratio(held, train) if 0 < UNLIKE * held < train else 1.0


def still_falls(held: Series | None, since: int) -> float:
    """By how much of its level a held-out curve has surely fallen since a step; 0 if it has not."""
    late = held.since(since) if held is not None else None
    if late is None or len(late) <= RISES:
        return 0.0
    if (line := trend(late)) is not None:
        return line.fall if line.score < -SURE else 0.0
    falls = bool(np.all(np.diff(late.values) < 0))
    return fall_between(float(late.values[0]), float(late.values[-1])) if falls else 0.0


def _risen(curve: LossCurve, held: Series, unit: float = 1.0) -> Outcome | None:
    """Overfitting, if the held-out loss rose from its best. `unit` is that of the train loss in its
    own."""
    values, m = held.values, len(held)
    calm = of_three(values)
    best = int(np.argmin(calm)) + 1 if m >= FEW else int(np.argmin(values))
    low, step = float(calm[best - 1] if m >= FEW else values[best]), int(held.steps[best])
    end, spread = end_median(values), point_noise(values)
    error = spread * math.sqrt(1 / 3 + 1.6 / len(ending(values)))
    enough = m - best > max(3, m // 5)
    if m < FEW or not enough:
        after = values[best:]
        enough = len(after) > RISES and bool(np.all(np.diff(after) > 0))
        end, error = float(values[-1]), 0.0
        enough = enough and end - low > MATERIAL * abs(low)
    before, now = _at(curve, step), curve.last_blocks
    train_fell = before - now > max(2 * curve.error, 0.05 * abs(before))
    train_low = curve.positive and now <= NEAR_ZERO * curve.reference
    rise = end - low
    if not (enough and (train_fell or train_low)
            and rise > max(4 * error, 0.03 * abs(low), 0.02 * unit * curve.reference)):
        return None
    w = curve.words
    return curve.outcome(
        OutcomeKind.OVERFITTING, 0.6 + 0.35 * min(ratio(rise, max(0.5 * abs(low), error)), 1.0),
        f"The held-out {w.noun} {w.rose} from its best, {w.number(low)} at step {step:,}, to "
        f"{w.number(end)} while the train {w.noun} went from {w.number(before)} to "
        f"{w.number(now)}.", step)


def _flat(curve: LossCurve, held: Series) -> Outcome | None:
    """Overfitting, if the held-out loss stays flat beside a wide gap that keeps widening."""
    values, m = held.values, len(held)
    end, now = end_median(values), curve.last_blocks
    error = point_noise(values) * math.sqrt(1 / 3 + 1.6 / len(ending(values)))
    middle = float(np.median(values[m // 2 : m // 2 + 3]))
    first = m // 2 if m >= 10 and middle - end < max(error, 0.02 * abs(middle)) else None
    if first is None:
        wide = end > FAR_ABOVE * now
        away = np.flatnonzero(np.abs(values - end) > (FLAT_IF_FAR if wide else FLAT) * abs(end))
        first = int(away[-1]) + 1 if len(away) else 0
        k = (m - first) // 2
        if m - first < max(FLAT_POINTS, m // 4) or (
                np.mean(values[first : first + k]) - np.mean(values[-k:]) > FLAT * abs(end)):
            return None
    step = int(held.steps[first])
    was = _at(curve, step)
    if not (curve.positive and end - now > max(now, 0.1 * curve.reference)
            and now < STILL * was and was - now > 2 * curve.error):
        return None
    w = curve.words
    return curve.outcome(
        OutcomeKind.OVERFITTING, 0.5,
        f"The held-out {w.noun} has stayed at {w.number(end)} since step {step:,} while the "
        f"train {w.noun} {w.fell} from {w.number(was)} to {w.number(now)}.", step)


def _memorised(curve: LossCurve, held: Series) -> Outcome | None:
    """Overfitting from before the first look at held-out data: nothing is left to gain in training,
    little was gained on held-out data, and that hardly changes any more."""
    end, now = end_median(held.values), curve.end
    if not curve.positive or curve.constant is None or not (
        now <= NEAR_ZERO * curve.constant and end > MEMORISED * curve.constant
        and still_falls(held, int(held.steps[len(held) // 2])) < FLAT_IF_FAR
    ):
        return None
    w = curve.words
    return curve.outcome(
        OutcomeKind.OVERFITTING, 0.5,
        f"The train {w.noun} {w.fell} to {w.number(now)}, but the held-out {w.noun} ends at "
        f"{w.number(end)}, and that of a constant prediction is {w.number(curve.constant)}.",
        int(held.steps[0]))


def _by_metrics(record: Record, curve: LossCurve) -> Outcome | None:
    """Overfitting, if all held-out metrics of a run got worse from their best: slowly, surely and
    by much. A held-out loss that cannot be compared with the train loss is one of them."""
    log = record.fact(Log)
    if log is None or curve.words.higher or not log.held_metrics:
        return None
    found = record.series(METRIC)
    metrics = [(name, tidy(found[name])) for name in log.held_metrics if name in found]
    most = max((len(values) for _, values in metrics), default=0)
    metrics = [(name, one if name not in log.metrics_higher else Series(one.steps, -one.values))
               for name, one in metrics if 2 * len(one) > most]
    if most < FEWEST_OF_A_METRIC or not all(_got_worse(one) for _, one in metrics):
        return None
    name, one = metrics[0]
    calm = of_three(one.values)
    best = int(np.argmin(calm)) + 1
    step = int(one.steps[best])
    before, now = _at(curve, step), curve.last_blocks
    if not before - now > max(4 * curve.error, WORSE * abs(before)):
        return None
    went, sign = ("fell", -1) if name in log.metrics_higher else ("rose", 1)
    return curve.outcome(
        OutcomeKind.OVERFITTING, 0.6,
        f"{name!r} {went} from its best, {number(sign * float(calm[best - 1]))} at step {step:,}, "
        f"to {number(sign * end_median(one.values))} while the train loss fell from "
        f"{number(before)} to {number(now)}.", step)


def _got_worse(metric: Series) -> bool:
    """Whether a metric, of which less is better, got better, and then surely and slowly worse."""
    calm = of_three(metric.values)
    best = int(np.argmin(calm))
    low, rise = float(calm[best]), end_median(metric.values) - float(calm[best])
    late = trend(metric.since(int(metric.steps[best + 1])))
    return (rise > max(WORSE * abs(low), 6 * point_noise(metric.values))
            and float(calm[0]) - low > BETTER * rise and late is not None and late.score > 2 * SURE
            and float(np.max(np.diff(calm[best:]))) < rise / 2)


def _at(curve: LossCurve, step: int) -> float:
    """The level of the train loss around a step."""
    around = curve.y[np.abs(curve.x - step) <= max((curve.x[-1] - curve.x[0]) / 20, 1)]
    return float(np.median(around)) if len(around) else curve.start
