"""Momentum too low: small steps that all point the same way but are never added up."""

from __future__ import annotations

import re

from unstuck.measures import arms
from unstuck.measures.arms import USUAL_MOMENTUM
from unstuck.measures.basics import learned_little, loss_ends_at, loss_points, measured
from unstuck.measures.capacity import SAMPLE_SIGNALS, Shortfall, loss_evidence, shortfall
from unstuck.measures.slowness import Slow, falls_steeply, slow
from unstuck.measures.steps import agreement, agreement_evidence, main_optimizer
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import KeepBuffer, OptimizerArgument, Remedy, Safety
from unstuck.schema.experiments import Arm, Experiment
from unstuck.schema.facts.calls import WrittenUpdate
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.batches import BATCH_SIZE
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import (
    DESCENT,
    GRADIENT_NORM,
    GRADIENT_PRODUCT,
    GRADIENT_SQUARE,
    UPDATE_NORM,
)
from unstuck.torch_api import ARGUMENTS
from unstuck.words import number

COHERENT = Threshold(
    "coherent-gradients", 0.25,
    "The sum of ten gradients with an agreement a of 0.25 is three quarters slope and one quarter "
    "noise: 10 a / (10 a + 1 - a). Each of them alone is mostly noise.",
    "a momentum of 0.9 adds up ten gradients; on a plateau the agreement is zero or negative",
)
PARALLEL = Threshold(
    "parallel-step", 1e-4,
    "The steps of gradient descent without momentum are parallel to the gradient. With a momentum "
    "only the first is.",
    "definition; what is left is rounding",
)
OPPOSED = Threshold(
    "opposed-gradients", -0.15,
    "Each step undoes a part of the one before: the steps go to and fro between two walls, and a "
    "higher learning rate would only widen that. Noise alone gives 0.",
    "gradient descent at the edge of stability, Cohen et al. 2021; the bound is a choice",
)
FEWEST = 5  # steps that are all parallel
NAMES = frozenset({"momentum", "mu", "beta", "beta1"})  # of arguments that are a momentum
GAIN = Threshold(
    "room-for-momentum", 3.0,
    "A momentum m adds up 1 / (1 - m) gradients. The usual 0.9 must add up at least three times as "
    "many as the present one, or there is too little to gain.",
    "Sutskever et al. 2013; PyTorch's SGD has no momentum by default",
)


