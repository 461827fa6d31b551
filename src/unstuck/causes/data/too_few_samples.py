"""Too few samples: the training set is memorised, held-out loss stalls, more data would help."""

from __future__ import annotations

import math

import numpy as np

from unstuck.curves.loss_curve import NEAR_ZERO
from unstuck.curves.statistics import end_median
from unstuck.measures.basics import (
    GOOD_SKILL,
    UNSURE,
    constant_loss,
    final,
    last,
    no_held_out_loss,
    thinned,
    train_loss_at_the_end,
    unwatched,
)
from unstuck.measures.evaluation import late_value
from unstuck.measures.gap import Gap, elements, gap, restraining, tells_new_ones
from unstuck.measures.samples import kept, training_location
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import MoreSamples, Remedy, Safety
from unstuck.schema.facts.data import Kept
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.losses import CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, TRAIN_LOSS
from unstuck.schema.signals.samples import (
    HELD_OUT_CLASS_RECALL,
    LABELS_BY_CHANCE,
    LABELS_FOUND,
    LEARNING_CURVE,
    LEARNING_GAIN_ERROR,
)
from unstuck.words import count, joined, number, percent, times

BESIDE = 2 / 3  # of the network's best skill: a baseline model that tells of these data has it
LEFT = 0.2  # of a constant's loss on new samples, where next to nothing is left on known ones
FACTORS = (16, 4, 64)  # by which the number of samples is raised
SHARES = (0.25, 0.5)  # of the units that dropout drops
DECAYS = (1e-2, 1e-3)  # of the weights
GAIN = Threshold(
    "gain-of-more-data", 0.04,
    "Trained on all of the samples instead of half of them, a baseline model removes this much "
    "more of the held-out error. Another doubling can be expected to bring more than half of that.",
    "learning curves follow a power law in the number of samples (Hestness et al. 2017)",
)
SURE = Threshold(
    "gain-over-error", 3.0,
    "The gain must be at least three times its standard error.",
    "chance alone gives this once in seven hundred runs",
)
ROOM = Threshold(
    "held-out-rise", 1.2,
    "The held-out loss has turned and ends at least a fifth above its best, while the training "
    "loss keeps falling.",
    "Prechelt 1998, Early stopping, but when: generalisation losses of 5 to 20 %",
)
CAPACITY = Threshold(
    "weights-to-memorise", 1.0,
    "A network with at least as many weights as samples can memorise every sample.",
    "Zhang et al. 2017: Understanding deep learning requires rethinking generalization",
)
LEARNS = Threshold(
    "baseline-skill", 0.1,
    "A baseline model that removes less than a tenth of the held-out error knows nothing of these "
    "data, such as raw waveforms, and its learning curve says nothing about them.",
    "a choice: a skill that chance does not give",
)
APART = Threshold(
    "held-out-over-training", 5.0,
    "Where no baseline model tells, the held-out loss must be this many times the training loss "
    "in a run with a handful of samples.",
    "a choice: nearly all that is left of the loss is then on samples that are not known",
)
FOUND = Threshold(
    "held-out-found", 0.95,
    "Where the network finds nearly all held-out samples, averaged over the classes, what it "
    "memorised costs hardly any answers: only how sure it is of a few wrong ones has grown.",
    "a choice: one answer in twenty",
)
HANDFUL = Threshold(
    "handful-of-samples", 300.0,
    "With fewer samples than this, hardly any regularisation is strong enough. With more, "
    "regularisation should be tried first, because it can be tried at once.",
    "a judgement",
)

BEHIND = 1.5  # times the training loss: the held-out loss of a handful of samples is not near it


