"""The loops around a training step, and what happens within one step."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class Loop(Fact):
    """A loop of the program around its steps: the whole statement.

    `level` 0 is the innermost loop around a step, 1 the one around that. The innermost makes steps;
    where data come in batches, the one around it makes epochs. `loader` is the name of the loader
    that the loop iterates. `spent` is what it iterates, if that was made before the loop around it
    and is at its end after one pass.
    """

    name: str
    location: SourceLocation
    level: int
    loader: str | None = None
    spent: SourceLocation | None = None


@dataclass(frozen=True, slots=True)
class Pace(Fact):
    """How an optimizer steps: after so many backward passes, as seen last. `name` is its own.

    `closure` says that it calls a function which computes loss and gradients.
    """

    name: str
    backwards: int
    closure: bool = False
