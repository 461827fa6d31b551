"""Calls that differentiate a network with respect to its inputs."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class Differentiation(Fact):
    """A call of `torch.autograd.grad` that differentiates a derivative once more."""

    name: str
    location: SourceLocation | None


@dataclass(frozen=True, slots=True)
class FixedDerivative(Fact):
    """A derivative by inputs that `torch.autograd.grad` returned without a graph, at `looks` steps.

    `again` says that it is the derivative of an earlier one that has a graph. `used` is the place
    where the loss takes it as a constant beside what was differentiated, None if none was seen.
    """

    name: str
    location: SourceLocation | None
    used: SourceLocation | None
    again: bool
    looks: int
