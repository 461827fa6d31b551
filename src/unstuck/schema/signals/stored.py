"""Signals of the samples that a data set holds, before and after they are fetched."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal

ROWS = 32  # of a batch that are compared, at most

CHANGED_BY_FETCH = PlaceSignal(
    "changed-by-fetch", "",
    "share of the samples of a batch whose stored numbers were changed by fetching them, in the "
    "second pass over a loader and later",
    requires=runs.STORED, place="loader",
)
FETCH_CHANGE = PlaceSignal(
    "fetch-change", "",
    "size of that change, divided by the size of the stored numbers before it (L2 norms)",
    requires=runs.STORED, place="loader",
)
CHANGED_BY_MODEL = PlaceSignal(
    "changed-by-model", "",
    "1 if a training call of the model changed the numbers of a tensor that it was given before, "
    "else 0; written only where a tensor, or another part of its memory, is given again",
    requires=runs.STORED, place="model",
)
