"""Signals of what the first layer of a model receives."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal, StepSignal

INPUT_MEAN = PlaceSignal(
    "input-mean", "", "mean of a feature at the model's first layer",
    requires=runs.FLOATS, place="feature",
)
INPUT_DEVIATION = PlaceSignal(
    "input-deviation", "",
    "standard deviation of a feature at the model's first layer",
    requires=runs.FLOATS, place="feature",
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
CHANNEL_COMB = StepSignal(
    "channel-comb", "",
    "how much less numbers of an image differ, in its twice variance, that lie one pixel apart if "
    "they are read as height, width, channels, than those that lie a channel more or less apart, "
    "or twice as far; the least of both directions",
    requires=runs.IMAGES,
)
SERIES_ROUGHNESS = StepSignal(
    "series-roughness", "",
    "mean squared difference of neighbouring steps of a series at the first convolution, or of "
    "neighbouring channels in one step, whichever is less, divided by twice the variance (0: "
    "smooth, 1: noise)",
    requires=runs.SERIES,
)
STEPS_FIRST_ROUGHNESS = StepSignal(
    "steps-first-roughness", "",
    "the same difference of neighbouring steps if the numbers are read as steps, channels: of all "
    "of them, or of those that belong to two channels as given, whichever is more",
    requires=runs.SERIES,
)
