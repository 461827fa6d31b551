"""Accumulation not averaged: the losses of several batches are added up for one step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import (
    backward_location,
    failed,
    learned_little,
    nan_median,
    thinned,
    unwatched,
    weight_updates,
)
from unstuck.edits import LossForm, Remedy, Safety
from unstuck.facts import Loss
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.series import Series
from unstuck.signals import LOSS_FACTOR, TRAIN_LOSS, UPDATE_NORM, WEIGHT_NORM
from unstuck.words import joined, percent

PASSES = Threshold(
    "accumulated-passes", 4.0,
    "Two or three times the gradient is within what a rate bears.",
    "a factor of two in the rate rarely decides over a run",
)
WHOLE = Threshold(
    "undivided-factor", 1.5,
    "Divided by the number of passes the factors of a step add up to 1; undivided they add up to "
    "that number.",
    "definition",
)
LARGE = Threshold(
    "accumulated-update", 0.01,
    "Ten times the usual change of the weights a step; below that the sum does no harm by its "
    "size.",
    "CS231n: about 1e-3",
)
# Their step does not depend on the gradient's scale.
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
    for loss in view.facts.losses:
        series = view[LOSS_FACTOR].get(loss.name)
        if series is None or not len(series.finite):
            continue
        steps, counts = np.unique(series.finite.steps, return_counts=True)
        totals = [float(series.finite.values[series.finite.steps == s].sum()) for s in steps]
        found.append(_Sum(loss, float(np.median(counts)), float(np.median(totals)), series.finite))
    return found


def _passes(view: View) -> float:
    """Backward passes of one loss a step, the most of any loss; NaN if none was seen."""
    losses = (view[TRAIN_LOSS], *view.facts.tracks.values())
    return max((float(np.median(np.unique(loss.steps, return_counts=True)[1])) for loss in losses
                if len(loss)), default=math.nan)


def _detect(view: View) -> Verdict:
    sums = [s for s in _sums(view) if s.passes >= 2]
    if not sums:
        passes = _passes(view)
        blind = unwatched(view.facts)
        if (view.has(LOSS_FACTOR) and view.facts.losses) or (passes < 2 and blind is None):
            return Absent("each step follows one backward pass of a loss")
        if blind is not None:
            return Unknown(blind, (LOSS_FACTOR.name,))
        return Unknown(f"a step follows {passes:.0f} backward passes of a loss whose share in "
                       "each is not known", (LOSS_FACTOR.name,))
    worst = max(sums, key=lambda s: s.total)
    if worst.total < view.limit(WHOLE) or worst.loss.reduction != "mean":
        return Absent(f"the losses of {worst.passes:.0f} passes are divided, or sums themselves")
    scaled = [o for o in view.facts.optimizers if o.kind not in _SCALE_FREE]
    if view.facts.optimizers and not scaled:
        kinds = joined(dict.fromkeys(o.kind for o in view.facts.optimizers))
        return Absent(f"the step of {kinds} does not depend on the size of the gradient")
    size = float(nan_median(weight_updates(view).typical(), axis=0))
    large = size >= view.limit(LARGE) or failed(view.outcome)
    if worst.passes < view.limit(PASSES) or not large:
        return Unknown(f"the losses of {worst.passes:.0f} passes are added up undivided, and the "
                       "steps are none too large for that", ("a trial with the loss divided",))
    return _present(view, worst, size)


def _present(view: View, found: _Sum, size: float) -> Verdict:
    count = round(found.passes)
    steps, values = thinned(found.series.steps, found.series.values)
    return Present(
        strength=0.75 + 0.1 * learned_little(view.outcome) + 0.1 * failed(view.outcome),
        title=f"the losses of {count} batches are added up for one step and not averaged: its "
        f"gradient is {found.total:.0f} times that of one batch",
        since_step=0,
        location=backward_location(view),
        label=f"called {count} times a step with the whole loss",
        evidence=(
            Evidence(LOSS_FACTOR.name, found.loss.name, steps, values, 1 / count,
                     f"each pass got {found.total / found.passes:.2g} times the loss; one part in "
                     f"{count} makes a mean"),
            Evidence(UPDATE_NORM.name, "", (0,), (size,), view.limit(LARGE),
                     f"a step moves the typical weight matrix by {percent(size)} of its size"),
        ),
        remedies=(
            Remedy("divide the loss", Safety.SAFE, (
                LossForm(f"(loss / {count}).backward()",
                         f"divide the loss by the {count} passes of a step"),)),
        ),
    )


CAUSE = Cause(
    slug="accumulation-not-averaged",
    code="P015",
    title="Accumulation not averaged",
    family="Program",
    harm=Harm.CONDITION,
    words=Words(
        symptom="With gradient accumulation the loss jumps or diverges at a rate that was right "
        "without it.",
        consequence="The gradient of a step is as many times too long as batches were added up, "
        "so the step is taken at that many times the rate.",
        why="Each loss is a mean over its batch. Their sum is no mean over all batches: that "
        "takes a division by their number.",
        detection="At sampled steps each backward pass is counted, with the factor between the "
        "loss that was computed and what was differentiated. The factors of a step must add up to "
        "about 1. Optimizers that divide by the gradient's size are not concerned, and a step of "
        "normal size convicts nobody.",
        limitations="A rate that was chosen for the sum is right with it: only large steps are "
        "named. Losses that are combined before backward are not recognised.",
        references=(
            "Hugging Face Accelerate: performing gradient accumulation",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(LOSS_FACTOR, UPDATE_NORM, WEIGHT_NORM),
    thresholds=(PASSES, WHOLE, LARGE),
    explains=(
        "learning-rate-too-high", "non-finite-loss", "dead-relu", "exploding-gradients",
        "saturated-activations",
    ),
    detect=_detect,
)
