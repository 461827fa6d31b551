"""Curves that got worse: not finite, run away, risen, or broken off from a level that was held."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.curves.loss_curve import FEW, FEWEST, SURE, LossCurve, too_short
from unstuck.curves.statistics import (
    BLOCKS,
    block_levels,
    end_median,
    ending,
    of_three,
    point_noise,
    ratio,
    trend,
)
from unstuck.curves.wording import Wording
from unstuck.record.series import Series
from unstuck.schema.findings import Outcome, OutcomeKind
from unstuck.words import number, times

DIVERGED = 3.0  # times the start and the constant
FEWEST_BLOCKS = 8  # of a curve that may break off
LASTS = 3  # blocks, at least: a level that was held, or left for good
JUMP = 8.0  # times the noise of blocks


def non_finite(raw: Series, curve: LossCurve | None, words: Wording) -> Outcome | None:
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
        before = words.number(float(raw.values[first - 1]))
        says = f"was {before} before it became {what} at step {step:,}"
    else:
        says = f"was {what} from the first value on"
    return Outcome(
        OutcomeKind.DIVERGED, sure,
        f"The {words.noun} {says} ({amount:,} of {n:,} values {are} not finite).",
        int(raw.steps[first]), curve.skill if curve and not trailing else None,
    )


def runaway(curve: LossCurve) -> Outcome | None:
    """Diverged, if a finite loss went far above its start for good, or endlessly below zero."""
    values, n = curve.points.values, curve.n
    if n < 6 or curve.words.higher:  # a score has bounds, and returns of another scale are no fault
        return None
    end = end_median(values)
    head = np.abs(values[: max(5, n // 20)])
    start = float(np.max(head) if n < FEW else np.median(head) + np.ptp(head) / 2)
    height = max(start, curve.constant or 0.0)
    factor = ratio(abs(end), height)
    limit = DIVERGED if curve.positive else 30.0
    if end < 0:
        limit = 1e6 if curve.constant is None else 1e3
    for_good = np.quantile(np.abs(ending(values)), 0.25) >= min(0.6 * factor, DIVERGED) * height
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


def exploding(curve: LossCurve) -> Outcome | None:
    """Diverged, if the last values grow by half or more each, far above all that came before."""
    values, n = curve.points.values, curve.n
    if n < 4 * LASTS or curve.words.higher or not curve.positive:
        return None
    first = n - 1
    while first > 0 and values[first] >= 1.5 * values[first - 1]:
        first -= 1
    start = float(np.max(values[: max(5, n // 20)]))
    height = max(start, curve.constant or 0.0)
    if first < LASTS or n - 1 - first < LASTS or (
        values[-1] < DIVERGED * max(height, float(np.max(values[:first])))
    ):
        return None
    since = int(curve.points.steps[first + 1])
    return curve.outcome(
        OutcomeKind.DIVERGED, 0.7,
        f"The loss was {number(float(values[first]))} and then rose to "
        f"{number(float(values[-1]))} in its last {n - 1 - first} values.", since)


@dataclass(frozen=True, slots=True)
class _Break:
    """A level that was left for good: `held` until step `until`, `level` from then on."""

    held: float
    level: float
    until: float


def _broken_off(curve: LossCurve) -> _Break | None:
    """Where the curve rose above the level that it held, and stayed; None if it did not.

    Cycles came back before from as long a stay above, and restarts are on their way back. What
    rises slowly is none.
    """
    x, y = block_levels(curve.points, BLOCKS)
    n = len(y)
    if n < FEWEST_BLOCKS or curve.mixed:
        return None
    calm = of_three(y)
    low = float(np.min(calm))
    high = low + max(JUMP * point_noise(y), 0.25 * max(
        curve.constant or abs(curve.start), curve.start - low))
    below = np.flatnonzero(y <= high)
    if not len(below):
        return None
    first, end = int(below[0]), int(below[-1]) + 1
    last = y[end:]
    before = y[max(end - max(LASTS, n // 10), 0) : end]
    held = float(np.median(before))
    if len(last) < max(LASTS, n // 20) or len(below) < LASTS or held > high:
        return None
    away = np.diff(np.flatnonzero(np.r_[True, y[first:end] <= high])) - 1
    if 2 * int(np.max(away)) >= len(last):
        return None
    third = -(-len(last) // 3)
    early, late = float(np.median(last[:third])), float(np.median(last[-third:]))
    if early - late > 0.2 * (early - held) or early - held < 0.5 * (late - held):
        return None
    return _Break(held, curve.last_blocks, float(x[end - 1]))


def rising(curve: LossCurve, held: Series | None) -> Outcome | None:
    """Broken, if the train loss surely rises and ends above its start, its best or what it held."""
    y, whole, late, w = curve.y, curve.whole, curve.half, curve.words
    k = max(3, len(y) // 10)
    start, end = float(np.median(y[:k])), curve.last_blocks
    calm = of_three(y)
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
    left = _broken_off(curve)
    if not (above_start or turned or left) or not (
            curve.positive or w.higher or end > abs(start)):
        return None
    if held is not None and not left:
        other = trend(held)
        if other is not None and other.falling and other.fall > 0.1:
            return curve.outcome(
                OutcomeKind.DATA_PROBLEM, 0.4, f"The {w.curve} {w.rose} from "
                f"{w.number(low)} to {w.number(end)} while the held-out {w.noun} {w.fell} to "
                f"{w.number(other.end)}.",
                float(curve.x[best]))
    if curve.cut_short:
        return too_short(curve, 1.0)
    if left:
        return curve.outcome(
            OutcomeKind.BROKEN, 0.7, f"The {w.curve} was at {w.number(left.held)} until step "
            f"{round(left.until):,}, then {w.rose} to {w.number(left.level)} and stayed there.",
            left.until)
    size = ratio(end - max(low, 0.0 if above_start else low), max(abs(low), 4 * curve.error))
    sure = (0.7 if above_start else 0.55) + 0.25 * min(size, 1.0)
    against = f"its start ({w.number(start)})" if above_start else f"its best ({w.number(low)})"
    return curve.outcome(
        OutcomeKind.BROKEN, sure,
        f"The {w.curve} ends at {w.number(end)}, {w.above} {against}.", float(curve.x[best]))
