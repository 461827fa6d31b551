"""Exploding gradients: the gradient grows from layer to layer, or back through time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unstuck.measures.basics import (
    GOOD_SKILL,
    backward_location,
    by_unit,
    failed,
    last_good_step,
    optimizer_of,
    thinned,
)
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import Clip, InitialiseLayer, InsertLayer, Remedy, Safety
from unstuck.schema.facts.models import Initialisation, Layer, LayerRole, Model
from unstuck.schema.facts.optimizers import Clipping
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.layers import OUTPUT_GRADIENT, TIME_GROWTH
from unstuck.schema.signals.losses import CONSTANT_LOSS, TRAIN_LOSS
from unstuck.schema.signals.parameters import GRADIENT_NORM, UPDATE_NORM, WEIGHT_NORM
from unstuck.words import called, count, number, times

TIME = Threshold(
    "growth-through-time", 100.0,
    "Over one sequence the gradient grows a hundredfold on its way back. A recurrence that keeps "
    "the scale stays near 1, and in most recurrences the gradient shrinks.",
    "Pascanu et al. 2013: the product of the recurrent matrices' gains",
)
SOME = Threshold(
    "some-growth-through-time", 10.0,
    "A tenfold growth over one sequence proves nothing by itself. If the whole gradient jumps at "
    "the same step, the growth explains the jump.",
    "healthy recurrent example programs stay near 1",
)
LEAP = Threshold(
    "gradient-leap", 100.0,
    "The gradient became a hundred times as large as at first, while its weights hardly changed. "
    "Noise between batches cannot do that.",
    "Goodfellow et al. 2016, section 8.2.4: cliffs",
)
DEPTH = Threshold(
    "growth-over-depth", 1e3,
    "The first layers get a thousand times the gradient of the last ones, so a learning rate that "
    "suits the last layers wrecks the first.",
    "the limit for vanishing gradients, reversed; AutoTrainer warns at 70",
)
GROWTH = Threshold(
    "growth-per-layer", 0.15,
    "The growth must come from layer to layer and not from a single layer: at least 0.15 powers of "
    "ten (a factor of 1.4) per layer.",
    "the limit for a mild decay, reversed",
)
BORN = Threshold(
    "growth-before-training", 50.0,
    "Before the first update, a fiftyfold growth is enough if the loss starts far above that of "
    "the best constant prediction. Each layer then amplifies both its input and its gradient.",
    "a gain of two per layer over six layers; in healthy networks with four layers or more the "
    "gradient shrinks",
)
DOUBLING = Threshold(
    "growth-per-layer-before-training", 0.3,
    "For a growth before the first update to count, each layer must at least double the gradient.",
    "the decimal logarithm of 2",
)
WILD = Threshold(
    "first-loss-of-exploding", 10.0,
    "If the loss starts at ten times that of the best constant prediction, the outputs have "
    "exploded.",
    "Karpathy 2019: verify the loss at initialisation; a healthy start is within a factor of 2",
)
LAYERS = Threshold(
    "fewest-layers-of-growth", 4.0,
    "A trend over depth needs several layers; three points cannot distinguish it from scatter.",
    "a line through fewer points fits anything",
)
MOVED = Threshold(
    "weights-moved", 1.5,
    "If the weights have outgrown their first size by half, the updates drove them there. Then the "
    "gradient grows because the updates were too large.",
    "one healthy update changes a matrix by a thousandth",
)
THROWN = Threshold(
    "thrown-step", 8.0,
    "One step of a recurrent weight is eight times the largest before. Noise between batches "
    "doubles or trebles it.",
    "Pascanu et al. 2013, section 2.3: gradients at a cliff",
)
FAR = Threshold(
    "thrown-far", 0.5,
    "With what its momentum carries on, the step is half as large as the weights: it leaves little "
    "of what they were.",
    "one healthy update changes a matrix by a thousandth",
)
LOOKS = 4  # of a weight's steps, to see one among them
Booleans = NDArray[np.bool_]
WEIGHTED = (LayerRole.LINEAR, LayerRole.CONVOLUTION, LayerRole.RECURRENT)


@dataclass(frozen=True, slots=True)
class _Growth:
    """Where the gradient grows, from when on, and by how much."""

    signal: str
    place: str
    since: int
    factor: float
    points: Series
    over: str
    layer: Layer | None
    recurrent: bool
    bound: float
    born: bool = False  # it is there before the first update, and the first loss shows it


def _detect(view: View) -> Verdict:
    if not view.has(TIME_GROWTH) and not view.has(OUTPUT_GRADIENT):
        return Unknown("the gradients between the layers were not measured",
                       (OUTPUT_GRADIENT.name,))
    found = [g for g in (_through_time(view), _over_depth(view)) if g is not None]
    found += [] if found or (thrown := _thrown(view)) is None else [thrown]
    if not found:
        return Absent("the gradient grows neither from layer to layer nor back through time while "
                      "the weights keep about their first size")
    worst = min(found, key=lambda g: (g.since, -g.factor))
    if view.outcome.kind is OutcomeKind.OVERFITTING:
        return Absent("the gradient grows, but the run learns the training data")
    return _present(view, worst)


def _unmoved(view: View, names: list[str]) -> float:
    """The last sampled step up to which weights kept about their first size; -1 if never."""
    last = math.inf
    for name in names:
        series = view[WEIGHT_NORM].get(name)
        if series is None or not len(series) or not series.values[0] > 0:
            continue
        grown = np.flatnonzero(~(series.values <= view.limit(MOVED) * series.values[0]))
        if len(grown):
            last = min(last, int(series.steps[grown[0]]) - 1)
    return last


def _through_time(view: View) -> _Growth | None:
    if not view.has(TIME_GROWTH):
        return None
    found: list[_Growth] = []
    wild = _starts_wild(view)
    for name, series in view[TIME_GROWTH].items():
        end = min(_unmoved(view, [name]), last_good_step(view))
        early = (series.steps <= end) & ~np.isnan(series.values)
        points = Series(series.steps[early], series.values[early])
        born = wild and len(points) > 0 and points.steps[0] == 0 and (
            points.values[0] >= view.limit(BORN))
        high = np.array([0]) if born else np.flatnonzero(
            (points.values >= view.limit(TIME))
            | ((points.values >= view.limit(SOME)) & _leapt(view, name, points)))
        if not len(high):
            continue
        at = int(high[0])
        layer, over = _through(view, name)
        found.append(_Growth(
            TIME_GROWTH.name, name, int(points.steps[at]), float(np.max(points.values)),
            points, over, layer, True, view.limit(SOME), born))
    return max(found, key=lambda growth: growth.factor, default=None)


@np.errstate(all="ignore")
def _thrown(view: View) -> _Growth | None:
    """A step of a recurrent weight that is many times those before, and that ended the learning.

    The gradient that made it may lie between two looks: a momentum carries it on to the next one.
    """
    if not (view.has(TIME_GROWTH) and view.has(UPDATE_NORM)) or not failed(view.outcome):
        return None
    for name in view[TIME_GROWTH]:
        moves, sizes = (view[signal].get(name) for signal in (UPDATE_NORM, WEIGHT_NORM))
        if moves is None or sizes is None or len(moves) < LOOKS or len(sizes) != len(moves):
            continue
        before = np.maximum.accumulate(moves.values)[:-1]
        far = moves.values[1:] / sizes.values[1:] * _carried_on(view, name)
        high = np.flatnonzero((moves.values[1:] >= view.limit(THROWN) * before) & (before > 0)
                              & (far >= view.limit(FAR)))
        if not len(high):
            continue
        at = int(high[0]) + 1
        layer, over = _through(view, name)
        return _Growth(
            UPDATE_NORM.name, name, int(moves.steps[at]),
            float(moves.values[at] / np.median(moves.values[:at])), moves, over, layer, True,
            float(before[at - 1]))
    return None


def _through(view: View, name: str) -> tuple[Layer | None, str]:
    """The layer of a recurrent weight, and the way through it in words."""
    parameter = view.record.parameters().get(name)
    layer = view.record.layers().get(parameter.layer) if parameter is not None else None
    return layer, f"through time in {called(parameter.layer if parameter else name)}"


def _carried_on(view: View, name: str) -> float:
    """How many steps of one gradient's size it makes in all: 1 / (1 - momentum)."""
    optimizer = optimizer_of(view, [name])
    return 1 / max(1 - ((optimizer.momentum if optimizer is not None else None) or 0.0), 0.01)


