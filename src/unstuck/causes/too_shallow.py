"""Too shallow: no hidden layer, where the targets are no weighted sum of the inputs."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._capacity import (
    SAMPLE_SIGNALS,
    WEIGHTED,
    Shortfall,
    loss_evidence,
    model_location,
    shortfall,
)
from unstuck.edits import Remedy, ReplaceLayer, Safety
from unstuck.findings import Absent, Present, Unknown, Verdict
from unstuck.signals import GRADIENT_NORM, TRAIN_LOSS, UPDATE_NORM

MATRICES = Threshold(
    "few-weight-matrices", 1.0,
    "With one matrix of weights the outputs are weighted sums of the inputs. One hidden layer can "
    "do anything in principle, so nothing is said of the depth from there on.",
    "Hornik et al. 1989: Multilayer feedforward networks are universal approximators",
)
STEPS = Threshold(
    "steps-share-shallow", 0.25,
    "A loss that the steps themselves keep up is none of the depth.",
    "from that share on a plateau would be laid to the steps",
)
TRIAL = ("a run with a hidden layer of 64 units, one with momentum 0.9, one with ten times the "
         "rate and one with four times the epochs: it is too-shallow if the first lowers the "
         "training loss most")


def _detect(view: View) -> Verdict:
    matrices = [p for p in view.facts.parameters().values() if len(p.shape) >= 2]
    layers = [x for x in view.facts.layers().values() if x.role in WEIGHTED and x.parameters]
    if not len(matrices) <= view.limit(MATRICES):
        return Absent(f"the network has {len(matrices)} matrices of weights")
    if not layers:
        return Absent("no layer with weights was recognised")
    found = shortfall(view)
    if isinstance(found, Unknown):
        return Unknown(f"the network has no hidden layer; {found.reason}", (*found.needs, TRIAL))
    if not isinstance(found, Shortfall):
        return found
    if found.steps_share is not None and not found.steps_share < view.limit(STEPS):
        return Absent("the size of the steps keeps the loss up, not the depth")
    inputs, outputs = matrices[0].shape[1], matrices[0].shape[0]
    return Present(
        strength=0.45, since_step=0, location=model_location(view),
        title=f"the network has {len(layers)} layer with weights and none hidden, and stays behind "
        f"what its data hold: {found.says}",
        label=f"weighted sums of {inputs} inputs",
        evidence=(found.evidence, loss_evidence(view, found)),
        remedies=(Remedy("a hidden layer", Safety.CHANGES_EXPERIMENT, tuple(
            ReplaceLayer(layers[0].name, f"Sequential(nn.Linear({inputs}, {units}), nn.ReLU(), "
                         f"nn.Linear({units}, {outputs}))") for units in (64, 256, 16))),),
        one_of=("learning-rate-too-low", "momentum-too-low", "too-few-steps"),
        separated_by=TRIAL,
    )


CAUSE = Cause(
    slug="too-shallow",
    code="M001",
    title="Too shallow",
    family="Model",
    harm=Harm.CONDITION,
    words=Words(
        symptom="The train loss falls part of the way and comes to rest, or does not fall at all, "
        "whatever the rate.",
        consequence="The network finds what a straight line through the inputs can tell, and "
        "nothing that takes two of them together.",
        why="Without a hidden layer each output is a weighted sum of the inputs. A region, a "
        "product or an alternative of inputs is no weighted sum, however good the weights.",
        detection="The network has a single matrix of weights. A cheap learner (neighbours, "
        "kernel regression) predicts samples that it was not told far better than the network "
        "predicts those that it was trained on, so noise is not what holds it up, and the steps "
        "are too small to keep the loss up. A run that is not finished leaves the same record: a "
        "note until a deeper twin was tried.",
        limitations="Too few layers in a network that has hidden ones are not told: nothing in "
        "a record speaks for them. Nor is anything said where no target a sample is known.",
        references=(
            "Goodfellow, Bengio, Courville: Deep Learning, ch. 6.1",
            "Telgarsky 2016: Benefits of depth in neural networks",
        ),
    ),
    needs=(TRAIN_LOSS, UPDATE_NORM, GRADIENT_NORM),
    uses=SAMPLE_SIGNALS,
    thresholds=(MATRICES, STEPS),
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
