"""Too few steps: training stopped while the loss was still clearly falling."""

from __future__ import annotations

import numpy as np

from unstuck.curves.forecast import Abstained, Forecast, forecast, outlook
from unstuck.curves.loss_curve import has_begun, reduce
from unstuck.curves.statistics import tidy
from unstuck.measures import arms
from unstuck.measures.basics import (
    UNSURE,
    backward_location,
    drawn,
    failed,
    learned_little,
    loss_ends_at,
    loss_points,
    nan_median,
    optimizer_of,
    rates,
    weight_updates,
)
from unstuck.measures.gap import held_out_rests, held_out_turned, only_by_heart
from unstuck.measures.repeats import SHORT, goes_on, short_on_purpose
from unstuck.measures.schedules import rate_left
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import MoreSteps, Remedy, Safety, StepEachBatch, literal
from unstuck.schema.experiments import Experiment
from unstuck.schema.facts.calls import OptimizerCall
from unstuck.schema.facts.loops import Loop
from unstuck.schema.facts.run import EndKind, Log
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.losses import (
    CONSTANT_LOSS,
    HELD_OUT_LOSS,
    LEARNING_RATE,
    LEFT_OUT_LOSSES,
    TRAIN_LOSS,
)
from unstuck.schema.signals.parameters import CLEARED_BACKWARDS, UPDATE_NORM, WEIGHT_NORM
from unstuck.words import count, number, percent

LARGE = Threshold(
    "sure-gain", 0.1,
    "Every run stops somewhere. It stopped too early if 50 % more steps would almost surely take a "
    "tenth off the remaining loss (the lower end of an 80 % interval).",
    "the interval covers the truth on 85 % of labelled curves; of the runs of the corpus only one "
    "gains so much, and that one has learned what there was",
)
SMALL = Threshold(
    "gain-worth-a-note", 0.03,
    "A smaller change of the loss is not worth a longer run.",
    "the outcome rules treat the same change as material",
)
STEEP = Threshold(
    "steep-gain", 0.33,
    "A run of which half as many steps more would surely take a third off the loss was stopped "
    "in the middle of its fall, whatever it had learned by then.",
    "of a hundred healthy runs that were written elsewhere, none would gain more than a tenth",
)
HARDLY = Threshold(
    "hardly-begun", 0.1,
    "While less than a tenth of a constant prediction's loss is gone, and the loss falls ever "
    "faster, a forecast sees only the beginning of the fall.",
    "networks that first have to find their way follow an S: slow, then fast, then slow again",
)
EARLY = Threshold(
    "steps-of-a-first-plateau", 150.0,
    "The loss of some networks first plateaus where that of a linear model would, and falls again "
    "after hundreds of steps. A run of so few, with less than `gain-of-a-first-plateau`, may have "
    "ended there.",
    "a choice; networks that learn spirals and parities leave that plateau after 200 to 500 steps",
)
BARELY = Threshold(
    "gain-of-a-first-plateau", 0.25,
    "What a run has gained of a constant prediction's loss on its first plateau.",
    "a choice; linear models gain 5 to 15 % on spirals",
)
DECAYED = Threshold(
    "rate-at-the-end", 0.1,
    "A schedule that has lowered the learning rate to a tenth of its peak has brought the run to "
    "its planned end. More steps would need another schedule.",
    "cosine, step and one-cycle schedules of the corpus end at a tenth or less",
)
SLOW = Threshold(
    "slow-update", 1e-3,
    "If an update changes the weights by less than the usual thousandth, a higher learning rate "
    "may get as far in the same number of steps.",
    "CS231n: about 1e-3 is usual",
)
UPDATES = Threshold(
    "updates-of-a-hurried-run", 100.0,
    "So few updates are too few for nearly any network. If the held-out loss falls by "
    "`fall-at-the-end` from the last evaluation but one to the last, more would have lowered it, "
    "whatever the schedule of the learning rate had planned.",
    "Adam moves a weight by the learning rate per step: by 0.1 in 100 steps of the usual 0.001",
)
FALLING = Threshold(
    "fall-at-the-end", 0.2,
    "A fall of the held-out loss that is none of its usual ups and downs.",
    "a choice: twice the gain that is worth a longer run",
)
IN_VAIN = Threshold(
    "losses-in-vain", 3.0,
    "If only one of so many losses, or gradients, leads to a step, the rest of the data is read "
    "and never learned from. Two optimizers, and steps that are taken back, use every second one.",
    "a choice: a step behind the loop over batches wastes all but the last one",
)
CUT = (EndKind.STOPPED, EndKind.INTERRUPTED, EndKind.KILLED)
FEWEST_IN_VAIN = 3  # steps at which that was seen
MOSTLY = 0.8  # of the backward passes
FACTORS = (2.0, 3.0, 5.0)


