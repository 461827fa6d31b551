"""How hard a decay of the weights, or a penalty on them, pulls at them, and what it comes to."""

from __future__ import annotations

import math

import numpy as np

from unstuck.curves.statistics import end_median
from unstuck.measures.basics import GOOD_SKILL, drawn, train_loss_at_the_end
from unstuck.measures.view import View
from unstuck.record.series import PlaceSeries
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.sums import LossTerm
from unstuck.schema.findings import Evidence, OutcomeKind
from unstuck.schema.quantities import PlaceSignal
from unstuck.schema.signals.losses import HELD_OUT_LOSS
from unstuck.schema.signals.parameters import GRADIENT_NORM, UPDATE_NORM, WEIGHT_NORM
from unstuck.schema.signals.sums import TERM_LOSS, TERM_SKILL
from unstuck.words import number, percent, times

WEAK = 0.3  # the skill of a term that has learned little, whatever the others have
MEMORY = 200  # steps: usual settings keep 10,000 and more
MEMORISES = 1.4  # times the training loss is that of held-out data: a weaker decay widens the gap
STRONG = 0.01  # a hundred times the usual decay of optimizers that scale it
# They add the decay to the gradient, before any scaling; others take it off the weights.
ADAPTIVE = ("Adam", "Adamax", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta")
COUPLED = ("SGD", "ASGD", *ADAPTIVE)


def pulls_of_decay(view: View, optimizer: Optimizer, fair: float) -> dict[int, float]:
    """How strong the decay was beside the loss, at each sampled step: of all weights together.

    A layer that gets no gradient leaves its weights to any decay, however weak; so no layer is
    judged by itself, and only those count that get a `fair` share of the largest gradient.
    """
    decay, rate = optimizer.weight_decay or 0.0, optimizer.learning_rate or 0.0
    coupled = optimizer.kind in COUPLED
    weights = _at_steps(view[WEIGHT_NORM], optimizer)
    pulls = {}
    for step, sizes in _at_steps(
            view[GRADIENT_NORM if coupled else UPDATE_NORM], optimizer).items():
        least = fair * max(sizes.values())
        known = weights.get(step, {})
        heard = [name for name, size in sizes.items() if size >= least and name in known]
        against = math.hypot(*(sizes[name] for name in heard))
        pull = math.hypot(*(known[name] for name in heard))
        if against > 0 and math.isfinite(pull / against):
            pulls[step] = decay * (1.0 if coupled else rate) * pull / against
    return pulls


def _at_steps(series: PlaceSeries, optimizer: Optimizer) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    for name, each in series.items():
        if name in optimizer.parameters:
            for step, size in zip(each.steps.tolist(), each.values.tolist(), strict=True):
                found.setdefault(step, {})[name] = size
    return found


def left_of_weights(view: View, optimizer: Optimizer) -> dict[str, float]:
    """The share of its norm that each weight matrix has kept."""
    shapes = {n: p.shape for n, p in view.record.parameters().items()}
    return {
        name: float(sizes[-1] / sizes[0]) for name, series in view[WEIGHT_NORM].items()
        if len(shapes.get(name, ())) >= 2 and name in optimizer.parameters
        and len(sizes := series.finite.values) >= 3 and sizes[0] > 0
    }


def skill_of_the_data(view: View) -> float | None:
    """The skill at the end of the terms of the loss that compare with targets: that of the best."""
    return max(_ends(view, TERM_SKILL).values(), default=None)


def is_a_term_starved(view: View) -> bool | None:
    """Whether a term of the loss that has targets has learned little; None if that is not known."""
    if not any(term.loss for term in view.record.facts(LossTerm)):
        return False
    worst = min(_ends(view, TERM_SKILL).values(), default=None)
    return None if worst is None else worst < WEAK


def shrinks(optimizer: Optimizer | None) -> bool:
    """Whether a decay of this size shrinks weights by itself, however hard the gradient pulls.

    Optimizers that divide by the size of past gradients divide a decay that is added to them, too:
    where these differ from batch to batch, it alone keeps its direction (Loshchilov and Hutter
    2019: Decoupled weight decay regularization).
    """
    return optimizer is not None and optimizer.kind in ADAPTIVE and (
        optimizer.weight_decay or 0.0) >= STRONG


def cost_of_penalties(view: View) -> float | None:
    """What penalties on the weights add to the loss at the end, over what the data add to it.

    The square of weights that are one per cent larger costs two per cent more, so at rest the data
    would gain as much: to first order, what the penalty costs is what weights that are half as
    large again are worth. None if other terms are not known.
    """
    terms = view.record.facts(LossTerm)
    ends = _ends(view, TERM_LOSS)
    data = [term for term in terms if not term.penalty]
    if not data or any(term.name not in ends or term.factor is None for term in data):
        return None
    known = sum(ends[term.name] * (term.factor or 0.0) for term in data)
    return (train_loss_at_the_end(view) - known) / known if known > 0 else None


def forgets(view: View, optimizer: Optimizer) -> bool:
    """Whether a decay that is taken off the weights leaves them hardly the last steps' updates.

    Of an update, 1 - rate * decay is left after each step, so that the weights are a mean over the
    last 1 / (rate * decay) updates (Wang and Aitchison 2024: How to set AdamW's weight decay).
    """
    lost = (optimizer.learning_rate or 0.0) * (optimizer.weight_decay or 0.0)
    return optimizer.kind not in COUPLED and lost * min(MEMORY, view.record.steps / 4) >= 1


def cost_of_decay(view: View, optimizer: Optimizer | None) -> float:
    """The same of a decay that `shrinks`: that of half the square of the weights. Without limit
    where the weights forget.

    0 for others, if the run learned well all the same, if it still does far worse on held-out data,
    which a weaker decay would not mend, or if it is not known.
    """
    loss, skill = train_loss_at_the_end(view), view.outcome.skill
    if optimizer is None or skill is None or skill >= GOOD_SKILL:
        return 0.0
    if view.has(HELD_OUT_LOSS) and len(held := view[HELD_OUT_LOSS].finite.values) and (
            end_median(held) > MEMORISES * loss > 0):
        return 0.0
    settled = view.outcome.kind in (OutcomeKind.PLATEAU, OutcomeKind.CONVERGED)
    if settled and forgets(view, optimizer):
        return math.inf
    if not shrinks(optimizer) or not view.has(WEIGHT_NORM) or not loss > 0:
        return 0.0
    shapes = {name: p.shape for name, p in view.record.parameters().items()}
    sizes = [float(series.finite.values[-1]) for name, series in view[WEIGHT_NORM].items()
             if len(shapes.get(name, ())) >= 2 and name in optimizer.parameters
             and len(series.finite)]
    return (optimizer.weight_decay or 0.0) * math.fsum(s * s for s in sizes) / 2 / loss


def _ends(view: View, signal: PlaceSignal) -> dict[str, float]:
    """The median of each term in the second half of the run, where it was looked at there."""
    if not view.has(signal):
        return {}
    late = {name: series.finite.values[series.finite.steps >= view.record.steps / 2]
            for name, series in view[signal].items()}
    return {name: float(np.median(values)) for name, values in late.items() if len(values)}


def shrinking(view: View, left: dict[str, float], share: float) -> Evidence:
    """The norm of the first matrix that has shrunk like most, beside a share of what it was."""
    shrunk = float(np.median(list(left.values())))
    name = next(name for name in left if left[name] <= shrunk)
    sizes = view[WEIGHT_NORM][name].finite
    first, last = float(sizes.values[0]), float(sizes.values[-1])
    return drawn(WEIGHT_NORM, name, sizes, share * first,
                 f"the norm of {name} falls from {number(first)} to {number(last)}")


def strength(pull: float) -> str:
    """How hard a decay pulls, in words, before "as hard"."""
    return percent(pull) if pull < 2 else times(pull)
