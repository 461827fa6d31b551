"""How often one layer stands in a model."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal

LAYER_PLACES = PlaceSignal(
    "layer-places", "places",
    "the most numbered places of a container at which a model holds one and the same layer",
    requires=runs.BACKWARD, place="model",
)
