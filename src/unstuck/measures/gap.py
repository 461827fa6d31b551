"""The gap between the training loss and the held-out loss, both in eval mode if known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.curves.held_out import MEMORISED, unit_of
from unstuck.curves.loss_curve import NEAR_ZERO, SURE
from unstuck.curves.statistics import end_median, of_three, point_noise, tidy, trend
from unstuck.measures.basics import (
    constant_loss,
    last,
    no_held_out_loss,
    train_loss_at_the_end,
    weights,
)
from unstuck.measures.evaluation import late_value
from unstuck.measures.labels import above_chance
from unstuck.measures.samples import kept
from unstuck.measures.steps import main_optimizer
from unstuck.measures.view import View
from unstuck.record.series import Series
from unstuck.schema.edits import Dropout, OptimizerArgument, Remedy, Safety
from unstuck.schema.facts.models import CalledDropout, LayerRole, Restored
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.findings import Absent, Unknown
from unstuck.schema.signals.losses import CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, TRAIN_LOSS
from unstuck.schema.signals.samples import LABELS_BY_CHANCE, LABELS_FOUND
from unstuck.words import count, number

FEWEST = 6  # held-out passes
AROUND = 20  # train losses in front of the first
CLEARLY = 0.1  # of the held-out labels are found beyond chance,
DEVIATIONS = 5.0  # and so many standard deviations of chance
CARRIED = 0.2  # of a constant's loss
LEAST_QUARTER = 3  # held-out losses in a quarter of the run, to say that they rest
RESTS = 0.02  # of all that they fell by
NOISE = 0.01  # of a constant's loss, by which the mean of held-out losses may be off


@dataclass(frozen=True, slots=True)
class Gap:
    """Best and last held-out loss and the train loss at the end.

    `lost` is the share of the held-out gain that was lost again: (end - best) / (start - best),
    with the constant's loss for the start where it is known. `sure` says whether the rise is more
    than four standard errors. `eval_mode` says whether the train loss was measured in eval mode.
    """

    held: Series
    best: float
    best_step: int
    end: float
    train: float
    lost: float
    sure: bool
    memorised: bool
    eval_mode: bool


RISEN = 1.2  # times as high as when the held-out loss was best: beyond the noise of batches


def only_by_heart(view: View) -> bool:
    """Whether nothing that was learned holds for held-out samples: their loss was never below a
    constant's and only rose, while the train loss fell below it.
    """
    constant = constant_loss(view)
    if constant is None or not constant > 0 or not view.has(HELD_OUT_LOSS):
        return False
    held = tidy(view[HELD_OUT_LOSS])
    line = trend(held)
    return line is not None and line.score > SURE and (
        float(held.values.min()) > (1 - NOISE) * constant
        and end_median(held.values) > (1 + NOISE) * constant
        and train_loss_at_the_end(view) < (1 - 2 * NOISE) * constant)


def carries_over(view: View) -> bool:
    """Whether what was learned holds for held-out samples: a fifth of a constant's loss is gone."""
    constant = constant_loss(view)
    if constant is None or not constant > 0 or not view.has(HELD_OUT_LOSS):
        return False
    held = view[HELD_OUT_LOSS].finite.values
    return len(held) > 0 and float(held.min()) <= (1 - CARRIED) * constant


def not_kept(view: View) -> Absent | None:
    """Why what was memorised does no harm, if the program goes back to earlier weights."""
    if not view.record.facts(Restored):
        return None
    return Absent("the program restores earlier weights after training, so what was memorised "
                  "later is not kept")


def tells_new_ones(view: View) -> bool:
    """Whether clearly more held-out labels are found than by chance, whatever their loss is."""
    if not (view.has(LABELS_FOUND) and view.has(LABELS_BY_CHANCE)):
        return False
    found, chance = (last(view[each]).get("held-out") for each in (LABELS_FOUND, LABELS_BY_CHANCE))
    held = kept(view, "held-out")
    return found is not None and chance is not None and held is not None and (
        found - chance >= CLEARLY and above_chance(found, chance, held.samples) >= DEVIATIONS)


