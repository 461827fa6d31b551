"""Too few steps: training stopped while the loss was still clearly falling."""

from __future__ import annotations

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import (
    UNSURE,
    backward_location,
    learned_little,
    loss_points,
    nan_median,
    optimizer_of,
    rates,
    weight_updates,
)
from unstuck.edits import MoreSteps, Remedy, Safety
from unstuck.facts import EndKind
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.forecast import Abstained, Forecast, forecast, outlook
from unstuck.series import Series
from unstuck.signals import HELD_OUT_LOSS, LEARNING_RATE, TRAIN_LOSS, UPDATE_NORM, WEIGHT_NORM
from unstuck.words import number, percent

LARGE = Threshold(
    "sure-gain", 0.1,
    "Every run stops somewhere. It stopped too early where half as many steps more would almost "
    "surely take a tenth off what is left of the loss: the lower end of an 80 % interval.",
    "the interval covers on 85 % of labelled curves; of the runs in the zoo only one gains so "
    "much, and that one has learned what there was",
)
SMALL = Threshold(
    "gain-worth-a-note", 0.03,
    "A change of the loss smaller than this is no change worth running longer for.",
    "the outcome rules call as much material",
)
DECAYED = Threshold(
    "rate-at-the-end", 0.1,
    "A schedule that has taken the rate to a tenth of its height has brought the run to its "
    "planned end; more steps would need another schedule.",
    "cosine, step and one-cycle schedules of the zoo end at a tenth or less",
)
SLOW = Threshold(
    "slow-update", 1e-3,
    "Where an update moves the weights by less than the usual thousandth, a higher rate may get "
    "as far in the same number of steps.",
    "CS231n: about 1e-3 is usual",
)
CUT = (EndKind.STOPPED, EndKind.INTERRUPTED, EndKind.KILLED)
FACTORS = (2.0, 3.0, 5.0)


def _detect(view: View) -> Verdict:
    end, outcome = view.facts.end, view.outcome
    if end.kind in CUT and view.facts.log is None:
        return Unknown(f"the run was {end.kind.value} from outside: nobody knows when it would "
                       "have ended", ("a run to its own end",))
    if outcome.kind is not OutcomeKind.LEARNING:
        return Absent(f"the outcome is {outcome.kind}: no loss that is still falling")
    if outcome.confidence < UNSURE:
        return Unknown("whether the loss still falls cannot be told from its noise",
                       ("a run of more steps",))
    left = _rate_left(view)
    if not left > view.limit(DECAYED):
        return Absent(f"the rate is down to {percent(left)} of its height: the run ended where its "
                      "schedule does")
    if _held_out_turned(view):
        return Absent("the held-out loss was best before the last quarter of the run")
    loss = view[TRAIN_LOSS]
    found = outlook(loss)
    if isinstance(found, Abstained):
        return Unknown(f"no forecast can be made: {found.reason}", ("a run of more steps",))
    if not found.share > view.limit(SMALL):
        return Absent(f"half as many steps more would take {percent(max(found.share, 0.0))} off "
                      "the loss")
    return _present(view, found, loss)


def _rate_left(view: View) -> float:
    """The rate at the end over its height in the run, of the parameter group that kept most."""
    if not view.has(LEARNING_RATE):
        return 1.0
    groups = [s.finite.values for s in view[LEARNING_RATE].values() if len(s.finite)]
    return max((float(v[-1] / np.max(v)) for v in groups if np.max(v) > 0), default=1.0)


def _held_out_turned(view: View) -> bool:
    """Whether more steps would not help on held-out data: its loss was best long ago."""
    if not view.has(HELD_OUT_LOSS):
        return False
    held = view[HELD_OUT_LOSS].finite
    return len(held) >= 4 and int(np.argmin(held.values)) < 0.75 * (len(held) - 1)


def _present(view: View, found: Forecast, loss: Series) -> Verdict:
    steps = view.facts.steps
    sure = found.sure_share >= view.limit(LARGE)
    strength = 0.35
    if sure:
        # A run that learned well may just as well be left as it is.
        strength = 0.8 if learned_little(view.outcome) and view.facts.log is None else 0.6
    low, high = percent(max(found.sure_share, 0.0)), percent(min(found.high / found.level, 1.0))
    updates = weight_updates(view) if view.has(UPDATE_NORM) and view.has(WEIGHT_NORM) else None
    fastest = np.inf
    if updates is not None and updates.names:
        fastest = float(np.nanmax(nan_median(updates.ratios, axis=1)))
    slow = fastest < view.limit(SLOW)
    remedies = [Remedy("train longer", Safety.SAFE, tuple(MoreSteps(f) for f in FACTORS),
                       code_text=f"# {number(_enough(loss))} times as many epochs")]
    optimizer = optimizer_of(view, updates.names) if updates is not None else None
    if slow and optimizer is not None and optimizer.learning_rate:
        now = optimizer.learning_rate
        remedies.append(Remedy("raise the learning rate", Safety.CHANGES_EXPERIMENT,
                               rates(optimizer, (3 * now, 10 * now))))
    points, losses = loss_points(view)
    return Present(
        strength=strength,
        title=f"training stopped after {steps} steps while the loss was still falling: half as "
        f"many more would take {low} to {high} off it",
        since_step=0,
        location=backward_location(view),
        label=f"the last of these passes came at a loss of {number(found.level)}, on its way down",
        evidence=(
            Evidence(TRAIN_LOSS.name, "", points, losses, found.level - max(found.low, 0.0),
                     f"the loss came down to {number(found.level)}; {number(found.more)} further "
                     f"steps would make it {number(found.level - found.gain)}, with a probability "
                     f"of 80 % between {number(found.level - found.high)} and "
                     f"{number(found.level - found.low)}"),
        ),
        remedies=tuple(remedies),
        one_of=("learning-rate-too-low",) if slow else (),
        separated_by="as many steps at three times the rate against three times the steps"
        if slow else None,
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
    words=Words(
        symptom="The loss is still falling when the program ends, and the model is far from what "
        "it could be.",
        consequence="The network is judged before it has learned: architectures, rates and data "
        "are blamed for what a longer run would have shown.",
        why="A loss comes down over thousands of updates and dozens of epochs. It need not fall "
        "at every step, but as long as its trend falls, the training is not over and nothing can "
        "be concluded from its end.",
        detection="The train loss is still falling with confidence, the rate has not been taken "
        "down by a schedule, the held-out loss (if there is one) is still at its best, and a "
        "forecast of half as many steps more (a floor plus a power of time or an exponential, "
        "fitted with errors drawn anew in blocks) gains a tenth of the loss even at the lower end "
        "of its interval. It counts only where less than half of the constant prediction's loss "
        "is gone; else it is a note, for every run stops somewhere.",
        limitations="A rate that is too low looks the same, and where updates are small both "
        "are named. A forecast knows nothing of plateaus, sudden falls or a schedule still to "
        "come, and noisy losses leave it too wide to count. Runs that were cut from outside are "
        "not judged. A loss whose constant prediction is unknown gives a note at most.",
        references=(
            "Domhan et al., Speeding up hyperparameter optimization by extrapolation, IJCAI 2015",
            "Viering and Loog, The Shape of Learning Curves: a Review, IEEE TPAMI 2022",
            "Godbole et al., Deep Learning Tuning Playbook, 2023: how long to train",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(LEARNING_RATE, HELD_OUT_LOSS, UPDATE_NORM, WEIGHT_NORM),
    thresholds=(LARGE, SMALL, DECAYED, SLOW),
    needs_trend=True,
    detect=_detect,
)
