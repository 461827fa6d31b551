"""Schedule mistake: the learning rate is nearly zero long before the end, or never rises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from unstuck.measures.basics import (
    failed,
    learned_little,
    loss_ends_at,
    loss_points,
    thinned,
    typed,
)
from unstuck.measures.schedules import (
    Trace,
    had_more_to_gain,
    intended,
    largest_update,
    length_of,
    often,
    pace_of,
    scheduler_of,
    set_by_hand,
    was_falling,
    was_lower_before,
    watched_the_wrong_way,
)
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import (
    CapSchedule,
    DivideSchedule,
    KeepRate,
    MoveSchedulerStep,
    Remedy,
    Safety,
    Schedule,
    ScheduleArgument,
)
from unstuck.schema.facts.optimizers import Optimizer, Scheduler
from unstuck.schema.facts.run import EndKind
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.losses import (
    HELD_OUT_LOSS,
    LEARNING_RATE,
    SCHEDULER_CALLS,
    TRAIN_LOSS,
    WATCHED_BY_SCHEDULE,
)
from unstuck.schema.signals.parameters import UPDATE_NORM, WEIGHT_NORM
from unstuck.words import count, number, percent, times

DEAD = Threshold(
    "dead-rate", 0.01,
    "At a hundredth of its peak, a learning rate hardly moves the weights. Schedules usually end "
    "there; they do not stay there.",
    "the usual final values of cosine and step schedules",
)
EARLY = Threshold(
    "early-end-of-schedule", 0.5,
    "A schedule that ends in the first half of the run wastes the second half.",
    "learning rates recorded in published training failures",
)
AT_ONCE = Threshold(
    "at-once", 0.1,
    "A schedule that ends within the first tenth of the run cannot have waited for the network to "
    "converge.",
    "a warm-up alone takes that long",
)
STILL = Threshold(
    "still-falling", 0.1,
    "Shortly before the learning rate collapsed, the loss still fell by a tenth. It had not "
    "plateaued, so there was more to gain.",
    "three times the change that counts as material in a loss curve",
)
LOW = Threshold(
    "low-peak", 0.2,
    "The highest learning rate reached is only a fifth of the intended one.",
    "most warm-ups start between a thousandth and a third of the target",
)
HARDLY_SKILL = 0.2  # of the best constant's loss is gone: a run that has hardly begun to learn
HALF = Threshold(
    "half-peak", 0.5,
    "A run that failed, and whose learning rate rose evenly until the end but came no further than "
    "half of the intended one, may have ended before it could learn.",
    "a choice: no more than a suspicion",
)
DAMPED = Threshold(
    "damped-rate", 0.05,
    "A schedule of one's own is to multiply by factors up to about 1. If the largest is a "
    "twentieth, it may return learning rates in the place of factors.",
    "a choice: a learning rate taken as a factor is 0.01 or less",
)
LOWERED = Threshold(
    "rate-lowered", 0.5,
    "A schedule that takes the network's progress for its opposite has to have halved the learning "
    "rate to matter.",
    "a choice: the usual factors of ReduceLROnPlateau are 0.1 to 0.5",
)
ABOVE = Threshold(
    "rate-above-the-optimizers", 5.0,
    "Schedules that go above the optimizer's learning rate on purpose, such as cycles, come down "
    "again. One that only rises was to end there.",
    "a choice: half an order of magnitude",
)
IDLE = Threshold(
    "idle-update", 1e-4,
    "The largest update of the whole run is a tenth of the usual one. The warm-up never reached a "
    "learning rate at which the network learns anything.",
    "CS231n: about 1e-3 is usual",
)
SLOW = 0.1  # of the peak: a rate that falls bit by bit stops the loss before it is nearly zero
PLATEAU = "ReduceLROnPlateau"
# Schedules whose base rate is the one that they rise to. A lambda may scale by anything.
RISING = ("OneCycleLR", "LinearLR", "SequentialLR", "ConstantLR")


def _detect(view: View) -> Verdict:
    if not view.record.steps:
        return Unknown("no optimizer step was recorded", (LEARNING_RATE.name, "a longer run"))
    traces = [
        Trace(place, points, view.record.steps) for place, series in view[LEARNING_RATE].items()
        if len(points := series.finite)
    ]
    if not traces:
        return Unknown("the learning rate was never a finite number", (LEARNING_RATE.name,))
    trace = max(traces, key=lambda t: (float(np.max(t.series.values)), t.place))
    scheduler = scheduler_of(view, trace.place)
    if len(trace.series) < 2 and scheduler is None and float(trace.series.values[0]) != 0:
        return Absent(
            f"the learning rate is constant ({number(float(trace.series.values[0]))})")
    return _watches_wrongly(view, trace, scheduler) or _dead(view, trace, scheduler) or _never_up(
        view, trace, scheduler) or _damped(view, trace, scheduler) or _runs_away(
        view, trace, scheduler) or Absent(
        f"the learning rate goes from {number(float(trace.series.values[0]))} to "
        f"{number(float(trace.series.values[-1]))}, and that does not harm this run")


def _watches_wrongly(view: View, trace: Trace, scheduler: Scheduler | None) -> Verdict | None:
    """A schedule that lowers the learning rate because the network gets better."""
    peak, last = float(np.max(trace.series.values)), float(trace.series.values[-1])
    alive = trace.below_for_good(view.limit(DEAD) * peak)
    given = watched_the_wrong_way(view, scheduler, alive) if scheduler is not None else None
    cut = trace.below_for_good(peak)
    halted = cut is not None and was_falling(view, view.limit(STILL), cut / 2, cut)
    if scheduler is None or given is None or not last <= view.limit(LOWERED) * peak or not (
            halted or had_more_to_gain(view)):
        return None
    low, better, other = ("lower", "higher", "max") if scheduler.mode == "min" else (
        "higher", "lower", "min")
    found = _present(
        view, trace, scheduler, strength=0.9 if learned_little(view.outcome) else 0.7,
        title=f"{scheduler.kind} waits for a {low} value, and the one that it is given gets "
        f"{better} as the network learns: it cut the learning rate from {number(peak)} to "
        f"{number(last)}", label=f"needs mode=\"{other}\" for a value that gets {better}",
        bound=peak)
    watched = Evidence(
        WATCHED_BY_SCHEDULE.name, scheduler.name, *thinned(given.steps, given.values), None,
        f"it was given {number(float(given.values[0]))} first and "
        f"{number(float(given.values[-1]))} at last, while the loss fell")
    return replace(
        found, location=scheduler.location or found.location,
        evidence=(watched, *found.evidence), remedies=(Remedy(
            f"let it wait for a {better} value", Safety.SAFE,
            (ScheduleArgument(scheduler.name, "mode", f'"{other}"'),)),))


def _dead(view: View, trace: Trace, scheduler: Scheduler | None) -> Verdict | None:
    peak, kind = float(np.max(trace.series.values)), scheduler.kind if scheduler else ""
    waits, target = kind == PLATEAU, scheduler.target if scheduler and kind in RISING else None
    floor = view.limit(DEAD) * max(peak, target or 0.0)
    died = trace.below_for_good(floor) if peak > 0 else 0
    gone, more = trace.vanishes(), had_more_to_gain(view)
    if died is None or not died <= view.limit(EARLY) * trace.steps or not (gone or more):
        return None
    at_once = gone or died <= view.limit(AT_ONCE) * trace.steps
    cut = trace.below_for_good(peak) if waits else None
    # One that waits for a plateau must have met one at the full rate.
    since, until = (died / 2, died) if cut is None else (2 * cut / 3, cut)
    slow = (0 if waits else trace.below_for_good(SLOW * peak)) or 0
    falling = any(was_falling(view, view.limit(STILL), start, end) for start, end in (
        (since, until), (slow / 2, slow)))
    if not (at_once or falling):
        # One that waits did what it is for: the loss had plateaued by itself.
        return None if waits else Unknown(
            f"the learning rate is nearly zero from step {died} on, but the loss had already "
            "stopped falling by then", ("a run with a constant learning rate",))
    highest = f"target of {number(target)}" if target is not None and target > peak else (
        f"peak of {number(peak)}")
    what = f"below {percent(view.limit(DEAD))} of its {highest}" if peak > 0 else "zero"
    lost = f"the last {percent(1 - died / trace.steps)} of the run" if died else "the whole run"
    return _present(
        view, trace, scheduler, strength=0.9 if learned_little(view.outcome) else (0.55, 0.7)[more],
        title=f"the learning rate is {what} from {f'step {died} on' if died else 'the start'}: "
        f"{lost} cannot learn anything",
        label=f"the learning rate ends at {number(float(trace.series.values[-1]))}",
        bound=floor, ends_early=True,
    )


def _never_up(view: View, trace: Trace, scheduler: Scheduler | None) -> Verdict | None:
    if view.record.end.kind not in (EndKind.FINISHED, EndKind.EXIT) or scheduler is None:
        return None
    values, low = trace.series.values, view.limit(LOW)
    update, idle = largest_update(view), view.limit(IDLE)
    rises = len(values) > 1 and bool(np.all(np.diff(values) >= 0)) and trace.at(0.75) < values[-1]
    more, little = had_more_to_gain(view), learned_little(view.outcome)
    if not rises or not (more or (not little and was_falling(
            view, view.limit(STILL), 0.75 * trace.steps, trace.steps))):
        return None
    goal = scheduler.target if scheduler.kind in RISING else intended(scheduler, trace)
    if not little:
        # A run that goes well may be shorter than its schedule, unless that counts epochs.
        pace, length = pace_of(view, scheduler), length_of(scheduler, trace, goal)
        if goal is None or length is None or not values[-1] <= low * goal:
            return None
        if pace is None:
            return Unknown("the learning rate only rises, and how often the scheduler steps was "
                           "not measured", (SCHEDULER_CALLS.name,))
        if pace > 0.5 or pace * trace.steps > low * length:
            return None
    if goal is None:
        if not (values[0] <= low * values[-1] and update <= idle):
            return None
        return _present(
            view, trace, scheduler, strength=0.85,
            title="the warm-up never ends: over all "
            f"{count(trace.steps, 'step')} the learning rate only rises from "
            f"{number(float(values[0]))} to {number(float(values[-1]))}, and an update changes the "
            f"weights by at most {percent(update)} (usual: 0.1 %)",
            label=f"still rising at the last step, at {number(float(values[-1]))}",
            bound=float(values[-1]),
        )
    reached = float(values[-1]) / goal
    sure = reached <= low
    hardly = failed(view.outcome) or (
        view.outcome.skill is not None and view.outcome.skill < HARDLY_SKILL)
    if not (sure or (reached <= view.limit(HALF) and hardly)):
        return None
    return replace(_present(
        view, trace, scheduler, strength=0.85 if sure else 0.55,
        title=f"the warm-up never ends: after all {count(trace.steps, 'step')} the learning rate "
        f"is {number(float(values[-1]))}, only {percent(reached)} of its target "
        f"of {number(goal)}",
        label=f"reaches only {percent(reached)} of the target learning rate",
        bound=goal,
    ), hides_outcome=not more)


def _damped(view: View, trace: Trace, scheduler: Scheduler | None) -> Verdict | None:
    """A schedule whose factors are far below 1 throughout.

    A base rate of 1 leaves the learning rate to the schedule.
    """
    peak = float(np.max(trace.series.values))
    if scheduler is None or scheduler.kind != "LambdaLR" or scheduler.target in (None, 1.0) or (
        not 0 < peak <= view.limit(DAMPED) * scheduler.target
    ) or not learned_little(view.outcome) or largest_update(view) > view.limit(IDLE):
        return None
    factor = peak / scheduler.target
    found = _present(
        view, trace, scheduler, strength=0.9,
        title=f"the schedule multiplies the learning rate of {number(scheduler.target)} by at most "
        f"{number(factor)}: it never gets above {number(peak)}",
        label="its factors should reach 1; a learning rate in their place is multiplied twice",
        bound=scheduler.target)
    return replace(found, location=scheduler.location or found.location, remedies=(Remedy(
        "let the factors reach 1", Safety.SAFE, (DivideSchedule(scheduler.name, typed(factor)),),
        advice="Return a factor between 0 and 1. LambdaLR multiplies the optimizer's learning "
        "rate by it."),))


def _runs_away(view: View, trace: Trace, scheduler: Scheduler | None) -> Verdict | None:
    """A schedule that lifts the learning rate far above the optimizer's, and what was learned is
    lost again."""
    last = float(trace.series.values[-1])
    target = None if scheduler is None or scheduler.kind in RISING else scheduler.target
    if scheduler is None or not target or not last >= view.limit(ABOVE) * target or not bool(
        np.all(np.diff(trace.series.values) >= 0)
    ) or not had_more_to_gain(view) or not was_lower_before(view, trace, last / 2):
        return None
    found = _present(
        view, trace, scheduler, strength=0.85,
        title=f"the schedule lifts the learning rate to {number(last)}, "
        f"{times(last / target)} the optimizer's, and the loss was lower before",
        label="rises to the end of the run", bound=target)
    return replace(found, location=scheduler.location or found.location, remedies=(
        Remedy("end the warm-up at the optimizer's learning rate", Safety.SAFE,
               (CapSchedule(scheduler.name),)),))


def _present(
    view: View, trace: Trace, scheduler: Scheduler | None, *, strength: float,
    title: str, label: str, bound: float, ends_early: bool = False,
) -> Present:
    by_hand = None if scheduler else set_by_hand(view)
    built = next((o.location for o in view.record.facts(Optimizer)
                  if o.name == trace.place.rpartition(".")[0]), None)
    location = (scheduler.call_location or scheduler.location) if scheduler else by_hand or built
    pace = pace_of(view, scheduler)
    steps, values = trace.drawn()
    loss_steps, losses = loss_points(view)
    calls = "" if pace is None else f"; {often(pace)}"
    course = f"goes from {number(values[0])} to {number(values[-1])}"
    if min(values) == max(values):
        course = f"stays at {number(values[0])}"
    return Present(  # a schedule is at work from the first step on
        strength=strength, title=title, since_step=0, location=location, label=label,
        evidence=(
            Evidence(LEARNING_RATE.name, trace.place, steps, values, bound,
                     f"the learning rate {course}{calls}"),
            Evidence(TRAIN_LOSS.name, "", loss_steps, losses, None,
                     f"the loss goes from {number(losses[0])} to {number(loss_ends_at(view))}"),
        ),
        remedies=_remedies(trace, scheduler, pace, ends_early) if scheduler else (Remedy(
            "keep the learning rate up", Safety.CHANGES_EXPERIMENT, (KeepRate(by_hand),) if by_hand
            else (), advice="Let the learning rate stay near its highest value until the loss no "
            "longer falls."),),
    )


def _remedies(
    trace: Trace, scheduler: Scheduler, pace: float | None, ends_early: bool
) -> tuple[Remedy, ...]:
    """A schedule that ends early must step less often or be longer; a slow one the other way."""
    length = "" if scheduler.length is None else f" (now {count(scheduler.length, 'step')})"
    own = trace.steps if pace is None else max(round(pace * trace.steps), 1)
    if scheduler.kind == PLATEAU:
        now = scheduler.length or 0
        return (Remedy("wait longer before the learning rate is lowered", Safety.SAFE, tuple(
            ScheduleArgument(scheduler.name, "patience", str(value))
            for value in (max(5 * now, 10), max(20 * now, 40))),
            advice="Give the schedule more patience, and a value that is not rounded and not that "
            "of a single batch, such as the mean held-out loss of an epoch."),)
    fit = (f"This run calls scheduler.step() {count(own, 'time')}: give the schedule that length"
           f"{length}.")
    longer = Remedy("make the schedule as long as the run", Safety.CHANGES_EXPERIMENT,
                    (Schedule("CosineAnnealingLR", own),),
                    code_text=f"CosineAnnealingLR(optimizer, T_max={own})")
    each_step = pace is not None and pace > 0.5
    if pace is None or each_step is not ends_early:
        return (Remedy("fit the schedule to the run", Safety.SAFE, advice=fit), longer)
    if each_step:
        advice = ("The scheduler steps once per batch. Call scheduler.step() once per epoch. "
                  f"Or: {fit}")
        code = "scheduler.step()  # after the loop over batches, once per epoch"
    else:
        advice = ("The scheduler steps less often than once per batch. Call scheduler.step() after "
                  f"every optimizer step. Or: {fit}")
        code = "scheduler.step()  # after every optimizer.step()"
    edit = MoveSchedulerStep(scheduler.name, "epoch" if each_step else "batch")
    return (Remedy("call scheduler.step() in the right place", Safety.SAFE, (edit,), advice=advice,
                   code_text=code), longer)


CAUSE = Cause(
    slug="schedule-mistake",
    code="O008",
    title="Schedule mistake",
    family="Optimisation",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.PLATEAU, Symptom.SLOW, Symptom.ANOTHER),
    words=Words(
        symptom="The loss moves briefly and then stays flat for the rest of the run. Or it creeps "
        "from beginning to end, although the learning rate that you asked for is a good one.",
        consequence="Most of the run is spent at a learning rate near zero, where the network "
        "learns nothing. The result is that of a much shorter run.",
        why="A schedule counts its own steps. If it is meant for epochs but steps after every "
        "batch, it is over within the first epochs. If it is meant for batches but steps once per "
        "epoch, it never leaves its warm-up. One that waits for a value to fall, and is given an "
        "accuracy, takes every gain for a failure.",
        detection="The learning rate of every step is recorded. It must fall below a hundredth of "
        "its peak before the middle of the run and stay there, while the run had more to gain: "
        "either the loss was still falling when the learning rate collapsed, or the collapse came "
        "within the first tenth of the run. Or half of the run has a billionth of it. A warm-up "
        "counts as endless if the learning rate is still rising at the end of a finished run and "
        "is below a fifth of the target that the schedule itself names. If it names no target, "
        "every update must also be far too small. Factors of one's own below a twentieth are "
        "reported, too, if the updates are far too small. So is a schedule that watches a value "
        "and waits for it to move in the other direction while the loss falls, and one that rises "
        "to the end, far above the optimizer's learning rate, while the loss was lower before.",
        limitations="If the learning rate collapses after the loss has plateaued, there is no "
        "verdict, because the plateau may have other reasons. A warm-up written as a lambda names "
        "no target. Cyclic schedules with a wrong period are not detected.",
        references=(
            "Loshchilov, Hutter 2017: SGDR (arXiv 1608.03983)",
            "Smith, Topin 2018: Super-convergence (arXiv 1708.07120)",
        ),
    ),
    needs=(LEARNING_RATE, TRAIN_LOSS),
    uses=(SCHEDULER_CALLS, WATCHED_BY_SCHEDULE, HELD_OUT_LOSS, UPDATE_NORM, WEIGHT_NORM),
    thresholds=(DEAD, EARLY, AT_ONCE, STILL, LOW, HALF, DAMPED, LOWERED, ABOVE, IDLE),
    effects=(Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT, Effect.TOO_SLOW),
    detect=_detect,
)
