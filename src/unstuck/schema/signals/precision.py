"""Signals of weights that are kept in 16 bits."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal

LOST_UPDATES = PlaceSignal(
    "lost-updates", "",
    "share of the entries of an optimizer's 16-bit parameters with a nonzero gradient that a step "
    "left as they were",
    requires=runs.NARROW_WEIGHTS, place="optimizer",
)
