"""Numbers that a program puts in the place of missing ones."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class Filling(Fact):
    """The place in the program's text that writes a number found in many samples.

    `value` is what the text says: what the model receives may have been scaled since.
    """

    value: float
    location: SourceLocation
