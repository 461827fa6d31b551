"""The vocabulary of measurements: every signal that a probe may write and a cause may read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Cost(StrEnum):
    """How often a signal can be afforded."""

    EVERY_STEP = "every step"
    SAMPLED = "sampled steps"


@dataclass(frozen=True, slots=True)
class Signal:
    """A named quantity. Its unit is what one reads after the number, "" for a plain ratio."""

    name: str
    unit: str
    cost: Cost
    meaning: str


@dataclass(frozen=True, slots=True)
class StepSignal(Signal):
    """One number per step."""


@dataclass(frozen=True, slots=True)
class PlaceSignal(Signal):
    """One number per step and place: a layer, parameter, feature, class, loss or optimizer.

    Places are written in the order in which the forward pass meets them.
    """

    place: str = "layer"


# Loss and schedule -------------------------------------------------------------------------------
TRAIN_LOSS = StepSignal(
    "train-loss", "", Cost.EVERY_STEP, "the loss that reaches backward, scaling undone"
)
HELD_OUT_LOSS = StepSignal(
    "held-out-loss", "", Cost.EVERY_STEP,
    "mean loss of a pass over data from which nothing is learned",
)
SEEN_LOSS = StepSignal(
    "seen-loss", "", Cost.EVERY_STEP,
    "mean loss of a pass that learns nothing over data that were trained on",
)
CONSTANT_LOSS = StepSignal(
    "constant-loss", "", Cost.SAMPLED,
    "loss of the best prediction that ignores the input, from the targets seen so far",
)
LEARNING_RATE = PlaceSignal(
    "learning-rate", "", Cost.EVERY_STEP, "rate of each parameter group; written when it changes",
    place="parameter group",
)
BATCH_SIZE = StepSignal("batch-size", "samples", Cost.SAMPLED, "first dimension of the model input")
SAME_BATCH = StepSignal(
    "same-batch", "", Cost.SAMPLED,
    "1 if a step trained on the samples of the step before, else 0; for the first steps",
)
CLIP_NORM = StepSignal(
    "gradient-norm-before-clipping", "", Cost.EVERY_STEP, "total norm that clip_grad_norm_ returned"
)

# Parameters --------------------------------------------------------------------------------------
GRADIENT_NORM = PlaceSignal(
    "gradient-norm", "", Cost.SAMPLED,
    "L2 norm of a parameter's gradient as the optimizer sees it", place="parameter",
)
WEIGHT_NORM = PlaceSignal(
    "weight-norm", "", Cost.SAMPLED, "L2 norm of a parameter before the update", place="parameter"
)
UPDATE_NORM = PlaceSignal(
    "update-norm", "", Cost.SAMPLED,
    "L2 norm of the real change of a parameter over one optimizer step", place="parameter",
)
CARRIED_GRADIENT = PlaceSignal(
    "carried-gradient", "", Cost.SAMPLED,
    "share of an optimizer's parameters whose gradient still held that of the step before",
    place="optimizer",
)
REACHED = PlaceSignal(
    "reached-by-loss", "", Cost.SAMPLED, "1 if the loss's graph reaches the parameter, else 0",
    place="parameter",
)
HELD = PlaceSignal(
    "held-by-optimizer", "", Cost.SAMPLED,
    "1 if an optimizer held the parameter at this step or any before, or its value has changed "
    "since the run began, else 0",
    place="parameter",
)

UNREGISTERED = PlaceSignal(
    "unregistered-layer", "", Cost.SAMPLED,
    "1 if a layer that the loss reaches but no model lists is in training mode, not loaded, held "
    "by no optimizer, and has kept its values since it was first seen, else 0",
)

FROZEN = PlaceSignal(
    "frozen-fresh", "", Cost.SAMPLED,
    "1 if a frozen parameter was never trained nor loaded and has kept its values since it was "
    "first seen, else 0",
    place="parameter",
)

# Layers ------------------------------------------------------------------------------------------
OUTPUT_GRADIENT = PlaceSignal(
    "output-gradient", "", Cost.SAMPLED, "L2 norm of the loss's gradient at a layer's output"
)
OUTPUT_MEAN = PlaceSignal("output-mean", "", Cost.SAMPLED, "mean of a layer's output")
OUTPUT_DEVIATION = PlaceSignal(
    "output-deviation", "", Cost.SAMPLED, "standard deviation of a layer's output"
)
SILENT_SHARE = PlaceSignal(
    "silent-share", "", Cost.SAMPLED,
    "share of a rectifier's units that were zero for every sample of this and the two sampled "
    "batches before (of all so far in the first three)",
)
SATURATED_SHARE = PlaceSignal(
    "saturated-share", "", Cost.SAMPLED,
    "share of a sigmoid's or tanh's outputs within 3 % of an end of their range",
)

# Data at the model's first layer and at the loss -------------------------------------------------
INPUT_MEAN = PlaceSignal(
    "input-mean", "", Cost.SAMPLED, "mean of a feature at the model's first layer", place="feature"
)
INPUT_DEVIATION = PlaceSignal(
    "input-deviation", "", Cost.SAMPLED,
    "standard deviation of a feature at the model's first layer", place="feature",
)
TARGET_MEAN = PlaceSignal(
    "target-mean", "", Cost.SAMPLED, "mean of the targets of a loss", place="loss"
)
TARGET_DEVIATION = PlaceSignal(
    "target-deviation", "", Cost.SAMPLED, "standard deviation of the targets of a loss",
    place="loss",
)
LOSS_INPUT_MINIMUM = PlaceSignal(
    "loss-input-minimum", "", Cost.SAMPLED, "smallest value that a loss received", place="loss"
)
LOSS_INPUT_MAXIMUM = PlaceSignal(
    "loss-input-maximum", "", Cost.SAMPLED, "largest value that a loss received", place="loss"
)
CLASS_SUM_ERROR = PlaceSignal(
    "class-sum-error", "", Cost.SAMPLED,
    "largest distance from 1 of the sum over classes of what a loss received", place="loss",
)
BATCH_SUM_ERROR = PlaceSignal(
    "batch-sum-error", "", Cost.SAMPLED,
    "largest distance from 1 of the sum over the batch of what a loss received", place="loss",
)

ALL: tuple[Signal, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Signal)
)
BY_NAME: dict[str, Signal] = {signal.name: signal for signal in ALL}
