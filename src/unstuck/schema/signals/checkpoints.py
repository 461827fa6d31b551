"""State dicts that are loaded."""

from __future__ import annotations

from unstuck.schema.quantities import PlaceSignal

_LOADED = "a state dict that is loaded into a model"

BROUGHT = PlaceSignal(
    "loaded-share", "",
    "share of a module's numbers that a state dict loaded into it brought",
    requires=_LOADED, place="module",
)
LIVE_STATE = PlaceSignal(
    "live-state", "",
    "1 if a state dict that was loaded back into a trained module holds the module's own tensors, "
    "else 0",
    requires=_LOADED, place="module",
)
