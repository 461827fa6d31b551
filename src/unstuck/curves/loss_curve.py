"""A train loss, reduced to what the rules of curves.py ask for. Nothing is decided here."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.curves.statistics import (
    BLOCKS,
    HUGE,
    Floats,
    Trend,
    block_levels,
    early_fall,
    end_level,
    oscillation,
    point_noise,
    ratio,
    trend,
)
from unstuck.curves.wording import Wording, wording
from unstuck.record.reader import Record
from unstuck.record.series import Series, in_order
from unstuck.schema.facts.losses import Backward, WithinBatch
from unstuck.schema.facts.run import EndKind, Log
from unstuck.schema.findings import Outcome, OutcomeKind
from unstuck.schema.quantities import StepSignal
from unstuck.schema.signals.losses import CONSTANT_LOSS
from unstuck.words import count, percent

FEWEST = 30  # backward passes below which nothing but divergence is called
BEGUN = 0.1  # skill from which a network tells the samples of its batch apart
FEW = 100  # points below which a run that --max-steps cut short is not called stuck
NEAR_ZERO = 0.02  # of the loss at the start or of the constant: nothing is left to gain
MATERIAL = 0.03  # a change of the level smaller than this is no change
LEAST_WIDTH = 1e-6  # of a part of a curve, of its whole width
FEWEST_HALVING = 16  # points, of which the last four show whether the loss still halves
AS_FAST = 0.7  # of the slope before: a line that bends less is straight
ITS_PART = 0.25  # of the whole fall: a last half that did as much is no plateau
FASTER = 0.6  # of a fall is in its last half if it goes ever faster
SURE = 1.1  # a trend counts if its slope is so many half widths of its interval


@dataclass(frozen=True, slots=True)
class LossCurve:
    """The train loss, reduced to what the rules ask for."""

    points: Series
    x: Floats  # blocks of at least 4 points, or the points of a short log
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
    unit: str  # what a point is, in the singular
    passes: int  # points that there were; of a long run not all are here
    whole: Trend | None
    half: Trend | None
    quarter: Trend | None
    words: Wording

    @property
    def n(self) -> int:
        return len(self.points)

    @property
    def last_blocks(self) -> float:
        """The end, to be compared with blocks: with skewed noise these lie below a mean."""
        return float(np.median(self.y[-max(3, len(self.y) // 10):]))

    @property
    def reference(self) -> float:
        """The level that a change is compared with."""
        return self.constant or max(abs(self.start), abs(self.end))

    def came(self) -> str:
        """How the curve came to its end; the first points may by chance lie no higher."""
        end = self.words.number(self.end)
        if not self.start > self.end:
            return f"is at {end}"
        return f"{self.words.fell} from {self.words.number(self.start)} to {end}"

    def outcome(self, kind: OutcomeKind, confidence: float, says: str, since: float | None = None,
                more: int | None = None) -> Outcome:
        """An outcome of this curve; for mixed and signed losses the worst is never sure."""
        if kind in (OutcomeKind.BROKEN, OutcomeKind.NOT_LEARNING) and not (
            self.positive and not self.mixed
        ):
            confidence = min(confidence, 0.4)
        step = int(self.points.steps[0] if since is None else since)
        confidence = round(min(max(confidence, 0.05), 0.99), 2)
        return Outcome(kind, confidence, says, step, self.skill, more)


def read(record: Record, signal: StepSignal) -> Series | None:
    """A signal in the order in which training went; None if there is none."""
    series = record.series(signal) if record.measured(signal) else None
    if series is None or not len(series):
        return None
    return in_order(series)


def reduce(record: Record, points: Series) -> LossCurve:
    """The curve of finite `points`, at least one."""
    n = len(points)
    known = read(record, CONSTANT_LOSS)
    constant = float(known.values[-1]) if known is not None else None
    if constant is None or not 0 < constant < HUGE:
        constant = None
    positive = bool(np.min(points.values) >= 0)
    # A point of a log is mostly a mean over many steps.
    each = 1 if record.fact(Log) is not None and n <= BLOCKS else 4
    x, y = block_levels(points, min(BLOCKS, max(n // each, 1)))
    level, level_error = end_level(points.values)
    skill = 1 - level / constant if constant and positive else None
    if skill is not None and skill > BEGUN and record.fact(WithinBatch) is not None:
        skill = None  # nobody knows how low it can get
    swings = oscillation(points, amplitude=False)
    start = float(np.median(points.values[: max(1, min(5, n // 10))]))
    whole, half, quarter = (_part(points, share) for share in (1.0, 0.5, 0.25))
    return LossCurve(
        points, x, y, point_noise(y), start, level, level_error,
        constant, skill if skill is not None and math.isfinite(skill) else None, positive,
        len(record.facts(Backward)) > 1 or (swings is not None and swings.alternates),
        record.end.kind is EndKind.STOPPED and n < FEW,
        "point" if record.fact(Log) is not None else "backward pass",
        record.steps if record.thinned else n,
        whole, half, quarter, wording(record),
    )


def too_short(curve: LossCurve, unsure: float) -> Outcome:
    """Too short to judge; `unsure` is the relative change that could hide in the noise."""
    longer = min(max((unsure / 0.1) ** 2, 1.5), 20.0)
    more = max(math.ceil(curve.passes * (longer - 1)), FEW - curve.passes, 1)
    return curve.outcome(
        OutcomeKind.TOO_SHORT, 0.7,
        f"After {count(curve.passes, curve.unit)} the noise of the loss could hide a change of "
        f"{percent(min(unsure, 9.99))}. About {count(more, 'more ' + curve.unit)} would show it.",
        more=more)


def _part(points: Series, share: float) -> Trend | None:
    first = max(len(points) - max(round(len(points) * share), 8), 0)
    return trend(Series(points.steps[first:], points.values[first:]))


def gain_of(quarter: Trend | None, half: Trend | None, whole: Trend | None, scale: float) -> float:
    """How much of the level the last quarter or half took off with confidence; else 0."""
    if quarter is None or half is None or whole is None or not max(quarter.slope, whole.slope) < 0:
        return 0.0
    last = ratio(quarter.start - quarter.end, scale)
    if quarter.score < -SURE and half.score < -0.7:
        return last
    return ratio(half.start - half.end, scale) if half.score < -SURE and last > MATERIAL else 0.0


def on_its_way(curve: LossCurve) -> bool:
    """Whether the last half surely took its part in a fall that is slow or has only begun."""
    half, quarter = curve.half, curve.quarter
    if half is None or quarter is None or not half.score < -1.5 or quarter.score > 0.5:
        return False
    return half.start - half.end > ITS_PART * (curve.start - curve.end) > 0


def has_begun(curve: LossCurve) -> bool:
    """Whether a loss surely below a constant's falls ever faster, little as that is so far."""
    half, quarter = curve.half, curve.quarter
    if half is None or quarter is None or not half.score < -2 * SURE or quarter.score > 0:
        return False
    below = curve.constant is not None and curve.end + 3 * curve.end_error < curve.constant
    return below and half.start - half.end > FASTER * (curve.start - curve.end) > 0