def _leapt(view: View, name: str, points: Series) -> Booleans:
    """At which of the steps the gradient of a weight is far larger than it was at first."""
    norms = view[GRADIENT_NORM].get(name)
    if norms is None or not norms.values[0] > 0:
        return np.zeros(len(points), dtype=np.bool_)
    far = set(norms.steps[norms.values >= view.limit(LEAP) * norms.values[0]].tolist())
    return np.array([int(step) in far for step in points.steps], dtype=np.bool_)


def _starts_wild(view: View) -> bool:
    """Whether the first loss lies far above that of the best constant."""
    if not (view.has(CONSTANT_LOSS) and view.has(TRAIN_LOSS)):
        return False
    first, constant = view[TRAIN_LOSS].finite, view[CONSTANT_LOSS].finite
    return len(first) > 0 and len(constant) > 0 and (
        first.values[0] >= view.limit(WILD) * constant.values[0] > 0)


def _over_depth(view: View) -> _Growth | None:
    if not view.has(OUTPUT_GRADIENT):
        return None
    wild = _starts_wild(view)
    gradients = view[OUTPUT_GRADIENT]
    best: _Growth | None = None
    for model in view.record.facts(Model):
        known = {layer.name: layer for layer in model.layers}
        order = [known[p] for p in gradients if p in known and known[p].role in WEIGHTED]
        if not len(order) >= view.limit(LAYERS):
            continue
        end = min(_unmoved(view, [p for x in order for p in x.parameters if "bias" not in p]),
                  last_good_step(view))
        steps = sorted(set.intersection(*(set(gradients[x.name].steps.tolist()) for x in order)))
        ratios: list[tuple[int, float]] = []
        first: list[float] = []  # growth that does not come from a single layer
        for step in (s for s in steps if s <= end):
            norms = np.array([
                gradients[x.name].values[np.searchsorted(gradients[x.name].steps, step)]
                for x in order])
            if not (np.isfinite(norms).all() and (norms > 0).all()):
                continue
            rises = np.log10(norms[:-1]) - np.log10(norms[1:])
            ratio = float(norms[0] / norms[-1])
            # In blocks with a shortcut it grows from block to block, and not within them.
            spread = 10 ** float(rises.sum() - rises.max())
            evenly = float(np.median(rises))
            first.append(spread if evenly < view.limit(DOUBLING) else ratio)
            ratios.append((step, ratio if evenly >= view.limit(GROWTH) or (
                wild and spread >= view.limit(BORN)) else 1.0))
        grown = [s for s, ratio in ratios if ratio >= view.limit(DEPTH)]
        # In most of the steps before the weights moved far: one odd batch is no property.
        if len(grown) < max(2, len(ratios) / 2):
            grown = []
        born = wild and bool(ratios) and ratios[0][0] == 0 and (
            min(ratios[0][1], first[0]) >= view.limit(BORN))
        if not grown and not born:
            continue
        points = Series(np.array([s for s, _ in ratios], dtype=np.int64),
                        np.array([r for _, r in ratios], dtype=np.float64))
        growth = _Growth(
            OUTPUT_GRADIENT.name, order[0].name, 0 if born else grown[0],
            float(np.max(points.values)), points, f"through {count(len(order), 'layer')}",
            order[0], False, view.limit(BORN if born else DEPTH), born)
        if best is None or growth.factor > best.factor:
            best = growth
    return best


