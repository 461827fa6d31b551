"""Targets not normalised: a regression whose targets are far from what the network starts with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import (
    failed,
    last_good_step,
    learned_little,
    thinned,
    unread_loss,
    unwatched,
)
from unstuck.edits import NormaliseTargets, Remedy, Safety, literal
from unstuck.facts import Loss
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.series import Floats, Series
from unstuck.signals import (
    LOSS_INPUT_DEVIATION,
    LOSS_INPUT_MEAN,
    TARGET_DEVIATION,
    TARGET_MEAN,
)
from unstuck.words import joined, number

USUAL = Threshold(
    "usual-deviation", 3.0,
    "Targets with a mean within 1 of zero, and a deviation within a factor of three of 1, are as "
    "normalised as need be, wherever predictions begin.",
    "definition; standardised targets have 0 and 1",
)
FAR = Threshold(
    "target-distance", 10.0,
    "A new network puts out numbers of size 1 or less. Targets ten times as far away ask of the "
    "last layer's weights and bias what usual rates reach only after thousands of steps.",
    "LeCun et al. 1998, Efficient BackProp, 4.5: targets within the range of the output",
)
TINY = Threshold(
    "tiny-targets", 0.01,
    "If the targets vary by a hundredth of what the untrained network puts out, the loss is that "
    "of its own noise, and what is to be learned vanishes beside it.",
    "the same argument downwards",
)
GAP = Threshold(
    "mean-gap", 0.25,
    "Once a network answers with the targets' mean the scale has been overcome. A mean that is "
    "still off by a quarter of the deviation at the end shows that it has not.",
    "the batch mean of 64 samples scatters by an eighth",
)
# Losses that compare values; of gaussian_nll_loss no prediction is measured.
REGRESSION = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "gaussian_nll_loss")
LAST = 3  # sampled steps at the end


@dataclass(frozen=True, slots=True)
class _Scale:
    """What a loss compares: the targets, and the predictions before the first update and last."""

    mean: float
    deviation: float
    first_mean: float
    first_deviation: float
    gap: float  # of the last predictions' mean to the targets', in deviations
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
    gaps = [abs(outputs[s] - targets[s]) / deviation for s in steps[-LAST:].tolist()]
    return _Scale(mean, deviation, float(given.values[0]), float(width.values[0]),
                  float(np.median(gaps)), given)


def _unseen(view: View) -> Verdict:
    """No loss was met whose targets and predictions are known to be values of one scale."""
    blind = unread_loss(view.facts)
    if blind is not None:
        return Unknown(blind, ("a loss of torch.nn.functional, or a mean of squared differences",))
    values = next((loss for loss in view.facts.losses if loss.function in REGRESSION), None)
    if values is not None:
        return Unknown(f"the targets of {values.function} were not measured", (TARGET_MEAN.name,))
    blind = unwatched(view.facts)
    if blind is not None:
        return Unknown(blind, (TARGET_MEAN.name,))
    kinds = joined(dict.fromkeys(loss.function for loss in view.facts.losses))
    return Absent(f"the program has no regression loss: it trains with {kinds}")


def _detect(view: View) -> Verdict:
    known = view[LOSS_INPUT_MEAN] if view.has(LOSS_INPUT_MEAN) else {}
    losses = [loss for loss in view.facts.losses if loss.name in known]
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
        if scale.distance >= view.limit(FAR):
            return _far(view, loss, scale)
        if scale.deviation <= view.limit(TINY) * scale.first_deviation:
            return _tiny(view, loss, scale)
    if nearest is None:
        return Unknown("the targets never vary or are not finite", ("targets that vary",))
    return Absent(
        f"the targets have mean {number(nearest.mean)} and deviation {number(nearest.deviation)}; "
        f"the first predictions had mean {number(nearest.first_mean)}")


def _far(view: View, loss: Loss, scale: _Scale) -> Present:
    # A run that answers with the right mean has got over the scale: what it lacks is another's.
    strength = 0.45
    if learned_little(view.outcome):
        lags = scale.gap >= view.limit(GAP)
        strength = 0.9 if lags else 0.6 if failed(view.outcome) else 0.45
    return _present(
        loss, scale, strength,
        f"the targets are not normalised: mean {number(scale.mean)}, deviation "
        f"{number(scale.deviation)}, while predictions begin at {number(scale.first_mean)} and end "
        f"{number(scale.gap)} deviations off (healthy: mean 0, deviation 1)",
        f"targets of {number(scale.mean)} ± {number(scale.deviation)} meet first predictions of "
        f"{number(scale.first_mean)} ± {number(scale.first_deviation)}")


def _tiny(view: View, loss: Loss, scale: _Scale) -> Present:
    return _present(
        loss, scale, 0.6 if failed(view.outcome) else 0.45,
        f"the targets vary by {number(scale.deviation)} only, while predictions begin with a "
        f"deviation of {number(scale.first_deviation)} (healthy: mean 0, deviation 1)",
        f"targets vary by {number(scale.deviation)}, first predictions by "
        f"{number(scale.first_deviation)}")


def _present(loss: Loss, scale: _Scale, strength: float, title: str, label: str) -> Present:
    steps, values = thinned(scale.predictions.steps, scale.predictions.values)
    return Present(
        strength=strength,
        title=title,
        since_step=0,
        location=loss.call_location or loss.location,
        label=label,
        evidence=(
            Evidence(LOSS_INPUT_MEAN.name, loss.name, steps, values, scale.mean,
                     f"the predictions' mean goes from {number(values[0])} to "
                     f"{number(values[-1])}; the targets' is {number(scale.mean)}"),
            Evidence(TARGET_DEVIATION.name, loss.name, (0,), (scale.deviation,), 1.0,
                     f"the targets' deviation is {number(scale.deviation)}"),
        ),
        remedies=(
            Remedy("standardise the targets", Safety.SAFE, (NormaliseTargets(),)),
            Remedy("begin at the mean", Safety.ADVICE,
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
    words=Words(
        symptom="A regression starts with a huge loss that falls for a long time and yet is no "
        "better than answering with the mean; or it diverges at a usual rate.",
        consequence="Most of the training goes into walking to the targets' mean and size. Until "
        "then the gradient speaks of little else, and it is so large that rates which fit other "
        "programs throw the weights about.",
        why="A freshly initialised network puts out numbers around 0 of size 1 or less, and an "
        "adaptive optimizer moves each weight by about its rate in a step. The squared error's "
        "gradient is proportional to the distance, in the targets' unit.",
        detection="Mean and deviation of the targets are compared with those of the first "
        "predictions, so that a bias set to the mean, or an output that the model scales itself, "
        "counts as normalised. It is a finding only in a run that learned little and whose "
        "predictions still miss the mean at the end, or that came to nothing.",
        limitations="Columns of different scale are taken together. Only squared, absolute and "
        "Huber errors are judged, in the library's form or written by hand.",
        references=(
            "LeCun, Bottou, Orr, Müller 1998: Efficient BackProp, section 4.5",
            "Karpathy 2019: A recipe for training neural networks: init well",
        ),
    ),
    needs=(),
    uses=(TARGET_MEAN, TARGET_DEVIATION, LOSS_INPUT_MEAN, LOSS_INPUT_DEVIATION),
    thresholds=(FAR, TINY, GAP, USUAL),
    explains=(
        "learning-rate-too-low", "learning-rate-too-high", "non-finite-loss", "dead-relu",
        "exploding-gradients", "vanishing-gradients", "saturated-activations",
        "bad-initialisation", "noise-floor", "clipping-throttles", "too-few-steps",
    ),
    detect=_detect,
)
