"""Momentum too high: steps continue after the slope has turned, and swing from side to side."""

from __future__ import annotations

import ast
import math

import numpy as np

from unstuck.curves.statistics import noise, smooth
from unstuck.measures import arms
from unstuck.measures.arms import USUAL_MOMENTUM
from unstuck.measures.basics import (
    GOOD_SKILL,
    drawn,
    failed,
    learned_little,
    loss_ends_at,
    loss_points,
)
from unstuck.measures.steps import main_optimizer, paired
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import OptimizerArgument, Remedy, Safety
from unstuck.schema.experiments import Arm, Experiment
from unstuck.schema.facts.optimizers import Optimizer, Scheduler, sets_the_rate
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.losses import LEARNING_RATE, TRAIN_LOSS
from unstuck.schema.signals.parameters import GRADIENT_NORM, UPDATE_NORM
from unstuck.words import count, number, times

# Steps; the usual momentum adds up as many gradients.
BUILT_UP = math.ceil(1 / (1 - USUAL_MOMENTUM))
FEWEST = 3  # sampled steps between
ADDED = Threshold(
    "steps-over-gradients", 10.0,
    "A step this many times as long as without momentum consists almost only of past gradients. "
    "A momentum of 0.9 reaches this factor at most, on a constant slope.",
    "1 / (1 - 0.9), the limit of the sum of powers",
)
LONG = Threshold(
    "long-first-beta", 0.98,
    "A mean over fifty gradients or more, divided by the size of far fewer of them. Adam is only "
    "known to converge where the square of the first beta is below the second.",
    "Kingma and Ba 2015, section 4 (their condition: beta1² / sqrt(beta2) < 1)",
)
SOME = Threshold(
    "steps-over-some-gradients", 2.5,
    "Between this and steps-over-gradients only a second run can decide. With a momentum of 0.9 "
    "and gradients that are pure noise, the factor is slightly lower than this.",
    "1 / sqrt(1 - 0.9²) = 2.3 for independent gradients",
)
CAME_DOWN = Threshold(
    "came-down-first", 0.5,
    "The loss must fall to half of its starting value before it rises again. Then the first steps, "
    "in which momentum was still building up, are not what threw the run out.",
    "the first ten steps are much the same with any momentum of 0.9 or more, because 0.9 adds up "
    "ten gradients",
)
CAME_BACK = Threshold(
    "came-back-since", 0.8,
    "If the median loss of ten steps is back at 80 % of the starting value, nearly everything that "
    "had been learned is lost again.",
    "a choice: well above the half that was reached, so that noise does not cross both",
)
WAVE = Threshold(
    "wave-of-the-loss", 0.1,
    "The median loss of ten steps rises by a tenth of what the run started with, to twice its "
    "value and more, and falls again. The noise of batches hardly moves a median of ten.",
    "a choice: where a run of the corpus has plateaued without high momentum, none rises so far",
)
INERT = Threshold(
    "memory-of-the-run", 0.25,
    "Steps add up the gradients of more than a quarter of the run. What they follow has long "
    "changed by then, so the loss swings, or comes down late.",
    "a momentum of 0.9 adds up ten gradients, one of 0.99 a hundred",
)
FAR = 10  # times as many gradients are added up as with the usual momentum
WAVES = 3  # such rises: one or two may have other reasons
BEYOND_NOISE = 5.0  # standard errors of a mean of ten steps


def _remembers_too_long(view: View, optimizer: Optimizer) -> bool:
    """Whether steps are sums over a large part of the run, and it ends far from its aim."""
    memory = 1 / (1 - optimizer.momentum) if optimizer.momentum and optimizer.momentum < 1 else 0.0
    skill = view.outcome.skill
    return optimizer.kind in ("SGD", "RMSprop") and memory > view.limit(INERT) * (
        view.record.steps) and skill is not None and skill < GOOD_SKILL


def _inert(view: View, optimizer: Optimizer) -> Present:
    momentum = optimizer.momentum or 0.0
    memory = count(round(1 / (1 - momentum)), "gradient")
    steps, points = loss_points(view)
    return Present(
        strength=0.75, of_value=True, since_step=0, location=optimizer.location,
        title=f"the momentum of {number(momentum)} is too high: each step adds up the last {memory}"
        f", and the run has only {count(view.record.steps, 'step')}",
        label=f"adds up {memory} (usual: {number(1 / (1 - USUAL_MOMENTUM))})",
        evidence=(Evidence(TRAIN_LOSS.name, "", steps, points, None,
                           "the loss follows what the gradients were long before"),),
        remedies=(Remedy("lower the momentum", Safety.SAFE, tuple(
            OptimizerArgument(optimizer.name, "momentum", m) for m in (USUAL_MOMENTUM, 0.0))),),
    )


