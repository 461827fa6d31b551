"""Outliers: a few samples far away from all others account for most of the gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.measures.basics import failed, last, learned_little
from unstuck.measures.origins import input_steps, nearest, target_steps
from unstuck.measures.samples import kept, trained_on, training_location
from unstuck.measures.view import Threshold, View
from unstuck.record.schedule import LIMITS
from unstuck.record.series import Floats, PlaceSeries
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import Edit, Remedy, Safety, SwapLoss
from unstuck.schema.facts.calls import StepKind
from unstuck.schema.facts.losses import Loss
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.samples import (
    GRADIENT_SHARE,
    INPUT_DISTANCE,
    LOSS_SHARE,
    TARGET_DISTANCE,
)
from unstuck.words import count, joined, number, percent

FAR = Threshold(
    "outlier-distance", 20.0,
    "No sample of a bell-shaped or exponential feature lies 20 robust standard deviations away.",
    "an exponential reaches this with probability e^-14; Iglewicz and Hoaglin 1993 use 3.5",
)
TAIL = Threshold(
    "tail-distance", 8.0,
    "There must be a gap between the outliers and the other samples. If the gap contains more than "
    "half as many samples as there are outliers, the feature has a heavy tail, and the far samples "
    "belong to it.",
    "a log-normal or Cauchy feature fills the gap",
)
GAP = Threshold(
    "gap-before-outliers", 10.0,
    "If a feature is zero for most samples, its tail cannot be judged. An order of magnitude "
    "without a single sample is a gap in any tail.",
    "definition of an order of magnitude",
)
CHANCE = Threshold(
    "chance-of-gap", 1e-3,
    "Even a Cauchy tail leaves such a gap below its largest samples with at most this probability.",
    "order statistics of the Pareto distribution, Renyi 1953",
)
FEW = Threshold(
    "outlier-share", 0.05,
    "If more than one sample in twenty is far away, these samples are a group, not outliers.",
    "Barnett and Lewis 1994: outliers are few and inconsistent with the rest",
)
CARRIED = Threshold(
    "outliers-carry", 0.3,
    "A few samples with a third of the gradient dominate the training. A robust loss leaves them a "
    "large share of the loss, but hardly any of the gradient.",
    "a choice: at most 5 % of the samples then have at least six times their fair share",
)
EXTREME = Threshold(
    "extreme-distance", 100.0,
    "In a failed run, inputs that lie a hundred robust standard deviations away are blamed even if "
    "their share of the gradient is not known. Their gradients are larger by the same factor.",
    "the gradient of a first-layer weight is proportional to the input",
)


RULED = Threshold(
    "variance-of-outliers", 100.0,
    "The squared distances of the outliers from the median add up to a hundred times those of all "
    "other targets. Then a squared error says next to nothing of the others.",
    "all but one per cent of the variance of the targets",
)


@dataclass(frozen=True, slots=True)
class _Found:
    what: str
    names: tuple[str, ...]
    distances: Floats
    loss: float
    gradient: float
    last: float  # what they still carry of it at the end


def _detect(view: View) -> Verdict:
    train = trained_on(view)
    if isinstance(train, Unknown):
        return train
    if not (view.has(INPUT_DISTANCE) or view.has(TARGET_DISTANCE)):
        if train.discrete:
            return Absent("the inputs are tokens or identifiers, which cannot have outliers")
        return Unknown("the normal range of the data cannot be estimated from "
                       f"{count(train.samples, 'sample')}", ("more training samples",))
    found = [
        x for signal, what in ((TARGET_DISTANCE, "target"), (INPUT_DISTANCE, "input"))
        if view.has(signal) and (x := _look(view, view[signal], what, train.samples)) is not None
    ]
    if not found:
        return Absent("no small group of samples lies far away from all others")
    return _present(view, max(found, key=lambda x: x.gradient), train.samples)


def _look(view: View, series: PlaceSeries, what: str, samples: int) -> _Found | None:
    far = last(series)
    names = tuple(p for p, x in far.items() if x >= view.limit(FAR))
    between = sum(view.limit(TAIL) <= x < view.limit(FAR) for x in far.values())
    few = view.limit(FEW) * samples
    if not names or len(names) > few or between > 0.5 * len(names):
        names = _beyond_gap(view, far, few)
    if not names:
        return None
    loss, gradient = (
        _carried(view[signal], names) if view.has(signal) else (0.0,)
        for signal in (LOSS_SHARE, GRADIENT_SHARE))
    return _Found(what, names, np.array([far[n] for n in names]), max(loss), max(gradient),
                  gradient[-1])


def _beyond_gap(view: View, far: dict[str, float], few: float) -> tuple[str, ...]:
    """The samples beyond a gap that even a tail as heavy as Cauchy's would not leave.

    The k-th of Pareto's order statistics is r times the next with a chance of r^(-k a); a is 1 for
    a Cauchy tail (Renyi 1953).
    """
    ordered = sorted(far, key=lambda name: -far[name])
    for size in range(1, min(len(ordered), int(few) + 1)):
        least, following = far[ordered[size - 1]], far[ordered[size]]
        ratio = least / following if following > 0 else math.inf
        if least >= view.limit(FAR) and ratio >= view.limit(GAP) and (
            ratio**-size <= view.limit(CHANCE)
        ):
            return tuple(ordered[:size])
    return ()


def _carried(series: PlaceSeries, names: tuple[str, ...]) -> tuple[float, ...]:
    """The share of those samples together, at their first visits and at their last."""
    sums: dict[int, float] = {}
    for name in names:
        points = series.get(name)
        for step, share in () if points is None else zip(
            points.finite.steps, points.finite.values, strict=True
        ):
            sums[int(step)] = sums.get(int(step), 0.0) + float(share)
    return tuple(sums[step] for step in sorted(sums)) or (0.0,)


def _present(view: View, found: _Found, samples: int) -> Present:
    carried = found.gradient
    low, high = float(found.distances.min()), float(found.distances.max())
    steers = carried >= view.limit(CARRIED) and (
        learned_little(view.outcome) or found.last >= view.limit(CARRIED))
    # After a run has diverged, no loss shows any more which samples began it.
    extreme = high >= view.limit(EXTREME) and failed(view.outcome)
    # A squared error of targets that vary by little else is about the outliers alone.
    ruled = found.what == "target" and any(
        loss.function == "mse_loss" for loss in view.record.facts(Loss)
    ) and float((found.distances**2).sum()) >= view.limit(RULED) * samples
    harmful = steers or extreme or ruled
    signal = TARGET_DISTANCE if found.what == "target" else INPUT_DISTANCE
    spread = number(low) if low == high else f"{number(low)} to {number(high)}"
    train = kept(view, "train")
    noun = "sample" if len(found.names) == 1 else "samples"
    order = "" if train is not None and train.indexed else ", numbered in the order seen"
    away = f"{spread} robust standard deviations from the median"
    share = percent(carried) if view.has(GRADIENT_SHARE) else "an unknown share"
    loss = percent(found.loss) if view.has(LOSS_SHARE) else "an unknown share"
    step = int(view[signal][found.names[0]].steps[-1])
    return Present(
        strength=(0.9 if carried >= 0.5 else 0.75) if harmful else 0.4, hides_outcome=ruled,
        title=f"{share} of the gradient comes from {count(len(found.names), 'outlier')} among "
        f"{count(samples, 'training sample')} ({found.what}s {away})",
        since_step=0,
        location=nearest(target_steps(view) if found.what == "target" else input_steps(view),
                         StepKind.CHANGED) or training_location(view),
        label=f"the outliers are {noun} {joined(found.names)}{order}"[:110],
        evidence=(
            Evidence(signal.name, joined(found.names), (step,) * len(found.names),
                     tuple(map(float, found.distances)), view.limit(FAR),
                     f"the outliers ({noun} {joined(found.names, 8)}{order}) lie {away}, and "
                     "hardly any sample lies in between"),
            Evidence(GRADIENT_SHARE.name, "", (step,), (carried,), view.limit(CARRIED),
                     f"the outliers are {percent(len(found.names) / samples)} of the samples and "
                     f"have {loss} of the loss and {share} of the gradient"),
        ),
        remedies=(
            Remedy("clip or drop the outliers", Safety.CHANGES_EXPERIMENT,
                   advice="Check these samples and correct or drop those that are mistakes. Then "
                   "scale the features by the statistics of the rest.",
                   code_text="low, high = x_train.quantile(0.001, 0), x_train.quantile(0.999, 0)\n"
                   "x_train = x_train.clamp(low, high)" if found.what == "input" else
                   "low, high = y_train.quantile(0.01), y_train.quantile(0.99)\n"
                   "y_train = y_train.clamp(low, high)"),
            *([Remedy("use a robust loss", Safety.CHANGES_EXPERIMENT, _robust(view),
                      advice="Use a loss that grows only linearly with large errors.",
                      code_text="nn.HuberLoss()")] if found.what == "target" else []),
        ),
    )


def _robust(view: View) -> tuple[Edit, ...]:
    """Huber's loss in the place of the only mean square of the training."""
    places = [loss.location for loss in view.record.facts(Loss) if loss.function == "mse_loss"]
    return (SwapLoss(places[0], "huber_loss", "use a loss that grows only linearly with large "
                     "errors"),) if len(places) == 1 else ()