def _present(view: View, growth: _Growth) -> Present:
    strength = 0.9 if view.outcome.kind in (
        OutcomeKind.DIVERGED, OutcomeKind.BROKEN, OutcomeKind.NOT_LEARNING) else 0.7
    if growth.born:
        strength = 0.97  # no step has been made yet that could be to blame
    if view.record.facts(Clipping) and view.outcome.kind is not OutcomeKind.DIVERGED:
        strength = 0.4  # held in check
    steps, values = thinned(growth.points.steps, growth.points.values)
    thrown = growth.signal == UPDATE_NORM.name
    evidence = [Evidence(
        growth.signal, growth.place, steps, values, growth.bound,
        f"step {number(growth.since)} of {growth.place} is {times(growth.factor)} the size of a "
        "usual step before it" if thrown else
        f"going back {growth.over}, the gradient becomes {times(growth.factor)} as large (healthy: "
        "it keeps its size or shrinks)")]
    norms = view[GRADIENT_NORM].get(growth.place)
    if norms is not None and len(norms.finite) > 1:
        drawn = thinned(norms.finite.steps, norms.finite.values)
        evidence.append(Evidence(
            GRADIENT_NORM.name, growth.place, *drawn, None,
            f"the gradient norm of {growth.place} starts at {number(drawn[1][0])} and reaches "
            f"{number(max(drawn[1]))}"))
    how = "on its way back through the sequence" if growth.recurrent else (
        "from the last layer to the first")
    when = f"from step {growth.since} on" if growth.since else "from the start"
    says = f"the gradient becomes {times(growth.factor)} as large"
    return Present(
        strength=strength,
        hides_outcome=growth.born and (view.outcome.skill or 0.0) < GOOD_SKILL,
        title=f"the gradient exploded about step {number(growth.since)}: going back {growth.over}, "
        f"it made a step {times(growth.factor)} the size of those before, and what was learned is "
        "lost" if thrown else f"the gradient explodes {when}: going back {growth.over}, {says}",
        since_step=growth.since,
        location=_place(view, growth),
        label=f"one gradient of this threw {growth.place} far away" if thrown
        else f"{says} {how}",
        evidence=tuple(evidence),
        remedies=_remedies(view, growth),
    )


