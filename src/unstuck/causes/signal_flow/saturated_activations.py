"""Saturated activations: sigmoids or tanhs stuck at the flat ends of their curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unstuck.measures.basics import by_unit, drawing, last_good_step, learned_little, thinned
from unstuck.measures.gains import weighted_layers
from unstuck.measures.view import Threshold, View
from unstuck.record.schedule import LIMITS
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import (
    InitialiseLayer,
    InsertLayer,
    NormaliseInputs,
    Remedy,
    RemoveFactors,
    ReplaceLayer,
    Safety,
)
from unstuck.schema.facts.models import Activation, Layer, LayerRole, Model
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.layers import OUTPUT_MEAN, SATURATED_SHARE, STACKED_LAYERS
from unstuck.schema.signals.parameters import WEIGHT_NORM
from unstuck.words import called, count, joined, number, percent

HALF = Threshold(
    "saturated-half", 0.5,
    "If half of a layer's outputs lie on the flat parts of the curve, little gradient gets "
    "through. A healthy layer has a few per cent there.",
    "SageMaker Debugger and DeepDiagnosis warn at one half; Karpathy calls under 5 % healthy",
)
NEARLY_ALL = 0.9  # of the outputs of each layer: what little slope is left decides the run
DEEP, MOST = 3, 0.7  # of a stack of so many, that many: each passes on only signs
LARGE = 3.0  # gain of initial weights: twice that of He initialisation
FEWEST = 3  # sampled steps: one batch may be odd
GATED = (LayerRole.RECURRENT, LayerRole.ATTENTION)
WEIGHTED = (LayerRole.LINEAR, LayerRole.CONVOLUTION, LayerRole.RECURRENT, LayerRole.ATTENTION)

SMALLER = "start with smaller weights"


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    layer: Layer | None  # the activation, or the layer that feeds a functional one
    series: Series
    start: float
    end: float
    since: int
    order: int  # in the model's list

    @property
    def share(self) -> float:
        return min(float(np.median(self.series.values)), max(self.start, self.end))


def _detect(view: View) -> Verdict:
    if not view.has(SATURATED_SHARE):
        if view.has(OUTPUT_MEAN):
            return Absent("the program has no sigmoid or tanh")
        return Unknown("the outputs of the layers were not measured", (SATURATED_SHARE.name,))
    depths = _depths(view)
    places = [p for n, s in view[SATURATED_SHARE].items()
              if (p := _place(view, n, s, depths)) is not None]
    if not places:
        return Absent("no hidden sigmoid or tanh was measured often enough; those of the output, "
                      "and gates, may saturate without harm")
    limit = view.limit(HALF)
    stuck = sorted((p for p in places if p.share >= limit and p.end >= limit),
                   key=lambda p: p.order)
    if not stuck:
        worst = max(places, key=lambda p: p.share)
        return Absent(f"at most {percent(worst.share)} of the outputs of {called(worst.name)} are "
                      "saturated")
    return _present(view, stuck, len(places))


def _depths(view: View) -> dict[str, tuple[int, int]]:
    """Of each layer its place in the order, and that of the last with weights in its model."""
    order = {name: place for place, name in enumerate(view.record.layers())}
    depths: dict[str, tuple[int, int]] = {}
    for model in view.record.facts(Model):
        last = max((order[x.name] for x in model.layers if x.role in WEIGHTED), default=-1)
        for layer in model.layers:
            depths.setdefault(layer.name, (order[layer.name], last))
    return depths


def _place(
    view: View, name: str, series: Series, depths: dict[str, tuple[int, int]]
) -> _Place | None:
    """A hidden activation, None for an output's, a gate's, and one of which too little is known."""
    good = (series.steps <= last_good_step(view)) & np.isfinite(series.values)
    points = Series(series.steps[good], series.values[good])
    if len(points) < FEWEST:
        return None
    base, functional, _ = name.partition(" > ")
    layer = view.record.layers().get(base)
    if layer is None or layer.role in GATED:
        return None
    index, last = depths[base]
    if last <= index:
        return None
    low = np.flatnonzero(~(points.values >= view.limit(HALF)))
    first = min(int(low[-1]) + 1 if len(low) else 0, len(points) - 1)
    if min(points.values[0], float(np.median(points.values[:FEWEST]))) >= view.limit(HALF):
        first = 0
    return _Place(name, layer, points, float(np.median(points.values[:FEWEST])),
                  float(np.median(points.values[-FEWEST:])), int(points.steps[first]),
                  2 * index + bool(functional))


def _present(view: View, stuck: list[_Place], total: int) -> Present:
    first = stuck[0]
    strength = 0.7 + 0.1 * (len(stuck) == total) + 0.1 * learned_little(view.outcome)
    born = min(first.start, first.series.values[0]) >= view.limit(HALF)
    if born and first.series.steps[0] == 0:
        strength = 0.95  # no step has been made yet that could be to blame
    hides = strength == 0.95 and len(stuck) == total and min(p.share for p in stuck) >= (
        NEARLY_ALL if total < DEEP else MOST)
    are = "are" if born else "have been"
    when = "from the first step on" if born else f"since step {number(first.since)}"
    others = joined([called(p.name) for p in stuck[1:]])
    more = f"; so do most outputs of {others}" if len(stuck) > 5 else ""
    remedies = _remedies(view, first, born, len(stuck) > 1)
    return Present(
        strength=strength, hides_outcome=hides, of_value=remedies[0].name == SMALLER,
        title=f"{percent(first.share)} of the outputs of {called(first.name)} {are} saturated "
        f"{when} (normal: under 5 %; {len(stuck)} of {count(total, 'hidden activation')} affected)",
        since_step=0 if born else first.since,
        location=_location(view, first),
        label=f"{percent(first.share)} of its outputs {are} on the flat parts of the curve {when}",
        evidence=tuple(
            Evidence(SATURATED_SHARE.name, p.name, *thinned(p.series.steps, p.series.values),
                     view.limit(HALF),
                     f"{percent(p.share)} of the outputs of {called(p.name)} lie within "
                     f"{percent(view.record.limits.saturated_end)} of an "
                     f"end of their range{more if p is first else ''}")
            for p in stuck[:5]
        ),
        remedies=remedies,
    )


def _location(view: View, place: _Place) -> SourceLocation | None:
    for activation in view.record.facts(Activation):
        if activation.name == place.name and activation.location is not None:
            return activation.location
    return place.layer.location if place.layer is not None else None


def _remedies(view: View, first: _Place, born: bool, several: bool) -> tuple[Remedy, ...]:
    functional = " > " in first.name
    feeding = first.layer.name if functional and first.layer is not None else None
    kind = first.layer.kind if first.layer is not None and not functional else "Tanh"
    before = None
    for name, layer in view.record.layers().items():
        if name == first.name:
            feeding = before
        if layer.parameters:
            before = name
    width = next((by_unit(view, p)[0] for p in view.record.parameters().values()
                  if p.layer == feeding and len(p.shape) >= 2), 0)
    remedies = [Remedy(
        "use ReLU", Safety.CHANGES_EXPERIMENT,
        (ReplaceLayer(kind, "ReLU()"), ReplaceLayer(kind, "ELU()")),
        code_text="torch.relu(x)" if functional else "nn.ReLU()",
    )]
    if feeding is not None:
        smaller = Remedy(SMALLER, Safety.CHANGES_EXPERIMENT,
                         (InitialiseLayer("" if several else feeding, "xavier_normal_"),),
                         code_text=drawing(view, "xavier_normal_") or None)
        normalise = Remedy("normalise before the activation", Safety.CHANGES_EXPERIMENT,
                           (InsertLayer(feeding, f"LayerNorm({width})"),))
        known = view.has(STACKED_LAYERS) and view.has(WEIGHT_NORM)
        large = born and known and any(
            each.gain >= LARGE for each in weighted_layers(view)
            if feeding in (each.parameter.layer, each.parameter.name))
        remedies = [smaller, *remedies, normalise] if large else [*remedies, normalise, smaller]
    if born:
        remedies.append(Remedy("standardise the inputs", Safety.SAFE, (NormaliseInputs(),)))
    remedies.append(Remedy(
        "remove factors before the activation", Safety.SAFE, (RemoveFactors(),),
        advice="Remove factors that scale up the input of the activation. Inputs of about 1 in "
        "size keep it on the steep part of its curve."))
    return tuple(remedies)


CAUSE = Cause(
    slug="saturated-activations",
    code="G004",
    title="Saturated activations",
    family="Signal flow",
    harm=Harm.CONDITION,
    symptoms=(Symptom.FLAT, Symptom.SAME, Symptom.PLATEAU),
    words=Words(
        symptom="The loss hardly moves. For nearly every sample, the hidden units output the ends "
        "of their range: 1 and -1 for tanh, 1 and 0 for a sigmoid.",
        consequence="On the flat parts of the curve, the slope is almost zero. Hardly any gradient "
        "gets through, and the layers before the activation stay as they were.",
        why="A sigmoid or tanh is steep only for inputs of about 1 in size or less. Inputs that "
        "are not normalised, initial weights that are too large, or a factor before the activation "
        "push it onto its flat parts for good.",
        detection=f"The share of outputs within {percent(LIMITS.saturated_end)} of an "
        "end of the range is measured for every sigmoid and tanh during the run. "
        "At least half of a layer's outputs must be there from "
        "the first steps to the last, or from some step to the end. Output activations are left "
        "out because correct predictions saturate them. The gates of recurrent layers are left "
        "out too.",
        limitations="Hand-written gates look like hidden units. They are more than a note only if "
        "the run learned little. Other squashing functions, such as softsign and hard sigmoid, are "
        "not measured.",
        references=(
            "LeCun, Bottou, Orr, Müller 1998: Efficient backprop",
            "Glorot, Bengio 2010: Understanding the difficulty of training deep networks",
        ),
    ),
    needs=(),
    uses=(SATURATED_SHARE, OUTPUT_MEAN, STACKED_LAYERS, WEIGHT_NORM),
    thresholds=(HALF,),
    shows=Effect.UNITS_SATURATE,
    effects=(
        Effect.OUTPUT_CONSTANT, Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL, Effect.PLATEAU,
    ),
    detect=_detect,
)