def _detect(view: View) -> Verdict:
    outcome = view.outcome
    if not view.has(HELD_OUT_LOSS):
        return no_held_out_loss(view)
    train = kept(view, "train")
    few = train is not None and train.samples < view.limit(HANDFUL)
    # Dropout may keep a network from knowing its few samples well.
    weak = outcome.skill is not None and outcome.skill < GOOD_SKILL
    if outcome.kind is not OutcomeKind.OVERFITTING or outcome.confidence < UNSURE or (
        weak and not few
    ):
        if (far := _by_far(view)) is not None:
            return far
        held, known = view[HELD_OUT_LOSS].finite.values, train_loss_at_the_end(view)
        behind = end_median(held) / known if len(held) and known > 0 else 0.0
        if few and train is not None and behind >= BEHIND:
            return Unknown(f"the held-out loss is {times(behind)} the training loss with only "
                           f"{count(train.samples, 'sample')}, but it has not risen from its best",
                           ("a comparison with a run on more samples, or on half of them",))
        return Absent(
            "the network does not memorise the training data while the held-out loss rises")
    held = view[HELD_OUT_LOSS].finite.values
    best = float(held.min()) if len(held) else math.nan
    rose = best > 0 and end_median(held) >= view.limit(ROOM) * best
    if not rose and not (best > 0 and few):
        return Absent("the held-out loss has hardly risen from its best")
    recall = last(view[HELD_OUT_CLASS_RECALL]) if view.has(HELD_OUT_CLASS_RECALL) else {}
    found = float(np.mean([*recall.values()])) if len(recall) > 1 else 0.0
    if found >= view.limit(FOUND):
        return Absent(f"the network finds {percent(found)} of the held-out samples of a class, on "
                      "average over the classes, so more samples could not help much")
    weights = elements(view)
    if not weights:
        return Unknown(unwatched(view.record) or "no model was seen in training",
                       ("a run that trains a model",))
    if train is None or not weights >= view.limit(CAPACITY) * train.samples:
        return Absent("the network has fewer weights than training samples")
    curve = last(view[LEARNING_CURVE]) if view.has(LEARNING_CURVE) else {}
    error = final(view, LEARNING_GAIN_ERROR)
    if "50 %" not in curve or "100 %" not in curve or error is None:
        return Unknown("it could not be tested on the kept samples whether more data would help",
                       ("a comparison with a run on half of the training samples",))
    constant = constant_loss(view)
    # What is far behind the network at its best does not see what the network learns from.
    beside = BESIDE * (1 - best / constant) if constant else 0.0
    if not curve["100 %"] >= max(view.limit(LEARNS), beside):
        if few and end_median(held) >= view.limit(APART) * train_loss_at_the_end(view) and (
            # Else the held-out data are of another kind.
            (constant is not None and best < constant) or tells_new_ones(view)
        ):
            return _present(view, train, weights, {}, best, rose)
        return Unknown("a baseline model learns far less of these data than the network, or "
                       "nothing, so it does not show whether more samples would help",
                       ("a comparison with a run on half of the training samples",))
    gain = curve["100 %"] - curve["50 %"]
    skills = f"(skill {percent(curve['50 %'])} and {percent(curve['100 %'])})"
    if not gain >= view.limit(GAIN):
        return Absent("more samples would probably not help: trained on half of them, a baseline "
                      f"model does about as well as on all {skills}")
    if not gain >= view.limit(SURE) * error:
        return Unknown("a baseline model does better with all of these samples than with half of "
                       f"them {skills}, but that may be chance",
                       ("a comparison with a run on half of the training samples",))
    return _present(view, train, weights, curve, best, rose, strength=0.45 if weak else 0.55)


def _by_far(view: View) -> Present | None:
    """A handful of samples that are known by heart at once, and tell little of new ones."""
    train, constant, held = kept(view, "train"), constant_loss(view), view[HELD_OUT_LOSS].finite
    curve = last(view[LEARNING_CURVE]) if view.has(LEARNING_CURVE) else {}
    error, seen = final(view, LEARNING_GAIN_ERROR), late_value(view, SEEN_LOSS)
    if train is None or constant is None or error is None or not len(held) or not (
        "50 %" in curve and "100 %" in curve
    ):
        return None
    gain, end = curve["100 %"] - curve["50 %"], end_median(held.values)
    known = train_loss_at_the_end(view) if seen is None else seen
    weights = elements(view)
    few = train.samples < view.limit(HANDFUL) and weights >= view.limit(CAPACITY) * train.samples
    if not few or not known <= NEAR_ZERO * constant or not LEFT * constant <= end < constant or (
        curve["100 %"] < view.limit(LEARNS)
        or not gain >= max(2 * view.limit(GAIN), view.limit(SURE) * error)
    ):
        return None
    return _present(view, train, weights, curve, float(held.values.min()), rose=False, strength=0.7)


