"""Signals of what a loss receives: predictions and targets."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal

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
TARGET_SUM_ERROR = PlaceSignal(
    "target-sum-error", "",
    "mean distance from 1 of the sum over classes of a loss's targets, if they are numbers",
    requires=runs.TARGETS, place="loss",
)
BATCH_SUM_ERROR = PlaceSignal(
    "batch-sum-error", "",
    "largest distance from 1 of the sum over the batch of a loss's predictions",
    requires=runs.KNOWN_LOSS, place="loss",
)
LIKELIHOOD_SUM_ERROR = PlaceSignal(
    "likelihood-sum-error", "",
    "largest distance from 1 of the sum over classes of the probabilities whose logarithms a loss "
    "receives",
    requires=runs.LOG_LIKELIHOOD, place="loss",
)
LOSS_INPUT_DROPPED = PlaceSignal(
    "loss-input-dropped", "",
    "share of what a loss receives that dropout has just set to zero, if any",
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
TARGET_DIRECTIONS = PlaceSignal(
    "target-directions", "",
    "share of the variance of several targets that their first principal components hold, up to "
    "16 of them",
    requires=runs.WIDE_REGRESSION, place="number of components",
)
DIRECTIONS_TOLD = PlaceSignal(
    "directions-told", "",
    "share of each principal component of several targets that kernel ridge regression tells of "
    "samples that it was not fitted to",
    requires=runs.WIDE_REGRESSION, place="component",
)
