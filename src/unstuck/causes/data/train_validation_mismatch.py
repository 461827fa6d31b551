"""Train-validation mismatch: held-out inputs are prepared differently from training inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.curves.statistics import end_median
from unstuck.measures.basics import final, last, train_loss_at_the_end
from unstuck.measures.gap import helps_little
from unstuck.measures.origins import (
    COMPUTED,
    GIVEN,
    Steps,
    data_sets,
    held_out_steps,
    input_steps,
    nearest,
    taken_by_index,
)
from unstuck.measures.samples import held_out, unjudged
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import PrepareAlike, Remedy, Safety, ShuffleFirst
from unstuck.schema.facts.calls import CallRole, ModelCall, StepKind
from unstuck.schema.facts.data import Kept
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.drawing import ROWS_LEFT_OUT
from unstuck.schema.signals.losses import CONSTANT_LOSS, HELD_OUT_LOSS, TRAIN_LOSS
from unstuck.schema.signals.samples import (
    FEATURE_DISTANCE,
    FEATURE_SCALE,
    FEATURE_SHIFT,
    OWN_SCALE,
    TOKEN_DISTANCE,
    UNKNOWN_CLASSES,
)
from unstuck.words import count, joined, number, percent, times

NEW = Threshold(
    "new-classes", 0.2,
    "A fifth of the held-out samples is of classes that training never sees, and this is not an "
    "accident of a small sample. No network can be right about them.",
    "a random split of one set gives 0",
)
DISTANCE = Threshold(
    "feature-distance", 0.3,
    "For at least half of the features, the two distributions are this much further apart than "
    "chance allows. A random split of one set gives 0; augmentation and slow drift stay below 0.3.",
    "Kolmogorov-Smirnov statistic, 0 for the same distribution and 1 for no overlap",
)
SHIFT = Threshold(
    "feature-shift", 1.0,
    "The mean is one whole standard deviation away, so a typical held-out sample would be unusual "
    "in the training set.",
    "Cohen 1988: a shift of 0.8 standard deviations is a large effect",
)
SCALE = Threshold(
    "feature-scale", 2.0,
    "The features spread at least twice as wide, or at most half as wide, as those that the model "
    "was trained on.",
    "a missing normalisation has this effect; mixup and noise stay below it",
)
WIDTH = Threshold(
    "feature-width", 1.5,
    "Nearly every feature is this much wider, or this much narrower. That is too little to "
    "separate the distributions, but too much for chance, mixup (1.22) or the usual noise.",
    "the standard deviation of 50 samples is uncertain by a tenth; mixup of two samples leaves "
    "sqrt(2 / 3) of it",
)
ALIKE = Threshold(
    "features-alike", 0.8,
    "At least this share of the features is wider, or at least this share is narrower. One "
    "mistake in the preprocessing changes all of them; another domain changes only some.",
    "by chance, every second feature is wider",
)
TOKENS = Threshold(
    "token-distance", 0.3,
    "A third of all tokens would have to be exchanged for others before the two sets use them "
    "alike. Other topics and later texts differ by less.",
    "total variation distance, 0 for the same frequencies and 1 for no token in common",
)
STRANGE = Threshold(
    "token-distance-of-strangers", 0.05,
    "Where nothing that the network learns ever helps it on the held-out samples, this much is "
    "enough: words that are numbered in another order are often about as frequent.",
    "five times what random splits of the same samples differ beyond the largest of nineteen",
)
OWN = Threshold(
    "own-scale-share", 0.5,
    "Half of the held-out features have a mean of 0 and a standard deviation of 1 so exactly that "
    "they were scaled by their own statistics. The others may be marks, which nobody scales.",
    "by chance, not one feature in 10,000 would be as exact",
)
GAP = Threshold(
    "held-out-over-train", 1.5,
    "If the held-out loss stays within this factor of the training loss, the difference does no "
    "harm.",
    "a choice: the gap of a healthy run is smaller",
)
FEWEST = 50  # held-out samples whose standard deviation is known well enough


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
        return unjudged(where)
    strange = _strange_classes(view, where)
    if strange is not None:
        return strange
    if where.discrete:
        return _tokens(view, where)
    found = _difference(view)
    if found is None:
        return Unknown(
            "there are too few held-out samples to compare, or no loss was computed on them",
            ("a validation loss on at least 20 samples",))
    apart = found.far >= view.limit(DISTANCE) and (
        found.wide >= view.limit(SCALE) or found.shift >= view.limit(SHIFT))
    stretched = found.wide >= view.limit(WIDTH) and found.features > 1 and (
        found.together >= view.limit(ALIKE)) and where.samples >= FEWEST
    if not (apart or stretched):
        if view.has(OWN_SCALE) and view[OWN_SCALE].values[-1] >= view.limit(OWN):
            return _scaled_apart(view, where)
        return Absent(
            "the held-out inputs are close enough to the training inputs (median shift: "
            f"{number(found.shift)} standard deviations; median scale: {times(found.scale)})")
    return _present(view, found, where)


def _strange_classes(view: View, where: Kept) -> Present | Unknown | None:
    """Held-out samples of classes that training lacks: the data were sorted when they were split.
    """
    shares = last(view[UNKNOWN_CLASSES]) if view.has(UNKNOWN_CLASSES) else {}
    total = sum(shares.values())
    # Rows that are there and never come are no matter of the split.
    if not total >= view.limit(NEW) or (final(view, ROWS_LEFT_OUT) or 0.0) >= view.limit(NEW):
        return None
    if not view.has(ROWS_LEFT_OUT) and taken_by_index(view) is not None:
        return Unknown("held-out samples are of classes that training has not met, but whether it "
                       "meets all of its rows was not looked at",
                       ("a run of at least three epochs",))
    step = int(next(iter(view[UNKNOWN_CLASSES].values())).steps[-1])
    new = sorted((label for label, share in shares.items() if share), key=int)
    names = joined([f"class {label}" for label in new[:3]]) + (" and more" if new[3:] else "")
    return Present(
        strength=0.9 if total >= 2 * view.limit(NEW) else 0.7, since_step=0,
        location=_location(view, where),
        title=f"{percent(total)} of the held-out samples are of classes that no training sample "
        f"has ({names})",
        label="these samples hold classes that training never sees",
        evidence=tuple(Evidence(
            UNKNOWN_CLASSES.name, label, (step,), (shares[label],), view.limit(NEW),
            f"class {label} makes up {percent(shares[label])} of the held-out samples, and no "
            "training sample is of it") for label in new[:3]),
        remedies=(Remedy(
            "shuffle the samples before they are split", Safety.SAFE, (ShuffleFirst(),),
            advice="The data are sorted by class. Split them at random, best with each class in "
            "both parts: train_test_split(x, y, stratify=y)."),),
    )


def _tokens(view: View, where: Kept) -> Verdict:
    """Tokens and identifiers have no scale, but each has its frequency."""
    if not view.has(TOKEN_DISTANCE):
        return Unknown("there are too few held-out samples to compare, or their lengths differ",
                       ("a validation loss on at least 20 samples of the same length",))
    series = view[TOKEN_DISTANCE].finite
    if not len(series):
        return Unknown("the distance of the tokens is not a number", (TOKEN_DISTANCE.name,))
    apart = float(series.values[-1])
    if apart < view.limit(STRANGE if helps_little(view, 1.0) else TOKENS):
        return Absent("tokens are about as frequent in the held-out inputs as in the training "
                      f"inputs (distance: {number(apart)})")
    gap = _gap(view)
    step = int(series.steps[-1])
    return Present(
        strength=0.8 if gap is not None and gap >= view.limit(GAP) else 0.4,
        title="the held-out tokens do not match the training tokens: their frequencies differ by "
        f"{number(apart)} (expected: 0; no token in common: 1)",
        since_step=0, location=_location(view, where),
        label="these held-out tokens do not match the training tokens",
        evidence=(
            Evidence(TOKEN_DISTANCE.name, "", (step,), (apart,), view.limit(TOKENS),
                     f"{percent(apart)} of the tokens would have to be others before both sets use "
                     "them alike (beyond what random splits of the same samples differ)"),
            *_gap_evidence(view, gap, step)),
        remedies=(
            Remedy("use one vocabulary", Safety.ADVICE,
                   advice="build the vocabulary from the training set only, and use that one for "
                   "the held-out set too"),
            Remedy("split the data again", Safety.ADVICE,
                   advice="If both sets use the same vocabulary, draw the held-out samples at "
                   "random from the same data. If they come from another source on purpose, "
                   "ignore this finding."),
        ),
    )


def _scaled_apart(view: View, where: Kept) -> Present:
    """Held-out inputs that were scaled by their own mean and deviation: what they differ in is
    gone."""
    share, step = float(view[OWN_SCALE].values[-1]), int(view[OWN_SCALE].steps[-1])
    return Present(
        strength=0.7 if helps_little(view, 0.5) else 0.4,
        title="the held-out inputs were scaled by their own mean and standard deviation, not by "
        "those of the training inputs",
        since_step=0,
        location=_location(view, where),
        label="these held-out inputs have a scale of their own",
        evidence=(
            Evidence(OWN_SCALE.name, "", (step,), (share,), view.limit(OWN),
                     f"{percent(share)} of the features have a mean of 0 and a standard deviation "
                     "of 1 over the held-out samples, exactly: whatever they differ in from the "
                     "training samples was taken out"),
            *_gap_evidence(view, _gap(view), step)),
        remedies=(_preprocess(view),),
    )


def _gap_evidence(view: View, gap: float | None, step: int) -> list[Evidence]:
    return [] if gap is None else [
        Evidence(HELD_OUT_LOSS.name, "", (step,), (gap,), view.limit(GAP),
                 f"the held-out loss ends at {times(gap)} the training loss (healthy: under "
                 f"{times(view.limit(GAP))})")]


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
    if not len(held):
        return None
    low = train_loss_at_the_end(view)
    return end_median(held.values) / low if low > 0 else None


def _location(view: View, where: Kept) -> SourceLocation | None:
    """Where the held-out inputs are made apart from those of training, else where the model
    receives them."""
    steps, shared = held_out_steps(view), {step.location for step in input_steps(view)}
    own = tuple(step for step in steps if step.location not in shared)
    made = nearest(own, *COMPUTED) or nearest(own, StepKind.WRAPPED, *GIVEN)
    # Where both come from the same data, these lack what the others go through.
    made = made or nearest(own, StepKind.CALLED)
    built = data_sets(view) if made is None else None
    return built[1] if built is not None else made or where.location


def _alike(view: View) -> PrepareAlike:
    """What is done to training inputs, and to held-out ones, and not to the others."""
    trained, held_out = input_steps(view), held_out_steps(view)
    call = next((each for each in view.record.facts(ModelCall)
                 if each.role is CallRole.HELD_OUT and each.steps == held_out), None)
    shared = {each.location for each in trained} & {each.location for each in held_out}

    def alone(steps: Steps, kinds: frozenset[StepKind]) -> tuple[SourceLocation, ...]:
        return tuple(each.location for each in steps
                     if each.kind in kinds and each.location not in shared)

    wrapped = frozenset({StepKind.WRAPPED})
    built = [each for steps in (trained, held_out) for each in alone(steps, wrapped)[:1]]
    return PrepareAlike(
        alone(trained, COMPUTED), alone(held_out, GIVEN | wrapped),
        call.variable.name if call is not None and call.variable is not None else None,
        (built[0], built[1]) if len(built) > 1 else data_sets(view))


def _preprocess(view: View) -> Remedy:
    return Remedy(
        "preprocess both sets alike", Safety.SAFE, (_alike(view),),
        advice="apply the same preprocessing to both sets, with the mean and standard deviation of "
        "the training set",
        code_text="mean, std = x_train.mean(0), x_train.std(0)\n"
        "x_train, x_val = (x_train - mean) / std, (x_val - mean) / std")


def _present(view: View, found: _Difference, where: Kept) -> Present:
    gap = _gap(view)
    harmless = gap is not None and not gap >= view.limit(GAP)
    step = int(next(iter(view[FEATURE_DISTANCE].values())).steps[-1])
    return Present(
        strength=0.4 if harmless or (gap is None and not found.far >= view.limit(DISTANCE)) else
        0.9 if found.far >= 0.6 else 0.75,
        title="the held-out inputs do not match the training inputs: the median feature is shifted "
        f"by {number(found.shift)} standard deviations and spreads {times(found.scale)} as wide "
        "(expected: 0 and 1)",
        since_step=0,
        location=_location(view, where), of_value=True,
        label="these held-out inputs do not match the training inputs",
        evidence=(
            Evidence(FEATURE_DISTANCE.name, "median", (step,), (found.far,),
                     view.limit(DISTANCE),
                     "features are distributed differently in training and held-out samples "
                     "(Kolmogorov-Smirnov distance beyond chance, median of "
                     f"{count(found.features, 'feature')}: {number(found.far)}; 0: alike, 1: no "
                     "overlap)"),
            Evidence(FEATURE_SCALE.name, "median", (step,), (found.scale,), view.limit(WIDTH),
                     f"{percent(found.together)} of the features spread "
                     f"{'wider' if found.scale > 1 else 'less'} in held-out samples than in "
                     "training (by chance: 50 %)"),
            *_gap_evidence(view, gap, step),
        ),
        remedies=(
            _preprocess(view),
            Remedy("split the data again", Safety.ADVICE,
                   advice="If both sets are already preprocessed alike, draw the held-out samples "
                   "at random from the same data. If they come from another domain on purpose, "
                   "ignore this finding."),
        ),
    )


CAUSE = Cause(
    slug="train-validation-mismatch",
    code="D008",
    title="Train-validation mismatch",
    family="Data",
    harm=Harm.DISTRUST,
    symptoms=(Symptom.OVERFITS,),
    often=Often.COMMON,
    words=Words(
        symptom="The training loss looks fine, but the validation score is bad from the first "
        "epoch on and jumps about. Or it is better than it could be.",
        consequence="The validation score says nothing about the model. Early stopping, model "
        "selection and tuning all follow scores on inputs that the model was not trained for.",
        why="A network is accurate only where its training data lie. Inputs that were scaled with "
        "another mean and standard deviation, or not scaled at all, lie elsewhere. So do samples "
        "from another source.",
        detection="A two-sample test compares training and held-out inputs feature by feature, as "
        "the model receives them. Half of the features must differ by far more than chance, and "
        "their mean or spread must be off by as much as a missing preprocessing step makes it. "
        "Tokens are compared by their frequencies. Held-out samples of classes that training "
        "lacks are counted. Held-out inputs that have a mean of 0 and a standard deviation of 1, "
        "exactly, were scaled by their own statistics; this is more than a note only if the "
        "network learns what helps it little on them. "
        "Alternatively, nearly all features must be wider, or nearly all narrower. If the held-out "
        "loss is about as low as the training loss, the finding is only a note.",
        limitations="Preprocessing inside the model, such as a normalisation as its first layer, "
        "is not seen. A time series that drifts really is different later: the finding is then "
        "true without being a mistake. Labels that are prepared differently are not compared.",
        references=(
            "Rabanser, Günnemann, Lipton 2019: Failing loudly, detecting dataset shift",
            "Lopez-Paz and Oquab 2017: Revisiting classifier two-sample tests",
        ),
    ),
    needs=(),
    uses=(FEATURE_DISTANCE, FEATURE_SHIFT, FEATURE_SCALE, OWN_SCALE, TOKEN_DISTANCE,
          UNKNOWN_CLASSES, ROWS_LEFT_OUT, CONSTANT_LOSS, HELD_OUT_LOSS, TRAIN_LOSS),
    thresholds=(NEW, DISTANCE, SHIFT, SCALE, WIDTH, ALIKE, TOKENS, STRANGE, OWN, GAP),
    effects=(Effect.SAMPLES_FEW,),
    detect=_detect,
)
