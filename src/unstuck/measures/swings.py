"""How far the loss of the same held-out samples swings between evaluations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unstuck.curves.statistics import point_noise, tidy
from unstuck.measures.view import View
from unstuck.record.series import Series
from unstuck.schema.signals.losses import HELD_OUT_AGAIN, HELD_OUT_LOSS

FEWEST = 5  # evaluations
MANY = 10  # from which on their deviation is known well


@dataclass(frozen=True, slots=True)
class Swings:
    """The evaluations from a step on, and their standard deviation as a share of their mean."""

    held: Series
    share: float

    def reach(self, limit: float) -> bool:
        """Whether they swing so far; of few evaluations the deviation may be half of what it seems.
        """
        return self.share >= limit * (1 if len(self.held) >= MANY else 2)


def held_out_swings(view: View, first: int) -> Swings | None:
    """How far the held-out loss swings from step `first` on, though its samples stay the same.

    Between two evaluations nothing but the weights has changed then. In a quadratic valley in
    which the weights jump about the minimum in k directions, the part of the loss that this costs
    follows a chi-squared distribution: its mean is sqrt(k / 2) times its standard deviation. So
    the deviation is about the least that steps towards zero would take off the loss.

    Returns:
        None with fewer than 5 evaluations, or with other samples.
    """
    if not view.has(HELD_OUT_LOSS) or not view.has(HELD_OUT_AGAIN):
        return None
    held = tidy(view[HELD_OUT_LOSS].since(first))
    again = view[HELD_OUT_AGAIN]
    others = np.isin(held.steps, again.steps[again.values != 1])
    if len(held) < FEWEST or others.any() or not np.min(held.values) > 0:
        return None
    return Swings(held, point_noise(held.values) / float(np.mean(held.values)))
