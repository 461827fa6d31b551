"""Runs whose loss is no measure of learning, by what was seen of it."""

from __future__ import annotations

import numpy as np

from unstuck.curves.loss_curve import LossCurve
from unstuck.curves.stages import fits_a_rest
from unstuck.curves.statistics import Floats, point_noise
from unstuck.record.reader import Record, main_track
from unstuck.record.series import Series, in_order
from unstuck.schema.facts.bootstrap import BootstrappedTarget
from unstuck.schema.facts.losses import Loss, Moving, Yardstick
from unstuck.schema.findings import Outcome, OutcomeKind
from unstuck.schema.signals.targets import TARGET_DEVIATION, TARGET_MEAN
from unstuck.words import number

FEWEST = 9  # looks at the targets
DRIFT = 1.5  # standard deviations of the targets by which their level must move
NOISES = 8.0  # times the noise of that level from batch to batch

_SAYS = {
    Yardstick.RIVAL: "The loss of one network is judged by another, which a loss of its own trains "
    "in turn, so neither loss has to fall while both learn.",
    Yardstick.ESTIMATE: "The loss compares values that a network estimates with others that it "
    "estimates itself, so it follows these values and need not fall.",
    Yardstick.SCORE: "The loss weights log-probabilities by factors of both signs, as policy "
    "gradients do, so its level does not show what was learned.",
}


def not_told(record: Record, curve: LossCurve) -> Outcome | None:
    """The outcome of a run whose loss is no measure of learning; None if it may be one."""
    for fact in record.facts(Moving):
        return _outcome(curve, f"{_SAYS[fact.why]} {_ends(curve)}", 0.9)
    for target in record.facts(BootstrappedTarget):
        return _outcome(
            curve, f"The targets of the loss hold {number(target.discount)} times a value that a "
            "network of the program estimates itself, so the loss follows these values and need "
            f"not fall. {_ends(curve)}", 0.8)
    if fits_a_rest(record):
        return _outcome(curve, "The targets are what an earlier training left over, and may hold "
                        f"nothing more to learn. {_ends(curve)}", 0.7)
    drift = _drift(record)
    if drift is None:
        return None
    first, last = drift
    return _outcome(
        curve, f"The targets of the loss moved from a mean of {number(first)} to {number(last)} "
        "during training, as values that a network estimates itself do. "
        f"{_ends(curve)}", 0.7)


def _ends(curve: LossCurve) -> str:
    return f"It ends at {number(curve.end)}."


def _outcome(curve: LossCurve, says: str, confidence: float) -> Outcome:
    return Outcome(OutcomeKind.NOT_TOLD, confidence, says, int(curve.points.steps[0]))


def _drift(record: Record) -> tuple[float, float] | None:
    """Where the level of the targets of the trained regression began and ended, if it moved."""
    if not (record.measured(TARGET_MEAN) and record.measured(TARGET_DEVIATION)):
        return None
    name = main_track(record.tracks)
    if not any(loss.name == name and loss.target_dtype.startswith("float")
               for loss in record.facts(Loss)):
        return None
    means = record.series(TARGET_MEAN).get(name)
    spreads = record.series(TARGET_DEVIATION).get(name)
    if means is None or spreads is None or len(means.finite) < FEWEST:
        return None
    level = in_order(means.finite)
    return _moved(level, spreads.finite.values)


def _moved(level: Series, spreads: Floats) -> tuple[float, float] | None:
    values = level.values
    third = len(values) // 3
    first, last = float(np.median(values[:third])), float(np.median(values[-third:]))
    away = abs(last - first)
    middle = float(np.median(values[third:-third]))
    between = min(first, last) <= middle <= max(first, last)
    width = float(np.median(spreads)) if len(spreads) else np.inf
    if not between or not away > max(DRIFT * width, NOISES * point_noise(values)):
        return None
    return first, last
