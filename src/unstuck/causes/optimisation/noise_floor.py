"""Noise floor: the loss plateaus at a level that the noise of the steps themselves sustains."""

from __future__ import annotations

from unstuck.measures import arms
from unstuck.measures.basics import (
    drawn,
    loss_points,
    rate_code,
    rates,
    train_loss_at_the_end,
    typed,
)
from unstuck.measures.looks import left_out
from unstuck.measures.steps import (
    EARLY_PAIRS,
    agreement,
    agreement_evidence,
    jump_cost,
    late_step,
    main_optimizer,
    rate_location,
    samples_per_step,
)
from unstuck.measures.swings import held_out_swings
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import BatchSize, Remedy, Safety, Schedule
from unstuck.schema.experiments import Arm, Experiment
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.batches import BATCH_SIZE
from unstuck.schema.signals.losses import HELD_OUT_AGAIN, HELD_OUT_LOSS, TRAIN_LOSS
from unstuck.schema.signals.parameters import (
    GRADIENT_NORM,
    GRADIENT_PRODUCT,
    GRADIENT_SQUARE,
    UPDATE_NORM,
)
from unstuck.words import count, number, percent

COST = Threshold(
    "cost-of-steps", 0.25,
    "At least a quarter of the loss on the plateau is the noise floor of SGD: gradient noise "
    "sustained by this learning rate and batch size. A lower learning rate removes that part.",
    "Mandt et al. 2017; programs of the corpus that plateau for other reasons have 0.07 at most",
)
REST = Threshold(
    "steps-at-rest", 100.0,
    "Fewer steps without progress are not a plateau yet.",
    "a choice: plateaus that a lower learning rate breaks last for epochs",
)
SWINGING = Threshold(
    "swinging-loss", 0.25,
    "If the loss of the same held-out samples swings by a quarter from one evaluation to the next, "
    "at least about a quarter of it comes from steps that jump about the minimum.",
    "the mean of a chi-squared distribution of two or more degrees of freedom is at least its "
    "standard deviation",
)
SPENT = Threshold(
    "gradients-spent", 0.3,
    "Gradients that agree more than this still point down a slope, so the run has not plateaued.",
    "on a plateau the agreement is minus half of learning rate times curvature, so zero at most",
)
SWINGS = Threshold(
    "swinging-momentum", 0.5,
    "From this momentum on, a step follows gradients of several steps, so the weights swing slowly "
    "about the minimum. Successive gradients then agree although nothing is gained, and their "
    "agreement is not asked for.",
    "a momentum of one half averages over two steps",
)


