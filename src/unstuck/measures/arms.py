"""The runs of experiments that several causes propose. No cause is named here."""

from __future__ import annotations

from unstuck.measures.basics import rates
from unstuck.measures.steps import main_optimizer, samples_per_step
from unstuck.measures.view import View
from unstuck.schema.edits import BatchSize, MoreSteps, OptimizerArgument
from unstuck.schema.experiments import Arm
from unstuck.words import number, times

USUAL_MOMENTUM = 0.9


def learning_rate(view: View, factor: float, cause: str) -> Arm:
    """The program with `factor` times the learning rate of its main optimizer."""
    optimizer = main_optimizer(view)
    edits = () if optimizer is None or not optimizer.learning_rate else rates(
        optimizer, [factor * optimizer.learning_rate])
    return Arm(edits, (cause,), f"{times(factor)} the learning rate")


def momentum(view: View, cause: str) -> Arm:
    """The program with the usual momentum."""
    optimizer = main_optimizer(view)
    edits = () if optimizer is None or optimizer.momentum is None else (
        OptimizerArgument(optimizer.name, "momentum", USUAL_MOMENTUM),)
    return Arm(edits, (cause,), f"a momentum of {USUAL_MOMENTUM}")


def smaller_batches(view: View, divisor: float, cause: str) -> Arm:
    """The program with as many epochs of smaller batches, unless those are small already."""
    size = samples_per_step(view)
    able = size is not None and size >= 2 * divisor
    edits = (BatchSize(round(size / divisor)),) if able and size is not None else ()
    return Arm(edits, (cause,), f"the batch size divided by {number(divisor)}")


def longer(factor: float, cause: str) -> Arm:
    """The program with `factor` times as many epochs."""
    return Arm((MoreSteps(factor),), (cause,), f"{times(factor)} as many epochs")
