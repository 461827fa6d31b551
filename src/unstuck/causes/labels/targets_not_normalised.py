"""Targets not normalised: a regression whose targets are far from what the network starts with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.measures.basics import (
    failed,
    last_good_step,
    learned_little,
    thinned,
    unread_loss,
    unwatched,
)
from unstuck.measures.looks import left_out
from unstuck.measures.origins import COMPUTED, nearest, own_target_steps
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Floats, Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import NormaliseTargets, Remedy, Safety, literal
from unstuck.schema.facts.calls import StepKind
from unstuck.schema.facts.losses import Loss
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.targets import (
    LOSS_INPUT_DEVIATION,
    LOSS_INPUT_MEAN,
    TARGET_DEVIATION,
    TARGET_MEAN,
)
from unstuck.torch_api import REGRESSION
from unstuck.words import joined, number, percent

USUAL = Threshold(
    "usual-deviation", 3.0,
    "Targets whose mean is within 1 of zero, and whose standard deviation is within a factor of "
    "three of 1, count as normalised, wherever the predictions begin.",
    "a definition; standardised targets have a mean of 0 and a standard deviation of 1",
)
FAR = Threshold(
    "target-distance", 10.0,
    "A new network outputs numbers of size 1 or less. If the targets are ten times as far away, "
    "the last layer needs weights and a bias that usual learning rates reach only after thousands "
    "of steps.",
    "LeCun et al. 1998, Efficient BackProp, 4.5: targets within the range of the output",
)
TINY = Threshold(
    "tiny-targets", 0.01,
    "If the targets vary by only a hundredth of what the untrained network outputs, the loss "
    "measures the network's own noise, and what it has to learn vanishes beside that.",
    "the same argument in the other direction",
)
GAP = Threshold(
    "mean-gap", 0.25,
    "A network whose predictions have reached the targets' mean has overcome the scale. If their "
    "mean is still off by a quarter of a standard deviation at the end, it has not.",
    "the mean of a batch of 64 samples varies by an eighth of a standard deviation",
)
LATE = Threshold(
    "late-on-scale", 0.2,
    "If predictions are still off by more than the gap after a fifth of the run, and the loss "
    "falls to its end, then what is left to learn lacks those steps.",
    "a choice; with standardised targets predictions begin within the gap",
)
# Losses that compare values; of gaussian_nll_loss no prediction is measured.
LAST = 3  # sampled steps at the end


@dataclass(frozen=True, slots=True)
class _Scale:
    """What a loss compares: the targets, and the first and the last predictions."""

    mean: float
    deviation: float
    first_mean: float
    first_deviation: float
    gap: float  # of the last predictions' mean to the targets', in standard deviations
    until: float  # the share of the run that had passed when it was last seen above the limit,
    by: float  # and when it was first seen below it
    predictions: Series

    @property
    def distance(self) -> float:
        """Root mean square distance of the targets from where predictions begin, in their size."""
        away = math.hypot(self.mean - self.first_mean, self.deviation)
        return away / max(1.0, self.first_deviation)


def _pooled(means: Floats, deviations: Floats) -> tuple[float, float]:
    """Mean and deviation over batches of about one size."""
    mean = float(np.mean(means))
    return mean, float(np.sqrt(np.mean(deviations**2 + (means - mean) ** 2)))


def _scale(view: View, loss: Loss) -> _Scale | None:
    signals = (TARGET_MEAN, TARGET_DEVIATION, LOSS_INPUT_MEAN, LOSS_INPUT_DEVIATION)
    if any(loss.name not in view[signal] for signal in signals):
        return None
    target, spread, given, width = (view[signal][loss.name].finite for signal in signals)
    steps = np.intersect1d(target.steps, given.steps)
    steps = steps[steps <= last_good_step(view)]
    if not len(steps) or not len(spread) or not len(width):
        return None
    mean, deviation = _pooled(target.values[: len(spread)], spread.values[: len(target)])
    if not deviation > 0:
        return None
    targets = dict(zip(target.steps.tolist(), target.values.tolist(), strict=True))
    outputs = dict(zip(given.steps.tolist(), given.values.tolist(), strict=True))
    gaps = np.array([abs(outputs[s] - targets[s]) / deviation for s in steps.tolist()])
    first = int(np.argmax([*(gaps < view.limit(GAP)), True]))
    times = np.array([0, *steps, view.record.steps]) / view.record.steps
    return _Scale(mean, deviation, float(given.values[0]), float(width.values[0]),
                  float(np.median(gaps[-LAST:])), float(times[first]), float(times[first + 1]),
                  given)


def _unseen(view: View) -> Verdict:
    """No loss was met whose targets and predictions are known to be values of one scale."""
    blind = unread_loss(view.record)
    if blind is not None:
        return Unknown(blind, ("a loss of torch.nn.functional, or a mean of squared errors",))
    values = next((loss for loss in view.record.facts(Loss) if loss.function in REGRESSION), None)
    if values is not None:
        return Unknown(f"the targets of {values.function} were not measured", (TARGET_MEAN.name,))
    blind = unwatched(view.record)
    if blind is not None:
        return Unknown(blind, (TARGET_MEAN.name,))
    kinds = joined(dict.fromkeys(loss.function for loss in view.record.facts(Loss)))
    return Absent(f"the program has no regression loss: it trains with {kinds}")


def _detect(view: View) -> Verdict:
    known = view[LOSS_INPUT_MEAN] if view.has(LOSS_INPUT_MEAN) else {}
    losses = [loss for loss in view.record.facts(Loss) if loss.name in known]
    if not losses:
        return _unseen(view)
    nearest = None
    for loss in losses:
        scale = _scale(view, loss)
        if scale is None:
            continue
        nearest = scale
        size = view.limit(USUAL)
        if abs(scale.mean) <= 1 and 1 / size <= scale.deviation <= size:
            continue  # it is the predictions that begin elsewhere
        if (abs(scale.mean - scale.first_mean) <= view.limit(GAP) * scale.deviation
                and scale.first_deviation >= max(1.0, view.limit(TINY) * scale.deviation)):
            continue  # the model puts its outputs on the targets' scale itself
        if scale.distance >= view.limit(FAR):
            return _far(view, loss, scale)
        if scale.deviation <= view.limit(TINY) * scale.first_deviation:
            return _tiny(view, loss, scale)
    if nearest is None:
        return Unknown("the targets never vary or are not finite",
                       ("targets that vary and are finite",))
    return Absent(
        f"the scale of the targets does no harm (mean {number(nearest.mean)}, standard deviation "
        f"{number(nearest.deviation)}; the first predictions have a mean of "
        f"{number(nearest.first_mean)})")


def _far(view: View, loss: Loss, scale: _Scale) -> Present | Unknown:
    # A run that answers with the right mean has got over the scale: what it lacks is another's.
    strength = 0.45
    late = view.outcome.kind is OutcomeKind.LEARNING and scale.until >= view.limit(LATE)
    if learned_little(view.outcome):
        lags = scale.gap >= view.limit(GAP)
        strength = 0.9 if lags else 0.6 if failed(view.outcome) else 0.45
    elif late:
        strength = 0.6
    elif view.outcome.kind is OutcomeKind.LEARNING and scale.by >= view.limit(LATE) and (
            left_out(view.record)):
        return Unknown("the targets are not normalised, but too few steps were examined closely to "
                       "know how long that held the run up", ("a run with --overhead 1",))
    return _present(
        view, loss, scale, strength,
        f"the targets are not normalised: they have a mean of {number(scale.mean)} and a standard "
        f"deviation of {number(scale.deviation)} (expected: 0 and 1), and the first predictions "
        f"are near {number(scale.first_mean)}",
        f"targets: {number(scale.mean)} ± {number(scale.deviation)}; first predictions: "
        f"{number(scale.first_mean)} ± {number(scale.first_deviation)}", late)


def _tiny(view: View, loss: Loss, scale: _Scale) -> Present:
    return _present(
        view, loss, scale, 0.6 if failed(view.outcome) else 0.45,
        f"the targets hardly vary: their standard deviation is {number(scale.deviation)} "
        f"(expected: 1), and that of the first predictions {number(scale.first_deviation)}",
        f"targets vary by {number(scale.deviation)}, first predictions by "
        f"{number(scale.first_deviation)}")


def _present(
    view: View, loss: Loss, scale: _Scale, strength: float, title: str, label: str,
    late: bool = False,
) -> Present:
    own = own_target_steps(view, loss.name)
    made = nearest(own, StepKind.CONVERTED) or nearest(own, *COMPUTED)
    steps, values = thinned(scale.predictions.steps, scale.predictions.values)
    reached = (f"; within {number(view.limit(GAP))} of these they came only after "
               f"{percent(scale.until)} of the run" if late else "")
    return Present(
        strength=strength,
        hides_outcome=late,
        title=title,
        since_step=0,
        location=made or loss.call_location or loss.location,
        label=label,
        evidence=(
            Evidence(LOSS_INPUT_MEAN.name, loss.name, steps, values, scale.mean,
                     f"the mean of the predictions ends {number(scale.gap)} standard deviations "
                     f"away from that of the targets (it goes from {number(values[0])} to "
                     f"{number(values[-1])}; the targets' mean is {number(scale.mean)})"
                     f"{reached}"),
            Evidence(TARGET_DEVIATION.name, loss.name, (0,), (scale.deviation,), 1.0,
                     f"the targets have a standard deviation of {number(scale.deviation)} "
                     "(expected: 1)"),
        ),
        remedies=(
            Remedy("standardise the targets", Safety.SAFE, (NormaliseTargets(),)),
            Remedy("start at the targets' mean", Safety.ADVICE,
                   advice="Set the last layer's bias to the targets' mean before training.",
                   code_text=f"nn.init.constant_(last.bias, {literal(scale.mean)})"),
        ),
    )


CAUSE = Cause(
    slug="targets-not-normalised",
    code="L006",
    title="Targets not normalised",
    family="Labels and targets",
    harm=Harm.CONDITION,
    symptoms=(Symptom.SLOW, Symptom.NAN, Symptom.PLATEAU, Symptom.RISES),
    often=Often.COMMON,
    words=Words(
        symptom="A regression starts with a huge loss. The loss falls for a long time, and yet the "
        "network ends no better than if it always predicted the mean. Or the run diverges at a "
        "usual learning rate.",
        consequence="Most of the training goes into reaching the mean and the scale of the "
        "targets. Until then the gradient carries little other information. It is also so large "
        "that learning rates which suit other programs make the weights jump.",
        why="A freshly initialised network outputs numbers around 0, of size 1 or less. An "
        "adaptive optimizer changes each weight by about its learning rate per step, so reaching "
        "large targets takes many steps. The gradient of the squared error grows in proportion to "
        "the distance, measured in the unit of the targets.",
        detection="The mean and standard deviation of the targets are compared with those of the "
        "first predictions. A bias set to the mean, or an output that the model scales itself, "
        "therefore counts as normalised. More than a note is reported only if the run failed, if "
        "it learned little and its predictions still miss the mean at the end, or if they did so "
        "for a fifth of a run whose loss falls to its end.",
        limitations="Target columns of different scales are pooled. Only squared, absolute and "
        "Huber errors are judged, whether they come from PyTorch or are written by hand.",
        references=(
            "LeCun, Bottou, Orr, Müller 1998: Efficient BackProp, section 4.5",
            "Karpathy 2019: A recipe for training neural networks: init well",
        ),
    ),
    needs=(),
    uses=(TARGET_MEAN, TARGET_DEVIATION, LOSS_INPUT_MEAN, LOSS_INPUT_DEVIATION),
    thresholds=(FAR, TINY, GAP, USUAL, LATE),
    shows=Effect.TARGETS_OFF_SCALE,
    effects=(
        Effect.BAD_START, Effect.GRADIENTS_TOO_LARGE,
        Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL, Effect.PLATEAU, Effect.TOO_SLOW,
    ),
    detect=_detect,
)
