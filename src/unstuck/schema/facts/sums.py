"""Losses that are sums of several terms."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class LossTerm(Fact):
    """One term of a sum that is differentiated.

    `of` names the sum, `sum_location` is its expression. `location` is that of the term there, else
    where it is computed. `loss` names the loss that the term is, by its function, None if it
    compares no prediction with a target. `factor` is the constant that the sum multiplies the term
    by, None if that is no constant number. `penalty` says that nothing but parameters goes into the
    term.
    """

    name: str
    of: str
    loss: str | None
    factor: float | None
    location: SourceLocation | None
    sum_location: SourceLocation | None
    penalty: bool = False