CAUSE = Cause(
    slug="outliers",
    code="D002",
    title="Outliers",
    family="Data",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.OSCILLATES, Symptom.PLATEAU, Symptom.RISES),
    words=Words(
        symptom="The loss jumps at certain batches, the gradients have spikes, and the fit is poor "
        "for nearly all samples.",
        consequence="The network fits the few outliers and neglects all other samples. The "
        "outliers also dominate the statistics that normalise the data. Every learning rate is "
        "either too high for their gradients or too low for those of the others.",
        why="A squared error grows with the square of the distance, and a gradient grows with the "
        "size of the input. A sample that lies a thousand standard deviations away outweighs all "
        "others together.",
        detection="Each feature, and the target of a regression, is measured in robust standard "
        "deviations. These are computed from medians, which outliers cannot move. The outliers "
        "must be few and lie beyond a gap; heavy tails have no such gap. Their share of the summed "
        "sizes of the gradients shows whether they matter. If that share is small, or if the run "
        "learns well and the share is small at its end, the finding is only a note. Targets that "
        "vary by little but the outliers are reported however the run went: a squared error is "
        "about these alone.",
        limitations="Rare events that are genuine look the same. Only the first "
        f"{LIMITS.kept_samples:,} different samples are checked. Outliers in the labels of a "
        "classifier are wrong labels, which is another cause. "
        "Outliers that are clipped before they reach the model are not seen, and "
        "they do no harm.",
        references=(
            "Iglewicz and Hoaglin 1993: How to detect and handle outliers",
            "Huber 1964: Robust estimation of a location parameter",
        ),
    ),
    needs=(),
    uses=(INPUT_DISTANCE, TARGET_DISTANCE, LOSS_SHARE, GRADIENT_SHARE),
    thresholds=(FAR, TAIL, GAP, CHANCE, FEW, CARRIED, RULED, EXTREME),
    effects=(
        Effect.INPUTS_OFF_SCALE, Effect.TARGETS_OFF_SCALE, Effect.GRADIENTS_TOO_LARGE,
        Effect.UPDATES_TOO_SMALL, Effect.PLATEAU,
    ),
    detect=_detect,
)
