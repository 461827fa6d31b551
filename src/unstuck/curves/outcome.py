"""Decides what became of a run from its loss curves. The statistics are in trends.py."""

from __future__ import annotations

import math

import numpy as np

from unstuck.curves.collapse import collapse_of
from unstuck.curves.loss_curve import (
    FEW,
    MATERIAL,
    SURE,
    LossCurve,
    dropping,
    fallen,
    flat_from,
    gain_of,
    on_its_way,
    read,
    reduce,
    slack_of,
)
from unstuck.curves.moving import not_told
from unstuck.curves.statistics import end_median, ending, point_noise, ratio, tidy, trend
from unstuck.record.reader import Record
from unstuck.record.series import Series
from unstuck.schema.facts.run import EndKind, Log
from unstuck.schema.findings import Outcome, OutcomeKind
from unstuck.schema.signals.losses import HELD_OUT_LOSS, TRAIN_LOSS
from unstuck.words import called, count, number, percent, times

FEWEST = 30  # backward passes below which nothing but divergence is called
FEWEST_OF_A_LOG = 8  # points of a log likewise: most of them are means
NO_BETTER = 0.96  # of a constant's loss: a level above this is no better than a constant
SKILLED = 0.9  # skill from which a flat curve has converged
NEAR_ZERO = 0.02  # of the loss at the start or of the constant: nothing is left to gain
DIVERGED = 3.0  # times the start and the constant
SOME_SKILL = 0.1  # from which an output cannot be the same for every sample
COLLAPSED = 0.8  # how sure it is that nothing is learned where it is
_HOPEFUL = (OutcomeKind.LEARNING, OutcomeKind.CONVERGED, OutcomeKind.PLATEAU,
            OutcomeKind.OVERFITTING, OutcomeKind.DATA_PROBLEM)
RUN_AWAY = 0.9  # confidence from which a loss that is no measure of learning has still diverged


@np.errstate(all="ignore")
def judge(record: Record) -> Outcome:
    """What became of the run, from its loss curves. Never raises.

    A model that returns the same for every sample has learned nothing of them, whatever they say.
    """
    found = _by_curves(record)
    if found.kind in (OutcomeKind.NOT_LEARNING, *_HOPEFUL) and not (
        found.skill is not None and found.skill > SOME_SKILL
    ):
        collapse = collapse_of(record)
        if collapse is not None:
            return Outcome(
                OutcomeKind.NOT_LEARNING, max(found.confidence, COLLAPSED)
                if found.kind is OutcomeKind.NOT_LEARNING else COLLAPSED,
                f"The output of {called(collapse.model.name)} is the same for every sample"
                f"{' from the start' if collapse.from_start else f' since step {collapse.since:,}'}"
                f". {found.says}", collapse.since, found.skill)
    return found


def _by_curves(record: Record) -> Outcome:
    raw = read(record, TRAIN_LOSS)
    if raw is None:
        return Outcome(OutcomeKind.NO_TRAINING, 0.99, "No loss ever reached a backward pass.")
    held = read(record, HELD_OUT_LOSS)
    finite = tidy(raw)
    curve = reduce(record, finite) if len(finite) else None
    found = _non_finite(raw, curve)
    if found:
        return found
    assert curve is not None  # without a finite value the run has diverged
    found = _runaway(curve)
    moving = not_told(record, curve)
    if found and (moving is None or found.confidence >= RUN_AWAY):
        return found
    if record.end.kind is EndKind.EXCEPTION:
        return curve.outcome(
            OutcomeKind.CRASHED, 0.99,
            f"The program ended with {record.end.exception or 'an error'} after "
            f"{count(curve.passes, curve.unit)}, at a loss of {number(curve.end)}.",
            float(curve.points.steps[-1]),
        )
    fewest = FEWEST_OF_A_LOG if record.fact(Log) is not None else FEWEST
    if curve.n < fewest:
        return curve.outcome(
            OutcomeKind.TOO_SHORT, 0.95,
            f"A trend needs at least {count(fewest, curve.unit)}, but this run had only {curve.n}.",
            more=fewest - curve.n,
        )
    if moving is not None:
        return moving
    held = tidy(held) if held is not None else None
    return _rising(curve, held) or _overfitting(curve, held) or _by_level(curve, held)


def _non_finite(raw: Series, curve: LossCurve | None) -> Outcome | None:
    """Diverged, if the loss ended non-finite or was so more often than not."""
    bad = ~np.isfinite(raw.values)
    amount, n = int(bad.sum()), len(bad)
    good = np.flatnonzero(~bad)
    trailing = n - 1 - int(good[-1]) if len(good) else n
    if not amount or not (trailing or amount > n / 2):
        return None
    first = (int(good[-1]) + 1 if len(good) else 0) if trailing else int(np.argmax(bad))
    sure = 0.6 if not trailing else 0.99 if trailing >= 3 or trailing == n else 0.8
    what = "infinite" if np.isinf(raw.values[first]) else "NaN"
    step, are = int(raw.steps[first]), "is" if amount == 1 else "are"
    if first:
        says = f"was {number(raw.values[first - 1])} before it became {what} at step {step:,}"
    else:
        says = f"was {what} from the first value on"
    return Outcome(
        OutcomeKind.DIVERGED, sure,
        f"The loss {says} ({amount:,} of {n:,} values {are} not finite).",
        int(raw.steps[first]), curve.skill if curve and not trailing else None,
    )


