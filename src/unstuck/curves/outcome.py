"""Decides what became of a run from its loss curves. The statistics are in trends.py."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from unstuck.curves.collapse import collapse_of
from unstuck.curves.forecast import Abstained, Forecast, outlook
from unstuck.curves.held_out import overfitting, still_falls
from unstuck.curves.loss_curve import (
    FEWEST,
    MATERIAL,
    NEAR_ZERO,
    SURE,
    LossCurve,
    dropping,
    fallen,
    flat_from,
    gain_of,
    halving,
    has_begun,
    on_its_way,
    read,
    reduce,
    slack_of,
    too_short,
)
from unstuck.curves.moving import not_told
from unstuck.curves.statistics import Trend, end_median, point_noise, ratio, tidy, trend
from unstuck.curves.terms import starved
from unstuck.curves.wording import wording
from unstuck.curves.worsening import exploding, non_finite, rising, runaway
from unstuck.record.reader import Record
from unstuck.record.series import Series
from unstuck.schema.facts.run import EndKind, Log
from unstuck.schema.findings import Outcome, OutcomeKind
from unstuck.schema.signals.losses import HELD_OUT_LOSS, METRIC, TRAIN_LOSS
from unstuck.words import called, count, number, percent

FEWEST_OF_A_LOG = 8  # points of a log likewise: most of them are means
CALM = 0.2  # of a level is the noise of single losses that tell something by themselves
MEMORISED = 0.1  # skill: a run with less has not even memorised a part of its samples
NO_BETTER = 0.96  # of a constant's loss: a level above this is no better than a constant
SKILLED = 0.9  # skill from which a flat curve has converged
PERFECT = 0.99  # of the best score: from here on it says nothing of what is left
CLASSES = (2, 3, 4, 5, 6, 8, 10, 20, 50, 100, 200, 1000)  # the commonest numbers of them
A_TENTH = 0.1  # of the start, or of the best score
NOTHING = 1e-3  # of the start: who goes on from here does so for its own sake
SLOW = 0.01  # of the level: a fall in the last quarter that is slow, but may be certain
SOME_SKILL = 0.1  # from which an output cannot be the same for every sample
COLLAPSED = 0.8  # how sure it is that nothing is learned where it is
_HOPEFUL = (OutcomeKind.LEARNING, OutcomeKind.CONVERGED, OutcomeKind.PLATEAU,
            OutcomeKind.OVERFITTING, OutcomeKind.DATA_PROBLEM)
RUN_AWAY = 0.9  # confidence from which a loss that is no measure of learning has still diverged


class _Reached(NamedTuple):
    """The share of the best of a score that was reached, and the words for it."""

    share: float
    says: str


@np.errstate(all="ignore")
def judge(record: Record) -> Outcome:
    """What became of the run, from its loss curves. Never raises.

    A model that returns the same for every sample has learned nothing of them, whatever they say.
    """
    found = _by_curves(record)
    if found.kind in (OutcomeKind.CONVERGED, OutcomeKind.LEARNING) and found.skill is None:
        term = starved(record)
        if term is not None:
            says = found.says.partition(". ")[0].rstrip(".")
            return Outcome(
                OutcomeKind.NOT_LEARNING, COLLAPSED,
                f"{says}. But the {term.loss} in it ends at {number(term.level)}, hardly better "
                "than for a constant prediction: another of its terms fell.",
                found.since_step)
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
    found = non_finite(raw, curve, wording(record))
    if found:
        return found
    assert curve is not None  # without a finite value the run has diverged
    found = runaway(curve) or exploding(curve)
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
    worse = rising(curve, held)
    if worse is not None and worse.kind is OutcomeKind.BROKEN and curve.words.data != "train":
        return curve.outcome(OutcomeKind.OVERFITTING, 0.5, worse.says, worse.since_step)
    learned = curve.skill is None or curve.skill >= MEMORISED
    return worse or (overfitting(record, curve, held) if learned else None) or _by_level(
        record, curve, held)


def _by_level(record: Record, curve: LossCurve, held: Series | None) -> Outcome:
    """A curve that does not rise: learning, converged, plateau, not-learning, data-problem."""
    quarter, half, whole = curve.quarter, curve.half, curve.whole
    level, skill, n, w = curve.end, curve.skill, curve.n, curve.words
    fall, seen = fallen(curve)
    learned = level + 3 * curve.end_error < 0.9 * (curve.constant or 0.0)
    fell = seen or (skill is not None and learned)  # or it was too fast to be seen
    fell = fell and not _is_guess(record, curve)
    scale = float(np.ptp(curve.y)) / 2
    if curve.positive:
        scale = max(abs(level), 1e-3 * curve.reference)
    done = curve.positive and fell and level <= NEAR_ZERO * curve.reference
    log = record.fact(Log)
    if done and log is not None and level > NOTHING * curve.reference:
        done = not halving(curve.points)
    if log is not None and log.best is not None:  # of a score, what is missing may be tiny
        scale = max(scale, A_TENTH * log.best)
    no_better = not fell if skill is None else level > NO_BETTER * (curve.constant or 0.0)
    gain = gain_of(quarter, half, whole, scale)
    falling = gain > MATERIAL or dropping(curve) or (
        has_begun(curve) if no_better else on_its_way(curve))
    if fell and log is not None and not (done and not falling):
        ahead = outlook(curve.points)
        if falling:
            falling = not (isinstance(ahead, Forecast) and ahead.high < SLOW * scale)
        else:
            falling = _slowly(curve, scale, ahead)
        done = done or _perfect(record, curve, ahead)
    flat_since = float(curve.x[flat_from(curve)])
    flat = half if fell and not no_better else whole
    since = int(curve.points.steps[n // 2 if flat is half else 0])
    other = trend(held.since(since)) if held is not None else None
    if (not falling and other is not None and other.score < -SURE and other.fall > 0.1
            and slack_of(flat, scale) < other.fall / 3 and not done
            and other.start - other.end > 0.1 * curve.reference):
        return curve.outcome(
            OutcomeKind.DATA_PROBLEM, 0.7 if flat is whole else 0.5,
            f"The train {w.noun} stayed at {w.number(level)} while the held-out {w.noun} {w.fell}"
            + ("" if w.higher else f" by {percent(other.fall)},")
            + f" from {w.number(other.start)} to {w.number(other.end)}.")
    if falling and not done:
        return _worse_than_constant(curve) or curve.outcome(
            OutcomeKind.LEARNING, min(0.6 + 2 * gain, 0.95) if gain > MATERIAL else 0.5,
            f"The {w.noun} {curve.came()} and is still {w.falling}" + _lately(curve, gain))
    if no_better or not fell:
        return _never_fell(record, curve, scale, no_better)
    held_fall = still_falls(held, since)
    if held_fall > MATERIAL and not done and (skill is None or skill < SKILLED) and not _settled(
            held, int(curve.points.steps[3 * n // 4]), scale):
        return curve.outcome(
            OutcomeKind.LEARNING, 0.5,
            f"The train {w.noun} {curve.came()} and seems flat, but the held-out {w.noun} is "
            f"still {w.falling}"
            + ("" if w.higher else f", by {percent(held_fall)} in the second half of the run")
            + ".")
    slack = slack_of(quarter, scale)
    if done or (skill is not None and skill >= SKILLED):
        left = (f"({percent(ratio(level, curve.start))} of its start) " if skill is None
                else f"({_skilled(skill)}) ")
        end = "is now flat."
        if curve.positive and not w.higher and halving(curve.points):
            end = "still halves every quarter of the run."
        elif falling and gain > MATERIAL and not w.higher:
            end = f"is still {w.falling}" + _lately(curve, gain)
        return curve.outcome(
            OutcomeKind.CONVERGED, 0.9 if slack < 0.1 else 0.75,
            f"The {w.noun} {curve.came()} {'' if w.higher else left}and {end}", flat_since)
    maybe = half is None or not half.score > -0.7
    if level > curve.start and not slack < (0.12 if maybe else 0.5):
        return too_short(curve, slack)  # it rose, as far as noise lets one see
    if curve.cut_short or not slack < (0.12 if maybe else 0.5):
        return curve.outcome(
            OutcomeKind.LEARNING, 0.4,
            f"The {w.noun} {curve.came()}; noise hides whether it is still {w.falling}.")
    if skill is not None:
        began = f"{'fell from' if seen else 'began at'} {number(curve.start)} and "
        began = began if curve.start > level else ""  # the first ones may by chance lie lower
        return curve.outcome(
            OutcomeKind.PLATEAU, (0.65 if slack < 0.1 else 0.5) if seen else 0.4,
            f"The loss {began}has been at {number(level)} since step {round(flat_since):,} "
            f"({_skilled(skill)}).", flat_since)
    return _by_score(record, curve, flat_since) or curve.outcome(
        OutcomeKind.CONVERGED, 0.35 + 0.35 * min(max(fall, 0.0), 1.0),
        f"The {w.noun} {curve.came()} and is now flat. "
        f"How {w.low} it could get is unknown, so it may be stuck there.", flat_since)


def _settled(held: Series | None, since: int, scale: float) -> bool:
    """Whether a held-out curve surely stayed where it was of late."""
    late = trend(held.since(since)) if held is not None else None
    return late is not None and late.score > -SURE and slack_of(late, scale) < MATERIAL


def _slowly(curve: LossCurve, scale: float, ahead: Forecast | Abstained) -> bool:
    """Whether a log's curve falls by less than a material amount, but surely and to go on so.

    The points of a log are mostly means, so that their noise is small. The forecast must agree: its
    whole interval lies below the present level. Where there is none, both trends must be beyond
    doubt. Numbers of few digits have no trend within a quarter.
    """
    half, quarter = curve.half, curve.quarter
    if half is None or quarter is None or not half.score < -SURE:
        return False
    if isinstance(ahead, Forecast) and ahead.low > 2 * SLOW * scale:
        return True
    if not quarter.score < -SURE or not ratio(quarter.start - quarter.end, scale) > SLOW:
        return False
    if not isinstance(ahead, Forecast):
        return max(quarter.score, half.score) < -2 * SURE
    return ahead.low > SLOW * scale / 2


def _perfect(record: Record, curve: LossCurve, ahead: Forecast | Abstained) -> bool:
    """Whether a score is all but perfect, and the loss does not surely fall any further."""
    if not curve.positive or not isinstance(ahead, Forecast) or ahead.low > 0:
        return False
    score = _score(record, curve)
    return score is not None and score.share >= PERFECT


def _score(record: Record, curve: LossCurve) -> _Reached | None:
    """What was reached of a score whose best is known: the curve itself, if it is one."""
    log = record.fact(Log)
    if log is not None and curve.words.higher and log.best is not None:
        return _Reached(ratio(log.best - curve.end, log.best), f"the best is {number(log.best)}")
    if log is None or curve.words.higher or log.score is None or not record.measured(METRIC):
        return None
    series = record.series(METRIC).get(log.score)
    if series is None or not len(series.finite):
        return None
    level, most = end_median(series.finite.values), log.score_best
    best = 0.0 if log.counts_errors else most
    return _Reached(ratio(most - level if log.counts_errors else level, most),
                    f"{log.score!r} ends at {number(level)}; the best is {number(best)}")


def _lately(curve: LossCurve, gain: float) -> str:
    """How a curve that still falls did so of late, at the end of a sentence."""
    quarter, w = curve.quarter, curve.words
    if not gain > 0 or quarter is None:
        return "."
    # Of a short run, its trend needs more than a quarter.
    late = ("in the last quarter of the run" if quarter.points < 0.3 * curve.n
            else f"over the last {count(quarter.points, curve.unit)}")
    if w.higher:
        return f", from {w.number(quarter.start)} {late}."
    return f", by {percent(_fall(curve, quarter))} {late}."


def _fall(curve: LossCurve, line: Trend) -> float:
    """How much of the level a line took off; where it ends below zero, the curve bends."""
    if curve.positive and line.end <= 0:
        return 1 - ratio(curve.end, line.start)
    return line.fall


def _never_fell(record: Record, curve: LossCurve, scale: float, no_better: bool) -> Outcome:
    """A curve of which no fall is seen: not-learning, unless it is too short, or begins late."""
    whole, level, n, w = curve.whole, curve.end, curve.n, curve.words
    width = (whole.high - whole.low) * (curve.x[-1] - curve.x[0]) if whole else math.inf
    unsure = ratio(float(width) / 2, scale if curve.positive else max(scale, abs(level)))
    if curve.skill is not None and no_better:
        unsure = min(unsure, 2 * ratio(curve.end_error, level))
    if not unsure < 0.2 or curve.cut_short:
        return too_short(curve, unsure)
    first, last = (int(curve.points.steps[i]) for i in (0, -1))
    log = record.fact(Log)
    if log is not None and log.unit != "row" and first > last - first:
        return curve.outcome(
            OutcomeKind.PLATEAU, 0.4,
            f"The {w.noun} has been at {w.number(level)} since this log begins, at {log.unit} "
            f"{first:,}. What the run did before is not in it.")
    sure = 0.5 + 0.4 * n / (n + 150)
    if curve.skill is not None and no_better:
        return curve.outcome(
            OutcomeKind.NOT_LEARNING, sure + 0.08,
            f"The loss ends at {number(level)}, no better than a constant prediction "
            f"({number(curve.constant or 0.0)}).")
    would = ("a clear rise" if w.higher
             else f"a fall of {percent(max(unsure, MATERIAL))}")
    return curve.outcome(
        OutcomeKind.NOT_LEARNING, sure - (0.3 if curve.skill is not None else 0.1),
        f"The {w.noun} stayed at {w.number(level)} for {count(n, curve.unit)}; {would} would have "
        "shown.")


def _is_guess(record: Record, curve: LossCurve) -> bool:
    """Whether a log's loss is that of a guess: the logarithm of the number of classes.

    A score at one over that number says so, or a loss that was near it from the start.
    """
    if record.fact(Log) is None or curve.skill is not None or curve.words.higher:
        return False
    score = _score(record, curve)
    classes = round(1 / score.share) if score is not None and 0 < score.share < 0.6 else 0
    if score is not None and classes > 1 and abs(score.share * classes - 1) < 0.1:
        return abs(curve.end - math.log(classes)) < 0.01 * curve.end
    near = any(abs(curve.end - math.log(count)) < 0.004 * curve.end for count in CLASSES)
    return near and abs(curve.start - curve.end) < 0.06 * curve.end


def _by_score(record: Record, curve: LossCurve, since: float) -> Outcome | None:
    """What a flat curve has come to, by a score whose best value is known; None without one."""
    w = curve.words
    score = _score(record, curve)
    if score is None:
        return None
    if score.share >= SKILLED:
        return curve.outcome(
            OutcomeKind.CONVERGED, 0.6, f"The {w.noun} {w.fell} from {w.number(curve.start)} to "
            f"{w.number(curve.end)} and is now flat ({score.says}).", since)
    return curve.outcome(
        OutcomeKind.PLATEAU, 0.55, f"The {w.noun} {w.fell} from {w.number(curve.start)} and has "
        f"been at {w.number(curve.end)} since step {round(since):,} ({score.says}).", since)


def _worse_than_constant(curve: LossCurve) -> Outcome | None:
    """What a falling loss comes to that is still surely above that of a constant prediction.

    It has shown nothing yet if it would fall below that within as many steps again. One that began
    lower than it ends is on its way back.
    """
    constant, quarter, level = curve.constant, curve.quarter, curve.end
    surely = level - 3 * curve.end_error
    if constant is None or curve.skill is None or not surely > constant:
        return None
    values = curve.points.values
    # The very first loss is that of untrained weights: a rate may be so high that the next ones are
    # not. Where losses are noisy it tells little, unless those behind it are all far above it.
    alone = point_noise(values) < CALM * level or bool(np.all(values[1:5] > 2 * values[0]))
    first = float(np.max(values[:1 if alone else max(5, curve.n // 50)]))
    if surely > first:
        return curve.outcome(
            OutcomeKind.NOT_LEARNING, 0.7,
            f"The loss rose from {number(first)} to {number(float(np.max(values)))} "
            f"and is falling again, but at {number(level)} it is still above where it began.")
    slope, sure = (-quarter.slope, quarter.score < -SURE) if quarter is not None else (0.0, False)
    if not sure and curve.whole is not None:
        slope = min(slope, -curve.whole.slope)  # the last part may fall by chance
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
        f"prediction ({number(constant)})." if sure else
        f"The loss hardly falls, and at {number(level)} it is still above that of a constant "
        f"prediction ({number(constant)}).")


def _skilled(skill: float) -> str:
    """The skill of a level, in words that say what skill is."""
    return f"{percent(skill)} of the way from a constant prediction to zero loss"