def _present(
    view: View, train: Kept, weights: int, curve: dict[str, float], best: float, rose: bool,
    strength: float = 0.55,
) -> Present:
    samples = train.samples
    held = view[HELD_OUT_LOSS].finite
    steps, values = thinned(held.steps, held.values)
    end = end_median(held.values)
    shares = tuple(curve)
    turned = gap(view)
    least = turned.best_step if isinstance(turned, Gap) else (
        int(held.steps[int(np.argmin(held.values))]))
    return Present(
        # Of more of them, something that holds the network back is tried first.
        strength=strength if not rose else 0.85 if samples < view.limit(HANDFUL) else 0.6,
        title=f"{count(samples, 'training sample')} are too few for {count(weights, 'weight')}: "
        "the network memorises them, and the held-out loss "
        + (f"rose from {number(best)} to {number(end)}" if rose else f"stays at {number(end)}"),
        since_step=least,
        location=train.location or training_location(view),
        label=f"{count(samples, 'sample')} for {count(weights, 'weight')}",
        evidence=(
            Evidence(HELD_OUT_LOSS.name, "", steps, values, best,
                     "the held-out loss rises again while the training loss does not (it ends "
                     f"{percent(end / best - 1)} above its best)" if rose else
                     "the held-out loss does not follow the training loss"),
            *(() if not curve else (Evidence(
                LEARNING_CURVE.name, " ".join(shares),
                (int(next(iter(view[LEARNING_CURVE].values())).steps[-1]),) * len(shares),
                tuple(curve.values()), None,
                "more data would help: a baseline model trained on "
                f"{joined(shares)} of these samples gets "
                f"{joined(percent(curve[s]) for s in shares)} of the way from a constant "
                "guess to zero error"),)),
        ),
        remedies=_remedies(view, train),
    )


def _remedies(view: View, train: Kept) -> tuple[Remedy, ...]:
    more = Remedy("get more samples", Safety.ADVICE,
                  advice="Collect more samples, or make some with augmentation or input noise "
                  "that leaves the target unchanged.")
    if train.location is not None:
        more = Remedy("take more samples", Safety.CHANGES_EXPERIMENT, tuple(
            MoreSamples(train.location, train.samples * factor) for factor in FACTORS),
            advice="If there are no more, make some with augmentation.")
    return more, *restraining(view, SHARES, DECAYS)


CAUSE = Cause(
    slug="too-few-samples",
    code="D006",
    title="Too few samples",
    family="Data",
    harm=Harm.DISTRUST,
    symptoms=(Symptom.OVERFITS,),
    often=Often.COMMON,
    words=Words(
        symptom="The training loss keeps falling to nearly zero. The held-out loss turns, rises, "
        "and never comes near it.",
        consequence="In the end the network knows the training set and little else. Its "
        "predictions for new samples are worse than they were in the middle of the training.",
        why="A network with more weights than samples can memorise every sample, including its "
        "noise. Only more samples or stronger regularisation force it to learn what the samples "
        "have in common.",
        detection="The training loss must be near its floor, the held-out loss must end well above "
        "its best (or just far above it, with fewer than three hundred samples), and there must be "
        "at least as many weights as samples. When the program has ended, a baseline model is "
        "trained on a quarter, a half and all of the samples. The number of samples is blamed only "
        "if the baseline model still gains from more of them. Fewer than three hundred samples are "
        "reported also where the held-out loss never turned, if next to nothing is left of the "
        "training loss, a fifth of a constant's of the held-out loss, and the baseline model gains "
        "a lot.",
        limitations="Only a trial can show what more data would do for the network itself. If the "
        "baseline model gains nothing, as on raw images, there is no finding. Inputs of tokens and "
        "runs without a held-out loss are not judged.",
        references=(
            "Zhang et al. 2017: Understanding deep learning requires rethinking generalization",
            "Hestness et al. 2017: Deep learning scaling is predictable, empirically",
            "Prechelt 1998: Early stopping, but when?",
        ),
    ),
    needs=(),
    uses=(
        HELD_OUT_LOSS, LEARNING_CURVE, LEARNING_GAIN_ERROR, TRAIN_LOSS, SEEN_LOSS, CONSTANT_LOSS,
        HELD_OUT_CLASS_RECALL, LABELS_FOUND, LABELS_BY_CHANCE,
    ),
    thresholds=(FOUND, GAIN, SURE, ROOM, CAPACITY, HANDFUL, LEARNS, APART),
    shows=Effect.SAMPLES_FEW,
    effects=(Effect.MEMORISES,),
    alike=("no-regularisation",),
    needs_trend=True,
    detect=_detect,
)
