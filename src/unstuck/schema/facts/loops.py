"""The loops around a training step, and what happens within one step."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class Loop(Fact):
    """A loop of the program around its steps. `name` is its level: "0" is the innermost.

    `location` is the whole statement, of which `text` is the first line. `loader` is the name of
    the loader that it iterates. The loop that makes batches is the innermost, unless it is the only
    one and takes the data as a whole; the one that makes epochs is around it.
    """

    name: str
    location: SourceLocation
    loader: str | None = None


@dataclass(frozen=True, slots=True)
class Pace(Fact):
    """How an optimizer steps: after so many backward passes, as seen last. `name` is its own.

    `closure` says that it calls a function which computes loss and gradients.
    """

    name: str
    backwards: int
    closure: bool = False
