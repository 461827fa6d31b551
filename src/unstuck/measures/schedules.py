"""What a learning rate schedule did: its course, its pace, and whether it watched the wrong way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.curves.statistics import relative_fall, trend
from unstuck.measures.basics import GOOD_SKILL, failed, learned_little, weight_updates
from unstuck.measures.view import View
from unstuck.record.series import Floats, Series
from unstuck.schema.facts.optimizers import Scheduler, WrittenRate
from unstuck.schema.findings import OutcomeKind
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.losses import (
    HELD_OUT_LOSS,
    LEARNING_RATE,
    SCHEDULER_CALLS,
    TRAIN_LOSS,
    WATCHED_BY_SCHEDULE,
)
from unstuck.schema.signals.parameters import UPDATE_NORM, WEIGHT_NORM
from unstuck.words import count, times

FEWEST = 5  # values that a schedule was given
AGAINST = 0.6  # rank correlation from which two series rise and fall together
GONE = 1e-9  # of the highest learning rate: single precision keeps no such update
SAME = 1e-2  # relative difference of two losses that are one


def set_by_hand(view: View) -> SourceLocation | None:
    """The one statement of the program that sets the learning rate; None if there are several."""
    written = view.record.facts(WrittenRate)
    return written[0].location if len(written) == 1 else None


@dataclass(frozen=True, slots=True)
class Trace:
    """The learning rate of one parameter group over the run."""

    place: str
    series: Series
    steps: int

    def at(self, share: float) -> float:
        """The learning rate after a share of the run."""
        index = np.searchsorted(self.series.steps, share * self.steps, side="right") - 1
        return float(self.series.values[max(int(index), 0)])

    def below_for_good(self, limit: float) -> int | None:
        """The first step from which it stays below a limit, None if it ends above."""
        high = np.flatnonzero(~(self.series.values < limit))
        if not len(high):
            return int(self.series.steps[0])
        last = int(high[-1]) + 1
        return int(self.series.steps[last]) if last < len(self.series) else None

    def vanishes(self) -> bool:
        """Whether half of the run has rates that no schedule means: multiplied over and over, but
        not zero.
        """
        below = self.below_for_good(GONE * float(np.max(self.series.values)))
        return below is not None and below <= self.steps / 2 and bool(
            self.series.values[self.series.steps >= below][0] > 0)

    def drawn(self) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """At most 200 changes, and where it ends."""
        picked = np.unique(np.linspace(0, len(self.series) - 1, 199).astype(int))
        steps = [int(self.series.steps[i]) for i in picked]
        values = [float(self.series.values[i]) for i in picked]
        if steps[-1] < self.steps - 1:
            steps.append(self.steps - 1)
            values.append(values[-1])
        return tuple(steps), tuple(values)


def largest_update(view: View) -> float:
    """Of the typical weight matrix, in the whole run; infinite if it was not measured."""
    if not (view.has(UPDATE_NORM) and view.has(WEIGHT_NORM)):
        return math.inf
    typical = weight_updates(view).typical()
    return float(np.max(typical[np.isfinite(typical)], initial=0.0)) or math.inf


def was_falling(view: View, enough: float, since: float, until: int) -> bool:
    """Whether the loss still fell by a share between two steps."""
    line = trend(view[TRAIN_LOSS].finite.since(math.ceil(since)).until(until))
    return line is not None and line.falling and line.fall >= enough


def scheduler_of(view: View, place: str) -> Scheduler | None:
    """The schedule that moves a group: the one that calls the others, where there are several."""
    optimizer = place.rpartition(".")[0]
    able = [s for s in view.record.facts(Scheduler) if s.optimizer in (optimizer, None)]
    return able[0] if able else None


def had_more_to_gain(view: View) -> bool:
    """Whether there was more to gain than the run gained."""
    outcome = view.outcome
    if outcome.kind in (OutcomeKind.DIVERGED, OutcomeKind.BROKEN, OutcomeKind.OVERFITTING,
                        OutcomeKind.TOO_SHORT, OutcomeKind.CRASHED):
        return False
    if outcome.skill is None:
        fall = relative_fall(view[TRAIN_LOSS])
        return failed(outcome) or (fall is not None and fall < GOOD_SKILL / 2)
    return learned_little(outcome) or outcome.skill < GOOD_SKILL


def intended(scheduler: Scheduler, trace: Trace) -> float | None:
    """The base rate of a schedule of one's own, if the rate climbs towards it in equal steps.

    One that multiplies by anything else has no goal that a record could know.
    """
    climbs = np.diff(trace.series.values)
    even = bool(np.all(np.abs(climbs - climbs.mean()) <= 0.05 * climbs.mean()))
    return scheduler.target if even and len(climbs) >= 3 else None


def length_of(scheduler: Scheduler, trace: Trace, goal: float | None) -> float | None:
    """How many of its own steps a schedule rises for: as it says, or to a goal in equal steps."""
    if scheduler.length is not None or goal is None:
        return scheduler.length
    climb = float(np.diff(trace.series.values).mean()) if len(trace.series) > 1 else 0.0
    return goal / climb if climb > 0 else None


def was_lower_before(view: View, trace: Trace, rate: float) -> bool:
    """Whether the loss was lower, for a tenth of the run, while the learning rate was below this.

    Windows of a tenth are compared by their medians.
    """
    loss = view[TRAIN_LOSS].finite
    end = trace.series.steps[np.flatnonzero(trace.series.values < rate)[-1:]]
    width = max(trace.steps // 10, 1)
    last = loss.since(trace.steps - width).values
    windows = [loss.since(start).until(start + width).values
               for start in range(0, int(end[0]) - width + 1, width)] if len(end) else []
    levels = [float(np.median(each)) for each in windows if len(each)]
    return bool(levels) and len(last) > 0 and min(levels) < float(np.median(last))


def pace_of(view: View, scheduler: Scheduler | None) -> float | None:
    """Calls of the scheduler per optimizer step."""
    if scheduler is None or not view.has(SCHEDULER_CALLS):
        return None
    series = view[SCHEDULER_CALLS].get(scheduler.name)
    if series is None or not series.steps[-1] > 0 or not math.isfinite(series.values[-1]):
        return None
    return float(series.values[-1] / series.steps[-1])


def often(pace: float) -> str:
    """How often the scheduler steps, in words."""
    if not pace > 0:
        return "the scheduler never steps"
    if pace > 0.5:
        often = "once" if 0.9 < pace < 1.1 else times(pace)
        return f"the scheduler steps {often} per optimizer step"
    return f"the scheduler steps about once every {count(round(1 / pace), 'optimizer step')}"


def watched_the_wrong_way(view: View, scheduler: Scheduler, until: int | None) -> Series | None:
    """The values by which a schedule decides, if they get better where it takes them for worse.

    Those up to a step count, for a learning rate of nearly zero moves none of them. They are
    compared with the held-out loss; with that of training, which goes on falling where a network
    overfits, only if no value was taken for better than the first. None if they agree, or if the
    values are themselves that loss.
    """
    given = view[WATCHED_BY_SCHEDULE].get(scheduler.name) if view.has(WATCHED_BY_SCHEDULE) else None
    held = view.has(HELD_OUT_LOSS) and len(view[HELD_OUT_LOSS].finite) >= FEWEST
    if given is None or scheduler.mode is None:
        return None
    given, loss = given.finite, view[HELD_OUT_LOSS if held else TRAIN_LOSS].finite
    if until is not None:
        given = given.until(until)
    if len(given) < FEWEST or not len(loss):
        return None
    best = given.values.min() if scheduler.mode == "min" else given.values.max()
    if not held and given.values[0] != best:
        return None
    beside = np.array([_since(loss, before, step) for before, step in zip(
        [-1, *given.steps[:-1].tolist()], given.steps.tolist(), strict=True)])
    known = np.isfinite(beside)
    if np.count_nonzero(known) < FEWEST or np.allclose(
            beside[known], given.values[known], rtol=SAME, atol=0):
        return None
    together = _rank_correlation(given.values[known], beside[known])
    wrong = -together if scheduler.mode == "min" else together
    return given if wrong >= AGAINST else None


def _since(loss: Series, before: int, step: int) -> float:
    """The median loss after one step up to another; NaN if there is none."""
    values = loss.since(before + 1).until(step).values
    return float(np.median(values)) if len(values) else math.nan


def _rank_correlation(one: Floats, other: Floats) -> float:
    """Spearman's; 0 where one of them is constant."""
    ranks = [np.unique(values, return_inverse=True)[1].astype(float) for values in (one, other)]
    if any(np.ptp(each) == 0 for each in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def rate_left(view: View) -> float:
    """The final learning rate over its peak, of the parameter group that kept most of it."""
    if not view.has(LEARNING_RATE):
        return 1.0
    groups = [s.finite.values for s in view[LEARNING_RATE].values() if len(s.finite)]
    return max((float(v[-1] / np.max(v)) for v in groups if np.max(v) > 0), default=1.0)
