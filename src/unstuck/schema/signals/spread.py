"""Signals of what differs between the samples of a batch, on its way through the layers."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal

INPUT_SPREAD = PlaceSignal(
    "input-spread", "",
    "standard deviation over samples of what a layer or model receives, divided by its root mean "
    "square; of layers only where they receive something else than the last layer returned",
    requires=runs.BATCHES,
)
OUTPUT_SPREAD = PlaceSignal(
    "output-spread", "",
    "standard deviation over samples of what a layer or model returns, divided by its root mean "
    "square",
    requires=runs.BATCHES,
)
