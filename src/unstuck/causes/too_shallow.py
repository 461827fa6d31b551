"""Too shallow: too few layers for what the task asks."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._plateau import (
    TRIAL,
    WEIGHTED,
    Plateau,
    model_location,
    plateau,
    plateau_evidence,
)
from unstuck.edits import InsertLayer, Remedy, Safety, number
from unstuck.findings import Absent, Present, Unknown, Verdict
from unstuck.signals import GRADIENT_NORM, TRAIN_LOSS, UPDATE_NORM

LAYERS = Threshold(
    "few-layers", 2.0,
    "One hidden layer or none: more can be said about a deeper network than that it is shallow.",
    "usual networks start at three layers with weights",
)
STEPS = Threshold(
    "steps-share-shallow", 0.25,
    "A plateau that the steps themselves keep up is none of the depth.",
    "the same share from which a plateau is laid to the steps",
)


def _detect(view: View) -> Verdict:
    found = plateau(view)
    if not isinstance(found, Plateau):
        return found
    if found.share is not None and not found.share < view.limit(STEPS):
        return Absent("the size of the steps keeps the plateau up, not the depth")
    weighted = [x for x in view.facts.layers().values() if x.role in WEIGHTED and x.parameters]
    if not weighted:
        return Unknown("no layer with weights was recognised", (TRIAL,))
    if not len(weighted) <= view.limit(LAYERS):
        return Unknown(f"the network has {len(weighted)} layers with weights; whether one more "
                       "would lower the plateau only a trial can tell", (TRIAL,))
    last = weighted[-1]
    return Present(
        strength=0.4, since_step=min(found.since, view.facts.steps),
        location=model_location(view),
        title=f"the loss rests at {number(found.level)}, and the network has {len(weighted)} "
        f"layer{'s' if len(weighted) > 1 else ''} with weights",
        label=f"{len(weighted)} layers with weights" if len(weighted) > 1 else "a single layer",
        evidence=(plateau_evidence(view, found),),
        remedies=(Remedy("more layers", Safety.CHANGES_EXPERIMENT, (
            InsertLayer(last.name, "Linear(64, 64), nn.ReLU()"),),
            advice="Put one to three hidden layers before the last one, each with an activation."),
        ),
        one_of=("too-narrow", "momentum-too-low", "bottleneck", "noisy-labels"),
        separated_by=TRIAL,
    )


CAUSE = Cause(
    slug="too-shallow",
    code="M001",
    title="Too shallow",
    family="Model",
    harm=Harm.CONDITION,
    words=Words(
        symptom="The train loss falls and comes to rest above its floor, and wider layers do not "
        "lower it.",
        consequence="The network finds what a few bends of the inputs can tell, and nothing that "
        "is made of several steps.",
        why="Each layer bends what the one before it made. Functions of functions take few units "
        "in several layers and very many in one.",
        how_we_tell="The train loss rests above its floor, the steps are too small to keep it "
        "there, and the network has two layers with weights at most. Noise in the data and too "
        "few units leave the same record: this is a note until a deeper twin was tried.",
        known_problems="A shallow network is often the right one, and a floor of noise looks the "
        "same: only a twin with one layer more tells.",
        references=(
            "Goodfellow, Bengio, Courville: Deep Learning, ch. 6.4.1",
            "Telgarsky 2016: Benefits of depth in neural networks",
        ),
    ),
    needs=(TRAIN_LOSS, UPDATE_NORM, GRADIENT_NORM),
    thresholds=(LAYERS, STEPS),
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
