"""A run whose loss was still falling when it ended, before it had learned what it could."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unstuck.curves.loss_curve import SURE
from unstuck.curves.statistics import trend
from unstuck.measures.basics import GOOD_SKILL, learned_little
from unstuck.measures.looks import left_out
from unstuck.measures.repeats import SHORT, short_on_purpose
from unstuck.measures.steps import agreement, late_step
from unstuck.measures.view import View
from unstuck.schema.facts.run import EndKind
from unstuck.schema.findings import Absent, OutcomeKind, Unknown
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import GRADIENT_PRODUCT

OVER = (OutcomeKind.DIVERGED, OutcomeKind.BROKEN, OutcomeKind.OVERFITTING, OutcomeKind.CONVERGED,
        OutcomeKind.CRASHED)
FEWEST_LOSSES = 8
STEEP = 0.25  # of the level


@dataclass(frozen=True, slots=True)
class Slow:
    """How far gradients agree over the run and its second half, and the fall of that half.

    `fall` is how far the loss fell in the second half, over how far it fell in the first.
    """

    whole: float
    late: float
    fall: float


def slow(view: View) -> Slow | Absent | Unknown:
    """The run's slowness, or why it is not slow."""
    skill = view.outcome.skill
    on_its_way = view.outcome.kind is OutcomeKind.LEARNING and (
        skill is not None and skill < GOOD_SKILL)
    if view.outcome.kind in OVER or not (learned_little(view.outcome) or on_its_way):
        return Absent("the loss fell well" if view.outcome.kind not in OVER else
                      f"the outcome is {view.outcome.kind}")
    if short_on_purpose(view.record):
        return Absent(SHORT)
    if view.record.end.kind not in (EndKind.FINISHED, EndKind.EXIT):
        return Unknown("the run was stopped before its end", ("a run that ends by itself",))
    losses = view[TRAIN_LOSS].finite.values
    whole, late = agreement(view), agreement(view, late_step(view))
    if whole is None or len(losses) < FEWEST_LOSSES:
        return Unknown("too few successive gradients were compared", (GRADIENT_PRODUCT.name,))
    if late is None and left_out(view.record):
        return Unknown("too few successive gradients were compared late in the run",
                       ("a run with --overhead 1",))
    if late is None:
        late = whole  # a short run has too few pairs in its second half
    first, middle, last = (float(np.mean(part)) for part in (
        losses[: len(losses) // 4], losses[len(losses) // 4: -len(losses) // 4],
        losses[-len(losses) // 4:]))
    fall = (middle - last) / (first - middle) if first > middle else 0.0
    return Slow(whole, late, fall)


def falls_steeply(view: View) -> bool:
    """Whether the loss surely lost a quarter of its level and more in the last quarter of the run.
    """
    late = view[TRAIN_LOSS].finite.since(int(0.75 * view.record.steps))
    line = trend(late)
    return line is not None and line.fall >= STEEP and line.score < -SURE
