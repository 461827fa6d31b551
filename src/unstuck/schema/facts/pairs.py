"""Pairs of inputs and targets, and what the program's code does to both."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class DrawnApart(Fact):
    """A place at which the program's code transforms the input and target of a sample one by one.

    `name` is that of the loader whose data set does so, "" if a loop of the program does.
    """

    name: str
    location: SourceLocation
