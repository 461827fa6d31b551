"""Signals of train and eval mode, and of batch statistics."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal

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
