"""Train-validation mismatch: held-out samples reach the model in another form than training ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import last, level
from unstuck.causes._samples import held_out
from unstuck.edits import Remedy, Safety
from unstuck.facts import Kept
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.sample_signals import FEATURE_DISTANCE, FEATURE_SCALE, FEATURE_SHIFT
from unstuck.signals import HELD_OUT_LOSS, TRAIN_LOSS
from unstuck.words import number, percent

DISTANCE = Threshold(
    "feature-distance", 0.3,
    "At half of the features the two distribution functions lie further apart than chance by "
    "this much: a split of one set stays at 0, augmentation and a slow drift below 0.3.",
    "Kolmogorov-Smirnov statistic, 0 for the same distribution and 1 for no overlap",
)
SHIFT = Threshold(
    "feature-shift", 1.0,
    "The mean lies a whole deviation away: such a sample is a stranger to the training set.",
    "Cohen 1988: 0.8 deviations are a large effect",
)
SCALE = Threshold(
    "feature-scale", 2.0,
    "The features are twice as wide, or half as wide, as those that the model knows.",
    "what a missing normalisation makes; mixing and noise stay below it",
)
WIDTH = Threshold(
    "feature-width", 1.5,
    "So much wider, or narrower, at nearly every feature: too little to tear the distributions "
    "apart, too much for chance, mixing (1.22) or usual noise.",
    "the deviation of 50 samples is off by a tenth; mixing two samples leaves sqrt(2 / 3)",
)
ALIKE = Threshold(
    "features-alike", 0.8,
    "Share of the features that are wider, or narrower, together: one mistake has changed them "
    "all, where another domain changes some.",
    "of two features by chance one in two",
)
GAP = Threshold(
    "held-out-over-train", 1.5,
    "Where the held-out loss keeps up with the training loss, the difference does no harm.",
    "a choice: the gap of a healthy run is smaller",
)
FEWEST = 50  # held-out samples whose deviation is known well enough


@dataclass(frozen=True, slots=True)
class _Difference:
    """Medians over the features."""

    far: float
    shift: float
    scale: float
    features: int
    together: float  # share of the features that are wider, or narrower, by the root of the median

    @property
    def wide(self) -> float:
        """How many times wider or narrower."""
        return max(self.scale, 1 / self.scale if self.scale > 0 else math.inf)


def _detect(view: View) -> Verdict:
    where = held_out(view)
    if not isinstance(where, Kept):
        return where
    if not where.samples:
        return Absent("no loss is computed of samples that are not trained on")
    if where.discrete:
        return Absent("the inputs are tokens or identifiers, which have no scale")
    found = _difference(view)
    if found is None:
        return Unknown("there are too few held-out samples to compare, or they were not scored",
                       ("a validation of twenty samples or more",))
    apart = found.far >= view.limit(DISTANCE) and (
        found.wide >= view.limit(SCALE) or found.shift >= view.limit(SHIFT))
    stretched = found.wide >= view.limit(WIDTH) and found.features > 1 and (
        found.together >= view.limit(ALIKE)) and where.samples >= FEWEST
    if not (apart or stretched):
        return Absent(
            f"held-out features lie {number(found.shift)} deviations from those in training and "
            f"are {number(found.scale)} times as wide (medians)")
    return _present(view, found, where)


def _difference(view: View) -> _Difference | None:
    if not (view.has(FEATURE_DISTANCE) and view.has(FEATURE_SHIFT) and view.has(FEATURE_SCALE)):
        return None
    far, shift, scale = (
        last(view[s]) for s in (FEATURE_DISTANCE, FEATURE_SHIFT, FEATURE_SCALE))
    places = [p for p in far if p in shift and p in scale]
    if not places:
        return None
    widths = np.array([scale[p] for p in places])
    middle = float(np.median(widths))
    part = math.sqrt(middle)
    together = np.mean(widths >= part if middle > 1 else widths <= part)
    return _Difference(
        float(np.median([far[p] for p in places])),
        float(np.median([abs(shift[p]) for p in places])),
        middle, len(places), float(together))


def _gap(view: View) -> float | None:
    """The last held-out losses over the training loss at that time."""
    if not view.has(HELD_OUT_LOSS):
        return None
    held = view[HELD_OUT_LOSS].finite
    train = view[TRAIN_LOSS].finite.values
    if not len(held) or not len(train):
        return None
    low = level(view[TRAIN_LOSS].since(int(view[TRAIN_LOSS].steps[-max(1, len(train) // 10)])))
    return float(np.median(held.values[-3:])) / low if low > 0 else None


def _present(view: View, found: _Difference, where: Kept) -> Present:
    gap = _gap(view)
    harmless = gap is not None and not gap >= view.limit(GAP)
    step = int(next(iter(view[FEATURE_DISTANCE].values())).steps[-1])
    return Present(
        strength=0.4 if harmless or (gap is None and not found.far >= view.limit(DISTANCE)) else
        0.9 if found.far >= 0.6 else 0.75,
        title=f"held-out samples are not like training samples: their features lie "
        f"{number(found.shift)} deviations away and are {number(found.scale)} times as wide "
        "(medians; 0 and 1 are expected)",
        since_step=0,
        location=where.location,
        label=f"these inputs are shifted by {number(found.shift)} and scaled by "
        f"{number(found.scale)} against those in training",
        evidence=(
            Evidence(FEATURE_DISTANCE.name, "median", (step,), (found.far,),
                     view.limit(DISTANCE),
                     f"at half of {found.features} features the distribution functions of "
                     f"training and held-out samples differ by {number(found.far)} or more beyond "
                     "chance, on a scale from 0 to 1"),
            Evidence(FEATURE_SCALE.name, "median", (step,), (found.scale,), view.limit(WIDTH),
                     f"{percent(found.together)} of the features are "
                     f"{'wider' if found.scale > 1 else 'narrower'} alike"),
            *([] if gap is None else [
                Evidence(HELD_OUT_LOSS.name, "", (step,), (gap,), view.limit(GAP),
                         f"the held-out loss ends at {number(gap)} times the training loss "
                         f"({percent(gap)})")]),
        ),
        remedies=(
            Remedy("prepare both sets alike", Safety.ADVICE,
                   advice="apply the same steps to both sets, with statistics of the training set",
                   code_text="mean, std = x_train.mean(0), x_train.std(0)\n"
                   "x_train, x_val = (x_train - mean) / std, (x_val - mean) / std"),
            Remedy("split anew", Safety.ADVICE,
                   advice="if both are prepared alike, draw the held-out samples at random from "
                   "the same data, or say that another domain is meant"),
        ),
    )


CAUSE = Cause(
    slug="train-validation-mismatch",
    code="D008",
    title="Train-validation mismatch",
    family="Data",
    harm=Harm.DISTRUST,
    words=Words(
        symptom="The training loss is fine, the validation is bad from the first epoch on and "
        "jumps about, or is better than it can be.",
        consequence="The validation says nothing about the model. It is stopped, chosen and tuned "
        "by scores on inputs that it was never meant for.",
        why="A network answers well where its training data lie. Inputs that were scaled by "
        "another mean and deviation, or not at all, lie elsewhere, and so do samples from another "
        "source.",
        detection="Where the model receives them, training and held-out samples are compared "
        "feature by feature with a two-sample test. Half of the features must differ, by far more "
        "than chance, and in mean or width by as much as a missing preparation makes; or nearly "
        "all must be wider, or narrower, alike. Where the held-out loss keeps up with the training "
        "loss it is a note.",
        limitations="What happens inside the model, such as a normalisation as its first "
        "layer, is not seen here. Series that drift are different later, and a finding then is "
        "true without being a mistake. Labels that are prepared differently are not compared.",
        references=(
            "Rabanser, Günnemann, Lipton 2019: Failing loudly, detecting dataset shift",
            "Lopez-Paz and Oquab 2017: Revisiting classifier two-sample tests",
        ),
    ),
    needs=(),
    uses=(FEATURE_DISTANCE, FEATURE_SHIFT, FEATURE_SCALE, HELD_OUT_LOSS, TRAIN_LOSS),
    thresholds=(DISTANCE, SHIFT, SCALE, WIDTH, ALIKE, GAP),
    explains=("too-few-samples", "no-regularisation", "too-wide"),
    detect=_detect,
)
