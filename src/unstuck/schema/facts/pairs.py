"""Pairs of inputs and targets, and what the program's code does to both."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class DrawnApart(Fact):
    """A place at which the program's code transforms the input and target of a sample one by one.

    `name` is that of the loader whose data set does so, "" if a loop of the program does.
    """

    name: str
    location: SourceLocation


class TwoValues(StrEnum):
    """The values of a variable that tells two kinds of pairs apart."""

    BITS = "0 and 1"
    SIGNS = "-1 and 1"
    BOOL = "false and true"


@dataclass(frozen=True, slots=True)
class Attraction(Fact):
    """Which pairs a loss brings together at the first steps, by the distance of their inputs.

    `farther` is how often a pair that is `pulled` together has inputs farther apart than a pair
    that is `pushed` apart, 0.5 by chance and so many standard deviations (`sigmas`) off that;
    `pulled_to_others` and `pushed_to_others` are the same against samples that are no pair.
    `labels` is the variable of two `values` that tells which.
    """

    pulled: int
    pushed: int
    farther: float
    sigmas: float
    pulled_to_others: float
    pushed_to_others: float
    triplets: bool  # one sample is in a pair of either kind
    location: SourceLocation | None
    labels: str | None
    values: TwoValues | None
