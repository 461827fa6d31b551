"""Schedule mistake: the rate is as good as zero long before the end, or never gets going."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import GOOD_SKILL, failed, learned_little, loss_points, weight_updates
from unstuck.edits import Remedy, Safety, Schedule
from unstuck.facts import EndKind, Scheduler, SourceLocation
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.series import Series
from unstuck.signals import (
    LEARNING_RATE,
    SCHEDULER_CALLS,
    TRAIN_LOSS,
    UPDATE_NORM,
    WEIGHT_NORM,
)
from unstuck.trends import relative_fall, trend
from unstuck.words import number, percent

DEAD = Threshold(
    "dead-rate", 0.01,
    "At a hundredth of its peak a rate moves the weights by nothing that matters; schedules end "
    "there, they do not stay there.",
    "usual floors of cosine and step schedules",
)
EARLY = Threshold(
    "early-end-of-schedule", 0.5,
    "A schedule that is over before half of the run has wasted the other half.",
    "rate traces of published training failures",
)
AT_ONCE = Threshold(
    "at-once", 0.1,
    "Within a tenth of the run no schedule can have waited for the network to converge.",
    "a warm-up alone takes as long",
)
STILL = Threshold(
    "still-falling", 0.1,
    "The loss lost a tenth of its level while the rate was alive, and had not come to rest: it had "
    "more to gain.",
    "three times the change that curves are judged by",
)
LOW = Threshold(
    "low-peak", 0.2,
    "The highest rate that was reached is a fifth of the one that was asked for.",
    "most warm-ups start between a thousandth and a third of the target",
)
IDLE = Threshold(
    "idle-update", 1e-4,
    "The largest update of the whole run is a tenth of the usual one: the warm-up has not arrived "
    "at a rate at which anything is learned.",
    "CS231n: about 1e-3 is usual",
)
PLATEAU = "ReduceLROnPlateau"
# Schedules whose base rate is the one that they rise to. A lambda may scale by anything.
RISING = ("OneCycleLR", "LinearLR", "SequentialLR", "ConstantLR")


@dataclass(frozen=True, slots=True)
class _Trace:
    """The rate of one parameter group over the run."""

    place: str
    series: Series
    steps: int

    def at(self, share: float) -> float:
        """The rate after a share of the run."""
        index = np.searchsorted(self.series.steps, share * self.steps, side="right") - 1
        return float(self.series.values[max(int(index), 0)])

    def below_for_good(self, limit: float) -> int | None:
        """The first step from which the rate stays below a limit, None if it ends above."""
        high = np.flatnonzero(~(self.series.values < limit))
        if not len(high):
            return int(self.series.steps[0])
        last = int(high[-1]) + 1
        return int(self.series.steps[last]) if last < len(self.series) else None


def _detect(view: View) -> Verdict:
    if not view.facts.steps:
        return Unknown("no step was seen", (LEARNING_RATE.name, "a run of more steps"))
    traces = [
        _Trace(place, points, view.facts.steps) for place, series in view[LEARNING_RATE].items()
        if len(points := series.finite)
    ]
    if not traces:
        return Unknown("the rate was never a finite number", (LEARNING_RATE.name,))
    trace = max(traces, key=lambda t: (float(np.max(t.series.values)), t.place))
    scheduler = _scheduler(view, trace.place)
    if len(trace.series) < 2 and scheduler is None and float(trace.series.values[0]) != 0:
        return Absent(f"the rate stays at {number(float(trace.series.values[0]))}")
    return _dead(view, trace, scheduler) or _never_up(view, trace, scheduler) or Absent(
        f"the rate runs from {number(float(trace.series.values[0]))} to "
        f"{number(float(trace.series.values[-1]))}, which this run does not suffer from")


def _scheduler(view: View, place: str) -> Scheduler | None:
    """The schedule that moves a group: the one that calls the others, where there are several."""
    optimizer = place.rpartition(".")[0]
    able = [s for s in view.facts.schedulers if s.optimizer in (optimizer, None)]
    return able[0] if able else None


def _suffers(view: View) -> bool:
    """Whether there was more to gain than the run gained."""
    outcome = view.outcome
    if outcome.kind in (OutcomeKind.DIVERGED, OutcomeKind.BROKEN, OutcomeKind.OVERFITTING,
                        OutcomeKind.TOO_SHORT, OutcomeKind.CRASHED):
        return False
    if outcome.skill is None:
        fall = relative_fall(view[TRAIN_LOSS])
        return failed(outcome) or (fall is not None and fall < GOOD_SKILL / 2)
    return learned_little(outcome) or outcome.skill < GOOD_SKILL


def _dead(view: View, trace: _Trace, scheduler: Scheduler | None) -> Verdict | None:
    peak = float(np.max(trace.series.values))
    target = scheduler.target if scheduler is not None and scheduler.kind in RISING else None
    floor = view.limit(DEAD) * max(peak, target or 0.0)
    died = trace.below_for_good(floor) if peak > 0 else 0
    if died is None or not died <= view.limit(EARLY) * trace.steps or not _suffers(view):
        return None
    at_once = died <= view.limit(AT_ONCE) * trace.steps
    falling = _was_falling(view, died)
    if scheduler is not None and scheduler.kind == PLATEAU and not (at_once or falling):
        return None  # it did what it is for: the loss had come to rest by itself
    if not (at_once or falling):
        return Unknown(
            f"the rate is nearly zero from step {died} on, but the loss had come to rest before",
            ("a run with a constant rate",))
    what = f"below {percent(view.limit(DEAD))} of its peak {number(peak)}"
    if not peak > 0:
        what = "zero"
    lost = f"{percent(1 - died / trace.steps)} of the run"
    return _present(
        view, trace, scheduler, strength=0.9 if learned_little(view.outcome) else 0.7,
        title=f"the learning rate is {what} from step {died} of {trace.steps} on: {lost} pass "
        "without learning",
        label=f"brings the rate {'to' if peak > 0 else 'down to'} "
        f"{number(float(trace.series.values[-1]))} by the end",
        bound=floor,
    )


def _was_falling(view: View, died: int) -> bool:
    """Whether the loss was still on its way down when the rate died."""
    loss = view[TRAIN_LOSS].finite
    alive = loss.steps <= died
    before = Series(loss.steps[alive], loss.values[alive])
    late = Series(before.steps[len(before) // 2:], before.values[len(before) // 2:])
    line, enough = trend(late), view.limit(STILL)
    return line is not None and line.falling and line.fall >= enough


def _never_up(view: View, trace: _Trace, scheduler: Scheduler | None) -> Verdict | None:
    if view.facts.end.kind not in (EndKind.FINISHED, EndKind.EXIT) or scheduler is None:
        return None
    values, low = trace.series.values, view.limit(LOW)
    update, idle = _largest_update(view), view.limit(IDLE)
    rises = len(values) > 1 and bool(np.all(np.diff(values) >= 0)) and trace.at(0.75) < values[-1]
    goal = scheduler.target if scheduler.kind in RISING else None
    if not rises or not _suffers(view) or not learned_little(view.outcome):
        return None
    if goal is None:
        if not (values[0] <= low * values[-1] and update <= idle):
            return None
        return _present(
            view, trace, scheduler, strength=0.85,
            title=f"the warm-up never ends: in all {trace.steps} steps the rate rises from "
            f"{number(float(values[0]))} to {number(float(values[-1]))} only, and an update moves "
            f"the weights by {percent(update)} at most",
            label=f"the rate rises to the last step, to {number(float(values[-1]))}",
            bound=float(values[-1]),
        )
    if not float(values[-1]) <= low * goal:
        return None
    return _present(
        view, trace, scheduler, strength=0.85,
        title=f"the warm-up never ends: after all {trace.steps} steps the rate is "
        f"{number(float(values[-1]))}, {percent(float(values[-1]) / goal)} of {number(goal)}",
        label=f"the rate reaches {percent(float(values[-1]) / goal)} of what was asked for",
        bound=goal,
    )


def _largest_update(view: View) -> float:
    """Of the typical weight matrix, in the whole run; infinite if it was not measured."""
    if not (view.has(UPDATE_NORM) and view.has(WEIGHT_NORM)):
        return math.inf
    typical = weight_updates(view).typical()
    return float(np.max(typical[np.isfinite(typical)], initial=0.0)) or math.inf


def _pace(view: View, scheduler: Scheduler | None) -> float | None:
    """Calls of the scheduler per optimizer step."""
    if scheduler is None or not view.has(SCHEDULER_CALLS):
        return None
    series = view[SCHEDULER_CALLS].get(scheduler.name)
    if series is None or not series.steps[-1] > 0 or not math.isfinite(series.values[-1]):
        return None
    return float(series.values[-1] / series.steps[-1])


def _present(
    view: View, trace: _Trace, scheduler: Scheduler | None, *, strength: float,
    title: str, label: str, bound: float,
) -> Present:
    pace = _pace(view, scheduler)
    location: SourceLocation | None = None
    advice = "Check the schedule's length against the number of times that it is stepped."
    code = None
    if scheduler is not None:
        location = scheduler.call_location or scheduler.location
        length = "" if scheduler.length is None else f" (made for {scheduler.length})"
        if pace is not None and pace > 0.5:
            advice = ("The schedule is stepped after every batch. Step it after every epoch, or "
                      f"count its length in batches{length}.")
            code = "scheduler.step()  # after the loop over batches, once per epoch"
        elif pace is not None:
            advice = ("The schedule is stepped more rarely than after every batch. Step it after "
                      f"every optimizer step, or count its length in its own steps{length}.")
            code = "scheduler.step()  # after every optimizer.step()"
    else:
        location = next((o.location for o in view.facts.optimizers
                         if o.name == trace.place.rpartition(".")[0]), None)
    steps, values = _drawn(trace)
    loss_steps, losses = loss_points(view)
    calls = "" if pace is None else f", {number(pace)} steps of the schedule per update"
    return Present(  # a schedule is at work from the first step on
        strength=strength, title=title, since_step=0, location=location, label=label,
        evidence=(
            Evidence(LEARNING_RATE.name, trace.place, steps, values, bound,
                     f"the rate goes from {number(values[0])} to {number(values[-1])}{calls}"),
            Evidence(TRAIN_LOSS.name, "", loss_steps, losses, None,
                     f"the loss went from {number(losses[0])} to {number(losses[-1])}"),
        ),
        remedies=(
            Remedy("step the schedule at the right place", Safety.SAFE, advice=advice,
                   code_text=code),
            Remedy("a schedule as long as the run", Safety.CHANGES_EXPERIMENT,
                   (Schedule("CosineAnnealingLR", trace.steps),),
                   code_text=f"CosineAnnealingLR(optimizer, T_max={trace.steps})"),
        ),
    )


def _drawn(trace: _Trace) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The trace as it would be drawn: at most 200 changes, and where it ends."""
    picked = np.unique(np.linspace(0, len(trace.series) - 1, 199).astype(int))
    steps = [int(trace.series.steps[i]) for i in picked]
    values = [float(trace.series.values[i]) for i in picked]
    if steps[-1] < trace.steps - 1:
        steps.append(trace.steps - 1)
        values.append(values[-1])
    return tuple(steps), tuple(values)