def _place(view: View, growth: _Growth) -> SourceLocation | None:
    """The layer; what gives it the values that the growth is born of; or the pass through time."""
    if growth.recurrent and not growth.born:
        return backward_location(view)
    names = growth.layer.parameters if growth.layer is not None and growth.born else ()
    given = [each.location for each in view.record.facts(Initialisation) if each.name in names]
    return next(iter(given), growth.layer.location if growth.layer is not None else None)


def _remedies(view: View, growth: _Growth) -> tuple[Remedy, ...]:
    clip = Remedy(
        "clip the gradient (treats the symptom)", Safety.CHANGES_EXPERIMENT,
        (Clip(1.0), Clip(5.0), Clip(0.1)),
        code_text="nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # before optimizer.step()",
    )
    if growth.recurrent:
        return (clip, Remedy(
            "use a recurrence that keeps its scale", Safety.ADVICE,
            advice="Use a gated unit (nn.LSTM or nn.GRU), or tanh instead of ReLU. Or start from "
            "an orthogonal matrix, or train on shorter sequences."))
    width = next((by_unit(view, p)[0] for p in view.record.parameters().values()
                  if growth.layer is not None and p.layer == growth.layer.name), 0)
    return (
        Remedy("normalise between layers", Safety.CHANGES_EXPERIMENT,
               (InsertLayer(growth.place, f"LayerNorm({width})"),),
               code_text=f"nn.LayerNorm({width})  # after each hidden layer"),
        clip,
        Remedy("initialise so that the scale is kept", Safety.CHANGES_EXPERIMENT,
               (InitialiseLayer("", "kaiming_normal_"), InitialiseLayer("", "xavier_normal_")),
               advice="Initialise for the activation (He for ReLU, Xavier for tanh), and check "
               "the scale of the data."),
    )


CAUSE = Cause(
    slug="exploding-gradients",
    code="G003",
    title="Exploding gradients",
    family="Signal flow",
    harm=Harm.CONDITION,
    symptoms=(Symptom.RISES, Symptom.NAN, Symptom.OSCILLATES),
    words=Words(
        symptom="The loss jumps by orders of magnitude within a step or two, or becomes NaN. This "
        "often happens after some steps that went well.",
        consequence="One step moves the weights so far that everything learned is lost. After "
        "that, numbers overflow or units die.",
        why="The gradient is multiplied by the weights once per layer, and in a recurrent network "
        "once per time step. If these factors are above 1, the product grows exponentially, and "
        "no single learning rate suits both ends.",
        detection="In recurrent networks unstuck compares the gradient at the first use of a "
        "weight with that at its last use in the same forward pass. It also looks for jumps of "
        "the whole gradient of that weight. In deep networks it compares the gradient at the "
        "output of the first layer with that of the last. Only steps at which the weights still "
        "had about their first size count. If the gradient grows later, the updates were too "
        "large, and unstuck reports the learning rate. Before the first update a smaller growth "
        "is enough if the loss starts far above that of the best constant prediction. It may be "
        "from block to block of a network with shortcuts, as long as it is not from a single "
        "layer.",
        limitations="Fused recurrent layers, as on a GPU, reveal nothing about their time steps. "
        "If one gradient is large between two sampled steps, only what it did to a recurrent "
        "weight is seen. A lower learning rate may cure the same run.",
        references=(
            "Bengio, Simard, Frasconi 1994: Learning long-term dependencies is difficult",
            "Pascanu, Mikolov, Bengio 2013: Training recurrent networks (arXiv 1211.5063)",
        ),
    ),
    needs=(GRADIENT_NORM, WEIGHT_NORM),
    uses=(OUTPUT_GRADIENT, TIME_GROWTH, CONSTANT_LOSS, TRAIN_LOSS, UPDATE_NORM),
    thresholds=(TIME, SOME, LEAP, DEPTH, GROWTH, BORN, DOUBLING, WILD, LAYERS, MOVED, THROWN, FAR),
    shows=Effect.GRADIENTS_TOO_LARGE,
    effects=(Effect.UPDATES_TOO_LARGE,),
    alike=("learning-rate-too-high",),
    detect=_detect,
)
