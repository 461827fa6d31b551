"""Scores that a program computes of its own predictions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


class Counting(StrEnum):
    """How a score counts a prediction as right."""

    RIGHT = "right"  # the score is the share of right predictions
    COLUMN = "column"  # by the largest of one column, which always is the first
    ROUNDED = "rounded"  # by rounding logits, as if they were probabilities
    TWICE = "twice"  # by the sigmoid of what is a probability already
    PAIRS = "pairs"  # against the label of each sample of the batch
    AXIS = "axis"  # by the sample with the largest output for each class
    BATCHES = "batches"  # rightly, and divides their number by that of batches
    SHARES = "shares"  # rightly, and divides the sum of the shares in batches by that of samples
    ALL = "all"  # the error of each value against the target of each sample


@dataclass(frozen=True, slots=True)
class Score(Fact):
    """A variable of the program that counts right predictions of a classifier, or holds an error.

    `agreed` is how often its value was that of this way of counting and of no right one. Not
    `held` is what an expression comes to, as its text says, that no variable ever holds.
    """

    name: str
    how: Counting
    agreed: int
    location: SourceLocation | None
    held: bool = True


class Code(StrEnum):
    """How a program's code counts right predictions, as far as it can be read."""

    SILENT = "silent"  # it speaks of no score, and compares values only to decide what to do
    LARGEST = "largest"  # it compares the class with the largest output of each sample with a label
    VALUES = "values"  # it compares the largest output of each sample itself with a label
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Scoring(Fact):
    """How the program's code counts right predictions.

    With values, no score of the program's ever was above zero; `location` is of the comparison.
    """

    code: Code
    location: SourceLocation | None = None
