"""The vocabulary of measurements: every signal that a probe may write and a cause may read."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema import sample_signals
from unstuck.schema.quantities import PlaceSignal as PlaceSignal
from unstuck.schema.quantities import Signal as Signal
from unstuck.schema.quantities import StepSignal as StepSignal

# Loss and schedule -------------------------------------------------------------------------------
TRAIN_LOSS = StepSignal(
    "train-loss", "",
    "the loss on which backward() is called, without the factor of a gradient scaler",
    requires=runs.LOSS,
)
HELD_OUT_LOSS = StepSignal(
    "held-out-loss", "",
    "mean loss of a pass over held-out data, from which nothing is learned",
    requires=runs.VALIDATION,
)
SEEN_LOSS = StepSignal(
    "seen-loss", "",
    "mean loss of a pass over training data from which nothing is learned",
    requires=runs.SEEN,
)
CONSTANT_LOSS = StepSignal(
    "constant-loss", "",
    "loss of the best prediction that ignores the input, from the targets seen so far",
    requires=runs.PLAIN_LOSS,
)
LEARNING_RATE = PlaceSignal(
    "learning-rate", "",
    "learning rate of each parameter group; written when it changes",
    requires=runs.OPTIMIZER, place="parameter group",
)
METRIC = PlaceSignal(
    "metric", "",
    "another number that a log names beside its losses, such as an accuracy",
    requires=runs.METRICS, place="column",
)
BATCH_SIZE = StepSignal(
    "batch-size", "samples", "first dimension of the model input",
    requires=runs.MODEL,
)
SAME_BATCH = StepSignal(
    "same-batch", "",
    "1 if a step trained on the samples of the step before, else 0; in the first 32 steps",
    requires=runs.BATCHES,
)
STORED_BATCHES = StepSignal(
    "stored-batches", "",
    "size of the memory that a model's batch is a view of, in batches; over the first 32 steps",
    requires=runs.BATCHES,
)
CLIP_NORM = StepSignal(
    "gradient-norm-before-clipping", "",
    "total norm that clip_grad_norm_ returned",
    requires=runs.CLIPPING,
)

# Parameters --------------------------------------------------------------------------------------
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
EMPTY_STEP = PlaceSignal(
    "empty-step", "",
    "1 if the optimizer stepped without any of the gradients that backward had computed, else 0",
    requires=runs.OPEN_OPTIMIZER, place="optimizer",
)
UNUSED_BACKWARDS = PlaceSignal(
    "unused-backwards", "passes",
    "backward passes so far without an optimizer step or a change of a weight; 0 after the first "
    "of either",
    requires=runs.STEPLESS, place="optimizer",
)

LOSS_FACTOR = PlaceSignal(
    "loss-factor", "",
    "the value passed to backward() divided by the loss that was computed; one number per "
    "backward pass",
    requires=runs.BACKWARD_OF_KNOWN_LOSS, place="loss",
)
LIVE_GRAPHS = PlaceSignal(
    "live-graphs", "",
    "graphs of losses and outputs that are still in memory more than two steps after they were "
    "built, among those that unstuck follows",
    requires=runs.UPDATE, place="loss or output",
)

UNREGISTERED = PlaceSignal(
    "unregistered-layer", "",
    "1 if a layer that the loss uses is registered neither with a model nor with an optimizer, is "
    "in train mode, was not loaded, and has kept its first values; else 0",
    requires=runs.UNREGISTERED,
)

FROZEN = PlaceSignal(
    "frozen-fresh", "",
    "1 if a frozen parameter was neither trained nor loaded and has kept its first values, else 0",
    requires=runs.FROZEN, place="parameter",
)

# Layers ------------------------------------------------------------------------------------------
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
    "number of nonlinear operations whose output feeds a layer with weights",
    requires=runs.SMALL_GRAPH,
)
TIME_GROWTH = PlaceSignal(
    "growth-through-time", "",
    "gradient at the first use of a recurrent weight divided by the gradient at its last use, "
    "within one forward pass",
    requires=runs.RECURRENCE, place="parameter",
)
SCHEDULER_CALLS = PlaceSignal(
    "scheduler-calls", "", "steps that a learning rate scheduler has made so far",
    requires=runs.SCHEDULER, place="scheduler",
)

# Data at the model's first layer and at the loss -------------------------------------------------
INPUT_MEAN = PlaceSignal(
    "input-mean", "", "mean of a feature at the model's first layer",
    requires=runs.FLOATS, place="feature",
)
INPUT_DEVIATION = PlaceSignal(
    "input-deviation", "",
    "standard deviation of a feature at the model's first layer",
    requires=runs.FLOATS, place="feature",
)
TARGET_MEAN = PlaceSignal(
    "target-mean", "", "mean of the targets of a loss",
    requires=runs.TARGETS, place="loss",
)
TARGET_DEVIATION = PlaceSignal(
    "target-deviation", "", "standard deviation of the targets of a loss",
    requires=runs.TARGETS, place="loss",
)
LOSS_INPUT_MINIMUM = PlaceSignal(
    "loss-input-minimum", "", "smallest value passed to a loss as prediction",
    requires=runs.KNOWN_LOSS, place="loss",
)
LOSS_INPUT_MAXIMUM = PlaceSignal(
    "loss-input-maximum", "", "largest value passed to a loss as prediction",
    requires=runs.KNOWN_LOSS, place="loss",
)
CLASS_SUM_ERROR = PlaceSignal(
    "class-sum-error", "",
    "largest distance from 1 of the sum over classes of a loss's predictions",
    requires=runs.KNOWN_LOSS, place="loss",
)
BATCH_SUM_ERROR = PlaceSignal(
    "batch-sum-error", "",
    "largest distance from 1 of the sum over the batch of a loss's predictions",
    requires=runs.KNOWN_LOSS, place="loss",
)
LOSS_INPUT_MEAN = PlaceSignal(
    "loss-input-mean", "", "mean of the predictions passed to a regression loss",
    requires=runs.REGRESSION, place="loss",
)
LOSS_INPUT_DEVIATION = PlaceSignal(
    "loss-input-deviation", "",
    "standard deviation of the predictions passed to a regression loss",
    requires=runs.REGRESSION, place="loss",
)
TARGET_MINIMUM = PlaceSignal(
    "target-minimum", "",
    "smallest target of a loss, without the targets that it ignores",
    requires=runs.TARGETS, place="loss",
)
TARGET_MAXIMUM = PlaceSignal(
    "target-maximum", "",
    "largest target of a loss, without the targets that it ignores",
    requires=runs.TARGETS, place="loss",
)
DISTINCT_TARGETS = PlaceSignal(
    "distinct-targets", "",
    "number of different targets of a loss so far; 0 unless all are whole numbers and few",
    requires=runs.TARGETS, place="loss",
)
REPEATED_TARGETS = PlaceSignal(
    "repeated-targets", "",
    "share of samples whose targets, several numbers each, are all equal",
    requires=runs.WIDE_REGRESSION, place="loss",
)
MULTIPLE_LABELS = PlaceSignal(
    "multiple-labels", "",
    "share of samples whose targets are zeros and several ones",
    requires=runs.PROBABILITIES, place="loss",
)
ONE_LABEL = PlaceSignal(
    "one-label", "", "share of samples whose targets are zeros and exactly one 1",
    requires=runs.PROBABILITIES, place="loss",
)
LABEL_ORDER = PlaceSignal(
    "label-order", "",
    "correlation between the difference of two whole-number targets and the distance of the mean "
    "inputs that belong to them",
    requires=runs.WHOLE_NUMBERS, place="loss",
)
LABEL_SEPARATION = PlaceSignal(
    "label-separation", "",
    "squared distance between the mean inputs of two whole-number targets, divided by the squared "
    "distance expected by chance",
    requires=runs.WHOLE_NUMBERS, place="loss",
)
UNREACHABLE_SHARE = PlaceSignal(
    "unreachable-share", "",
    "share of targets outside the range of the operation that computes the prediction",
    requires=runs.BOUNDED_REGRESSION, place="loss",
)
UNREACHABLE_LOSS = PlaceSignal(
    "unreachable-loss", "",
    "squared error that no prediction within the range of the last operation can avoid, divided "
    "by the variance of the targets",
    requires=runs.BOUNDED_REGRESSION, place="loss",
)
TARGET_NON_FINITE = PlaceSignal(
    "target-non-finite", "", "share of NaN or Inf among the targets of a loss",
    requires=runs.FLOAT_TARGETS, place="loss",
)
INPUT_NON_FINITE = PlaceSignal(
    "input-non-finite", "",
    "share of NaN or Inf in a feature of the input of the model or of its first layer; written "
    "only if there are any",
    requires=runs.NON_FINITE_INPUT, place="feature",
)
CONSTANT_INPUT_SHARE = StepSignal(
    "constant-input-share", "",
    "share of the elements of the first layer's input that were the same for all samples so far",
    requires=runs.BATCHES,
)
IDENTICAL_OUTPUTS = StepSignal(
    "identical-outputs", "",
    "1 if a model's output is the same for every sample of a batch, else 0; measured only if its "
    "inputs are all the same",
    requires=runs.EQUAL_INPUTS,
)
PICTURE_ROUGHNESS = StepSignal(
    "picture-roughness", "",
    "mean squared difference of neighbouring pixels at the first convolution, divided by twice "
    "their variance (0: smooth, 1: noise), along the image axis that differs least between the "
    "two layouts",
    requires=runs.IMAGES,
)
CHANNELS_LAST_ROUGHNESS = StepSignal(
    "channels-last-roughness", "",
    "the picture-roughness along the same axis if the numbers are read as height, width, channels",
    requires=runs.IMAGES,
)

# Modes and order ---------------------------------------------------------------------------------
EVAL_IN_TRAINING = PlaceSignal(
    "eval-mode-in-training", "",
    "1 if a layer with a train and an eval mode was in eval mode in every forward pass of the "
    "step whose loss reached backward, else 0",
    requires=runs.TWO_MODES,
)
BATCH_NORM_VALUES = PlaceSignal(
    "batch-norm-values", "values",
    "number of values per channel from which a batch normalisation layer in train mode computes "
    "its statistics",
    requires=runs.BATCH_NORM,
)
BATCH_NORM_GAP = PlaceSignal(
    "batch-norm-gap", "",
    "distance between the outputs of a batch normalisation layer in train mode and in eval mode "
    "for the same batch, in standard deviations",
    requires=runs.BATCH_NORM,
)
TRAIN_IN_VALIDATION = PlaceSignal(
    "train-mode-in-validation", "",
    "1 if a layer with a train and an eval mode was in train mode in a pass over held-out data, "
    "else 0",
    requires=runs.TWO_MODE_VALIDATION,
)
COPIED_GENERATORS = PlaceSignal(
    "copied-generators", "generators",
    "random generators of the program that are copied unchanged into each worker of a loader and "
    "used there; counted when the loader is built",
    requires=runs.WORKERS, place="loader",
)
LABEL_AGREEMENT = PlaceSignal(
    "label-agreement", "",
    "share of pairs of samples of one step that have the same class label",
    requires=runs.LABELS, place="loss",
)
LABEL_AGREEMENT_BETWEEN = PlaceSignal(
    "label-agreement-between", "",
    "share of pairs of samples of two different sampled steps, among all so far, that have the "
    "same class label",
    requires=runs.LABELS, place="loss",
)
PASTED_SHARE = PlaceSignal(
    "pasted-share", "",
    "share of a layer's samples that contain numbers of several of the model's samples; written "
    "only if there are any",
    requires=runs.MIXED_SAMPLES,
)

ALL: tuple[Signal, ...] = tuple(
    value for value in [*globals().values(), *vars(sample_signals).values()]
    if isinstance(value, Signal)
)
BY_NAME: dict[str, Signal] = {signal.name: signal for signal in ALL}
