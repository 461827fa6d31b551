"""What the same weights come to in eval mode, beside train mode."""

from __future__ import annotations

import math

import numpy as np

from unstuck.measures.basics import POOR_SKILL, final, level
from unstuck.measures.view import View
from unstuck.schema.quantities import StepSignal
from unstuck.schema.signals.losses import CONSTANT_LOSS, HELD_OUT_LOSS, SEEN_LOSS, TRAIN_LOSS
from unstuck.schema.signals.modes import TRAIN_IN_VALIDATION

WINDOW = 50  # steps before an evaluation that it is compared with


def eval_over_train(view: View, layer: str) -> float | None:
    """Loss in eval mode over that in train mode, at the last evaluations; None if unknown."""
    modes = view[TRAIN_IN_VALIDATION] if view.has(TRAIN_IN_VALIDATION) else {}
    if not view.has(TRAIN_LOSS) or (layer in modes and bool((modes[layer].values > 0).any())):
        return None
    train = view[TRAIN_LOSS].finite
    for signal in (SEEN_LOSS, HELD_OUT_LOSS):
        series = view[signal].finite if view.has(signal) else None
        if series is None or not len(series):
            continue
        ratios = []
        last = max(1, len(series) // 3)
        for step, value in zip(series.steps[-last:], series.values[-last:], strict=True):
            near = train.values[(train.steps < step) & (train.steps >= step - WINDOW)]
            mean = float(np.mean(near)) if len(near) else math.nan
            if mean > 0 and (ratio := float(value) / mean) > 0:
                ratios.append(ratio)
        if ratios:
            return float(np.median(ratios))
    return None


def poor_evaluation(view: View) -> bool:
    """Whether the best loss in eval mode gains less than half of what there was, unlike train."""
    if not view.has(CONSTANT_LOSS):
        return False
    constant = level(view[CONSTANT_LOSS])
    for signal in (SEEN_LOSS, HELD_OUT_LOSS):
        values = view[signal].finite.values if view.has(signal) else np.zeros(0)
        if len(values):
            return constant > 0 and 1 - float(values.min()) / constant < POOR_SKILL
    return False


def late_value(view: View, signal: StepSignal) -> float | None:
    """The last finite value of a signal, None unless it is of the second half of the run."""
    value = final(view, signal)
    if value is None or 2 * float(view[signal].finite.steps[-1]) < view.record.steps:
        return None
    return value