def _detect(view: View) -> Verdict:
    end, outcome = view.record.end, view.outcome
    vain = _in_vain(view)
    if vain is not None:
        return vain
    if end.kind in CUT and view.record.fact(Log) is None:
        return Unknown(f"the run was {end.kind.value} from outside, so nobody knows when it would "
                       "have ended", ("a run that ends by itself",))
    if outcome.kind in (OutcomeKind.LEARNING, OutcomeKind.PLATEAU) and (hurried := _hurried(view)):
        return hurried
    if outcome.kind is OutcomeKind.PLATEAU and view.record.steps < view.limit(EARLY) and (
            outcome.skill is not None and outcome.skill < view.limit(BARELY)
            and not short_on_purpose(view.record)):
        return _on_its_first_plateau(view)
    if outcome.kind is not OutcomeKind.LEARNING:
        return Absent(f"the outcome of the run is \"{outcome.kind}\", not \"learning\"")
    if outcome.confidence < UNSURE:
        return Unknown("the loss is too noisy to say whether it is still falling",
                       ("a longer run",))
    left = rate_left(view)
    if not left > view.limit(DECAYED):
        return Absent(f"the learning rate is down to {percent(left)} of its peak, so the run ended "
                      "with its schedule")
    if short_on_purpose(view.record):
        return Absent(SHORT)
    if goes_on(view):
        return Absent("a later training of the program goes on from the weights of this one")
    loss = view[TRAIN_LOSS]
    found = outlook(loss)
    hardly = outcome.skill is not None and outcome.skill < view.limit(HARDLY)
    begun = hardly and has_begun(reduce(view.record, tidy(loss)))
    # Before anything is learned, the held-out loss moves at random.
    if not hardly and held_out_turned(view):
        return Absent("the held-out loss was best before the last quarter of the run")
    if only_by_heart(view):
        return Absent("the held-out loss was never below that of a constant prediction, and rises")
    if not begun and held_out_rests(view):
        return Absent("the held-out loss has stopped falling: it was about the same in the last "
                      "two quarters of the run")
    if isinstance(found, Abstained):
        return Unknown(f"the loss cannot be forecast: {found.reason}", ("a longer run",))
    if begun and not found.sure_share >= view.limit(LARGE):
        return _present(view, found, loss, begun=True)
    if not found.share > view.limit(SMALL) and not (hardly and found.sure_share > 0):
        return Absent("50 % more training would probably lower the loss by only "
                      f"{percent(max(found.share, 0.0))}")
    return _present(view, found, loss)


def _on_its_first_plateau(view: View) -> Present:
    """The loss came down at once and rests, but the run is too short to say that it stays there."""
    points, losses = loss_points(view)
    steps = count(view.record.steps, "step")
    return Present(
        strength=0.35, of_value=True,
        title=f"training stopped after {steps}, on what may be its first plateau",
        since_step=0,
        location=backward_location(view),
        label=f"{steps} in total",
        evidence=(Evidence(
            TRAIN_LOSS.name, "", points, losses, None,
            f"the loss went from {number(losses[0])} to {number(loss_ends_at(view))} in {steps}, "
            "and many networks leave such a plateau after hundreds of steps"),),
        remedies=(_much_longer(),),
    )


def _hurried(view: View) -> Present | None:
    """A run of hardly any updates at whose end the held-out loss still fell."""
    if not view.record.steps < view.limit(UPDATES) or not view.has(HELD_OUT_LOSS) or (
            view.record.fact(Log) or short_on_purpose(view.record)):
        return None
    held = view[HELD_OUT_LOSS].finite
    before, last = [0.0, 0.0, *held.values.tolist()][-2:]
    fell = 1 - last / before if before > 0 else 0.0
    if not fell >= view.limit(FALLING) or last > float(held.values.min()):
        return None
    steps = count(view.record.steps, "step")
    return Present(
        strength=0.6, of_value=True, hides_outcome=True,
        title=f"training stopped after only {steps}, while the held-out loss was still falling, by "
        f"{percent(fell)} from one evaluation to the next",
        since_step=0,
        location=backward_location(view),
        label=f"{steps} in the whole run",
        evidence=(drawn(HELD_OUT_LOSS, "", held, None,
                        f"the held-out loss went from {number(before)} to {number(last)} at the "
                        "last evaluation"),),
        remedies=(_much_longer(),),
    )


def _much_longer() -> Remedy:
    return Remedy("train longer", Safety.SAFE, tuple(MoreSteps(f) for f in FACTORS[::-1]),
                  code_text=f"# {literal(FACTORS[-1])} times as many epochs")


