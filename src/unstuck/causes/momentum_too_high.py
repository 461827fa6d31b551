"""Momentum too high: steps go on long after the slope has turned, and swing from side to side."""

from __future__ import annotations

import math

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import drawn, failed, learned_little, loss_points
from unstuck.causes._steps import main_optimizer, paired
from unstuck.edits import OptimizerArgument, Remedy, Safety
from unstuck.facts import Optimizer
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.series import Series
from unstuck.signals import GRADIENT_NORM, LEARNING_RATE, TRAIN_LOSS, UPDATE_NORM
from unstuck.trends import smooth
from unstuck.words import number

USUAL = 0.9
BUILT_UP = math.ceil(1 / (1 - USUAL))  # steps; as many gradients does the usual one add up
FEWEST = 3  # sampled steps between
ADDED = Threshold(
    "steps-over-gradients", 10.0,
    "A step this many times as long as the rate times its gradient is made of gradients that are "
    "gone. A momentum of 0.9 cannot make more of a constant slope.",
    "1 / (1 - 0.9), the limit of the sum of powers",
)
SOME = Threshold(
    "steps-over-some-gradients", 2.5,
    "Between the two the trial decides: a momentum of 0.9 makes somewhat less of gradients that "
    "are noise.",
    "1 / sqrt(1 - 0.9²) = 2.3 for independent gradients",
)
CAME_DOWN = Threshold(
    "came-down-first", 0.5,
    "Half of the loss at the start was gone before it came back: what threw the run out is not "
    "what its first steps are made of, while momentum builds up.",
    "the first ten steps are much the same with any momentum from 0.9 on: 0.9 adds up ten",
)
CAME_BACK = Threshold(
    "came-back-since", 0.8,
    "Back at four fifths of the loss at the start, as the median of ten steps, nearly all that had "
    "been learned is gone again.",
    "a choice: well above the half that was reached, so that noise does not cross both",
)


def _detect(view: View) -> Verdict:
    optimizer = main_optimizer(view)
    if optimizer is None or optimizer.momentum is None or not optimizer.learning_rate:
        return Absent("no optimizer adds up gradients by a momentum that is known")
    if not optimizer.momentum > USUAL:
        return Absent(f"{optimizer.name} adds up gradients with momentum "
                      f"{number(optimizer.momentum)}")
    diverged = view.outcome.kind is OutcomeKind.DIVERGED
    if not (diverged or learned_little(view.outcome)):
        return Absent("the run bears its momentum: the loss fell well")
    if optimizer.kind != "SGD":
        return Unknown(f"{optimizer.kind} divides by the size of its gradients, so what its "
                       "momentum adds is not measured", ("a trial with a momentum of 0.9",))
    added = _added(view, optimizer)
    if not len(added.since(BUILT_UP)):
        return Unknown("no step was measured after momentum had built up",
                       ("a run of more steps",))
    end = _left_again(view)
    if end is None:
        if failed(view.outcome):
            return Unknown("the loss never came down to be carried away again, so what momentum "
                           "did to it is not known", ("a trial with a momentum of 0.9",))
        return Absent("the loss was not carried away after it had come down")
    until = added.steps <= end
    before = Series(added.steps[until], added.values[until]).since(BUILT_UP)
    if len(before) < FEWEST:
        return Unknown("too few steps were measured before the loss left",
                       ("a trial with a momentum of 0.9",))
    times = float(np.median(before.values))
    if not times >= view.limit(SOME):
        return Absent(f"steps are {number(times)} times as long as the rate times their gradient: "
                      "a momentum of 0.9 would make them as long")
    sure = times >= view.limit(ADDED)
    steps, points = loss_points(view)
    return Present(
        strength=(0.85 if failed(view.outcome) else 0.75) if sure else 0.6,
        title=f"the momentum of {number(optimizer.momentum)} makes steps {number(times)} times as "
        "long as their gradient asks for: the loss had come down, and at step "
        f"{end} it was nearly back where it began",
        since_step=int(before.steps[np.argmax(before.values >= view.limit(SOME))]),
        location=optimizer.location,
        label=f"adds up {number(1 / (1 - optimizer.momentum))} gradients",
        evidence=(
            drawn(UPDATE_NORM, "", added, view.limit(ADDED if sure else SOME),
                  f"a step is {number(times)} times the rate times the gradient; " + (
                      "with a momentum of 0.9 it could be ten times at most" if sure else
                      "noise makes it 2.3 times with a momentum of 0.9")),
            Evidence(TRAIN_LOSS.name, "", steps, points, None,
                     f"the loss came down while momentum built up, and left again by step {end}"),
        ),
        remedies=(Remedy("less momentum", Safety.SAFE, (
            OptimizerArgument(optimizer.name, "momentum", USUAL),
            OptimizerArgument(optimizer.name, "momentum", 0.0))),),
        one_of=() if sure else ("learning-rate-too-high",),
        separated_by=None if sure else "run again with a momentum of 0.9, and with a tenth of the "
        "rate: if the first lowers the training loss as far, it is momentum-too-high",
    )


