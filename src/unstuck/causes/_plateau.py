"""A train loss that fell and then came to rest above its floor, and what its steps cost there."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.cause import View
from unstuck.causes._measures import UNSURE, loss_points
from unstuck.causes._steps import jump_cost, late_step
from unstuck.edits import number
from unstuck.findings import Absent, Evidence, OutcomeKind, Unknown
from unstuck.signals import TRAIN_LOSS


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