def slack_of(line: Trend | None, scale: float) -> float:
    """How much of the level the fall may have been that the interval leaves open."""
    if line is None or not line.slope < 0 or not line.start > line.end:
        return 0.0 if line is not None else 1.0
    return ratio((line.start - line.end) * line.low / line.slope, scale)


def fallen(curve: LossCurve) -> tuple[float, bool]:
    """The fall relative to the start's height, and whether it is more than noise."""
    early, score = early_fall(curve.points.values)
    line = curve.whole
    by_line = line is not None and line.score < -SURE and line.fall > MATERIAL
    by_head = score > 4.5 and early > MATERIAL
    return max(early, line.fall if line else 0.0), by_line or by_head


def dropping(curve: LossCurve) -> bool:
    """Whether the very end broke away downwards from a long plateau."""
    y = curve.y
    k = max(2, len(y) // 20)
    if len(y) < 12:
        return False
    before = y[len(y) // 2: -k]
    return bool(np.max(y[-k:]) < np.min(before) - 4 * curve.error - MATERIAL * curve.reference)


def halving(series: Series) -> bool:
    """Whether a positive curve falls to its very end as a straight line of a logarithmic scale:
    in the last quarter it halves, and as fast as before."""
    x, y = block_levels(series, BLOCKS)
    n = len(y)
    if n < FEWEST_HALVING or not np.min(y) > 0:
        return False
    heights, x = np.log(y), (x - x[0]) / max(x[-1] - x[0], 1.0)
    first = n - n // 4
    if not min(np.ptp(x[:first]), np.ptp(x[first:])) > LEAST_WIDTH:
        return False  # the steps leap: there is no line through one of the parts
    before = np.polyfit(x[:first], heights[:first], 1)
    last = np.polyfit(x[first:], heights[first:], 1)
    fall = -last[0] * (x[-1] - x[first])
    rest = heights[first:] - np.polyval(last, x[first:])
    return bool(fall > np.log(2) and last[0] < AS_FAST * before[0] < 0
                and np.std(rest) < fall / 4)


def flat_from(curve: LossCurve) -> int:
    """The first block from which the curve is at its end level."""
    band = max(3 * curve.error, MATERIAL * abs(curve.last_blocks))
    high = np.flatnonzero(curve.y > curve.last_blocks + band)
    high = high[high < len(curve.y) * 0.9]
    return min(int(high[-1]) + 1, len(curve.y) - 1) if len(high) else 0
