"""Signals of parameters: gradients, updates, and which of them training reaches."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal, StepSignal

CLIP_NORM = StepSignal(
    "gradient-norm-before-clipping", "",
    "total norm that clip_grad_norm_ returned",
    requires=runs.CLIPPING,
)
GRADIENT_NORM = PlaceSignal(
    "gradient-norm", "", "L2 norm of a parameter's gradient when the optimizer steps",
    requires=runs.UPDATE, place="parameter",
)
WEIGHT_NORM = PlaceSignal(
    "weight-norm", "", "L2 norm of a parameter before the update",
    requires=runs.UPDATE, place="parameter",
)
UPDATE_NORM = PlaceSignal(
    "update-norm", "",
    "L2 norm of the change that one optimizer step makes to a parameter",
    requires=runs.UPDATE, place="parameter",
)
DESCENT = PlaceSignal(
    "descent", "",
    "cosine of the angle between the change that one optimizer step makes to the weights and the "
    "direction against their gradient",
    requires=runs.UPDATE, place="optimizer",
)
GRADIENT_PRODUCT = PlaceSignal(
    "gradient-product", "",
    "dot product of the gradients of a sampled step and the next one, divided by the square of "
    "the larger norm",
    requires=runs.OPEN_OPTIMIZER_TWICE, place="optimizer",
)
GRADIENT_SQUARE = PlaceSignal(
    "gradient-square", "",
    "mean squared norm of the gradients of a sampled step and the next one, divided by the square "
    "of the larger norm",
    requires=runs.OPEN_OPTIMIZER_TWICE, place="optimizer",
)
BY_HAND = "the hand-written update"  # the place of a program that updates its weights itself
CARRIED_GRADIENT = PlaceSignal(
    "carried-gradient", "",
    "share of an optimizer's parameters whose gradient still contains that of the previous step",
    requires=runs.UPDATES, place="optimizer",
)
REACHED = PlaceSignal(
    "reached-by-loss", "",
    "1 if the graph of the loss contains the parameter, else 0",
    requires=runs.BACKWARD, place="parameter",
)
HELD = PlaceSignal(
    "held-by-optimizer", "",
    "1 if the parameter is or was registered with an optimizer, or its value has changed since "
    "the run began, else 0",
    requires=runs.UPDATE, place="parameter",
)
UNGIVEN = PlaceSignal(
    "ungiven-step", "",
    "1 at a step of an optimizer none of whose parameters has had a gradient so far, else 0",
    requires=runs.UPDATES, place="optimizer",
)
EMPTY_STEP = PlaceSignal(
    "empty-step", "",
    "1 if the optimizer stepped without any of the gradients that backward had computed, else 0",
    requires=runs.OPEN_OPTIMIZER, place="optimizer",
)
UNUSED_BACKWARDS = PlaceSignal(
    "unused-backwards", "passes",
    "backward passes so far without an optimizer step or a change of a weight, or steps of others "
    "while gradients came to this one; 0 once it steps, or a weight of its changes",
    requires=runs.STEPLESS, place="optimizer",
)
CLEARED_BACKWARDS = StepSignal(
    "cleared-backwards", "passes",
    "backward passes of a step whose gradients were cleared before another backward pass and the "
    "optimizer's step; written where there are any",
    requires=runs.UPDATES,
)
LIVE_GRAPHS = PlaceSignal(
    "live-graphs", "",
    "graphs of losses and outputs that are still in memory more than two steps after they were "
    "built, among those that unstuck follows",
    requires=runs.UPDATE, place="loss or output",
)
STEPS_BEHIND = StepSignal(
    "steps-behind", "",
    "earlier steps of which the backward pass of this step goes through the graph, among those "
    "that were looked at",
    requires=runs.UPDATE,
)
UNREGISTERED = PlaceSignal(
    "unregistered-layer", "",
    "1 if a layer that the loss uses is registered neither with a model nor with an optimizer, is "
    "in train mode, was not loaded, and has kept its first values; else 0",
    requires=runs.UNREGISTERED,
)
COLUMN_TIES = PlaceSignal(
    "column-ties", "",
    "mean squared correlation between the columns of a frozen table, times the rows that were "
    "looked at; about 1 if all its numbers were drawn by themselves",
    requires=runs.FROZEN, place="parameter",
)
FROZEN = PlaceSignal(
    "frozen-fresh", "",
    "1 if a frozen parameter was neither trained nor loaded and has kept its first values, else 0",
    requires=runs.FROZEN, place="parameter",
)
