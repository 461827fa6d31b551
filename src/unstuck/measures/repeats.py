"""Programs that train many times at one place: inner loops, rounds, folds."""

from __future__ import annotations

import numpy as np

from unstuck.measures.view import View
from unstuck.record.record import Record
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.losses import TRAIN_LOSS

MANY = 8  # trainings that are alike
ALIKE = 0.1  # by which their numbers of steps may differ
FIRST = 3  # losses at either end of a training whose median is its level there
SHORT = "the program trains many times at this place, each time for as few steps as it means to"


def at_the_same_place(record: Record) -> list[Record]:
    """The other trainings of the process whose optimizers are built where those of this one are."""
    own = _places(record)
    return [each for each in record.siblings
            if each is not record and own and _places(each) == own]


def short_on_purpose(record: Record) -> bool:
    """Whether the training is one of many alike, such as those of meta-learning."""
    alike = [each for each in at_the_same_place(record)
             if abs(each.steps - record.steps) <= ALIKE * record.steps]
    return len(alike) + 1 >= MANY


def _places(record: Record) -> set[SourceLocation | None]:
    return {each.location for each in record.facts(Optimizer)}


def goes_on(view: View) -> bool:
    """Whether a later training with the same optimizer begins nearer to the end of this one than to
    its start, as in rounds of federated learning."""
    starts = [float(np.median(each.series(TRAIN_LOSS).values[:FIRST]))
              for each in at_the_same_place(view.record)
              if each.begun > view.record.begun and each.measured(TRAIN_LOSS)]
    loss = view[TRAIN_LOSS].finite.values
    between = (float(np.median(loss[:FIRST])) + float(np.median(loss[-FIRST:]))) / 2
    return any(start < between for start in starts)