def _runaway(curve: LossCurve) -> Outcome | None:
    """Diverged, if a finite loss went far above its start for good, or endlessly below zero."""
    values, n = curve.points.values, curve.n
    if n < 6:
        return None
    end = end_median(values)
    head = np.abs(values[: max(5, n // 20)])
    start = float(np.max(head) if n < FEW else np.median(head) + np.ptp(head) / 2)
    height = max(start, curve.constant or 0.0)
    factor = ratio(abs(end), height)
    limit = DIVERGED if curve.positive else 30.0
    if end < 0:
        limit = 1e6 if curve.constant is None else 1e3
    for_good = np.quantile(np.abs(ending(values)), 0.25) >= 0.6 * factor * height
    if not factor >= (limit if n >= FEWEST else 100.0) or (factor < 100 and not for_good):
        return None
    peak = float(np.max(curve.y))
    late = curve.quarter
    if 0 < end < peak / 3 and late is not None and late.falling and factor < 100:
        return None  # on its way back from a spike
    sure = min(0.55 + 0.15 * math.log10(factor), 0.97)
    if (curve.mixed or not curve.positive) and factor < 1e4:
        sure = min(sure, 0.4)
    within = np.flatnonzero(np.abs(values) <= height * 2)
    since = int(curve.points.steps[min(int(within[-1]) + 1 if len(within) else 0, n - 1)])
    way = "rose to" if end > 0 else "ran away below zero to"
    than = (f"the {number(height)} at the start" if height == start
            else f"the {number(height)} of a constant prediction")
    return curve.outcome(
        OutcomeKind.DIVERGED, sure,
        f"The loss {way} {number(end)}, {times(factor)} {than}, and did not come back.", since)


def _rising(curve: LossCurve, held: Series | None) -> Outcome | None:
    """Broken, if the train loss rises with confidence and ends above its start or its best."""
    y, whole, late = curve.y, curve.whole, curve.half
    k = max(3, len(y) // 10)
    start, end = float(np.median(y[:k])), curve.last_blocks
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
                OutcomeKind.DATA_PROBLEM, 0.4, f"The train loss rose from {number(low)} to "
                f"{number(end)} while the held-out loss fell by {percent(other.fall)}.",
                float(curve.x[best]))
    if curve.cut_short:
        return _too_short(curve, 1.0)
    size = ratio(end - max(low, 0.0 if above_start else low), max(abs(low), 4 * curve.error))
    sure = (0.7 if above_start else 0.55) + 0.25 * min(size, 1.0)
    against = f"its start ({number(start)})" if above_start else f"its best ({number(low)})"
    return curve.outcome(
        OutcomeKind.BROKEN, sure,
        f"The train loss ends at {number(end)}, above {against}.", float(curve.x[best]))


def _overfitting(curve: LossCurve, held: Series | None) -> Outcome | None:
    """Overfitting, if train went on falling after the best held-out loss, which did not."""
    if held is None or len(held) < 6:
        return None
    values, m = held.values, len(held)
    calm = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    best = int(np.argmin(calm)) + 1
    low, step = float(calm[best - 1]), int(held.steps[best])
    end, spread = end_median(values), point_noise(values)
    error = spread * math.sqrt(1 / 3 + 1.6 / len(ending(values)))
    then = curve.y[np.abs(curve.x - step) <= max((curve.x[-1] - curve.x[0]) / 20, 1)]
    now = curve.last_blocks
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
            f"The held-out loss rose from its best, {number(low)} at step {step:,}, to "
            f"{number(end)} while the train loss went from {number(before)} to {number(now)}.",
            step)
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
            f"The held-out loss has stayed at {number(end)} since step {mid_step:,} while the "
            f"train loss fell from {number(was)} to {number(now)}.", mid_step)
    return None


def _too_short(curve: LossCurve, unsure: float) -> Outcome:
    """Too short to judge; `unsure` is the relative change that could hide in the noise."""
    longer = min(max((unsure / 0.1) ** 2, 1.5), 20.0)
    more = max(math.ceil(curve.passes * (longer - 1)), FEW - curve.passes, 1)
    return curve.outcome(
        OutcomeKind.TOO_SHORT, 0.7,
        f"After {count(curve.passes, curve.unit)} the noise of the loss could hide a change of "
        f"{percent(min(unsure, 9.99))}. About {count(more, 'more ' + curve.unit)} would show it.",
        more=more)


def _by_level(curve: LossCurve, held: Series | None) -> Outcome:
    """A curve that does not rise: learning, converged, plateau, not-learning, data-problem."""
    quarter, half, whole = curve.quarter, curve.half, curve.whole
    level, skill, n = curve.end, curve.skill, curve.n
    fall, seen = fallen(curve)
    learned = level + 3 * curve.end_error < 0.9 * (curve.constant or 0.0)
    fell = seen or (skill is not None and learned)  # or it was too fast to be seen
    scale = float(np.ptp(curve.y)) / 2
    if curve.positive:
        scale = max(abs(level), 1e-3 * curve.reference)
    done = curve.positive and fell and level <= NEAR_ZERO * curve.reference
    no_better = not fell if skill is None else level > NO_BETTER * (curve.constant or 0.0)
    gain = gain_of(quarter, half, whole, scale)
    falling = gain > MATERIAL or dropping(curve) or (on_its_way(curve) and not no_better)
    flat_since = float(curve.x[flat_from(curve)])
    flat = half if fell and not no_better else whole
    since = int(curve.points.steps[n // 2 if flat is half else 0])
    other = trend(held.since(since)) if held is not None else None
    if (not falling and other is not None and other.score < -SURE and other.fall > 0.1
            and slack_of(flat, scale) < other.fall / 3 and not done
            and other.start - other.end > 0.1 * curve.reference):
        return curve.outcome(
            OutcomeKind.DATA_PROBLEM, 0.7 if flat is whole else 0.5,
            f"The train loss stayed at {number(level)} while the held-out loss fell by "
            f"{percent(other.fall)}, from {number(other.start)} to {number(other.end)}.")
    if falling and not done:
        return _worse_than_constant(curve) or curve.outcome(
            OutcomeKind.LEARNING, min(0.6 + 2 * gain, 0.95) if gain > MATERIAL else 0.5,
            f"The loss fell from {number(curve.start)} to {number(level)} and is still falling"
            + (f", by {percent(quarter.fall)} in the last quarter of the run."
               if gain > 0 and quarter is not None else "."))
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
                f"The loss ends at {number(level)}, no better than a constant prediction "
                f"({number(curve.constant or 0.0)}).")
        return curve.outcome(
            OutcomeKind.NOT_LEARNING, sure - (0.3 if skill is not None else 0.1),
            f"The loss stayed at {number(level)} for {count(n, curve.unit)}; a fall of "
            f"{percent(max(unsure, MATERIAL))} would have shown.")
    if other is not None and other.score < -SURE and other.fall > MATERIAL and not done and (
        skill is None or skill < SKILLED
    ):
        return curve.outcome(
            OutcomeKind.LEARNING, 0.5,
            f"The train loss fell from {number(curve.start)} to {number(level)} and seems flat, "
            f"but the held-out loss is still falling, by {percent(other.fall)} in the second half "
            "of the run.")
    slack = slack_of(quarter, scale)
    if done or (skill is not None and skill >= SKILLED):
        left = (f"{percent(ratio(level, curve.start))} of its start" if skill is None
                else _skilled(skill))
        return curve.outcome(OutcomeKind.CONVERGED, 0.9 if slack < 0.1 else 0.75,
                             f"The loss fell from {number(curve.start)} to {number(level)} "
                             f"({left}) and is now flat.", flat_since)
    maybe = half is None or not half.score > -0.7
    if curve.cut_short or not slack < (0.12 if maybe else 0.5):
        return curve.outcome(
            OutcomeKind.LEARNING, 0.4,
            f"The loss fell from {number(curve.start)} to {number(level)}; noise hides whether it "
            f"is still falling.")
    if skill is not None:
        return curve.outcome(
            OutcomeKind.PLATEAU, (0.65 if slack < 0.1 else 0.5) if seen else 0.4,
            f"The loss {'fell from' if seen else 'began at'} {number(curve.start)} and has been "
            f"at {number(level)} since step {round(flat_since):,} ({_skilled(skill)}).",
            flat_since)
    return curve.outcome(
        OutcomeKind.CONVERGED, 0.35 + 0.35 * min(max(fall, 0.0), 1.0),
        f"The loss fell from {number(curve.start)} to {number(level)} and is now flat. How low it "
        f"could get is unknown, so it may be stuck there.", flat_since)


def _worse_than_constant(curve: LossCurve) -> Outcome | None:
    """What a falling loss comes to that is still surely above that of a constant prediction.

    It has shown nothing yet if it would fall below that within as many steps again.
    """
    constant, quarter, level = curve.constant, curve.quarter, curve.end
    if constant is None or curve.skill is None or not (
        level - 3 * curve.end_error > constant
    ):
        return None
    slope = 0.0 if quarter is None else -quarter.slope
    span = float(curve.points.steps[-1] - curve.points.steps[0])
    if slope * span >= level - constant:
        more = max(math.ceil(curve.passes * (level - constant) / (slope * span)), 1)
        return curve.outcome(
            OutcomeKind.TOO_SHORT, 0.6,
            f"The loss is falling, but at {number(level)} it is still above that of a constant "
            f"prediction ({number(constant)}).", more=more)
    return curve.outcome(
        OutcomeKind.NOT_LEARNING, 0.55,
        f"The loss is falling, but at {number(level)} it is still far above that of a constant "
        f"prediction ({number(constant)}).")


def _skilled(skill: float) -> str:
    """The skill of a level, in words that say what skill is."""
    return f"{percent(skill)} of the way from a constant prediction to zero loss"


