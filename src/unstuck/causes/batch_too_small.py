"""Batch too small: from the first steps on, a gradient is noise for the most part."""

from __future__ import annotations

import math

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import learned_little, loss_points
from unstuck.causes._steps import (
    EARLY_PAIRS,
    agreement,
    agreement_evidence,
    batch_location,
    jump_cost,
    late_step,
    main_optimizer,
    samples_per_step,
)
from unstuck.edits import BatchSize, OptimizerArgument, Remedy, Safety
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.signals import (
    BATCH_SIZE,
    GRADIENT_NORM,
    GRADIENT_PRODUCT,
    GRADIENT_SQUARE,
    TRAIN_LOSS,
    UPDATE_NORM,
)
from unstuck.words import number, percent

NOISE = Threshold(
    "noise-over-batch", 4.0,
    "The noise scale is the batch at which noise and slope are as large as each other. Below a "
    "quarter of it, at the start, where the slope is steepest, nearly all of a step is chance.",
    "McCandlish et al. 2018: An empirical model of large-batch training, section 2.2",
)
BOUNCE = Threshold(
    "gradients-against", 0.15,
    "Noise makes gradients agree by nothing on average; beyond a few hundredths below zero the "
    "steps overshoot.",
    "at rest the agreement is minus half of rate times curvature",
)
DROWNED = Threshold(
    "cost-of-noise", 0.25,
    "A quarter of the loss or more is the height at which the noisy steps keep it.",
    "Mandt et al. 2017; zoo programs that rest above their floor have 0.07 at most",
)


def _detect(view: View) -> Verdict:
    if view.outcome.kind in (OutcomeKind.CONVERGED, OutcomeKind.OVERFITTING):
        return Absent(f"the outcome is {view.outcome.kind}: noise did not keep it from learning")
    if not learned_little(view.outcome) and view.outcome.kind is not OutcomeKind.PLATEAU:
        return Absent("the loss fell well")
    size, early = samples_per_step(view), agreement(view, pairs=EARLY_PAIRS)
    diverged = view.outcome.kind is OutcomeKind.DIVERGED
    cost = math.inf if diverged else jump_cost(view, late_step(view))
    losses = view[TRAIN_LOSS].finite.values
    if size is None or early is None or cost is None or not len(losses):
        return Unknown("the noise of the gradient was not measured", (GRADIENT_PRODUCT.name,))
    if not early >= -view.limit(BOUNCE) or (diverged and early < 0):
        return Absent(f"in the first steps gradients agree by {number(early)}: each step undoes "
                      "the one before, which is a matter of the rate")
    level = float(losses[len(losses) // 2:].mean())
    scale = size * (1 / max(early, 1e-3) - 1)
    if not scale >= view.limit(NOISE) * size:
        return Absent(f"in the first steps gradients agree by {number(early)}: the noise scale is "
                      f"{number(scale)} samples, the batch {number(size)}")
    if not level > 0 or not cost / level >= view.limit(DROWNED):
        return Absent("the gradients are noisy, but the steps are small enough to average them")
    harm = ("the loss diverges" if diverged else
            f"noise keeps up {percent(min(cost / level, 1.0))} of the loss")
    optimizer = main_optimizer(view)
    steps, points = loss_points(view)
    remedies = [Remedy("larger batches", Safety.CHANGES_EXPERIMENT,
                       tuple(BatchSize(round(size * k)) for k in (8, 4, 16, 32)))]
    if optimizer is not None and optimizer.learning_rate:
        remedies.append(Remedy("lower the learning rate", Safety.CHANGES_EXPERIMENT, (
            OptimizerArgument(optimizer.name, "lr", float(f"{optimizer.learning_rate / 8:.1g}")),)))
    evidence = (
        *agreement_evidence(
            view, 1 / (1 + view.limit(NOISE)),
            f"the gradients of two successive steps agree by {number(early)} at the start"),
        Evidence(TRAIN_LOSS.name, "", steps, points, None,
                 harm if diverged else
                 f"{percent(min(cost / level, 1.0))} of the loss in the second half of the run is "
                 "what the noise of the steps keeps up"),
    )
    return Present(
        strength=0.45, since_step=0, location=batch_location(view, size), evidence=evidence,
        title=f"the batch of {number(size)} is too small for steps of this size: two successive "
        f"gradients agree by {number(early)}, and {harm}",
        label="too few samples a step to tell the slope from noise",
        remedies=tuple(remedies),
        one_of=("learning-rate-too-high", *(() if diverged else ("noise-floor",))),
        separated_by="run again with eight times the batch at the same number of samples, and "
        "with an eighth of the rate: if only the larger batch lowers the training loss, it is "
        "batch-too-small",
    )


CAUSE = Cause(
    slug="batch-too-small",
    code="O004",
    title="Batch too small",
    family="Optimisation",
    harm=Harm.CONDITION,
    words=Words(
        symptom="The loss leaps from step to step over its whole height and shows hardly any "
        "trend beneath the leaps.",
        consequence="The network walks at random around what it could learn; how good it ends is "
        "a matter of the last few batches.",
        why="A gradient from few samples is the true slope plus noise that shrinks with the "
        "batch. With far more noise than slope, steps of a usual size mostly follow the noise.",
        detection="The gradients of two successive steps are compared: their product estimates "
        "the square of the true slope, without any further pass. At the start, where the slope is "
        "steepest, noise must outweigh it four times, and later the noise of the steps must keep "
        "up a quarter of the loss in a run that learned little, or the run diverges.",
        limitations="A lower rate averages the same noise over more steps: which of the two is "
        "better only a trial can tell. Labels that do not depend on the inputs make noise too.",
        references=(
            "McCandlish et al. 2018: An empirical model of large-batch training (arXiv 1812.06162)",
            "Smith et al. 2018: Don't decay the learning rate, increase the batch size",
        ),
    ),
    needs=(TRAIN_LOSS, UPDATE_NORM, GRADIENT_NORM, GRADIENT_PRODUCT, GRADIENT_SQUARE),
    uses=(BATCH_SIZE,),
    thresholds=(NOISE, BOUNCE, DROWNED),
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
