"""Momentum too low: small steps that all point the same way and are never added up."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import loss_points
from unstuck.causes._slow import Slow, slow
from unstuck.causes._steps import agreement_evidence, main_optimizer
from unstuck.edits import OptimizerArgument, Remedy, Safety
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.signals import GRADIENT_PRODUCT, GRADIENT_SQUARE, TRAIN_LOSS
from unstuck.words import number

COHERENT = Threshold(
    "coherent-gradients", 0.25,
    "Of the sum of ten gradients that agree by a quarter, three quarters are slope and one is "
    "noise: 10 a / (10 a + 1 - a). Alone, each is noise for the most part.",
    "momentum 0.9 adds up ten; noise around a point at rest gives zero or less",
)
GAIN = Threshold(
    "room-for-momentum", 3.0,
    "Momentum adds up 1 / (1 - m) gradients; the usual 0.9 must make three times as many at "
    "least, or there is nothing to gain.",
    "Sutskever et al. 2013; PyTorch's SGD comes without any",
)
USUAL = 0.9


def _detect(view: View) -> Verdict:
    optimizer = main_optimizer(view)
    if optimizer is None or optimizer.momentum is None:
        return Unknown("the program's optimizer has no momentum that is known",
                       ("a run with torch.optim.SGD",))
    gain = (1 - optimizer.momentum) / (1 - USUAL)
    if not gain >= view.limit(GAIN):
        return Absent(f"{optimizer.name} adds up gradients with momentum "
                      f"{number(optimizer.momentum)}")
    found = slow(view)
    if not isinstance(found, Slow):
        return found
    if not found.late >= view.limit(COHERENT):
        return Absent(f"late gradients agree by {number(found.late)}: momentum has little to add "
                      "up")
    steps, points = loss_points(view)
    evidence = (
        *agreement_evidence(
            view, view.limit(COHERENT),
            f"two successive gradients agree by {number(found.late)} in the second half"),
        Evidence(TRAIN_LOSS.name, "", steps, points, None,
                 f"the loss ends at {number(points[-1])}, well above what there is to reach"),
    )
    return Present(
        strength=0.45, since_step=0, location=optimizer.location, evidence=evidence,
        title=f"successive gradients agree by {number(found.late)} to the end, and momentum "
        f"{number(optimizer.momentum)} does not add them up",
        label="each step forgets the one before",
        remedies=(Remedy("add momentum", Safety.CHANGES_EXPERIMENT, (
            OptimizerArgument(optimizer.name, "momentum", USUAL),)),),
        one_of=("learning-rate-too-low", "batch-too-large", "too-few-steps"),
        separated_by="run again with momentum 0.9, and with ten times the rate and no momentum: "
        "if only momentum lowers the training loss, it is momentum-too-low",
    )


CAUSE = Cause(
    slug="momentum-too-low",
    code="O006",
    title="Momentum too low",
    family="Optimisation",
    harm=Harm.CONDITION,
    words=Words(
        symptom="The loss creeps along a long, gentle slope, and most of the run is spent on it.",
        consequence="The run ends on the slope: what lies behind it is learned many times later "
        "than it could be, or never.",
        why="In a narrow valley the steep walls forbid a higher rate, while along its ground the "
        "slope is small. Momentum adds up what successive gradients have in common and cancels "
        "the rest, so that it is fast along the ground and calm across.",
        detection="Successive gradients agree by a quarter or more in the second half of a run "
        "that learned little, with an optimizer that hardly adds them up. A higher rate, smaller "
        "batches or more steps would answer the same record, so a trial must tell.",
        limitations="Whether the walls forbid a higher rate is not seen without trying one. "
        "Optimizers without a momentum of their own are not judged.",
        references=(
            "Sutskever et al. 2013: On the importance of initialization and momentum",
            "Goh 2017: Why momentum really works (Distill)",
        ),
    ),
    needs=(TRAIN_LOSS, GRADIENT_PRODUCT, GRADIENT_SQUARE),
    thresholds=(COHERENT, GAIN),
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
