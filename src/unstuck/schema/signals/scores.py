"""Scores that a program computes of its own predictions, beside what they are."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal

TRUE_SCORE = PlaceSignal(
    "true-score", "", "share of right predictions of the samples that a score of the program is of",
    requires=runs.SCORE, place="variable",
)
TOLD_SCORE = PlaceSignal(
    "told-score", "", "the same, as the program counts it",
    requires=runs.SCORE, place="variable",
)
