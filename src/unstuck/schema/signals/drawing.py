"""Signals of the data as loaders draw them and losses weigh them."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal, StepSignal

# What loaders draw -------------------------------------------------------------------------------
DRAWN_SAMPLES = PlaceSignal(
    "drawn-samples", "samples",
    "how many indices the sampler of a loader has drawn, in the batches that were looked at",
    requires=runs.DRAWING, place="loader",
)
DIFFERENT_SAMPLES = PlaceSignal(
    "different-samples", "samples",
    "how many of those indices are different ones",
    requires=runs.DRAWING, place="loader",
)
ROWS_LEFT_OUT = StepSignal(
    "rows-left-out", "",
    "share of the different rows of the variable that training takes its batches from which no "
    "batch so far has brought, at doubling steps; at most that share where it is small",
    requires=runs.ROWS,
)
ROW_COPIES = StepSignal(
    "row-copies", "",
    "share of the rows of the variable that training takes its batches from that are copies of "
    "another row",
    requires=runs.ROWS,
)
ROW_UNEVENNESS = StepSignal(
    "row-unevenness", "",
    "share of the rows of the variable that training takes its batches from that do not have the "
    "most frequent number of copies",
    requires=runs.ROWS,
)

# How losses weigh classes ------------------------------------------------------------------------
CLASS_SHARE = PlaceSignal(
    "class-share", "",
    "share of the targets of a weighted loss that are of a class, in the batches looked at so far",
    requires=runs.CLASS_WEIGHTS, place="class of a loss",
)
CLASS_WEIGHT = PlaceSignal(
    "class-weight", "",
    "mean weight that a loss gives to the targets of a class",
    requires=runs.CLASS_WEIGHTS, place="class of a loss",
)
