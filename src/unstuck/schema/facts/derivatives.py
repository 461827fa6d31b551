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
