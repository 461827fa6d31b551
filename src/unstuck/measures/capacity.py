"""A network that stays behind what its data hold, and the sizes of its layers.

No cause is named here and nothing is decided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from unstuck.curves.statistics import ratio
from unstuck.measures.basics import (
    GOOD_SKILL,
    by_unit,
    last,
    loss_points,
    measured,
    train_loss_at_the_end,
)
from unstuck.measures.samples import kept
from unstuck.measures.steps import jump_costs, late_step, slope
from unstuck.measures.view import View
from unstuck.schema.facts.models import LayerRole, Model
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Unknown
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.samples import (
    CLASS_RANKING,
    CLASS_SEPARABILITY,
    LABELS_BY_CHANCE,
    LABELS_FOUND,
    LEARNING_CURVE,
)
from unstuck.words import number

WEIGHTED = (LayerRole.LINEAR, LayerRole.CONVOLUTION, LayerRole.RECURRENT, LayerRole.ATTENTION)
STEADY = (OutcomeKind.LEARNING, OutcomeKind.PLATEAU, OutcomeKind.CONVERGED,
          OutcomeKind.NOT_LEARNING)
ERRORS = 2.0  # times as many of them as a baseline model makes: the network is surely behind
RANKING = 0.03  # of the area under the ROC curve; its error is 0.01 on some hundred samples
VARIANCE = 0.1  # of the targets
SEPARATED = 0.01  # of the area: with less the classes can be told apart, and the loss can vanish
SAMPLE_SIGNALS = (
    CLASS_RANKING, CLASS_SEPARABILITY, LABELS_BY_CHANCE, LABELS_FOUND, LEARNING_CURVE)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """How well the network and a baseline model do on the same data, in words.

    `steps_share` is the part of the training loss that is gradient noise, None if unknown; `behind`
    is the share of the variance, of the area, or of a loss at rest that the network falls short of,
    and `errors` how many times as much it leaves unexplained as the baseline model.
    """

    says: str
    evidence: Evidence
    level: float
    steps_share: float | None
    behind: float
    errors: float


# What is possible, what was reached, the least difference that counts, words and evidence.
_Compared = tuple[float, float, float, str, Evidence]


def shortfall(view: View) -> Shortfall | Absent | Unknown:
    """How far the network stays behind a baseline model on the same samples.

    A loss that plateaus above zero may have reached the noise of the labels. It has not where
    nearest neighbours or kernel ridge regression predict samples that they were not fitted to
    better than the network predicts those that it was trained on. Its cause uses
    `SAMPLE_SIGNALS`, the norms of `jump_costs` and the product of `slope`.
    """
    outcome = view.outcome
    if outcome.kind not in STEADY:
        return Absent(f"the outcome is {outcome.kind}, which a lack of capacity does not explain")
    if outcome.skill is not None and outcome.skill >= GOOD_SKILL:
        return Absent("the loss fell well, so the network can learn the task")
    found = _of_numbers(view) or _of_classes(view)
    if found is None:
        return Unknown("how well a baseline model does on these data was not measured",
                       ("a loss from torch.nn with one target per sample",))
    possible, reached, least, says, evidence = found
    errors = ratio(1 - reached, 1 - possible)
    if not (possible - reached >= least and errors >= ERRORS) and not (
            possible - reached >= least / 3 and errors >= 3 * ERRORS):
        return Absent(f"no baseline model does clearly better on these data: {says}")
    left = slope(view)
    if left is not None and left.is_steep:
        return Unknown("the weights were still on their way when the run ended, so it did not show "
                       "what the network can learn", ("a longer run",))
    level = train_loss_at_the_end(view)
    # Where a schedule has made the steps small, those before them have left nothing to the end.
    costs = jump_costs(view, late_step(view))
    cost = min(float(np.mean(list(costs.values()))), costs[max(costs)]) if costs else None
    behind = possible - reached
    if outcome.kind is OutcomeKind.PLATEAU and outcome.skill is not None and (
            1 - possible < SEPARATED):
        behind = max(behind, possible - outcome.skill)
    behind = max(behind, _of_labels(view))
    return Shortfall(says, evidence, level,
                     None if cost is None or not level > 0 else cost / level,
                     behind, errors)


def _of_labels(view: View) -> float:
    """By which part of the labels that are not found by chance a network with classes is behind."""
    if not all(view.has(s) for s in SAMPLE_SIGNALS):
        return 0.0
    chance, found = last(view[LABELS_BY_CHANCE]), last(view[LABELS_FOUND])
    parts = [(share - chance[name]) / (1 - chance[name]) for name, share in found.items()
             if chance.get(name, 1.0) < 1]
    possible = last(view[LEARNING_CURVE]).get("100 %")
    return possible - max(parts) if possible is not None and parts else 0.0


def _of_classes(view: View) -> _Compared | None:
    if not (view.has(CLASS_RANKING) and view.has(CLASS_SEPARABILITY)):
        return None
    ours, theirs = last(view[CLASS_RANKING]), last(view[CLASS_SEPARABILITY])
    both = [name for name in ours if name in theirs]
    if len(both) < 2:
        return None
    reached = float(np.mean([ours[name] for name in both]))
    possible = float(np.mean([theirs[name] for name in both]))
    worst = min(both, key=lambda name: ours[name])
    says = (f"the network separates the classes with a mean AUC of {number(reached)}, and a "
            f"leave-one-out baseline model with {number(possible)}")
    return possible, reached, RANKING, says, measured(
        view, CLASS_RANKING, worst, theirs[worst],
        f"the network separates class {worst} from the others with an AUC (area under the ROC "
        f"curve) of {number(ours[worst])}; a leave-one-out baseline model reaches "
        f"{number(theirs[worst])}")


def _of_numbers(view: View) -> _Compared | None:
    known = [view.has(signal) for signal in (LEARNING_CURVE, LABELS_FOUND)]
    samples = kept(view, "train")
    if not all(known) or samples is None or samples.targets != "numbers":
        return None
    possible = last(view[LEARNING_CURVE]).get("100 %")
    # A squared rank correlation is about the variance that is explained. The loss may be no
    # squared error, and the last visit of a sample an early one: the best of all counts.
    found = [share**2 for share in last(view[LABELS_FOUND]).values() if share > 0]
    if view.outcome.skill is not None:
        found.append(view.outcome.skill)
    if possible is None or not found:
        return None
    reached = max(found)
    says = (f"the network explains {number(100 * max(reached, 0.0))} % of the variance of its "
            f"targets, and a baseline model {number(100 * possible)} %")
    return possible, reached, VARIANCE, says, measured(
        view, LEARNING_CURVE, "100 %", reached,
        f"the network explains {number(100 * max(reached, 0.0))} % of the variance of the targets "
        f"it was trained on; a baseline model explains {number(100 * possible)} % on new samples")


def loss_evidence(view: View, found: Shortfall) -> Evidence:
    """The loss and where it ended."""
    steps, losses = loss_points(view)
    return Evidence(TRAIN_LOSS.name, "", steps, losses, None,
                    f"the training loss ends at {number(found.level)}")


# Layers ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Width:
    """The number of inputs of a layer, and of its outputs: units, or channels."""

    name: str
    inputs: int
    units: int
    convolution: bool


def widths(view: View) -> list[Width]:
    """The layers that are linear, convolutions or recurrent, in the order of the models."""
    parameters = view.record.parameters()
    found = []
    for layer in view.record.layers().values():
        shapes = [by_unit(view, parameters[name]) for name in layer.parameters
                  if name in parameters and len(parameters[name].shape) >= 2]
        if not shapes:
            continue
        first = shapes[0]
        if layer.role in (LayerRole.LINEAR, LayerRole.CONVOLUTION):
            found.append(Width(layer.name, math.prod(first[1:]), first[0],
                               layer.role is LayerRole.CONVOLUTION))
        elif layer.role is LayerRole.RECURRENT:
            # Gates are stacked in the rows, so the columns of the last weights count its units.
            found.append(Width(layer.name, first[1], shapes[-1][1], False))
    return found


def hidden(layers: list[Width]) -> list[Width]:
    """Those whose outputs another layer takes; heads side by side are not hidden layers."""
    return [
        one for one, after in pairwise(layers)
        if (after.inputs % one.units == 0 if one.convolution else after.inputs == one.units)
    ]


def model_location(view: View) -> SourceLocation | None:
    """Where the largest model is constructed."""
    largest = max(view.record.facts(Model), key=lambda m: len(m.parameters), default=None)
    return largest.location or largest.call_location if largest is not None else None
