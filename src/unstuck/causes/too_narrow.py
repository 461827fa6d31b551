"""Too narrow: a layer with too few units to pass on what the task needs."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._capacity import (
    SAMPLE_SIGNALS,
    Shortfall,
    hidden,
    loss_evidence,
    model_location,
    shortfall,
    widths,
)
from unstuck.causes._measures import called, learned_little
from unstuck.edits import Remedy, ResizeLayer, Safety
from unstuck.findings import Absent, Present, Unknown, Verdict
from unstuck.signals import GRADIENT_NORM, TRAIN_LOSS, UPDATE_NORM

SQUEEZE = Threshold(
    "units-per-input", 0.25,
    "A layer that passes on a quarter of the numbers it gets leaves most of them out. No layer is "
    "called narrow for that which has more units than the network has outputs, and no convolution.",
    "Johnson 2019: layers no wider than the input cannot fence in a region of it",
)
BENDS = Threshold(
    "fewest-units", 2.0,
    "Two units make two bends; it takes three to fence in a region of the inputs.",
    "Johnson 2019: Deep, skinny neural networks are not universal approximators",
)
STEPS = Threshold(
    "steps-share-narrow", 0.25,
    "A loss that the steps themselves keep up is none of the width.",
    "from that share on a plateau would be laid to the steps",
)
TRIAL = ("a run with four times the units, one with a layer more, one with ten times the rate, "
         "one with momentum 0.9 and one with four times the epochs: it is too-narrow if the first "
         "lowers the training loss most")


def _detect(view: View) -> Verdict:
    layers = widths(view)
    inner = hidden(layers)
    if not inner:
        return Absent("there is no hidden layer that could be too narrow")
    outputs = layers[-1].units
    bends, share = view.limit(BENDS), view.limit(SQUEEZE)
    # Few channels are many numbers: one of each at every place.
    narrow = [one for one in inner if one.units <= (
        bends if one.convolution else max(bends, min(share * one.inputs, outputs)))]
    if not narrow:
        return Absent(f"the narrowest hidden layer passes on {min(x.units for x in inner)} "
                      f"numbers for {outputs} outputs")
    least = min(narrow, key=lambda one: one.units)
    if outputs == layers[0].inputs and not learned_little(view.outcome):
        return Absent("the network gives as many numbers as it gets, is narrow on purpose and "
                      "learns")
    found = shortfall(view)
    if isinstance(found, Unknown):
        return Unknown(f"{called(least.name)} passes on {least.units} numbers; {found.reason}",
                       (*found.needs, TRIAL))
    if not isinstance(found, Shortfall):
        return found
    if found.steps_share is not None and not found.steps_share < view.limit(STEPS):
        return Absent("the size of the steps keeps the loss up, not the width")
    return Present(
        strength=0.45, since_step=0, location=model_location(view),
        title=f"{called(least.name)} passes on {least.units} of the {least.inputs} numbers that "
        f"it gets, and the network stays behind what its data hold: {found.says}",
        label=f"{least.units} unit{'s' * (least.units > 1)} at the narrowest",
        evidence=(found.evidence, loss_evidence(view, found)),
        remedies=(Remedy("widen the hidden layers", Safety.CHANGES_EXPERIMENT, tuple(
            ResizeLayer(f) for f in (4.0, 16.0, 2.0))),),
        one_of=("too-shallow", "learning-rate-too-low", "momentum-too-low", "too-few-steps"),
        separated_by=TRIAL,
    )


CAUSE = Cause(
    slug="too-narrow",
    code="M003",
    title="Too narrow",
    family="Model",
    harm=Harm.CONDITION,
    words=Words(
        symptom="The train loss falls a little and comes to rest high, on new data as on those "
        "that were trained on.",
        consequence="No rate and no number of epochs brings the loss far down, for the network "
        "cannot hold what the task needs.",
        why="A hidden layer passes on as many numbers as it has units. What does not fit into "
        "them is lost to all layers behind.",
        detection="A hidden layer has two units or fewer, or at most a quarter of its inputs and "
        "no more than the network has outputs. Noise is no excuse: a cheap learner (neighbours, "
        "kernel regression) predicts samples that it was not told far better than the network "
        "predicts those that it was trained on. And the steps are too small to keep the loss up. "
        "Too few layers or steps leave the same record: a note until a wider twin was tried.",
        limitations="Width has a small influence as a rule and comes last among the suspects. "
        "Where no target a sample is known, or the cheap learner does no better, as on large "
        "images, nothing is said; nor of autoencoders, which are narrow on purpose.",
        references=(
            "Goodfellow, Bengio, Courville: Deep Learning, ch. 6.4",
            "Johnson 2019: Deep, skinny neural networks are not universal approximators",
        ),
    ),
    needs=(TRAIN_LOSS, UPDATE_NORM, GRADIENT_NORM),
    uses=SAMPLE_SIGNALS,
    thresholds=(SQUEEZE, BENDS, STEPS),
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