def gap(view: View) -> Gap | Absent | Unknown:
    """The gap at the end of a run, or why none can be seen."""
    if not view.has(HELD_OUT_LOSS):
        return no_held_out_loss(view)
    held = tidy(view[HELD_OUT_LOSS])
    if len(held) < FEWEST:
        return Unknown(f"this run had {count(len(held), 'validation pass')}, and a trend needs at "
                       f"least {FEWEST}", (f"a run with at least {FEWEST} validation passes",))
    values = held.values
    calm = of_three(values)
    at = int(np.argmin(calm)) + 1
    best, end = float(calm[at - 1]), end_median(values)
    before = view[TRAIN_LOSS].finite.until(int(held.steps[0])).values[-AROUND:]
    unit = unit_of(float(np.median(before)), float(values[0])) if len(before) else 1.0
    constant = constant_loss(view)
    constant = constant if constant is None else constant * unit
    start = constant if constant is not None else float(values[0])
    if not start > best and not tells_new_ones(view):
        return Unknown("the held-out loss was never better than that of a constant guess",
                       ("a check that the training and the held-out data match",))
    error = point_noise(values) * math.sqrt(2 / 3)
    seen = late_value(view, SEEN_LOSS)
    train = train_loss_at_the_end(view) * unit if seen is None else seen
    if not train < end:
        return Absent("the held-out loss does not exceed the training loss")
    then = view[TRAIN_LOSS].finite.since(int(held.steps[at - 1])).until(int(held.steps[at])).values
    next_to_nothing = constant is not None and train <= NEAR_ZERO * constant
    if len(then) and not next_to_nothing and (
        train_loss_at_the_end(view) > RISEN * float(np.median(then))
    ):
        return Absent("the training loss has risen as well, so nothing was memorised since")
    # An early answer that is right, and far too sure, costs more than none.
    lost = (end - best) / (start - best) if start > best else 1.0
    return Gap(held, best, int(held.steps[at]), end, train, lost,
               end - best > 4 * error and at < len(held) - 2,
               next_to_nothing and constant is not None and end > MEMORISED * constant,
               seen is not None)


def restraint(view: View) -> str | None:
    """What regularises the network, None if nothing does."""
    for layer in view.record.layers().values():
        if layer.role is LayerRole.DROPOUT and layer.dropped != 0:
            return f"dropout ({layer.name})"
    for called in view.record.facts(CalledDropout):
        return f"the {called.name}"
    for optimizer in view.record.facts(Optimizer):
        decay, rate = optimizer.weight_decay or 0.0, optimizer.learning_rate or 0.0
        # Weights that nothing else moves would shrink by this factor, as a power of e.
        if decay * rate * view.record.steps > 0.1:
            return f"a weight decay of {number(decay)}"
    return None


def restraining(
    view: View, shares: tuple[float, ...], decays: tuple[float, ...]
) -> tuple[Remedy, ...]:
    """The remedies that regularise a network: dropout, and weight decay if the optimizer has one.

    Args:
        shares: of the units that dropout drops, the first to try first.
        decays: of the weights, likewise.
    """
    dropout = Remedy("add dropout", Safety.CHANGES_EXPERIMENT, tuple(map(Dropout, shares)))
    optimizer = main_optimizer(view)
    if optimizer is None or optimizer.weight_decay is None:
        return (dropout,)
    return dropout, Remedy("add weight decay", Safety.CHANGES_EXPERIMENT, tuple(
        OptimizerArgument(optimizer.name, "weight_decay", decay) for decay in decays))


def elements(view: View) -> int:
    """The number of trainable weights."""
    return weights(p for p in view.record.parameters().values() if p.trainable)


def held_out_turned(view: View) -> bool:
    """Whether more steps would not help on held-out data: its loss was best long ago."""
    if not view.has(HELD_OUT_LOSS):
        return False
    held = view[HELD_OUT_LOSS].finite
    return len(held) >= 4 and int(np.argmin(held.values)) < 0.75 * (len(held) - 1)


def held_out_rests(view: View) -> bool:
    """Whether the last quarter of the held-out losses is no better than the one before.

    By more than twice the standard error of the difference, or a fiftieth of what was won at all.
    """
    if not view.has(HELD_OUT_LOSS):
        return False
    held = view[HELD_OUT_LOSS].finite.values
    quarter = len(held) // 4
    if quarter < LEAST_QUARTER:
        return False
    before, after = held[-2 * quarter:-quarter], held[-quarter:]
    won = float(before.mean() - after.mean())
    error = point_noise(held[-2 * quarter:]) * math.sqrt(2 / quarter)
    return won <= RESTS * (float(held[0]) - float(held.min())) and won <= 2 * error


def helps_little(view: View, of_constant: float) -> bool:
    """Whether the training loss fell below half of a constant's, and the held-out loss never below
    a share of it."""
    if not (view.has(CONSTANT_LOSS) and view.has(HELD_OUT_LOSS)):
        return False
    constant, held = view[CONSTANT_LOSS].finite, view[HELD_OUT_LOSS].finite
    return bool(
        len(constant) and len(held) and held.values.min() >= of_constant * constant.values[-1]
        and train_loss_at_the_end(view) < constant.values[-1] / 2)