def _left_again(view: View) -> int | None:
    """The step at which a loss that had come down was back where it began; None if there is none.

    While momentum builds up, a run is much as with a momentum of 0.9. If that brings the loss
    down, the rate is not too high for such steps; longer ones, that came later, carried it away.
    """
    loss = view[TRAIN_LOSS]
    levels = smooth(loss, BUILT_UP)
    start = float(np.mean(loss.finite.values[:3])) if len(loss.finite) else math.nan
    if not start > 0:
        return None
    low = levels.steps[levels.values <= view.limit(CAME_DOWN) * start]
    high = levels.steps[levels.values >= view.limit(CAME_BACK) * start]
    if not len(low) or not np.any(high >= low[0] + BUILT_UP):
        return None
    end = int(high[high >= low[0] + BUILT_UP][0])
    # A height of a few steps is the noise of batches.
    stays = float(np.median(levels.since(end).values)) >= view.limit(CAME_BACK) * start
    return end if stays else None


def _added(view: View, optimizer: Optimizer) -> Series:
    """Length of a step over the rate times its gradient, where both are known."""
    updates, gradients = view[UPDATE_NORM], view[GRADIENT_NORM]
    moved: dict[int, float] = {}
    asked: dict[int, float] = {}
    for name in optimizer.parameters:
        if name not in updates or name not in gradients:
            continue
        for step, length, slope in paired(updates[name], gradients[name]):
            if math.isfinite(length) and math.isfinite(slope):
                moved[step] = math.hypot(moved.get(step, 0.0), length)
                asked[step] = math.hypot(asked.get(step, 0.0), slope)
    rates = next(iter(view[LEARNING_RATE].values()), None) if view.has(LEARNING_RATE) else None
    steps, values = [], []
    for step in sorted(moved):
        rate = optimizer.learning_rate or 0.0
        if rates is not None and np.any(rates.steps <= step):
            rate = float(rates.values[rates.steps <= step][-1])
        if rate > 0 and asked[step] > 0:
            steps.append(step)
            values.append(moved[step] / (rate * asked[step]))
    return Series(np.array(steps, dtype=np.int64), np.array(values))


CAUSE = Cause(
    slug="momentum-too-high",
    code="O007",
    title="Momentum too high",
    family="Optimisation",
    harm=Harm.CONDITION,
    words=Words(
        symptom="The loss falls at first, shoots past its valley and climbs again, in waves of "
        "tens or hundreds of steps, up to where it began and beyond.",
        consequence="The weights swing around good places without staying at one. The run ends "
        "wherever the last wave has carried it.",
        why="Momentum m adds up the last 1 / (1 - m) gradients: ten for 0.9, a hundred for 0.99, "
        "a thousand for 0.999. The sum goes on in a direction in which there is nothing to gain "
        "any more, until as many gradients have said the contrary.",
        detection="The real length of a step is compared with the rate times the gradient of "
        "that step. It must be two and a half times as long at least, which a momentum of 0.9 "
        "cannot make of noise, in a run that learned little or diverged. Besides, the "
        "loss must have come down while momentum built up, for so far any momentum from 0.9 on "
        "does much the same, and have been carried nearly back to where it began, to stay there. "
        "A momentum that the run bears is never named, however high.",
        limitations="Adaptive optimizers such as Adam divide by the size of the gradient, so "
        "their momentum is not measured. Where steps are less than ten times as long as their "
        "gradient asks for, a lower learning rate may heal the run as well. Runs that never come "
        "down, or swing without losing what they have learned, are not named.",
        references=(
            "Sutskever et al. 2013: On the importance of initialization and momentum",
            "Goh 2017: Why momentum really works (Distill)",
        ),
    ),
    needs=(TRAIN_LOSS, UPDATE_NORM, GRADIENT_NORM),
    uses=(LEARNING_RATE,),
    thresholds=(ADDED, SOME, CAME_DOWN, CAME_BACK),
    explains=(
        "learning-rate-too-high", "exploding-gradients", "non-finite-loss", "dead-relu",
        "saturated-activations", "vanishing-gradients", "noise-floor",
    ),
    alike=("learning-rate-too-high",),
    needs_trend=True,
    detect=_detect,
)
