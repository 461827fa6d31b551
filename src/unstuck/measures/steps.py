"""What several causes ask of the steps: do gradients agree, what does noise cost, how many samples.

No cause is named here and nothing is decided.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unstuck.measures.basics import at_its_peak, drawn
from unstuck.measures.looks import left_out
from unstuck.measures.samples import training_samples
from unstuck.measures.view import View
from unstuck.record.series import Series
from unstuck.schema.facts.calls import CallRole, ModelCall, WrittenUpdate
from unstuck.schema.facts.data import Fetch, Kept, Loader
from unstuck.schema.facts.models import Model
from unstuck.schema.facts.optimizers import Optimizer, Scheduler, sets_the_rate
from unstuck.schema.findings import Evidence
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.batches import BATCH_SIZE, SAME_BATCH
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import (
    GRADIENT_NORM,
    GRADIENT_PRODUCT,
    GRADIENT_SQUARE,
    UPDATE_NORM,
)

FEWEST_PAIRS = 3
EARLY_PAIRS = 6  # the first steps, all of which are sampled
MOST_MOMENTUM = 0.95  # beyond it successive updates have too much in common for the estimate
STEEP = 0.3  # of the slope: half of the gradient is left; runs that have settled lost nine tenths
SURELY_STEEP = 3.0  # standard errors; of the runs of the corpus that have settled none is above 1.9
LATE = 0.3  # of the run: sampled steps lie geometrically, and some must be left


def late_step(view: View) -> int:
    """Where the late part of the run begins."""
    return int(LATE * view.record.steps)


def agreement(view: View, first: int = 0, pairs: int | None = None) -> float | None:
    """How far two successive gradients agree: the square of the mean gradient over that of one.

    1 for gradients without noise, 0 for pure noise, negative where each step undoes the one
    before. Sums of both estimates are divided, as McCandlish et al. 2018 (appendix A) advise.

    Args:
        view: its cause uses the two signals of the pairs.
        first: the step from which on pairs count.
        pairs: how many of the first ones count, None for all.

    Returns:
        None with fewer than three pairs of one optimizer.
    """
    products, squares = view[GRADIENT_PRODUCT], view[GRADIENT_SQUARE]
    upper = lower = 0.0
    count = 0
    for name, series in products.items():
        if name not in squares or len(squares[name]) != len(series):
            continue
        keep = (series.steps >= first) & np.isfinite(series.values) & np.isfinite(
            squares[name].values)
        chosen = np.flatnonzero(keep)[:pairs]
        upper += float(np.sum(series.values[chosen]))
        lower += float(np.sum(squares[name].values[chosen]))
        count = max(count, len(chosen))
    return upper / lower if count >= FEWEST_PAIRS and lower > 0 else None


@dataclass(frozen=True, slots=True)
class Slope:
    """How much of the gradient without its noise is left late in a run.

    `share` is the late mean product of successive gradients over the early one: the squared norm
    of the gradient that batches have in common. `score` is the late mean over its standard error.
    """

    share: float
    score: float

    @property
    def is_steep(self) -> bool:
        """Whether the weights were surely still on their way when the run ended."""
        return self.share >= STEEP and self.score >= SURELY_STEEP


def slope(view: View) -> Slope | None:
    """What is left of the slope, of the optimizer with most pairs; None with too few of them.

    Noise that differs between two batches has no part in the product of their gradients
    (McCandlish et al. 2018, appendix A), so this holds where `agreement` drowns in noise.
    """
    if not view.has(GRADIENT_PRODUCT):
        return None
    series = max(view[GRADIENT_PRODUCT].values(), key=len, default=None)
    if series is None:
        return None
    series = series.finite
    early, late = series.values[:EARLY_PAIRS], series.since(late_step(view)).values
    if len(late) < FEWEST_PAIRS or len(early) < FEWEST_PAIRS:
        return None
    if any(step < series.steps[len(early) - 1] for step in left_out(view.record)):
        return None  # the first of what was seen is not the start
    mean, error = float(np.mean(late)), float(np.std(late, ddof=1)) / math.sqrt(len(late))
    start = float(np.mean(early))
    return Slope(mean / start if start > 0 else math.nan,
                 mean / error if error > 0 else math.copysign(math.inf, mean))


def _drawn_agreement(view: View) -> Series | None:
    products, squares = view[GRADIENT_PRODUCT], view[GRADIENT_SQUARE]
    able = [n for n in products if n in squares and len(squares[n]) == len(products[n])]
    if not able:
        return None
    name = max(able, key=lambda n: len(products[n]))
    with np.errstate(all="ignore"):
        return Series(products[name].steps, products[name].values / squares[name].values).finite


def agreement_evidence(view: View, bound: float, says: str) -> tuple[Evidence, ...]:
    """The agreement at each pair of the optimizer with most of them, if there is one."""
    series = _drawn_agreement(view)
    return () if series is None or not len(series) else (
        drawn(GRADIENT_PRODUCT, "", series, bound, says),)


def paired(one: Series, other: Series) -> Iterator[tuple[int, float, float]]:
    """Steps at which both were measured, and the two values there."""
    values = dict(zip(other.steps.tolist(), other.values.tolist(), strict=True))
    for step, value in zip(one.steps.tolist(), one.values.tolist(), strict=True):
        if step in values:
            yield step, value, values[step]


def jump_costs(view: View, first: int) -> dict[int, float]:
    """The noise floor of SGD from step `first` on: how far gradient noise lifts the loss.

    On a plateau, updates u by gradients g keep the loss above its minimum by a quarter of u·g:
    the mean squared distance is stationary if 2 x·g = u·g, and x·g is twice the height of a
    quadratic valley (Mandt et al. 2017, arXiv 1704.04289). The product of the norms stands for
    u·g. Momentum m repeats a gradient 1 / (1 - m) times but in a mixed direction, which the
    factor sqrt((1 + m) / (1 - m)) corrects. The result halves if the step halves.

    Returns:
        By sampled step; empty with fewer than three that have both norms.
    """
    updates, gradients = view[UPDATE_NORM], view[GRADIENT_NORM]
    momentum = {p: min(max(o.momentum or 0.0, 0.0), MOST_MOMENTUM)
                for o in view.record.facts(Optimizer) for p in o.parameters}
    costs: dict[int, float] = {}
    for name, moved in updates.items():
        if name not in gradients:
            continue
        m = momentum.get(name, 0.0)
        for step, length, slope in paired(moved, gradients[name]):
            cost = length * slope * math.sqrt((1 + m) / (1 - m)) / 4
            if step >= first and math.isfinite(cost):
                costs[step] = costs.get(step, 0.0) + cost
    return costs if len(costs) >= FEWEST_PAIRS else {}


def jump_cost(view: View, first: int) -> float | None:
    """The mean of these costs over sampled steps, None if there are none."""
    costs = jump_costs(view, first)
    return float(np.mean(list(costs.values()))) if costs else None


def samples_per_step(view: View) -> float | None:
    """Samples behind one update: the batch, times the backward passes that a step adds up."""
    sizes = view[BATCH_SIZE].finite.values if view.has(BATCH_SIZE) else np.array([])
    if not (sizes > 0).any():
        return None
    steps = view[TRAIN_LOSS].steps
    passes = float(np.median(np.unique(steps, return_counts=True)[1])) if len(steps) else 1.0
    # Where an epoch has few batches, many of those seen are its last one, which may be smaller.
    whole = {fact.batch_size for fact in view.record.facts(Fetch)} & set(sizes.tolist())
    size = whole.pop() if len(whole) == 1 else float(np.median(sizes[sizes > 0]))
    return size * passes


def updates_per_epoch(view: View) -> float | None:
    """Updates in one pass over the training data; 1 where every step sees the same samples."""
    size = samples_per_step(view)
    if size is None or not size > 0:
        return None
    same = view[SAME_BATCH].finite if view.has(SAME_BATCH) else None
    if same is not None and len(same) and np.all(same.values == 1):
        return 1.0
    samples = training_samples(view)
    if samples is None and not view.record.facts(Fetch):
        # All that came, if that came again.
        samples = next((kept.samples for kept in view.record.facts(Kept) if kept.name == "train"
                        and kept.samples < view.record.limits.kept_samples
                        and size * view.record.steps >= 2 * kept.samples), None)
    if samples is None and not view.record.facts(Fetch):
        # The rows of the variable that batches are taken from.
        samples = next((call.variable.rows for call in view.record.facts(ModelCall)
                        if call.role is CallRole.TRAIN and call.first
                        and call.variable is not None and not call.variable.whole), None)
    return None if samples is None else max(samples / size, 1.0)


def batch_location(view: View, size: float) -> SourceLocation | None:
    """The loader with batches of that size, else the first line that trains."""
    fitting = [x.location for x in view.record.facts(Loader) if x.batch_size == size]
    calls = [m.call_location for m in view.record.facts(Model) if m.call_location is not None]
    return fitting[0] if fitting else calls[0] if calls else None


def line_search(view: View) -> bool:
    """Whether the optimizer tries how far to go, so that no update raises the loss of its batch."""
    return any(option.name == "line_search_fn" and option.value != "None"
               for each in view.record.facts(Optimizer) for option in each.options)


def main_optimizer(view: View) -> Optimizer | None:
    """The optimizer with most parameters."""
    found = max(view.record.facts(Optimizer), key=lambda o: len(o.parameters), default=None)
    return None if found is None else at_its_peak(view.record, found)


def rate_location(view: View, optimizer: Optimizer | None) -> SourceLocation | None:
    """Where the learning rate of an optimizer is set; without one, the program's only own step."""
    if optimizer is None:
        written = [each.location for each in view.record.facts(WrittenUpdate)]
        return written[0] if len(written) == 1 else None
    schedule = sets_the_rate(view.record.facts(Scheduler), optimizer)
    return optimizer.location if schedule is None else schedule.location
