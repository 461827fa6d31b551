"""Optimizers that are built again over the same parameters."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal

OPTIMIZER_LIFE = PlaceSignal(
    "optimizer-life", "steps",
    "steps from one construction of an optimizer to the next one at the same place over the same "
    "parameters; 0 for a place that builds it the first time",
    requires=runs.OPTIMIZER, place="optimizer",
)
