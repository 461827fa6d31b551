"""Signals of batches: which samples a step trains on, and in which order."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal, StepSignal

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
COPIED_GENERATORS = PlaceSignal(
    "copied-generators", "generators",
    "random generators that each worker of a loader draws from and starts in the same state; "
    "counted when the loader is built",
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