def _detect(view: View) -> Verdict:
    optimizer = main_optimizer(view)
    if optimizer is not None and optimizer.kind in ARGUMENTS and not (
        {"momentum", "betas"} & {*ARGUMENTS[optimizer.kind]}
    ):
        return Absent(f"{optimizer.kind} takes no momentum")
    idle = _without_effect(view, optimizer) if optimizer is not None else None
    if idle is not None:
        return idle
    if optimizer is None or optimizer.momentum is None:
        return Unknown("the program's optimizer has no known momentum",
                       ("a run with torch.optim.SGD",))
    gain = (1 - optimizer.momentum) / (1 - USUAL_MOMENTUM)
    if not gain >= view.limit(GAIN):
        return Absent(f"the momentum of {optimizer.name} is already {number(optimizer.momentum)}")
    valley = _between_walls(view, optimizer)
    if valley is not None:
        return valley
    found = slow(view)
    late = agreement(view, view.record.steps // 4)
    if late is not None and view.outcome.kind in (OutcomeKind.LEARNING, OutcomeKind.CONVERGED):
        opposed, needs = late <= view.limit(OPPOSED), ("a run with a momentum of 0.9",)
        if opposed and (isinstance(found, Slow) or falls_steeply(view)):
            return Unknown("the steps go to and fro (agreement of successive gradients "
                           f"{number(late)}) while the loss falls, and how much of it could be "
                           "gone is not known", needs)
        if late >= view.limit(COHERENT) and falls_steeply(view):
            return Unknown("the loss still falls, and successive gradients point the same way "
                           f"(agreement {number(late)}), so momentum may bring it down sooner",
                           needs)
    if not isinstance(found, Slow):
        return found
    if not found.late >= view.limit(COHERENT):
        return Absent(f"late gradients hardly agree (agreement {number(found.late)}; pure noise: "
                      "0, no noise: 1), so momentum has little to add up")
    steps, points = loss_points(view)
    evidence = (
        *agreement_evidence(
            view, view.limit(COHERENT),
            "successive gradients still point the same way in the second half of the run "
            f"(agreement {number(found.late)}; pure noise: 0, no noise: 1)"),
        Evidence(TRAIN_LOSS.name, "", steps, points, None,
                 f"the loss ends at {number(loss_ends_at(view))}, well above what the run could "
                 "reach"),
    )
    add = _add(optimizer)
    return Present(
        strength=0.45, since_step=0, location=optimizer.location, of_value=True,
        evidence=evidence,
        title=f"the momentum of {number(optimizer.momentum)} is too low: successive gradients "
        f"point the same way until the end of the run (agreement {number(found.late)}; pure noise: "
        "0, no noise: 1) but are hardly added up",
        label="hardly adds up successive gradients",
        remedies=(Remedy("add momentum", Safety.CHANGES_EXPERIMENT, add),),
        one_of=("learning-rate-too-low", "batch-too-large", "too-few-steps"),
        separated_by=Experiment(
            "run once with a momentum of 0.9, once with ten times the learning rate and no "
            "momentum, and once with batches of an eighth of the size: if only momentum lowers the "
            "training loss, the cause is momentum-too-low", (
                Arm(add, ("momentum-too-low",)),
                arms.learning_rate(view, 10, "learning-rate-too-low"),
                arms.smaller_batches(view, 8, "batch-too-large"),
                arms.longer(8.0, "too-few-steps"),
            )),
    )


def _add(optimizer: Optimizer) -> tuple[OptimizerArgument]:
    return (OptimizerArgument(optimizer.name, "momentum", USUAL_MOMENTUM),)


def _between_walls(view: View, optimizer: Optimizer) -> Present | None:
    """Steps to and fro across a valley whose floor the run has hardly gone along.

    The loss still falls, and a baseline model shows that much of it is left to learn.
    """
    late = agreement(view, view.record.steps // 4)
    if late is None or late > view.limit(OPPOSED) or (
            view.outcome.kind is not OutcomeKind.LEARNING):
        return None
    behind = shortfall(view)
    if not isinstance(behind, Shortfall):
        return None
    return Present(
        strength=0.75, since_step=0, location=optimizer.location, of_value=True,
        hides_outcome=True,  # a loss that still falls is far from what the data hold
        title=f"the momentum of {number(optimizer.momentum or 0.0)} is too low: the steps go to "
        f"and fro (agreement of successive gradients {number(late)}; pure noise: 0), while the "
        "loss falls slowly",
        label="adds up no steps along the valley, and cancels none across it",
        evidence=(
            *agreement_evidence(
                view, view.limit(OPPOSED),
                f"each step undoes much of the one before (agreement {number(late)}; pure noise: "
                "0)"),
            behind.evidence, loss_evidence(view, behind),
        ),
        remedies=(Remedy("add momentum", Safety.CHANGES_EXPERIMENT, _add(optimizer)),),
        one_of=("too-few-steps",),
        separated_by=Experiment(
            "run once with a momentum of 0.9, and once for eight times as many steps: if momentum "
            "lowers the training loss as far, the cause is momentum-too-low", (
                Arm(_add(optimizer), ("momentum-too-low",)),
                arms.longer(8.0, "too-few-steps"),
            )),
    )


def _without_effect(view: View, optimizer: Optimizer) -> Present | None:
    """A momentum of an optimizer of the program's own, whose steps follow one gradient each."""
    bar = 1 - view.limit(PARALLEL)
    if not view.has(DESCENT) or optimizer.name not in view[DESCENT] or optimizer.kind in ARGUMENTS:
        return None
    given = [each for each in optimizer.options if each.name in NAMES
             and re.fullmatch(r"0\.[5-9]\d*", each.value)]
    along = view[DESCENT][optimizer.name].finite.values
    if not given or len(along) < FEWEST or not along.min() > bar:
        return None
    written = [each.location for each in view.record.facts(WrittenUpdate)]
    at = written[0] if len(written) == 1 else optimizer.location
    edit = KeepBuffer(at)
    return Present(
        strength=0.85 if learned_little(view.outcome) else 0.55, certain=True,
        title=f"the momentum of {given[0].value} has no effect: each step follows the gradient of "
        "its own batch alone",
        since_step=0, location=at, label="no earlier gradient is part of this",
        evidence=(measured(view, DESCENT, optimizer.name, 1.0,
                           "every step is parallel to the gradient of its batch (cosine 1), which "
                           "no sum of several gradients would be"),),
        remedies=(Remedy(edit.words(), Safety.SAFE, (edit,)),))


CAUSE = Cause(
    slug="momentum-too-low",
    code="O006",
    title="Momentum too low",
    family="Optimisation",
    harm=Harm.CONDITION,
    symptoms=(Symptom.SLOW, Symptom.PLATEAU),
    often=Often.SELDOM,
    words=Words(
        symptom="The loss creeps down a long, gentle slope, and most of the run is spent there.",
        consequence="The run ends on the slope. What lies beyond it is learned many times later "
        "than necessary, or never.",
        why="In a narrow valley the steep walls do not allow a higher learning rate, while the "
        "slope along the floor is small. Momentum adds up what successive gradients have in common "
        "and cancels the rest, so the run moves fast along the floor and little across it.",
        detection="In the second half of a run that learned little, successive gradients still "
        "agree: their agreement, which is 0 for pure noise and 1 without noise, is 0.25 or more. "
        "The optimizer hardly adds them up. A higher learning rate, smaller batches or more steps "
        "would fit the same record, so only a second run can decide. Or the gradients oppose one "
        "another, at -0.5 or less, while the loss still falls and a baseline model shows that much "
        "is left to learn: the steps go to and fro across a valley. Or an optimizer of the "
        "program's own is given a momentum, and every step is parallel to the gradient of its "
        "batch.",
        limitations="Whether the walls allow a higher learning rate is not known without trying "
        "one. Optimizers without a momentum of their own are not judged.",
        references=(
            "Sutskever et al. 2013: On the importance of initialization and momentum",
            "Goh 2017: Why momentum really works (Distill)",
        ),
    ),
    needs=(TRAIN_LOSS, GRADIENT_PRODUCT, GRADIENT_SQUARE),
    uses=(BATCH_SIZE, DESCENT, GRADIENT_NORM, UPDATE_NORM, *SAMPLE_SIGNALS),
    thresholds=(COHERENT, OPPOSED, PARALLEL, GAIN),
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
