"""Outliers: a few samples, orders of magnitude off, carry most of the gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import failed, last, learned_little
from unstuck.causes._samples import kept, trained_on, training_location
from unstuck.edits import Remedy, Safety
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.sample_signals import GRADIENT_SHARE, INPUT_DISTANCE, LOSS_SHARE, TARGET_DISTANCE
from unstuck.series import Floats, PlaceSeries
from unstuck.words import joined, number, percent

FAR = Threshold(
    "outlier-distance", 20.0,
    "Twenty robust deviations are beyond any sample of a bell-shaped or exponential feature.",
    "an exponential's chance to lie there is e^-14; Iglewicz and Hoaglin 1993 ask for 3.5",
)
TAIL = Threshold(
    "tail-distance", 8.0,
    "Between the crowd and the outliers there must be a gap. Where more than half as many samples "
    "as there are outliers lie in it, the feature has a heavy tail, and the far samples belong to "
    "it.",
    "a log-normal or Cauchy feature fills the gap",
)
GAP = Threshold(
    "gap-before-outliers", 10.0,
    "Where features are zero for most samples the tail is no measure; an order of magnitude "
    "without a single sample is a gap in any tail.",
    "definition of orders of magnitude",
)
CHANCE = Threshold(
    "chance-of-gap", 1e-3,
    "So seldom does a Cauchy tail leave such a gap before its so many largest samples.",
    "order statistics of Pareto's distribution, Renyi 1953",
)
FEW = Threshold(
    "outlier-share", 0.05,
    "More than one in twenty are a group of their own, not outliers.",
    "Barnett and Lewis 1994: outliers are few and inconsistent with the rest",
)
CARRIED = Threshold(
    "outliers-carry", 0.3,
    "A few samples that carry a third of the gradient steer the training. A robust loss leaves "
    "them a large part of the loss, but hardly any of the gradient.",
    "a choice: at most 5 % of the samples carry six times their part",
)
EXTREME = Threshold(
    "extreme-distance", 100.0,
    "In a run that failed, inputs a hundred deviations off are to blame even where what they "
    "carried is not known: their gradients are as many times those of the others.",
    "the gradient of a first-layer weight is proportional to the input",
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
            return Absent("the inputs are tokens or identifiers, of which none can lie far off")
        return Unknown(f"{train.samples} samples are too few to tell what is usual",
                       ("more samples",))
    found = [
        x for signal, what in ((TARGET_DISTANCE, "target"), (INPUT_DISTANCE, "input"))
        if view.has(signal) and (x := _look(view, view[signal], what, train.samples)) is not None
    ]
    if not found:
        return Absent("no few samples lie apart from all others by orders of magnitude")
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
    for count in range(1, min(len(ordered), int(few) + 1)):
        least, following = far[ordered[count - 1]], far[ordered[count]]
        ratio = least / following if following > 0 else math.inf
        if least >= view.limit(FAR) and ratio >= view.limit(GAP) and (
            ratio**-count <= view.limit(CHANCE)
        ):
            return tuple(ordered[:count])
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
    # After a run has diverged no loss tells any more who began it.
    extreme = high >= view.limit(EXTREME) and failed(view.outcome)
    harmful = steers or extreme
    signal = TARGET_DISTANCE if found.what == "target" else INPUT_DISTANCE
    spread = number(low) if low == high else f"{number(low)} to {number(high)}"
    train = kept(view, "train")
    which = "samples" if train is not None and train.indexed else "samples, in the order seen,"
    step = int(view[signal][found.names[0]].steps[-1])
    return Present(
        strength=(0.9 if carried >= 0.5 else 0.75) if harmful else 0.4,
        title=f"{len(found.names)} of {samples} training samples have {found.what}s {spread} "
        f"deviations off, and carry {percent(carried)} of the gradient",
        since_step=0,
        location=training_location(view),
        label=f"{which} {joined(found.names)} lie {spread} deviations off"[:110],
        evidence=(
            Evidence(signal.name, joined(found.names), (step,) * len(found.names),
                     tuple(map(float, found.distances)), view.limit(FAR),
                     f"{which} {joined(found.names, 8)} lie {spread} robust deviations from the "
                     "median, and hardly any between them and the others"),
            Evidence(GRADIENT_SHARE.name, "", (step,), (carried,), view.limit(CARRIED),
                     f"they are {percent(len(found.names) / samples)} of the samples and carry "
                     f"{percent(found.loss)} of the loss and {percent(found.gradient)} of the "
                     "gradient"),
        ),
        remedies=(
            Remedy("clip or drop them", Safety.CHANGES_EXPERIMENT,
                   advice="look at these samples: correct or drop what is a mistake, and scale "
                   "the features by what is left",
                   code_text="low, high = x_train.quantile(0.001, 0), x_train.quantile(0.999, 0)\n"
                   "x_train = x_train.clamp(low, high)" if found.what == "input" else
                   "low, high = y_train.quantile(0.01), y_train.quantile(0.99)\n"
                   "y_train = y_train.clamp(low, high)"),
            *([Remedy("use a robust loss", Safety.CHANGES_EXPERIMENT,
                      advice="let the loss grow linearly with large errors",
                      code_text="nn.HuberLoss()")] if found.what == "target" else []),
        ),
    )


CAUSE = Cause(
    slug="outliers",
    code="D002",
    title="Outliers",
    family="Data",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="The loss jumps when certain batches come, gradients have spikes, and the fit is "
        "poor for nearly all samples.",
        consequence="The network bends to the few and neglects the rest. Statistics by which data "
        "are normalised are theirs, and every rate is too high for their gradients or too low for "
        "all others.",
        why="A squared error grows with the square of the distance, and a gradient with the size "
        "of the input. A sample that is a thousand deviations off outvotes all others together.",
        detection="Each feature, and the target of a regression, is measured in robust "
        "deviations, from median and median absolute deviation, which outliers cannot move. Few "
        "samples must lie beyond a gap: heavy tails have none. Their share of the summed sizes "
        "of the gradients tells whether they matter. Where they carry little, or the run learns "
        "well and they carry little at its end, it is a note.",
        limitations="Rare events that are right look the same. Only the first 2000 different "
        "samples are looked at. Outliers in the labels of a classifier are wrong labels, another "
        "cause. Outliers that are clipped before the model are not seen, and do no harm.",
        references=(
            "Iglewicz and Hoaglin 1993: How to detect and handle outliers",
            "Huber 1964: Robust estimation of a location parameter",
        ),
    ),
    needs=(),
    uses=(INPUT_DISTANCE, TARGET_DISTANCE, LOSS_SHARE, GRADIENT_SHARE),
    thresholds=(FAR, TAIL, GAP, CHANCE, FEW, CARRIED, EXTREME),
    explains=(
        "inputs-not-normalised", "targets-not-normalised", "exploding-gradients",
        "learning-rate-too-high", "learning-rate-too-low", "non-finite-loss", "dead-relu",
        "saturated-activations", "clipping-throttles", "noise-floor",
    ),
    detect=_detect,
)
