"""Data that a data set holds, and that fetching them changes."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class Altered(Fact):
    """A data set of a loader whose stored samples change each time they are fetched.

    `name` is the loader's. `attribute` holds the samples. `location` is the operation in the
    program's own code that changes them, `read` the expression that takes a sample from the
    attribute; None where they were not found. `copy` is the method that copies one.
    """

    name: str
    attribute: str
    location: SourceLocation | None
    read: SourceLocation | None
    copy: str


@dataclass(frozen=True, slots=True)
class Rewritten(Fact):
    """A model that changes the data it is given, which the program goes on using.

    `layer` is the one within it that does, if it is known, and works in `place`. `location` is its
    construction, else the call of the model.
    """

    name: str
    layer: str
    place: bool
    location: SourceLocation | None
