"""Where layers are called with something else than what the layer before them returned."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class Reading(Fact):
    """The first call of a layer that reads something that was computed outside of any layer."""

    name: str  # of the layer
    location: SourceLocation | None