def _detect(view: View) -> Verdict:
    optimizer = main_optimizer(view)
    if optimizer is None or optimizer.momentum is None or not optimizer.learning_rate:
        return Absent("no optimizer has a known momentum")
    if not optimizer.momentum > USUAL_MOMENTUM:
        return Absent(f"the momentum of {optimizer.name} is {number(optimizer.momentum)}, not more "
                      f"than the usual {number(USUAL_MOMENTUM)}")
    swapped = _swapped(view, optimizer)
    if swapped is not None:
        return swapped
    outcome = view.outcome
    rises = _rises(view) if outcome.kind in (OutcomeKind.PLATEAU, OutcomeKind.LEARNING) else []
    swings = len(rises) >= WAVES
    inert = _remembers_too_long(view, optimizer)
    if not (swings or outcome.kind is OutcomeKind.DIVERGED or learned_little(outcome)):
        if inert:
            return _inert(view, optimizer)
        return Absent("the loss fell well, so the run tolerates its momentum")
    schedule = sets_the_rate(view.record.facts(Scheduler), optimizer)
    if schedule is not None and number(optimizer.momentum) != next(
            (number(float(o.value)) for o in optimizer.options if o.name == "momentum"), ""):
        return Unknown(f"{schedule.kind} changes the momentum during the run",
                       ("a second run with cycle_momentum=False and a momentum of 0.9",))
    if optimizer.kind != "SGD":
        return Unknown(f"{optimizer.kind} divides by the size of its gradients, which hides the "
                       "effect of its momentum", ("a second run with a momentum of 0.9",))
    added = _added(view, optimizer)
    if not len(added.since(BUILT_UP)):
        return Unknown("no step was measured after momentum had built up",
                       ("a longer run",))
    end = rises[-1] if swings else _left_again(view)
    if end is None:
        if inert:
            return _inert(view, optimizer)
        if failed(view.outcome):
            return Unknown("the loss never fell far enough to show what momentum did to it",
                           ("a second run with a momentum of 0.9",))
        return Absent("the loss did not climb back after it had fallen")
    before = added.until(end).since(BUILT_UP)
    if len(before) < FEWEST:
        return Unknown("too few steps were measured before the loss climbed back",
                       ("a second run with a momentum of 0.9",))
    factor = float(np.median(before.values))
    if not factor >= view.limit(SOME):
        return Absent(f"steps are only {times(factor)} as long as without momentum, and a momentum "
                      "of 0.9 would make them just as long")
    long = factor >= view.limit(ADDED)
    sure = swings or long
    # Such a momentum is itself out of the ordinary, where a learning rate need not be.
    far = (1 - optimizer.momentum) * FAR <= 1 - USUAL_MOMENTUM + 1e-9
    added_up = number(1 / (1 - optimizer.momentum)) if optimizer.momentum < 1 else "all past"
    steps, points = loss_points(view)
    lower = tuple(OptimizerArgument(optimizer.name, "momentum", m) for m in (USUAL_MOMENTUM, 0.0))
    went = (f"the loss rose {count(len(rises), 'time')} to at least twice its value and "
            "fell again") if swings else (
        f"the loss fell but was nearly back at its starting value by step {number(end)}")
    return Present(
        strength=(0.85 if failed(outcome) else 0.75) if sure else 0.75 if far else 0.6,
        of_value=True,
        title=f"the momentum of {number(optimizer.momentum)} is too high: steps are "
        f"{times(factor)} as long as without momentum, and {went}",
        since_step=int(before.steps[np.argmax(before.values >= view.limit(SOME))]),
        location=optimizer.location,
        label=f"adds up {added_up} gradients (usual: {number(1 / (1 - USUAL_MOMENTUM))})",
        evidence=(
            drawn(UPDATE_NORM, "", added, view.limit(ADDED if long else SOME),
                  f"steps are {times(factor)} as long as without momentum (a momentum of 0.9 makes "
                  + ("them at most 10 times as long)" if long else
                     "them 2.3 times as long if gradients are pure noise)")),
            Evidence(TRAIN_LOSS.name, "", steps, points, None,
                     f"the loss swings in waves, the last of them at step {number(end)}" if swings
                     else "the loss fell while momentum built up, and had climbed back by step "
                     f"{number(end)}"),
        ),
        remedies=(Remedy("lower the momentum", Safety.SAFE, lower),),
        one_of=() if sure else ("learning-rate-too-high",),
        separated_by=None if sure else Experiment(
            "run once with a momentum of 0.9 and once with a tenth of the learning rate: if the "
            "first lowers the training loss as far as the second, the cause is momentum-too-high", (
                Arm(lower[:1], ("momentum-too-high",)),
                arms.learning_rate(view, 0.1, "learning-rate-too-high"),
            )),
    )


