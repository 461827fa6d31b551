"""A train loss that fell and then came to rest above its floor, and what its steps cost there."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unstuck.cause import View
from unstuck.causes._measures import UNSURE, loss_points
from unstuck.causes._steps import jump_cost, late_step
from unstuck.edits import number
from unstuck.facts import LayerRole, SourceLocation
from unstuck.findings import Absent, Evidence, OutcomeKind, Unknown
from unstuck.signals import TRAIN_LOSS

WEIGHTED = (LayerRole.LINEAR, LayerRole.CONVOLUTION, LayerRole.RECURRENT, LayerRole.ATTENTION)
TRIAL = ("run again with twice the width, with one layer more, with momentum 0.9 and with a tenth "
         "of the rate: the one that lowers the training loss names the cause; noise in the data "
         "is left if none does")


@dataclass(frozen=True, slots=True)
class Plateau:
    """Where the train loss rests; `share` of that height its own steps cause, None if unknown."""

    level: float
    skill: float
    since: int
    share: float | None


def plateau(view: View, surely: bool = True) -> Plateau | Absent | Unknown:
    """The plateau of a run, or why there is none; `surely` asks for a fall that was seen."""
    outcome = view.outcome
    if outcome.kind is not OutcomeKind.BOTTLENECK:
        return Absent(f"the outcome is {outcome.kind}: no plateau above the floor after a fall")
    if outcome.skill is None or (surely and not outcome.confidence >= UNSURE):
        return Unknown("how far the plateau is above its floor is not known",
                       ("a loss whose best constant is known",))
    losses = view[TRAIN_LOSS].finite.values
    level = float(losses[-max(len(losses) // 10, min(len(losses), 5)):].mean())
    if not level > 0:
        return Unknown("the height of a loss with a sign says nothing", ("a loss above zero",))
    cost = jump_cost(view, late_step(view))
    return Plateau(level, outcome.skill, outcome.since_step,
                   None if cost is None else cost / level)


def plateau_evidence(view: View, found: Plateau) -> Evidence:
    """The loss and where it rests."""
    steps, losses = loss_points(view)
    return Evidence(TRAIN_LOSS.name, "", steps, losses, None,
                    f"the loss rests at {number(found.level)} from step {found.since} on, "
                    f"{number(100 * found.skill)} % better than the best constant")


def widths(view: View) -> list[tuple[str, int, int]]:
    """Name, inputs and outputs of each linear or convolution layer, in the order of the model."""
    parameters = view.facts.parameters()
    return [
        (layer.name, math.prod(shape[1:]), shape[0])
        for model in view.facts.models for layer in model.layers
        if layer.role in (LayerRole.LINEAR, LayerRole.CONVOLUTION)
        for name in layer.parameters
        if len(shape := parameters[name].shape) >= 2
    ]


def model_location(view: View) -> SourceLocation | None:
    """Where the largest model is constructed."""
    largest = max(view.facts.models, key=lambda m: len(m.parameters), default=None)
    return largest.location or largest.call_location if largest is not None else None
