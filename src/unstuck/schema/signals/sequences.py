"""Signals of sequences: their lengths, their padding, and what is masked."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal, StepSignal

SHORT_SEQUENCES = PlaceSignal(
    "too-short-for-target", "",
    "share of the samples of a batch with fewer output frames than ctc_loss needs for their target",
    requires=runs.CTC, place="loss",
)
PADDED_SHARE = StepSignal(
    "padded-share", "",
    "share of the time steps of a batch that are padding: one value that fills the ends of most "
    "samples and is not met elsewhere",
    requires=runs.SEQUENCES,
)
PADDING_READ = PlaceSignal(
    "padding-read", "",
    "share of what the network reads from the time steps of a layer that it reads from padding, by "
    "the gradient of the loss times the layer's output",
    requires=runs.PADDED_SEQUENCES,
)
REAL_IN_LOSS = PlaceSignal(
    "real-in-loss", "",
    "share of the targets far from padded steps whose outputs get a gradient",
    requires=runs.PADDED_TARGETS, place="loss",
)
PADDING_IN_LOSS = PlaceSignal(
    "padding-in-loss", "",
    "share of the targets that the gradient of a loss comes from which stand at padded time steps",
    requires=runs.PADDED_TARGETS, place="loss",
)
TAIL_IN_LOSS = PlaceSignal(
    "tail-in-loss", "",
    "share of the targets that the gradient of a loss comes from which belong to a constant tail "
    "of the targets of most samples, of different length and not met elsewhere",
    requires=runs.STEP_TARGETS, place="loss",
)
IGNORED_TARGETS = PlaceSignal(
    "ignored-targets", "",
    "share of the class labels of a batch that the loss leaves out by its ignore_index; written "
    "only if there are any",
    requires=runs.IGNORED, place="loss",
)
ATTENTION_ON_PADDING = PlaceSignal(
    "attention-on-padding", "",
    "share of the attention in padded sequences that goes to the padding",
    requires=runs.ATTENTION, place="attention",
)
CLOSED_ROWS = PlaceSignal(
    "closed-rows", "",
    "share of the rows of an attention mask that leave no place open; written only if there are "
    "any",
    requires=runs.MASKS, place="attention",
)
FLAG_MASK = PlaceSignal(
    "flag-mask", "",
    "1 where a mask of zeros and ones is added to the scores of attention; written only if it is",
    requires=runs.MASKS, place="attention",
)
PAST_CLOSED = PlaceSignal(
    "past-closed", "",
    "share of the rows of attention whose mask leaves nothing but later places open; written only "
    "if there are any",
    requires=runs.MASKS, place="attention",
)
LOOKS_AHEAD = PlaceSignal(
    "looks-ahead", "",
    "share of the attention that goes to later steps, where the targets are the inputs of the next "
    "step; 0.5 for a recurrent layer that runs both ways",
    requires=runs.NEXT_STEPS, place="loss",
)
IN_PLACE = PlaceSignal(
    "target-in-place", "",
    "share of the tokens given to a model that attends to no later step which are the targets of "
    "the same steps",
    requires=runs.SAME_STEPS, place="loss",
)
TARGET_FEATURES = PlaceSignal(
    "features-equal-to-target", "features",
    "features of a table of inputs that were the target of every sample so far",
    requires=runs.TABLE, place="loss",
)