CAUSE = Cause(
    slug="schedule-mistake",
    code="O008",
    title="Schedule mistake",
    family="Optimisation",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="The loss moves for a moment and then stands still for the rest of the run, or it "
        "creeps from beginning to end although the rate that was asked for is a good one.",
        consequence="Most of the run is spent at a rate near zero, where nothing is learned; the "
        "result is that of a far shorter training.",
        why="A schedule counts its own steps. One that is meant for epochs and is stepped after "
        "every batch is over within the first epochs; one that is meant for batches and is stepped "
        "once per epoch never leaves its warm-up.",
        detection="The rate of every step is known. It must stay below a hundredth of its peak "
        "from before the middle of the run, while the run had more to gain: the loss was still "
        "falling when the rate died, or the rate died within the first tenth of the run. A "
        "warm-up counts as endless if the rate still rises at the end of a finished run and is "
        "below a fifth of the target that the schedule itself names.",
        limitations="A rate that dies after the loss came to rest is left unjudged, for the "
        "plateau may have other reasons. Warm-ups written as a lambda name no target. Cyclic "
        "schedules of a wrong period are not seen.",
        references=(
            "Loshchilov, Hutter 2017: SGDR (arXiv 1608.03983)",
            "Smith, Topin 2018: Super-convergence (arXiv 1708.07120)",
        ),
    ),
    needs=(LEARNING_RATE, TRAIN_LOSS),
    uses=(SCHEDULER_CALLS, UPDATE_NORM, WEIGHT_NORM),
    thresholds=(DEAD, EARLY, AT_ONCE, STILL, LOW, IDLE),
    explains=("learning-rate-too-low", "noise-floor"),
    detect=_detect,
)
