"""Noise floor: the loss plateaus at a height that the noise of the steps themselves sustains."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._looks import left_out
from unstuck.causes._measures import loss_points, rate_code, rates, train_loss_at_the_end
from unstuck.causes._steps import (
    EARLY_PAIRS,
    agreement,
    agreement_evidence,
    jump_cost,
    late_step,
    main_optimizer,
    samples_per_step,
)
from unstuck.edits import BatchSize, Remedy, Safety, Schedule
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.signals import (
    BATCH_SIZE,
    GRADIENT_NORM,
    GRADIENT_PRODUCT,
    GRADIENT_SQUARE,
    TRAIN_LOSS,
    UPDATE_NORM,
)
from unstuck.words import number, percent

COST = Threshold(
    "cost-of-steps", 0.25,
    "A quarter of the loss at rest or more is the height at which the steps themselves keep it: "
    "a smaller rate takes that part away.",
    "Mandt et al. 2017; zoo programs that rest above their floor have 0.07 at most",
)
REST = Threshold(
    "steps-at-rest", 100.0,
    "Fewer steps without progress are no plateau yet.",
    "a choice: plateaus that a lower rate breaks last for epochs",
)
SPENT = Threshold(
    "gradients-spent", 0.3,
    "Gradients that still agree point down a slope: then the run is not at rest but on its way.",
    "at rest the agreement is minus half of rate times curvature, zero at most",
)


def _detect(view: View) -> Verdict:
    outcome = view.outcome
    if outcome.kind is not OutcomeKind.PLATEAU:
        return Absent(f"the outcome is {outcome.kind}: no plateau above the floor after a fall")
    if outcome.skill is None:
        return Unknown("how far the plateau is above its floor is not known",
                       ("a loss whose best constant is known",))
    level = train_loss_at_the_end(view)
    if not level > 0:
        return Unknown("the height of a loss with a sign says nothing", ("a loss above zero",))
    rest = view.facts.steps - outcome.since_step
    if not rest >= view.limit(REST):
        return Absent(f"the loss has rested for {rest} steps only")
    cost, late = jump_cost(view, late_step(view)), agreement(view, late_step(view))
    if cost is None or late is None:
        return Unknown("what the steps cost at rest was not measured",
                       (GRADIENT_PRODUCT.name, UPDATE_NORM.name))
    if not late <= view.limit(SPENT):
        return Absent(f"the gradients still agree ({number(late)}): the run is not at rest")
    share = cost / level
    if not share >= view.limit(COST):
        if share >= view.limit(COST) / 2 and max(left_out(view.facts), default=-1) >= late_step(
            view
        ):  # a mean of few looks, each half as large again as the next
            return Unknown("too few steps were looked at closely while the loss was at rest",
                           ("a run under --overhead 1",))
        return Absent(f"the steps keep up {percent(share)} of the loss at rest: a smaller "
                      "rate would take no more than that away")
    early = agreement(view, pairs=EARLY_PAIRS)
    others: tuple[str, ...] = ("learning-rate-too-high",)
    if early is None or early < 0.5:
        others = (*others, "batch-too-small")
    optimizer = main_optimizer(view)
    size = samples_per_step(view)
    remedies = [
        Remedy("let the rate decay", Safety.CHANGES_EXPERIMENT,
               (Schedule("CosineAnnealingLR", view.facts.steps),),
               code_text=f"CosineAnnealingLR(optimizer, T_max={view.facts.steps})"),
    ]
    if optimizer is not None and optimizer.learning_rate:
        now = optimizer.learning_rate
        remedies.insert(0, Remedy(
            "lower the learning rate", Safety.CHANGES_EXPERIMENT,
            rates(optimizer, (now / 10, now / 3, now / 30)), code_text=rate_code(
                optimizer, float(f"{now / 10:.1g}"))))
    if size is not None:
        remedies.append(Remedy("larger batches", Safety.CHANGES_EXPERIMENT,
                               (BatchSize(round(4 * size)), BatchSize(round(16 * size)))))
    steps, losses = loss_points(view)
    evidence = (
        Evidence(TRAIN_LOSS.name, "", steps, losses, None,
                 f"the loss rests at {number(level)} from step {outcome.since_step} on, "
                 f"{number(100 * outcome.skill)} % better than the best constant"),
        *agreement_evidence(
            view, 0.0,
            f"successive gradients agree by {number(late)} in the second half of the run: the "
            "steps jump about a point that they do not come closer to"),
    )
    return Present(
        strength=0.75 if share < 2 * view.limit(COST) else 0.85,
        title=f"the loss is stuck at {number(level)}, {percent(min(share, 1.0))} of which the "
        "size of the steps keeps up",
        since_step=min(outcome.since_step, view.facts.steps),
        location=optimizer.location if optimizer is not None else None,
        label="its steps are too large to come closer", evidence=evidence,
        remedies=tuple(remedies), one_of=others,
        separated_by="run again with a tenth of the rate from the plateau on, and with four times "
        "the batch: both lower the training loss here; the rate from the start on as well only if "
        "learning-rate-too-high",
    )


CAUSE = Cause(
    slug="noise-floor",
    code="O009",
    title="Noise floor",
    family="Optimisation",
    harm=Harm.CONDITION,
    words=Words(
        symptom="The loss falls at first, then both curves turn flat well above the level that "
        "the network could reach.",
        consequence="All further steps are wasted: the run jumps about the valley's ground "
        "without coming down to it.",
        why="Every step follows the noise of its batch as well as the slope. At rest the two "
        "balance at a height that is proportional to the rate and to the noise of the gradient, "
        "which no number of further steps lowers.",
        detection="Where a run has come to rest, a quarter of update times gradient is the "
        "height that the steps keep up. It must be a quarter of the loss at least, the train loss "
        "must rest after a fall, and successive gradients must have ceased to agree.",
        limitations="The height is exact for a quadratic valley and plain gradient descent, an "
        "upper bound for other optimizers. Plateaus for want of capacity, or for noise in the "
        "data, have no such height and are not meant.",
        references=(
            "Mandt, Hoffman, Blei 2017: SGD as approximate Bayesian inference (arXiv 1704.04289)",
            "Smith, Le 2018: A Bayesian perspective on generalization and SGD (arXiv 1710.06451)",
        ),
    ),
    needs=(TRAIN_LOSS, UPDATE_NORM, GRADIENT_NORM, GRADIENT_PRODUCT, GRADIENT_SQUARE),
    uses=(BATCH_SIZE,),
    thresholds=(COST, REST, SPENT),
    needs_trend=True,
    formerly=("bottleneck",),
    detect=_detect,
)
