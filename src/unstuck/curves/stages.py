"""Trainings whose targets are what the trainings before them left over, as in boosting."""

from __future__ import annotations

import numpy as np

from unstuck.curves.loss_curve import read
from unstuck.curves.statistics import end_median
from unstuck.record.reader import Record
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.quantities import StepSignal
from unstuck.schema.signals.losses import CONSTANT_LOSS, TRAIN_LOSS
from unstuck.schema.signals.targets import TARGET_DEVIATION, TARGET_MEAN

LEFT = 0.5  # of the squared deviation of targets: what remains of them is less
CENTRED = 0.2  # deviations by which the mean of residuals may differ from 0


def fits_a_rest(record: Record) -> bool:
    """Whether an earlier training at the same place learned, and left targets like these.

    They are residuals then: they lie around 0, and are smaller than those of that training. Where
    little can be learned of them, that is the aim.
    """
    constant, centre = _last(record, CONSTANT_LOSS), _centre(record)
    if constant is None or centre is None or abs(centre) > CENTRED:
        return False
    places = {each.location for each in record.facts(Optimizer)}
    for before in record.siblings:
        if before is record:
            break
        first, end = _last(before, CONSTANT_LOSS), _last(before, TRAIN_LOSS)
        if places and {each.location for each in before.facts(Optimizer)} == places and (
            first is not None and end is not None and max(constant, end) <= LEFT * first
        ):
            return True
    return False


def _last(record: Record, signal: StepSignal) -> float | None:
    series = read(record, signal)
    finite = series.finite.values if series is not None else np.empty(0)
    return end_median(finite) if len(finite) else None


def _centre(record: Record) -> float | None:
    """The mean of the targets in deviations of theirs, None if there are no numbers."""
    if not (record.measured(TARGET_MEAN) and record.measured(TARGET_DEVIATION)):
        return None
    for name, means in record.series(TARGET_MEAN).items():
        spread = record.series(TARGET_DEVIATION).get(name)
        if spread is not None and len(means.finite) and len(spread.finite):
            width = float(np.median(spread.finite.values))
            return float(np.median(means.finite.values)) / width if width > 0 else None
    return None
