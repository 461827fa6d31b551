"""What the program itself does to gradients."""

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


@dataclass(frozen=True, slots=True)
class ChangedGradient(Fact):
    """The program changes gradients in place between `backward` and an optimizer's step.

    `name` is the optimizer's. `location` is the only expression in the program's own files that
    does so, None if there is not exactly one, or if a library does.
    """

    name: str
    location: SourceLocation | None
