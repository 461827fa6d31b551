"""Signals of pictures and the maps of targets that belong to them, written when the run has ended.
"""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal

PAIR_FIT = PlaceSignal(
    "pair-fit", "",
    "mean correlation of a target map with the picture that it came with, where both are",
    requires=runs.DENSE, place="role",
)
PAIR_BEST_FIT = PlaceSignal(
    "pair-best-fit", "",
    "the same where the map fits best, mirrored and moved as it may be",
    requires=runs.DENSE, place="role",
)
PAIR_SURPLUS = PlaceSignal(
    "pair-surplus", "",
    "standard errors by which that exceeds the best fit of maps to pictures of other samples",
    requires=runs.DENSE, place="role",
)
PAIR_PLACED = PlaceSignal(
    "pair-placed", "", "share of the samples whose map fits best where it is",
    requires=runs.DENSE, place="role",
)
PAIR_TURNED = PlaceSignal(
    "pair-turned", "", "share of the samples whose map fits best when it is mirrored",
    requires=runs.DENSE, place="role",
)
PAIR_SPREAD = PlaceSignal(
    "pair-spread", "",
    "share of the samples whose map does not fit best in the place that most others do",
    requires=runs.DENSE, place="role",
)
