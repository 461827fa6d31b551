"""Accumulation not averaged: the losses of several batches are summed for one step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.measures.basics import (
    backward_location,
    failed,
    learned_little,
    level,
    nan_median,
    thinned,
    unwatched,
    weight_updates,
)
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import DivideLoss, Remedy, Safety
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.losses import LOSS_FACTOR, TRAIN_LOSS
from unstuck.schema.signals.parameters import CLEARED_BACKWARDS, UPDATE_NORM, WEIGHT_NORM
from unstuck.words import joined, number, percent, times

PASSES = Threshold(
    "accumulated-passes", 4.0,
    "Most learning rates tolerate a gradient that is two or three times too large.",
    "a factor of two in the learning rate rarely decides whether a run succeeds",
)
WHOLE = Threshold(
    "undivided-factor", 1.5,
    "If the loss is divided by the number of backward passes, the factors of a step add up to 1. "
    "If it is not divided, they add up to that number.",
    "definition",
)
LARGE = Threshold(
    "accumulated-update", 0.01,
    "This is ten times the usual change of the weights per step. Below it, the size of the sum "
    "does no harm.",
    "CS231n: about 0.001",
)
NOISY = 0.05  # of the weights in one step: the loss is thrown about, whatever it has come down to
# The step of these does not depend on the gradient's scale.
_SCALE_FREE = ("Adam", "AdamW", "Adamax", "NAdam", "RAdam", "SparseAdam", "RMSprop", "Rprop",
               "Adagrad", "Adadelta", "Adafactor", "Lion", "Muon")


@dataclass(frozen=True, slots=True)
class _Sum:
    loss: Loss
    passes: float  # backward passes a step
    total: float  # sum of the factors of a step
    series: Series


def _sums(view: View) -> list[_Sum]:
    found: list[_Sum] = []
    if not view.has(LOSS_FACTOR):
        return found
    for loss in view.record.facts(Loss):
        series = view[LOSS_FACTOR].get(loss.name)
        if series is None or not len(series.finite):
            continue
        steps, counts = np.unique(series.finite.steps, return_counts=True)
        totals = [float(series.finite.values[series.finite.steps == s].sum()) for s in steps]
        found.append(_Sum(loss, float(np.median(counts)), float(np.median(totals)), series.finite))
    return found


def _passes(view: View) -> float:
    """Backward passes of one loss a step, the most of any loss; NaN if none was seen."""
    losses = (view[TRAIN_LOSS], *view.record.tracks.values())
    return max((float(np.median(np.unique(loss.steps, return_counts=True)[1])) for loss in losses
                if len(loss)), default=math.nan)


def _detect(view: View) -> Verdict:
    sums = [s for s in _sums(view) if s.passes >= 2]
    if not sums:
        passes = _passes(view)
        blind = unwatched(view.record)
        if (view.has(LOSS_FACTOR) and view.record.facts(Loss)) or (passes < 2 and blind is None):
            return Absent("each optimizer step follows a single backward pass")
        if blind is not None:
            return Unknown(blind, (LOSS_FACTOR.name,))
        return Unknown(f"each optimizer step follows {number(passes)} backward passes, and how the "
                       "loss was scaled in each is not known", (LOSS_FACTOR.name,))
    worst = max(sums, key=lambda s: s.total)
    cleared = view[CLEARED_BACKWARDS].finite if view.has(CLEARED_BACKWARDS) else None
    if cleared is not None and len(cleared) and level(cleared) >= worst.passes - 1:
        return Absent("gradients are cleared before each backward pass, so none add up")
    if worst.total < view.limit(WHOLE) or worst.loss.reduction != "mean":
        return Absent(f"the loss of each of the {number(worst.passes)} backward passes is divided, "
                      "or is a sum over its samples")
    scaled = [o for o in view.record.facts(Optimizer) if o.kind not in _SCALE_FREE]
    if view.record.facts(Optimizer) and not scaled:
        kinds = joined(dict.fromkeys(o.kind for o in view.record.facts(Optimizer)))
        return Absent(f"the step size of {kinds} does not depend on the size of the gradient")
    size = float(nan_median(weight_updates(view).typical(), axis=0))
    large = size >= view.limit(LARGE) or failed(view.outcome)
    if worst.passes < view.limit(PASSES) or not large:
        return Unknown(
            f"the losses of {number(worst.passes)} backward passes are summed instead of averaged, "
            "but this run does not show that it does harm",
            (f"a run with the loss divided by {number(worst.passes)}",))
    return _present(view, worst, size)


def _present(view: View, found: _Sum, size: float) -> Verdict:
    passes = round(found.passes)
    steps, values = thinned(found.series.steps, found.series.values)
    return Present(
        hides_outcome=size >= NOISY,
        strength=0.75 + 0.1 * learned_little(view.outcome) + 0.1 * failed(view.outcome),
        title=f"the losses of {passes} batches are summed for each step instead of averaged, so "
        f"the gradient is {times(found.total)} as large as it should be",
        since_step=0,
        location=backward_location(view),
        label=f"called {passes} times per step with the undivided loss",
        evidence=(
            Evidence(LOSS_FACTOR.name, found.loss.name, steps, values, 1 / passes,
                     f"the loss is not divided by {passes} before backward() (its factor is "
                     f"{number(found.total / found.passes)}; an average needs "
                     f"{number(1 / passes)})"),
            Evidence(UPDATE_NORM.name, "", (0,), (size,), view.limit(LARGE),
                     f"one step changes the typical weight matrix by {percent(size)} of its size "
                     "(usual: about 0.1 %)"),
        ),
        remedies=(
            Remedy("divide the loss", Safety.SAFE, (
                DivideLoss(passes, backward_location(view)),)),
        ),
    )


CAUSE = Cause(
    slug="accumulation-not-averaged",
    code="P015",
    title="Accumulation not averaged",
    family="Program",
    harm=Harm.CONDITION,
    symptoms=(Symptom.OSCILLATES, Symptom.RISES),
    often=Often.SELDOM,
    words=Words(
        symptom="With gradient accumulation, the loss jumps or diverges at a learning rate that "
        "works without it.",
        consequence="The gradient of a step is too large by a factor: the number of batches that "
        "were summed. This has the same effect as a learning rate that is too high by that "
        "factor.",
        why="PyTorch adds the gradients of successive backward passes. Each loss is the mean over "
        "its own batch, but their sum is not the mean over all batches. It must be divided by the "
        "number of batches.",
        detection="At sampled steps, unstuck counts the backward passes. For each of them it "
        "compares the loss that was computed with the value on which backward() was called. The "
        "ratios of a step must add up to about 1. Adam and other optimizers that divide by the "
        "gradient's size are not affected. A sum that leads to steps of normal size is not "
        "reported.",
        limitations="A learning rate that was tuned for the sum works well with it, so only large "
        "steps are reported. Losses that are added up before a single backward pass are not "
        "recognised.",
        references=(
            "Hugging Face Accelerate: performing gradient accumulation",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(LOSS_FACTOR, UPDATE_NORM, WEIGHT_NORM, CLEARED_BACKWARDS),
    thresholds=(PASSES, WHOLE, LARGE),
    effects=(Effect.GRADIENTS_TOO_LARGE,),
    detect=_detect,
)
