"""Too narrow: a layer with too few units to pass on what the task needs."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import called
from unstuck.causes._plateau import (
    TRIAL,
    Plateau,
    model_location,
    plateau,
    plateau_evidence,
    widths,
)
from unstuck.edits import Remedy, ResizeLayer, Safety, number
from unstuck.findings import Absent, Present, Unknown, Verdict
from unstuck.signals import GRADIENT_NORM, TRAIN_LOSS, UPDATE_NORM

SQUEEZE = Threshold(
    "width-over-inputs", 1.0,
    "A hidden layer narrower than the network's input has to leave something out.",
    "a linear map onto fewer dimensions has a kernel; usual hidden layers are wider",
)
STEPS = Threshold(
    "steps-share-narrow", 0.25,
    "A plateau that the steps themselves keep up is none of the width.",
    "the same share from which a plateau is laid to the steps",
)


def _detect(view: View) -> Verdict:
    found = plateau(view)
    if not isinstance(found, Plateau):
        return found
    if found.share is not None and not found.share < view.limit(STEPS):
        return Absent("the size of the steps keeps the plateau up, not the width")
    layers = widths(view)
    if len(layers) < 2:
        return Unknown("the network has no hidden layer that was recognised", (TRIAL,))
    name, _, units = min(layers[:-1], key=lambda layer: layer[2])
    if not units < view.limit(SQUEEZE) * layers[0][1]:
        return Unknown(f"the narrowest hidden layer has {units} units; whether more would lower "
                       "the plateau only a trial can tell", (TRIAL,))
    return Present(
        strength=0.4, since_step=min(found.since, view.facts.steps),
        location=model_location(view),
        title=f"the loss rests at {number(found.level)}, and {called(name)} passes {units} "
        f"numbers on, of {layers[0][1]} that come in",
        label=f"{units} units at the narrowest", evidence=(plateau_evidence(view, found),),
        remedies=(Remedy("widen the hidden layers", Safety.CHANGES_EXPERIMENT, tuple(
            ResizeLayer(f) for f in (2.0, 4.0, 16.0))),),
        one_of=("too-shallow", "momentum-too-low", "bottleneck", "noisy-labels"),
        separated_by=TRIAL,
    )


CAUSE = Cause(
    slug="too-narrow",
    code="M003",
    title="Too narrow",
    family="Model",
    harm=Harm.CONDITION,
    words=Words(
        symptom="The train loss falls and comes to rest above its floor, on new data as on those "
        "that were trained on.",
        consequence="No rate and no number of epochs brings the loss further down, for the network "
        "cannot hold what the task needs.",
        why="A hidden layer passes on as many numbers as it has units. What does not fit into "
        "them is lost to all layers behind.",
        how_we_tell="The train loss rests above its floor, the steps are too small to keep it "
        "there, and a hidden layer is narrower than the input. Noise in the data, and too few "
        "layers, leave the same record: this is a note until a wider twin was tried.",
        known_problems="Width has a small influence as a rule and comes last among the suspects. "
        "An autoencoder is narrow on purpose. Images have far more inputs than they have content.",
        references=(
            "Goodfellow, Bengio, Courville: Deep Learning, ch. 6.4",
            "Lu et al. 2017: The expressive power of neural networks: a view from the width",
        ),
    ),
    needs=(TRAIN_LOSS, UPDATE_NORM, GRADIENT_NORM),
    thresholds=(SQUEEZE, STEPS),
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
