"""Signals of numbers that stand for missing ones, written when the program has ended."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal, StepSignal

SEARCHED_FEATURES = StepSignal(
    "searched-features", "features",
    "number of features of the kept training samples in which a number that stands for a missing "
    "one was looked for",
    requires=runs.MANY,
)
SENTINEL_VALUE = PlaceSignal(
    "sentinel-value", "",
    "number that many samples have exactly and that lies beyond all others of its feature by more "
    "than their whole range; written only if there is one",
    requires=runs.SENTINELS, place="feature",
)
SENTINEL_SHARE = PlaceSignal(
    "sentinel-share", "", "share of the samples that have that number",
    requires=runs.SENTINELS, place="feature",
)
SENTINEL_GAP = PlaceSignal(
    "sentinel-gap", "",
    "distance of that number from the nearest other one, divided by the range of the others",
    requires=runs.SENTINELS, place="feature",
)
SENTINEL_MEDIAN = PlaceSignal(
    "sentinel-median", "", "median of the other numbers of such a feature",
    requires=runs.SENTINELS, place="feature",
)
SENTINEL_SPREAD = PlaceSignal(
    "sentinel-spread", "",
    "standard deviation of such a feature with that number, divided by the one without it",
    requires=runs.SENTINELS, place="feature",
)
SENTINEL_DEVIATION = PlaceSignal(
    "sentinel-deviation", "", "standard deviation of such a feature without that number",
    requires=runs.SENTINELS, place="feature",
)
