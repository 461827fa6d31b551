"""Batch too small: from the first steps on, gradients are mostly noise."""

from __future__ import annotations

import math

import numpy as np

from unstuck.measures import arms
from unstuck.measures.basics import failed, learned_little, loss_ends_at, loss_points, typed
from unstuck.measures.dropping import dropped_share
from unstuck.measures.steps import (
    EARLY_PAIRS,
    agreement,
    agreement_evidence,
    batch_location,
    jump_cost,
    late_step,
    main_optimizer,
    samples_per_step,
)
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import BatchSize, OptimizerArgument, Remedy, Safety
from unstuck.schema.experiments import Arm, Experiment
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.batches import BATCH_SIZE
from unstuck.schema.signals.layers import SILENT_SHARE
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import (
    GRADIENT_NORM,
    GRADIENT_PRODUCT,
    GRADIENT_SQUARE,
    UPDATE_NORM,
)
from unstuck.words import count, number, percent, times

NOISE = Threshold(
    "noise-over-batch", 4.0,
    "The gradient noise scale is the batch size at which noise and signal are equally large. With "
    "less than a quarter of it, nearly all of a step is chance, even at the start, where the "
    "signal is strongest.",
    "McCandlish et al. 2018: An empirical model of large-batch training, section 2.2",
)
BOUNCE = Threshold(
    "gradients-against", 0.15,
    "Pure noise gives an agreement of zero on average. If the agreement is clearly below zero, the "
    "steps overshoot.",
    "on a plateau the agreement is minus half of the learning rate times the curvature",
)
DROWNED = Threshold(
    "cost-of-noise", 0.25,
    "The noise floor of SGD makes up at least a quarter of the loss: gradient noise sustains it at "
    "this learning rate and batch size.",
    "Mandt et al. 2017; at most 0.07 in test programs that plateau for other reasons",
)
TINY = Threshold(
    "tiny-batch", 4.0,
    "So few samples are hardly ever meant for noisy data. Where they teach nothing and late "
    "gradients hardly agree, each step follows its own few samples.",
    "Masters, Luschi 2018: batches of 2 to 32 samples, with learning rates that suit them",
)
LATE = Threshold(
    "late-agreement", 0.04,
    "The agreement of successive gradients where the noise is 25 times as strong as the signal.",
    "definition",
)
AT_MOST = Threshold(
    "late-agreement-at-most", 0.3,
    "A handful of pairs tell the agreement of gradients only roughly. With more than this, single "
    "samples say much the same, and following them does no harm.",
    "the standard error of five pairs of gradients, of which each is noise",
)
DROPPED = Threshold(
    "noise-of-dropout", 0.4,
    "From this share of dropped units on, dropout itself makes gradients noisy, and its noise "
    "cannot be distinguished from that of the batch.",
    "the standard deviation of inverted dropout is the square root of p / (1 - p), relative to "
    "the values: 0.8 here",
)
HALF = Threshold(
    "silent-at-first", 0.75,
    "A unit is zero for a whole batch of one or two samples by chance, half of them or fewer.",
    "the chance of a zero is 0.5 for one sample",
)
DEAD = Threshold(
    "silent-at-the-end", 0.9,
    "If nine of ten units went silent while steps followed the noise, the steps took them there.",
    "as for a dead layer",
)
AWAKE = 3  # looks at the start
USUAL = 32.0  # samples, to which a smaller batch is raised at least