def _detect(view: View) -> Verdict:
    outcome = view.outcome
    if outcome.kind is not OutcomeKind.PLATEAU:
        return Absent(f"the outcome is {outcome.kind}, not a plateau after a fall")
    if outcome.skill is None:
        return Unknown("it is not known how much of the loss on the plateau could be removed",
                       ("a loss from torch.nn or torch.nn.functional",))
    level = train_loss_at_the_end(view)
    if not level > 0:
        return Unknown("the level of a loss that can be negative says nothing",
                       ("a loss that stays above zero",))
    rest = view.record.steps - outcome.since_step
    if not rest >= view.limit(REST):
        return Absent(f"the loss plateaued only {count(rest, 'step')} before the end")
    cost, late = jump_cost(view, late_step(view)), agreement(view, late_step(view))
    swings = held_out_swings(view, late_step(view))
    if swings is not None and not swings.reach(view.limit(SWINGING)):
        swings = None
    if cost is None or late is None:
        return Unknown("the noise floor of the plateau was not measured",
                       (GRADIENT_PRODUCT.name, UPDATE_NORM.name))
    optimizer = main_optimizer(view)
    # With momentum the weights swing about the minimum so slowly that gradients agree at rest, too.
    slowly = optimizer is not None and (optimizer.momentum or 0.0) >= view.limit(SWINGS)
    if not late <= view.limit(SPENT) and not slowly:
        return Absent("the run has not plateaued: successive gradients still agree (agreement "
                      f"{number(late)}; pure noise: 0, no noise: 1)")
    share = cost / level
    costly = share >= view.limit(COST)
    if not costly and swings is None:
        if share >= view.limit(COST) / 2 and max(left_out(view.record), default=-1) >= late_step(
            view
        ):  # a mean of few looks, each half as large again as the next
            return Unknown("too few steps on the plateau were examined closely",
                           ("a run with --overhead 1",))
        if share >= view.limit(COST) / 2 and not view.has(HELD_OUT_LOSS):
            return Unknown(f"{percent(share)} of the loss on the plateau is gradient noise, and "
                           "how much of the rest could be removed is not known",
                           ("a held-out loss",))
        return Absent(f"only {percent(share)} of the loss on the plateau is gradient noise, so a "
                      "lower learning rate would remove no more than that")
    early = agreement(view, pairs=EARLY_PAIRS)
    others: tuple[str, ...] = ("learning-rate-too-high",)
    if early is None or early < 0.5:
        others = (*others, "batch-too-small")
    size = samples_per_step(view)
    remedies = [
        Remedy("let the learning rate decay", Safety.CHANGES_EXPERIMENT,
               (Schedule("CosineAnnealingLR", view.record.steps),),
               code_text=f"CosineAnnealingLR(optimizer, T_max={view.record.steps})"),
    ]
    if optimizer is not None and optimizer.learning_rate:
        now = optimizer.learning_rate
        remedies.insert(0, Remedy(
            "lower the learning rate", Safety.CHANGES_EXPERIMENT,
            rates(optimizer, (now / 10, now / 3, now / 30)), code_text=rate_code(
                optimizer, typed(now / 10))))
    if size is not None:
        remedies.append(Remedy("use larger batches", Safety.CHANGES_EXPERIMENT,
                               (BatchSize(round(4 * size)), BatchSize(round(16 * size)))))
    lowered = "training" if costly else "held-out"
    steps, losses = loss_points(view)
    evidence = (
        Evidence(TRAIN_LOSS.name, "", steps, losses, None,
                 f"the loss has plateaued at {number(level)} since step "
                 f"{number(outcome.since_step)} ({percent(outcome.skill)} below that of the best "
                 "constant prediction)"),
        *(() if swings is None else (
            drawn(HELD_OUT_LOSS, "", swings.held, None,
                  "the loss of the same held-out samples swings by "
                  f"{percent(swings.share)} of its mean from one evaluation to the next"),)),
        *(() if slowly else agreement_evidence(
            view, 0.0,
            "steps jump around a point without coming closer to it (agreement of successive "
            f"gradients in the second half of the run: {number(late)}; pure noise: 0, no noise: 1)",
        )),
    )
    return Present(
        strength=0.75 if share < 2 * view.limit(COST) else 0.85,
        title=f"the loss has plateaued at {number(level)}; " + (
            f"about {percent(min(share, 1.0))} of it is gradient noise sustained by this learning "
            "rate and batch size" if costly else
            "steps of this learning rate and batch size jump about the minimum"),
        since_step=min(outcome.since_step, view.record.steps),
        location=rate_location(view, optimizer),
        label="steps of this size cannot come any closer to the minimum", evidence=evidence,
        remedies=tuple(remedies), one_of=others,
        separated_by=Experiment(
            "run once with a tenth of the learning rate from the plateau on, and once with four "
            f"times the batch size: if both lower the {lowered} loss, the cause is noise-floor; if "
            "a tenth of the learning rate from the start lowers it as well, the cause is "
            "learning-rate-too-high", (
                Arm((), ("noise-floor",),
                    "a tenth of the learning rate from the plateau on"),
                *(() if size is None else (
                    Arm((BatchSize(round(4 * size)),), ("noise-floor",)),)),
                arms.learning_rate(view, 0.1, "learning-rate-too-high"),
            )),
    )


CAUSE = Cause(
    slug="noise-floor",
    code="O009",
    title="Noise floor",
    family="Optimisation",
    harm=Harm.CONDITION,
    symptoms=(Symptom.PLATEAU, Symptom.OSCILLATES),
    words=Words(
        symptom="The training and held-out losses fall at first. Then both become flat, well above "
        "the level that the network could reach.",
        consequence="All further steps are wasted: the weights jump around the bottom of a valley "
        "without settling there.",
        why="Every step follows the noise of its batch as well as the slope. On the plateau the "
        "two balance at the noise floor of SGD. It is proportional to the learning rate and to the "
        "noise of the gradient, so larger batches lower it too. More steps do not.",
        detection="On a plateau, unstuck estimates the noise floor as a quarter of the norm of an "
        "update times the norm of its gradient. It must be at least a quarter of the loss, or the "
        "loss of the same held-out samples must swing by a quarter between evaluations. The "
        "training loss must have plateaued after a fall. Without momentum, successive gradients "
        "must no longer agree.",
        limitations="The estimate is exact for a quadratic valley and plain gradient descent. For "
        "other optimizers it is an upper bound. A plateau caused by too little capacity, or by "
        "noise in the data, has no such noise floor and is not reported.",
        references=(
            "Mandt, Hoffman, Blei 2017: SGD as approximate Bayesian inference (arXiv 1704.04289)",
            "Smith, Le 2018: A Bayesian perspective on generalization and SGD (arXiv 1710.06451)",
        ),
    ),
    needs=(TRAIN_LOSS, UPDATE_NORM, GRADIENT_NORM, GRADIENT_PRODUCT, GRADIENT_SQUARE),
    uses=(BATCH_SIZE, HELD_OUT_LOSS, HELD_OUT_AGAIN),
    thresholds=(COST, REST, SWINGING, SPENT, SWINGS),
    shows=Effect.PLATEAU,
    needs_trend=True,
    formerly=("bottleneck",),
    detect=_detect,
)
