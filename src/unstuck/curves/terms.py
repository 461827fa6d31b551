"""A loss that is a sum may fall although nothing is learned of the targets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unstuck.record.reader import Record
from unstuck.schema.facts.sums import LossTerm
from unstuck.schema.signals.sums import TERM_LOSS, TERM_SKILL

FEWEST = 6  # looks at a term
FALLING = 0.02  # from the middle third of its looks to the last
NO_SKILL = 0.1  # of a term that has learned next to nothing: single batches scatter as much


class Starved(NamedTuple):
    """A term that has learned nothing: the name of its loss, and its value at the end."""

    loss: str
    level: float


def starved(record: Record) -> Starved | None:
    """The only term that compares predictions with targets, if it ends near a constant's loss.

    None if there are several such terms: each of them may have its own part of what is learned.
    """
    aimed = {fact.name: fact.loss for fact in record.facts(LossTerm) if fact.loss}
    if len(aimed) != 1 or not (record.measured(TERM_SKILL) and record.measured(TERM_LOSS)):
        return None
    ((name, loss),) = aimed.items()
    skills, values = (record.series(signal).get(name) for signal in (TERM_SKILL, TERM_LOSS))
    if loss is None or skills is None or values is None or len(skills.finite) < FEWEST:
        return None
    third = len(skills.finite) // 3
    late, before = values.finite.values[-third:], values.finite.values[-2 * third:-third]
    level, error = float(np.mean(late)), float(np.std(late)) / third**0.5
    rests = level >= (1 - FALLING) * float(np.mean(before)) - error  # else it may have begun late
    skill = float(np.mean(skills.finite.values[-third:]))
    return Starved(loss, level) if skill < NO_SKILL and rests else None
