"""Signals of how the classes of held-out samples are numbered, written when the program has ended.
"""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal, StepSignal

HELD_OUT_ACCURACY = StepSignal(
    "held-out-accuracy", "",
    "share of the kept held-out samples, predicted late in the run, that the network assigns to "
    "their class",
    requires=runs.LATE_HELD_OUT_CLASSES,
)
RELABELLED_ACCURACY = StepSignal(
    "relabelled-accuracy", "",
    "the same share under the best other numbering of the classes, found on one half of the "
    "samples and judged on the other",
    requires=runs.LATE_HELD_OUT_CLASSES,
)
RELABELLED_SAMPLES = StepSignal(
    "relabelled-samples", "samples", "number of held-out samples that were judged so",
    requires=runs.LATE_HELD_OUT_CLASSES,
)
LABELS_COMPARED = StepSignal(
    "labels-compared", "samples",
    "number of different samples that were trained on, and evaluated with a class label as well",
    requires=runs.SEEN_LABELS,
)
LABELS_KEPT = StepSignal(
    "labels-kept", "", "share of them that have the same label in training and in evaluation",
    requires=runs.SEEN_LABELS,
)
LABELS_RENUMBERED = StepSignal(
    "labels-renumbered", "", "the same share under the best other numbering of the classes",
    requires=runs.SEEN_LABELS,
)
PREDICTED_CLASS = PlaceSignal(
    "predicted-class", "",
    "class that the network mostly assigns to the held-out samples of a class, each class once",
    requires=runs.LATE_HELD_OUT_CLASSES, place="class",
)