def _detect(view: View) -> Verdict:
    if view.outcome.kind in (OutcomeKind.CONVERGED, OutcomeKind.OVERFITTING):
        return Absent(f"the outcome is {view.outcome.kind}, so noise did not prevent learning")
    if not learned_little(view.outcome) and view.outcome.kind not in (
            OutcomeKind.PLATEAU, OutcomeKind.NOT_LEARNING):
        return Absent("the loss fell well")
    size, early = samples_per_step(view), agreement(view, pairs=EARLY_PAIRS)
    diverged = view.outcome.kind is OutcomeKind.DIVERGED
    cost = math.inf if diverged else jump_cost(view, late_step(view))
    losses = view[TRAIN_LOSS].finite.values
    if size is None or early is None or cost is None or not len(losses):
        return Unknown("the noise of the gradient was not measured", (GRADIENT_PRODUCT.name,))
    if not early >= -view.limit(BOUNCE) or (diverged and early < 0):
        if size <= view.limit(TINY) and not diverged:
            return Unknown(
                f"the first gradients, of {count(round(size), 'sample')} each, point against each "
                f"other (agreement {number(early)}), by noise or because the steps are too long",
                ("a second run with larger batches, and one with a lower learning rate",))
        return Absent("the first steps overshoot, which is a problem of the learning rate "
                      f"(agreement of successive gradients: {number(early)})")
    level = float(losses[len(losses) // 2:].mean())
    scale = size * (1 / max(early, 1e-3) - 1)
    late = min((each for each in (agreement(view, late_step(view)), agreement(view))
                if each is not None), default=None)
    at_most = view.limit(AT_MOST if failed(view.outcome) else LATE)
    tiny = size <= view.limit(TINY) and late is not None and late <= at_most and (
        not diverged and (learned_little(view.outcome)
                          or view.outcome.kind is OutcomeKind.NOT_LEARNING))
    if not tiny and not scale >= view.limit(NOISE) * size:
        return Absent("the first gradients are not mostly noise (noise scale "
                      f"{number(scale)}, batch size {number(size)})")
    drowned = level > 0 and cost / level >= view.limit(DROWNED)
    if not tiny and not drowned:
        return Absent("the gradients are noisy, but the steps are small enough to average the "
                      "noise out")
    if tiny and any(layer.kind.startswith(("BatchNorm", "LazyBatchNorm"))
                    for layer in view.record.layers().values()):
        return Unknown("batch normalisation over so few samples adds noise of its own to the "
                       "gradient", ("a run without batch normalisation",))
    dropped = dropped_share(view)
    if dropped >= view.limit(DROPPED):
        return Unknown(f"dropout of {percent(dropped)} adds noise of its own to the gradient",
                       ("a run without dropout",))
    share = percent(min(cost / level, 1.0) if level > 0 else 1.0)
    agrees = late if tiny and late is not None else early
    noise = f"gradient noise sustains {share} of the loss"
    harm = "the loss diverges" if diverged else (
        "each step follows the noise of its own samples" if tiny else noise)
    optimizer = main_optimizer(view)
    steps, points = loss_points(view)
    larger = max(8.0, USUAL / size)
    remedies = [Remedy("larger batches", Safety.CHANGES_EXPERIMENT, tuple(
        BatchSize(round(size * larger * k)) for k in (1, 4, 1 / 4)))]
    if optimizer is not None and optimizer.learning_rate:
        remedies.append(Remedy("lower the learning rate", Safety.CHANGES_EXPERIMENT, (
            OptimizerArgument(optimizer.name, "lr", typed(optimizer.learning_rate / larger)),)))
    evidence = (
        *agreement_evidence(
            view, 1 / (1 + view.limit(NOISE)),
            f"gradients are mostly noise {'late in the run' if tiny else 'from the start'} "
            f"(agreement of successive gradients: {number(agrees)}; 0 is pure noise, 1 is free of "
            "noise)"),
        Evidence(TRAIN_LOSS.name, "", steps, points, None,
                 f"the loss ends at {number(loss_ends_at(view))}" if tiny else
                 harm if diverged else
                 f"about {share} of the loss in the second half of the run is gradient noise "
                 "sustained by this learning rate and batch size"),
    )
    return Present(
        strength=0.45 if not tiny else 0.4 if agrees > view.limit(LATE) else (
            0.65 if drowned or _units_died(view) else 0.48),
        since_step=0, of_value=True,
        location=batch_location(view, size), evidence=evidence,
        title=f"a batch size of {number(size)} is too small for this learning rate: {harm}",
        label="with so few samples per step, the gradient is mostly noise",
        remedies=tuple(remedies),
        one_of=("learning-rate-too-high", *(() if diverged else ("noise-floor",))),
        separated_by=Experiment(
            f"run again with {times(larger)} the batch size and the same number of epochs, and "
            "once more with the learning rate divided by as much instead: if only the larger batch "
            "lowers the training loss, the cause is batch-too-small", (
                Arm((BatchSize(round(larger * size)),), ("batch-too-small",)),
                arms.learning_rate(view, 1 / larger, "learning-rate-too-high"),
            )),
    )


def _units_died(view: View) -> bool:
    """Whether nearly all units of a layer went silent on the way: steps took them where they are.
    """
    known = view[SILENT_SHARE].values() if view.has(SILENT_SHARE) else ()
    return any(len(each) >= AWAKE and bool(
        np.all(each.values[:AWAKE] < view.limit(HALF)) and each.values[-1] >= view.limit(DEAD))
        for each in (series.finite for series in known))


CAUSE = Cause(
    slug="batch-too-small",
    code="O004",
    title="Batch too small",
    family="Optimisation",
    harm=Harm.CONDITION,
    symptoms=(Symptom.OSCILLATES,),
    words=Words(
        symptom="The loss jumps up and down from step to step over its whole range, with hardly "
        "any trend underneath.",
        consequence="The weights walk at random around a good solution. How good the network is at "
        "the end depends on the last few batches.",
        why="The gradient of a batch is the true gradient plus noise. The noise shrinks as the "
        "batch grows. If there is far more noise than signal, steps of the usual size mostly "
        "follow the noise.",
        detection="The gradients of two successive steps are compared. Their dot product "
        "estimates the square of the true gradient's norm, without any extra pass. At the start, "
        "where the signal is strongest, the noise must be at least four times as strong. The run "
        "must also have diverged, or have learned little or plateaued while gradient noise "
        "sustains at least a quarter of its loss.",
        limitations="A lower learning rate averages the same noise over more steps. Only a trial "
        "can show which of the two is better. Labels that do not depend on the inputs also cause "
        "noise.",
        references=(
            "McCandlish et al. 2018: An empirical model of large-batch training (arXiv 1812.06162)",
            "Smith et al. 2018: Don't decay the learning rate, increase the batch size",
        ),
    ),
    needs=(TRAIN_LOSS, UPDATE_NORM, GRADIENT_NORM, GRADIENT_PRODUCT, GRADIENT_SQUARE),
    uses=(BATCH_SIZE, SILENT_SHARE),
    thresholds=(NOISE, BOUNCE, DROWNED, TINY, LATE, AT_MOST, HALF, DEAD, DROPPED),
    effects=(Effect.UNITS_DIE,),
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
