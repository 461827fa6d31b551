"""The vocabulary of measurements: every signal that a probe may write and a cause may read."""

from __future__ import annotations

from unstuck import sample_signals
from unstuck.quantities import Cost as Cost
from unstuck.quantities import PlaceSignal as PlaceSignal
from unstuck.quantities import Signal as Signal
from unstuck.quantities import StepSignal as StepSignal

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
METRIC = PlaceSignal(
    "metric", "", Cost.EVERY_STEP, "what a log names beside its losses, such as an accuracy",
    place="column",
)
BATCH_SIZE = StepSignal("batch-size", "samples", Cost.SAMPLED, "first dimension of the model input")
SAME_BATCH = StepSignal(
    "same-batch", "", Cost.SAMPLED,
    "1 if a step trained on the samples of the step before, else 0; for the first steps",
)
STORED_BATCHES = StepSignal(
    "stored-batches", "", Cost.SAMPLED,
    "how many times the batch that a model receives fits into the memory that it is a view of, "
    "over the first 32 steps",
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
GRADIENT_PRODUCT = PlaceSignal(
    "gradient-product", "", Cost.SAMPLED,
    "product of the gradients of a sampled step and the next, over the square of the larger norm",
    place="optimizer",
)
GRADIENT_SQUARE = PlaceSignal(
    "gradient-square", "", Cost.SAMPLED,
    "mean square of the norms of the gradients of a sampled step and the next, in the same unit",
    place="optimizer",
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
EMPTY_STEP = PlaceSignal(
    "empty-step", "", Cost.SAMPLED,
    "1 if the optimizer stepped without any of the gradients that backward was there to leave, "
    "else 0",
    place="optimizer",
)
UNUSED_BACKWARDS = PlaceSignal(
    "unused-backwards", "passes", Cost.SAMPLED,
    "backward passes so far while no optimizer had stepped nor a weight changed; 0 once one did",
    place="optimizer",
)

LOSS_FACTOR = PlaceSignal(
    "loss-factor", "", Cost.SAMPLED,
    "what reached backward over the loss that was computed; one number a backward pass",
    place="loss",
)
LIVE_GRAPHS = PlaceSignal(
    "live-graphs", "", Cost.SAMPLED,
    "graphs of losses and outputs made more than two steps ago that are still in memory, of those "
    "followed",
    place="loss or output",
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

TWIN_UNITS = PlaceSignal(
    "twin-units", "", Cost.SAMPLED,
    "share of a matrix's units whose weights equal another unit's; measured at the first sampled "
    "step, and again while it is large",
    place="parameter",
)
STACKED_LAYERS = PlaceSignal(
    "stacked-layers", "", Cost.SAMPLED,
    "number of layers with weights before a layer with nothing nonlinear in between",
)
CURVED_OPERATIONS = StepSignal(
    "curved-operations", "", Cost.SAMPLED,
    "number of nonlinear operations that some layer with weights gets its input from",
)
TIME_GROWTH = PlaceSignal(
    "growth-through-time", "", Cost.SAMPLED,
    "gradient at the first use of a recurrent weight over that at its last use in one forward",
    place="parameter",
)
SCHEDULER_CALLS = PlaceSignal(
    "scheduler-calls", "", Cost.SAMPLED, "steps that a learning rate scheduler has made",
    place="scheduler",
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
LOSS_INPUT_MEAN = PlaceSignal(
    "loss-input-mean", "", Cost.SAMPLED, "mean of what a regression loss received", place="loss"
)
LOSS_INPUT_DEVIATION = PlaceSignal(
    "loss-input-deviation", "", Cost.SAMPLED,
    "standard deviation of what a regression loss received", place="loss",
)
TARGET_MINIMUM = PlaceSignal(
    "target-minimum", "", Cost.SAMPLED,
    "smallest target of a loss; those that it ignores are left out", place="loss",
)
TARGET_MAXIMUM = PlaceSignal(
    "target-maximum", "", Cost.SAMPLED,
    "largest target of a loss; those that it ignores are left out", place="loss",
)
DISTINCT_TARGETS = PlaceSignal(
    "distinct-targets", "", Cost.SAMPLED,
    "how many different values the targets of a loss have had so far; 0 unless all are whole "
    "numbers and few",
    place="loss",
)
REPEATED_TARGETS = PlaceSignal(
    "repeated-targets", "", Cost.SAMPLED,
    "share of the samples whose several numbers to predict are all the same", place="loss",
)
MULTIPLE_LABELS = PlaceSignal(
    "multiple-labels", "", Cost.SAMPLED,
    "share of samples whose targets are zeros and several ones", place="loss",
)
ONE_LABEL = PlaceSignal(
    "one-label", "", Cost.SAMPLED,
    "share of samples whose targets are zeros and exactly one 1", place="loss",
)
LABEL_ORDER = PlaceSignal(
    "label-order", "", Cost.SAMPLED,
    "correlation between the distance of two whole-number targets and that of their mean inputs",
    place="loss",
)
LABEL_SEPARATION = PlaceSignal(
    "label-separation", "", Cost.SAMPLED,
    "squared distance between the mean inputs of two whole-number targets, over what chance "
    "would put there",
    place="loss",
)
UNREACHABLE_SHARE = PlaceSignal(
    "unreachable-share", "", Cost.SAMPLED,
    "share of targets outside the range of the operation that made the prediction", place="loss",
)
UNREACHABLE_LOSS = PlaceSignal(
    "unreachable-loss", "", Cost.SAMPLED,
    "squared error that no prediction within that range can avoid, over the targets' variance",
    place="loss",
)
TARGET_NON_FINITE = PlaceSignal(
    "target-non-finite", "", Cost.SAMPLED, "share of NaN or Inf among the targets of a loss",
    place="loss",
)
INPUT_NON_FINITE = PlaceSignal(
    "input-non-finite", "", Cost.SAMPLED,
    "share of NaN or Inf in a feature of the model's or the first layer's input, where there are "
    "any",
    place="feature",
)
CONSTANT_INPUT_SHARE = StepSignal(
    "constant-input-share", "", Cost.SAMPLED,
    "share of the elements of the first layer's input that have been the same for all samples",
)
IDENTICAL_OUTPUTS = StepSignal(
    "identical-outputs", "", Cost.SAMPLED,
    "1 if a model puts out the same for every sample of a batch, else 0; looked at only where its "
    "inputs are all the same",
)
PICTURE_ROUGHNESS = StepSignal(
    "picture-roughness", "", Cost.SAMPLED,
    "mean squared difference of neighbours in the first convolution's pictures over twice their "
    "variance (0: smooth, 1: noise), along the axis that speaks least for channels last",
)
CHANNELS_LAST_ROUGHNESS = StepSignal(
    "channels-last-roughness", "", Cost.SAMPLED,
    "the same along the same axis, if the numbers are read as height, width, channels",
)

# Modes and order ---------------------------------------------------------------------------------
EVAL_IN_TRAINING = PlaceSignal(
    "eval-mode-in-training", "", Cost.SAMPLED,
    "1 if a layer that depends on the mode was in eval mode in every pass of the step whose loss "
    "reached backward, else 0",
)
BATCH_NORM_VALUES = PlaceSignal(
    "batch-norm-values", "values", Cost.SAMPLED,
    "values per channel that a batch normalisation layer in train mode took its statistics from",
)
BATCH_NORM_GAP = PlaceSignal(
    "batch-norm-gap", "", Cost.SAMPLED,
    "distance between what a batch normalisation layer makes of a batch in train mode and what it "
    "would make of it in eval mode, in standard deviations",
)
TRAIN_IN_VALIDATION = PlaceSignal(
    "train-mode-in-validation", "", Cost.EVERY_STEP,
    "1 if a layer that depends on the mode was in train mode in a pass over held-out data, else 0",
)
COPIED_GENERATORS = PlaceSignal(
    "copied-generators", "generators", Cost.SAMPLED,
    "random generators of the program's own that each worker of a loader gets the same copy of "
    "and draws from; counted when the loader is built",
    place="loader",
)
LABEL_AGREEMENT = PlaceSignal(
    "label-agreement", "", Cost.SAMPLED,
    "share of the pairs of samples of one step that have the same class label", place="loss",
)
LABEL_AGREEMENT_BETWEEN = PlaceSignal(
    "label-agreement-between", "", Cost.SAMPLED,
    "share of the pairs of samples of two different sampled steps, of all so far, that have the "
    "same class label",
    place="loss",
)
PASTED_SHARE = PlaceSignal(
    "pasted-share", "", Cost.SAMPLED,
    "share of a layer's samples that hold numbers of several of the model's; written if there are "
    "any",
)

ALL: tuple[Signal, ...] = tuple(
    value for value in [*globals().values(), *vars(sample_signals).values()]
    if isinstance(value, Signal)
)
BY_NAME: dict[str, Signal] = {signal.name: signal for signal in ALL}