def _in_vain(view: View) -> Present | None:
    """Batches whose losses are computed and never learned from: a step stands behind their loop."""
    for signal, what, says, then in (
        (LEFT_OUT_LOSSES, "losses", "reaches backward()",
         ": it may belong inside the loop over batches"),
        (CLEARED_BACKWARDS, "gradients", "is there when the optimizer steps",
         ", and all but the last were cleared before it"),
    ):
        series = view[signal].finite if view.has(signal) else None
        if series is None or len(series) < FEWEST_IN_VAIN:
            continue
        of = 1 + float(np.median(series.values))
        # Of a validation with gradients on, the losses come before one backward pass in many.
        passes = np.count_nonzero(view[TRAIN_LOSS].steps <= series.steps[-1])
        usual = signal is CLEARED_BACKWARDS or len(series) >= MOSTLY * (passes - 1)
        steps = [call for call in view.record.facts(OptimizerCall)
                 if call.method == "step" and call.location is not None]
        if not of >= view.limit(IN_VAIN) or not usual or not steps:
            continue
        place = backward_location(view) if signal is LEFT_OUT_LOSSES else None
        name = steps[0].optimizer
        return Present(
            strength=_strength(view), since_step=0, location=place or steps[0].location,
            title=f"only one of {number(of)} {what} {says}, so the run made only "
            f"{count(view.record.steps, 'step')}",
            label=f"comes once for {number(of)} {what}{then}",
            evidence=(drawn(signal, "", series, None,
                            f"for each step, about {number(of - 1)} other {what} are lost"),),
            remedies=(Remedy(
                "let the gradient of each batch reach a step", Safety.SAFE,
                (StepEachBatch(name),) if name else (),
                advice="Call backward() and the optimizer's step() inside the loop over batches, "
                "for each loss. If gradients are meant to add up, clear them only after the "
                "step."),),
        )
    return _spent(view)


def _strength(view: View) -> float:
    """How much it matters that steps were not made: little, if the run got along without them."""
    ended_early = view.outcome.kind in (OutcomeKind.TOO_SHORT, OutcomeKind.LEARNING)
    return 0.85 if failed(view.outcome) or ended_early else 0.45


def _spent(view: View) -> Present | None:
    """Passes over the data that make no step, for what they iterate is at its end after the first.
    """
    place = next((loop.spent for loop in view.record.facts(Loop) if loop.spent is not None), None)
    if place is None:
        return None
    steps, losses = loss_points(view)
    return Present(
        strength=_strength(view), since_step=view.record.steps, location=place,
        title=f"only the first pass over the data makes steps, {view.record.steps:,} of them: what "
        "the loop iterates is an iterator, which is at its end after that",
        label="made before the loop around this one, and used up by the first pass",
        evidence=(Evidence(TRAIN_LOSS.name, "", steps, losses, None,
                           f"the loss went from {number(losses[0])} to {number(losses[-1])} in the "
                           "only pass"),),
        remedies=(Remedy(
            "make the iterator anew for each pass", Safety.ADVICE,
            advice="Build what the loop iterates inside the loop over epochs, or make a list of it "
            "once.", code_text="batches = list(batches)  # before the loop over epochs"),),
    )


def _present(view: View, found: Forecast, loss: Series, begun: bool = False) -> Verdict:
    """The verdict; of a loss that has `begun` to fall a forecast sees only a part of the fall."""
    steps = view.record.steps
    strength = 0.5 if begun else 0.35
    if found.sure_share >= view.limit(LARGE) and not begun:
        # A run that learned well may just as well be left as it is.
        steep = found.sure_share >= view.limit(STEEP)
        strength = 0.8 if (learned_little(view.outcome) or steep) and (
            view.record.fact(Log) is None) else 0.6
    # What learned nothing in so few updates was ended before it could, if nothing surer is found.
    if steps < view.limit(UPDATES) and learned_little(view.outcome) and (
            found.share >= view.limit(LARGE)):
        strength = max(strength, 0.48)
    low, high = percent(max(found.sure_share, 0.0)), percent(min(found.high / found.level, 1.0))
    updates = weight_updates(view) if view.has(UPDATE_NORM) and view.has(WEIGHT_NORM) else None
    fastest = np.inf
    if updates is not None and updates.names:
        fastest = float(np.nanmax(nan_median(updates.ratios, axis=1)))
    slow = fastest < view.limit(SLOW)
    longer = tuple(map(MoreSteps, FACTORS[::-1] if begun else FACTORS))
    remedies = [Remedy("train longer", Safety.SAFE, longer,
                       code_text=f"# {literal(_enough(loss))} times as many epochs")]
    optimizer = optimizer_of(view, updates.names) if updates is not None else None
    if slow and optimizer is not None and optimizer.learning_rate:
        now = optimizer.learning_rate
        remedies.append(Remedy("raise the learning rate", Safety.CHANGES_EXPERIMENT,
                               rates(optimizer, (3 * now, 10 * now))))
    points, losses = loss_points(view)
    return Present(
        strength=strength, of_value=True,
        title=f"training stopped after {count(steps, 'step')} while the loss was still falling: "
        + ("it had hardly begun, and fell ever faster" if begun else
           "50 % more training would probably lower it by a further "
           f"{low.removesuffix(' %')} to {high}"),
        since_step=0,
        location=backward_location(view),
        label=f"at the last of these passes the loss was {number(found.level)} and still falling",
        evidence=(
            Evidence(TRAIN_LOSS.name, "", points, losses, found.level - max(found.low, 0.0),
                     f"the loss came down to {number(found.level)} and would probably reach "
                     f"{number(found.level - found.gain)} after "
                     f"{count(round(found.more), 'further step')} (80 % interval: "
                     f"{number(found.level - found.high)} to {number(found.level - found.low)})"),
        ),
        remedies=tuple(remedies),
        one_of=("learning-rate-too-low",) if slow else (),
        separated_by=Experiment(
            "compare a run of as many steps at three times the learning rate with a run of three "
            "times the steps", (
                arms.learning_rate(view, 3, "learning-rate-too-low"),
                arms.longer(3.0, "too-few-steps"),
            )) if slow else None,
    )


