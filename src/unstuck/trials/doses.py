"""Changes of a number: what it is now, what is usual, and a smaller change that does as well."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from unstuck.record.reader import Record
from unstuck.schema.edits import (
    BatchSize,
    Edit,
    FewerLayers,
    OptimizerArgument,
    ResizeLayer,
)
from unstuck.schema.facts.data import Fetch, Kept
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.signals.batches import BATCH_SIZE

# What programs use; a dose to begin with, where nothing else is known.
ADAPTIVE_RATES = (1e-5, 2e-2)  # of optimizers that divide the gradient's size out
RATES = (1e-3, 0.5)
USUAL_BATCHES = (8, 512)
FEWEST_UPDATES = 8  # in an epoch: usual batches make tens to thousands
USUAL_WIDTHS = (4, 1000)
MOST_DEPTH = 10  # layers with weights, of networks so plain that some can be left out
MOST_MOMENTUM = 0.95
CLOSE = {"rate": 3.0, "size": 1.5}  # factor within which two doses are not worth a trial between
_ADDS = ("SGD", "ASGD", "LBFGS", "Rprop")


@dataclass(frozen=True, slots=True)
class Dose:
    """A number that a change sets: `now` as the program has it, `then` with the change.

    `edit` makes the change to another value. Doses are spaced by factors.
    """

    now: float
    then: float
    kind: str  # of CLOSE
    edit: Callable[[float], Edit]

    def between(self) -> float | None:
        """The dose half-way, as one would type it; None if there is none worth a trial."""
        if not 0 < min(self.now, self.then) < math.inf:
            return None
        apart = max(self.now, self.then) / min(self.now, self.then)
        if apart <= CLOSE[self.kind] ** 2:
            return None
        middle = math.sqrt(self.now * self.then)
        power = 10.0 ** math.floor(math.log10(middle))
        value = (round(middle / power) * power if self.kind == "rate"
                 else 2.0 ** round(math.log2(middle)))
        return value if min(self.now, self.then) < value < max(self.now, self.then) else None


def dose_of(edit: Edit, record: Record) -> Dose | None:
    """The number that a change sets; None if it sets none, or it is not known as it is now."""
    match edit:
        case OptimizerArgument(name, "lr" | "weight_decay" as argument, value):
            known = {"lr": "learning_rate"}.get(argument, argument)
            now = next((getattr(each, known) for each in record.facts(Optimizer)
                        if each.name == name), None)
            return None if not now else Dose(
                now, value, "rate", lambda found: replace(edit, value=found))
        case BatchSize(size):
            batch = batch_size(record)
            return None if batch is None else Dose(
                batch, size, "size", lambda found: BatchSize(round(found)))
        case ResizeLayer(factor=factor):
            return Dose(1.0, factor, "size", lambda found: replace(edit, factor=found))
    return None


def batch_size(record: Record) -> float | None:
    """The samples of a usual batch."""
    if not record.measured(BATCH_SIZE):
        return None
    values = record.series(BATCH_SIZE).finite.values
    return float(np.median(values)) if len(values) else None


def unusual(edit: Edit, record: Record | None) -> bool:
    """Whether a change replaces a number that hardly any program has."""
    if record is None:
        return False
    match edit:
        case OptimizerArgument(name, argument, _):
            found = next((each for each in record.facts(Optimizer) if each.name == name), None)
            if found is None:
                return False
            if argument == "momentum":
                return (found.momentum or 0.0) > MOST_MOMENTUM
            usual = RATES if found.kind in _ADDS else ADAPTIVE_RATES
            return argument == "lr" and _outside(found.learning_rate, usual)
        case BatchSize():
            size, samples = batch_size(record), _samples(record)
            return _outside(size, USUAL_BATCHES) or bool(
                size and samples and samples < FEWEST_UPDATES * size)
        case ResizeLayer():
            widths = [p.shape[0] for p in record.parameters().values() if len(p.shape) >= 2][:-1]
            return any(_outside(width, USUAL_WIDTHS) for width in widths)
        case FewerLayers():
            return sum(len(p.shape) >= 2 for p in record.parameters().values()) > MOST_DEPTH
    return False


def _samples(record: Record) -> int:
    """The samples of an epoch, 0 if they are not known."""
    fetched = [each.samples for each in record.facts(Fetch)]
    kept = [each.samples for each in record.facts(Kept) if each.name == "train"
            and each.samples < record.limits.kept_samples]
    return max(fetched or kept, default=0)


def _outside(value: float | None, usual: tuple[float, float]) -> bool:
    return value is not None and not usual[0] <= value <= usual[1]
