"""Numbers about the data, to write into a program: means, deviations, quantiles, counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unstuck.schema.facts.fact import Fact

# Of the values, as `Statistics.quantiles` has them.
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


class Subject(StrEnum):
    """What statistics are about."""

    INPUTS = "inputs"  # what the first model of a step receives in training
    TARGETS = "targets"  # what a loss compares with


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How many targets were of one class."""

    label: int
    count: int


@dataclass(frozen=True, slots=True)
class Statistics(Fact):
    """Statistics of training data over the steps that were looked at closely.

    `mean` and `deviation` (population) hold a number for each feature along `axis`, the first axis
    being that of the samples, or one number for all if `axis` is None. `quantiles` are those of
    QUANTILES, of all values together; none of class indices. What is not finite is left out.
    """

    name: str
    subject: Subject
    of: str  # the name of the `ModelCall` that receives inputs, of the `Loss` that receives targets
    samples: int
    shape: tuple[int, ...]  # of a batch
    dtype: str
    axis: int | None = None
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    quantiles: tuple[float, ...] = ()
    classes: tuple[ClassCount, ...] = ()
