"""What the causes about labels ask of a record. No cause is named here and nothing is decided."""

from __future__ import annotations

import math

import numpy as np

from unstuck.measures.basics import level
from unstuck.measures.view import View
from unstuck.schema.facts.data import Loader
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import Model
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.batches import BATCH_SIZE
from unstuck.torch_api import IN_ORDER

CONFIDENCE = 1.96  # standard deviations: 95 % of a normal distribution


def interval(share: float, number: float) -> tuple[float, float]:
    """The 95 % interval of a share of so many; all of 0 to 1 where nothing was counted.

    Source: Wilson 1927, Probable inference, the law of succession, and statistical inference.
    """
    if not number > 0 or not 0 <= share <= 1:
        return 0.0, 1.0
    square = CONFIDENCE**2 / number
    centre = (share + square / 2) / (1 + square)
    half = CONFIDENCE * math.sqrt(share * (1 - share) / number + square / (4 * number)) / (
        1 + square)
    return max(0.0, centre - half), min(1.0, centre + half)


def pairs_location(view: View) -> SourceLocation | None:
    """Where the program pairs inputs with targets: its training loader, else the first call."""
    loaders = [x for x in view.record.facts(Loader) if x.location is not None]
    if view.has(BATCH_SIZE):
        # A last, smaller batch must not hide the loader.
        size = level(view[BATCH_SIZE])
        fitting = [x for x in loaders if x.batch_size == size]
        mixing = [x for x in fitting if x.sampler != IN_ORDER]
        if mixing or fitting:
            return (mixing or fitting)[0].location
    calls = [m.call_location for m in view.record.facts(Model) if m.call_location is not None]
    return calls[0] if calls else None


def above_chance(share: float, chance: float, number: float) -> float:
    """Standard deviations by which a share of right labels exceeds chance.

    For numbers, whose chance is 0, `share` is a correlation.
    """
    if not number > 0:
        return 0.0
    spread = math.sqrt(chance * (1 - chance)) if 0 < chance < 1 else 1.0
    return float(np.sqrt(number) * (share - chance) / spread)


def several_each(loss: Loss) -> bool:
    """Whether a loss gets several numbers for each sample, in columns: no index of a class."""
    return len(loss.target_shape) == 2 and loss.target_shape[1] > 1
