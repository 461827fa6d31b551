"""Signals of layers: what they compute, and what flows back through them."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal, StepSignal

OUTPUT_GRADIENT = PlaceSignal(
    "output-gradient", "", "L2 norm of the loss's gradient at a layer's output",
    requires=runs.BACKWARD,
)
OUTPUT_MEAN = PlaceSignal(
    "output-mean", "", "mean of a layer's output",
    requires=runs.LAYERS,
)
SILENT_SHARE = PlaceSignal(
    "silent-share", "",
    "share of a ReLU's units that were zero for every sample of this sampled batch and the two "
    "before it",
    requires=runs.RELU,
)
SATURATED_SHARE = PlaceSignal(
    "saturated-share", "",
    "share of the outputs of a sigmoid or tanh within 3 % of either end of their range",
    requires=runs.SIGMOID,
)
TWIN_UNITS = PlaceSignal(
    "twin-units", "",
    "share of a weight matrix's units whose weights equal those of another unit; measured at the "
    "first sampled step, and again while it is large",
    requires=runs.BACKWARD, place="parameter",
)
STACKED_LAYERS = PlaceSignal(
    "stacked-layers", "",
    "number of layers with weights directly before a layer, with nothing nonlinear in between",
    requires=runs.SMALL_GRAPH,
)
CURVED_OPERATIONS = StepSignal(
    "curved-operations", "",
    "number of nonlinear operations between layers with weights",
    requires=runs.SMALL_GRAPH,
)
TIME_GROWTH = PlaceSignal(
    "growth-through-time", "",
    "gradient at the second use of a recurrent weight divided by the gradient at its last use, "
    "within one forward pass; no more than the square of the growth over the first half",
    requires=runs.RECURRENCE, place="parameter",
)
