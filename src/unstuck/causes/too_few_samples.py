"""Too few samples: the training set is memorised, held-out loss stalls, more data would help."""

from __future__ import annotations

import math

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._gap import Gap, elements, gap
from unstuck.causes._measures import GOOD_SKILL, UNSURE, final, last, no_held_out_loss, thinned
from unstuck.causes._samples import kept, training_location
from unstuck.edits import Remedy, Safety
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.sample_signals import LEARNING_CURVE, LEARNING_GAIN_ERROR
from unstuck.signals import CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, TRAIN_LOSS
from unstuck.words import number, percent

GAIN = Threshold(
    "gain-of-more-data", 0.04,
    "From half of the samples to all of them the cheap learner removes this much more of the "
    "held-out error; another doubling can be expected to bring more than half of that.",
    "learning curves fall as a power of the number of samples, Hestness et al. 2017",
)
SURE = Threshold(
    "gain-over-error", 3.0,
    "The gain must be three of its standard errors.",
    "one in seven hundred by chance",
)
ROOM = Threshold(
    "held-out-rise", 1.2,
    "The held-out loss has turned and ends a fifth above its best, while the training loss falls "
    "on.",
    "Prechelt 1998, Early stopping, but when: generalisation losses of 5 to 20 %",
)
CAPACITY = Threshold(
    "weights-to-memorise", 1.0,
    "With at least as many weights as samples a network can learn each by heart.",
    "Zhang et al. 2017: Understanding deep learning requires rethinking generalization",
)
HANDFUL = Threshold(
    "handful-of-samples", 300.0,
    "Below some hundred samples hardly anything holds a network back enough; above, that is what "
    "can be tried at once.",
    "a choice",
)


def _detect(view: View) -> Verdict:
    outcome = view.outcome
    if not view.has(HELD_OUT_LOSS):
        return no_held_out_loss(view)
    if outcome.kind is not OutcomeKind.OVERFITTING or outcome.confidence < UNSURE or (
        outcome.skill is not None and outcome.skill < GOOD_SKILL
    ):
        return Absent("the training data are not learned by heart while the held-out loss rises")
    held = view[HELD_OUT_LOSS].finite.values
    best = float(held.min()) if len(held) else math.nan
    if not best > 0 or not float(np.median(held[-3:])) >= view.limit(ROOM) * best:
        return Absent("the held-out loss has hardly risen from its best")
    train = kept(view, "train")
    weights = elements(view)
    if not weights:
        return Unknown("no model was seen in training", ("a model that is trained",))
    if train is None or not weights >= view.limit(CAPACITY) * train.samples:
        return Absent("the network has fewer weights than there are samples")
    curve = last(view[LEARNING_CURVE]) if view.has(LEARNING_CURVE) else {}
    error = final(view, LEARNING_GAIN_ERROR)
    if "50 %" not in curve or "100 %" not in curve or error is None:
        return Unknown("whether more data would help could not be tried on the samples that were "
                       "kept", ("a trial with half of the training samples",))
    gain = curve["100 %"] - curve["50 %"]
    if not gain >= view.limit(GAIN) or not gain >= view.limit(SURE) * error:
        return Absent(
            f"a cheap learner does as well on half of the samples (skill {curve['50 %']:.2f}) as "
            f"on all ({curve['100 %']:.2f}): more of them would not help")
    return _present(view, train.samples, weights, curve, best)


def _present(
    view: View, samples: int, weights: int, curve: dict[str, float], best: float
) -> Present:
    held = view[HELD_OUT_LOSS].finite
    steps, values = thinned(held.steps, held.values)
    end = float(np.median(held.values[-3:]))
    step = int(next(iter(view[LEARNING_CURVE].values())).steps[-1])
    shares = tuple(curve)
    turned = gap(view)
    least = turned.best_step if isinstance(turned, Gap) else (
        int(held.steps[int(np.argmin(held.values))]))
    return Present(
        # Of more of them, something that holds the network back is tried first.
        strength=0.85 if samples < view.limit(HANDFUL) else 0.6,
        title=f"{samples} training samples are learned by heart by {weights} weights: the "
        f"held-out loss rose from {number(best)} to {number(end)}, and more data would help",
        since_step=least,
        location=training_location(view),
        label=f"{samples} samples for {weights} weights",
        evidence=(
            Evidence(HELD_OUT_LOSS.name, "", steps, values, best,
                     f"the held-out loss is {percent(end / best - 1)} above its best, which the "
                     "training loss does not share"),
            Evidence(LEARNING_CURVE.name, " ".join(shares), (step,) * len(shares),
                     tuple(curve.values()), None,
                     "trained on parts of these samples a cheap learner reaches a skill of "
                     + ", ".join(f"{curve[s]:.2f} on {s}" for s in shares)
                     + ": it still gains from each sample"),
        ),
        remedies=(
            Remedy("more samples", Safety.ADVICE,
                   advice="collect more samples, or make some: augmentation and input noise that "
                   "leave the target as it is"),
            Remedy("hold the network back", Safety.CHANGES_EXPERIMENT,
                   advice="dropout, weight decay, smaller last layers, smaller batches, and stop "
                   "where the held-out loss is least",
                   code_text="torch.optim.AdamW(model.parameters(), weight_decay=0.01); "
                   "nn.Dropout(0.25) before the last layer"),
        ),
    )


CAUSE = Cause(
    slug="too-few-samples",
    code="D006",
    title="Too few samples",
    family="Data",
    harm=Harm.DISTRUST,
    words=Words(
        symptom="The training loss goes on falling to nearly nothing while the held-out loss "
        "turns, rises, and never comes near it.",
        consequence="What the network knows in the end is the training set. Its answers to new "
        "samples are worse than they were in the middle of the training.",
        why="A network with more weights than there are samples can learn each of them by heart, "
        "with its noise. Only more samples, or something that holds the network back, leave it no "
        "choice but to find what they have in common.",
        detection="The training loss must be near its floor, the held-out loss well above its "
        "best, and the weights at least as many as the samples. When the program has ended a "
        "cheap learner is trained on a quarter, a half and all of the samples: only if it still "
        "gains by more of them is their number blamed.",
        limitations="What more data would do for the network itself only a trial tells. A "
        "cheap learner that gains nothing, as on raw images, gives no finding. Tokens are not "
        "judged, nor runs without a held-out loss.",
        references=(
            "Zhang et al. 2017: Understanding deep learning requires rethinking generalization",
            "Hestness et al. 2017: Deep learning scaling is predictable, empirically",
            "Prechelt 1998: Early stopping, but when?",
        ),
    ),
    needs=(),
    uses=(
        HELD_OUT_LOSS, LEARNING_CURVE, LEARNING_GAIN_ERROR, TRAIN_LOSS, SEEN_LOSS, CONSTANT_LOSS,
    ),
    thresholds=(GAIN, SURE, ROOM, CAPACITY, HANDFUL),
    explains=("no-regularisation", "too-wide"),
    alike=("no-regularisation",),
    needs_trend=True,
    detect=_detect,
)