def _swapped(view: View, optimizer: Optimizer) -> Present | None:
    """Adam's first beta far above its second, in a run that suffers."""
    text = next((o.value for o in optimizer.options if o.name == "betas"), "()")
    betas = ast.literal_eval(text)
    if len(betas) != 2 or not betas[0] >= view.limit(LONG) or not betas[0] ** 2 > betas[1]:
        return None
    outcome = view.outcome
    if not failed(outcome) and outcome.kind is not OutcomeKind.PLATEAU and (
        outcome.skill is None or outcome.skill >= GOOD_SKILL
    ):
        return None
    memories = [count(round(1 / (1 - beta)), "gradient") for beta in betas]
    steps, points = loss_points(view)
    return Present(
        strength=0.8, of_value=True,
        title=f"the betas of {optimizer.name} are {text}: the direction of a step is a mean over "
        f"{memories[0]}, and what it is divided by one over {memories[1]}",
        since_step=0,
        location=optimizer.location,
        label="the first beta should be below the second (usual: 0.9, 0.999)",
        evidence=(
            Evidence(TRAIN_LOSS.name, "", steps, points, None,
                     f"the loss went from {number(points[0])} to {number(loss_ends_at(view))}"),
        ),
        remedies=(Remedy("set the usual momentum", Safety.SAFE,
                         (OptimizerArgument(optimizer.name, "momentum", USUAL_MOMENTUM),)),),
    )


def _rises(view: View) -> list[int]:
    """The steps at which a loss that had fallen had risen again by a wave."""
    loss = view[TRAIN_LOSS]
    levels, jitter = smooth(loss, BUILT_UP), noise(loss)
    if jitter is None:
        return []
    high = float(np.mean(loss.finite.values[:FEWEST]))
    wave = max(view.limit(WAVE) * high, BEYOND_NOISE * jitter / math.sqrt(BUILT_UP))
    low, falls, rises = math.inf, True, []
    for step, level in zip(levels.steps.tolist(), levels.values.tolist(), strict=True):
        if falls:
            low = min(low, level)
            falls = level < max(low + wave, 2 * low)
            if not falls:
                rises.append(step)
                high = level
        else:
            high = max(high, level)
            if level <= high - wave:
                falls, low = True, level
    return rises


def _left_again(view: View) -> int | None:
    """The step at which a loss that had fallen was back where it began; None if there is none.

    While momentum builds up, a run behaves much as with a momentum of 0.9. If the loss falls then,
    the learning rate is not too high for such steps; the longer ones that followed threw it out.
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
    # A high loss over a few steps only is the noise of batches.
    stays = float(np.median(levels.since(end).values)) >= view.limit(CAME_BACK) * start
    return end if stays else None


def _added(view: View, optimizer: Optimizer) -> Series:
    """Length of a step over the learning rate times its gradient, where both are known."""
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
    symptoms=(Symptom.OSCILLATES, Symptom.RISES),
    often=Often.SELDOM,
    words=Words(
        symptom="The loss falls at first. Then it climbs again, in waves of tens or hundreds of "
        "steps, up to where it began and beyond.",
        consequence="The weights swing around good solutions without staying at one. The run ends "
        "wherever the last wave has carried it.",
        why="Momentum m adds up the last 1 / (1 - m) gradients: ten for 0.9, a hundred for 0.99, "
        "a thousand for 0.999. The sum keeps moving in a direction that no longer lowers the loss, "
        "until as many opposite gradients have cancelled it. PyTorch's SGD adds the gradients in "
        "full, so more momentum also means longer steps. Some of the literature multiplies each "
        "gradient by 1 - m first (dampening=m in PyTorch), which keeps the steps as they were.",
        detection="The detector compares the real length of each step with its length without "
        "momentum, which is the learning rate times the gradient. Steps must be at least two and a "
        "half times as long, which is more than a momentum of 0.9 makes of pure noise. The run "
        "must have learned little or diverged. Its loss must have fallen while momentum built up, "
        "because until then any momentum of 0.9 or more does much the same. After that, the loss "
        "must have climbed nearly back to where it began and stayed there. Or the loss of a "
        "run that plateaued or is still falling must rise to twice its value and fall again at "
        "least three times, in waves that the noise of batches does not make. A momentum that the "
        "run tolerates is not reported, unless it adds up the gradients of a quarter of the run "
        "and more was to be learned. Of Adam, a first beta far above the second "
        "is reported where the run suffers, because then they were probably swapped.",
        limitations="Adaptive optimizers such as Adam divide by the size of the gradient, so "
        "the effect of a momentum alone is not measured. If steps are less than ten times as long "
        "as without momentum, a lower learning rate may cure the run as well. Runs that never "
        "learn are not reported.",
        references=(
            "Sutskever et al. 2013: On the importance of initialization and momentum",
            "Goh 2017: Why momentum really works (Distill)",
        ),
    ),
    needs=(TRAIN_LOSS, UPDATE_NORM, GRADIENT_NORM),
    uses=(LEARNING_RATE,),
    thresholds=(INERT, ADDED, LONG, SOME, CAME_DOWN, CAME_BACK, WAVE),
    shows=Effect.STEPS_ADD_UP,
    effects=(Effect.GRADIENTS_TOO_LARGE, Effect.GRADIENTS_VANISH, Effect.CANNOT_FIT),
    alike=("learning-rate-too-high",),
    needs_trend=True,
    detect=_detect,
)
