"""Gradients that do not come from `backward`."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class WrittenGradient(Fact):
    """The program puts tensors of its own in the place of gradients before an optimizer's step.

    `name` is the optimizer's. `location` is the only assignment to a `grad` in the program's own
    files, None if there is not exactly one.
    """

    name: str
    location: SourceLocation | None
    parameters: int  # how many of them