def _enough(loss: Series) -> float:
    """The smallest factor on the length from which twice as long again hardly gains."""
    span = float(loss.steps[-1] - loss.steps[0])
    for factor in FACTORS[:-1]:
        near, far = forecast(loss, (factor - 1) * span), forecast(loss, (2 * factor - 1) * span)
        if isinstance(near, Forecast) and isinstance(far, Forecast):
            left = near.level - near.gain
            if far.gain - near.gain < LARGE.value * left:
                return factor
    return FACTORS[-1]


CAUSE = Cause(
    slug="too-few-steps",
    code="B001",
    title="Too few steps",
    family="Budget",
    harm=Harm.CONDITION,
    symptoms=(Symptom.SLOW, Symptom.FLAT),
    often=Often.COMMON,
    words=Words(
        symptom="The loss is still falling when the program ends, and the model is far from what "
        "it could be.",
        consequence="The network is judged before it has learned. Architectures, learning rates "
        "and data get the blame, although a longer run would have cleared them.",
        why="A loss comes down over thousands of updates and dozens of epochs. It need not fall "
        "at every step. But as long as its trend falls, the training is not over, and the final "
        "loss says nothing about the network.",
        detection="Four things must come together. The training loss is still clearly falling. No "
        "schedule has lowered the learning rate to its end. The held-out loss, if there is one, is "
        "still at its best. And a forecast of 50 % more steps lowers the loss by a tenth even at "
        "the lower end of its interval; the forecast fits a floor plus a power law or an "
        "exponential, and gets its interval by resampling the errors in blocks. A loss that has "
        "hardly left a constant prediction's and falls ever faster needs no forecast. If the "
        "network has already removed at least half of the loss of a constant prediction, this is "
        "only a note, because every run stops somewhere, unless the forecast takes off two "
        "fifths and a tenth of that loss is left. A run of fewer than 150 steps that gained "
        "hardly anything may be on its first plateau, which is at most a suspicion. A run of fewer "
        "than 100 steps stopped too early if its held-out loss fell by a fifth at the last "
        "evaluation.",
        limitations="A learning rate that is too low looks the same; if the updates are small, "
        "both are reported. The forecast does not foresee plateaus, sudden falls or a coming "
        "change of the learning rate, and with a noisy loss its interval is too wide to count. "
        "Runs that were stopped from outside are not judged. If the loss of a constant prediction "
        "is unknown, the result is a note at most.",
        references=(
            "Domhan et al., Speeding up hyperparameter optimization by extrapolation, IJCAI 2015",
            "Viering and Loog, The Shape of Learning Curves: a Review, IEEE TPAMI 2022",
            "Godbole et al., Deep Learning Tuning Playbook, 2023: how long to train",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(
        LEARNING_RATE, CONSTANT_LOSS, HELD_OUT_LOSS, UPDATE_NORM, WEIGHT_NORM, LEFT_OUT_LOSSES,
        CLEARED_BACKWARDS,
    ),
    thresholds=(
        LARGE, SMALL, STEEP, HARDLY, EARLY, BARELY, UPDATES, FALLING, DECAYED, SLOW, IN_VAIN),
    shows=Effect.TOO_SLOW,
    needs_trend=True,
    without_trend=_in_vain,
    detect=_detect,
)
