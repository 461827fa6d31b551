"""Whether a model has come to return the same for every sample, and where what differs is lost."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from unstuck.record.reader import Record
from unstuck.record.series import PlaceSeries, Series
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import LayerRole, Model
from unstuck.schema.facts.readings import Reading
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.spread import INPUT_SPREAD, OUTPUT_SPREAD
from unstuck.schema.signals.targets import DISTINCT_TARGETS, TARGET_DEVIATION, TARGET_MEAN
from unstuck.torch_api import BINARY, CLASS_LIKELIHOODS, DIFFERENCES

SAME = 1e-3  # of its size: an output that differs less between samples is the same for all
OF_TARGETS = 0.02  # of what the targets differ, in theirs
ROUNDING = 1e-6  # what rounding may make of numbers that are the same
_TARGETED = CLASS_LIKELIHOODS | BINARY | DIFFERENCES | {""}  # losses whose target is predicted
LOOKS = 3  # the last ones at which it must be so
FEWEST = 5  # looks: a run that has barely begun may still return zeros
SIGNALS = (INPUT_SPREAD, OUTPUT_SPREAD, DISTINCT_TARGETS, TARGET_DEVIATION, TARGET_MEAN)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a model at which samples were compared.

    `layer` is the layer's name; `reads` says whether its input was compared, not its output.
    """

    layer: str
    reads: bool
    series: Series
    location: SourceLocation | None

    @property
    def least(self) -> float:
        """The least difference between samples at the last looks."""
        return float(np.min(self.series.values[-LOOKS:]))

    @property
    def most(self) -> float:
        """The largest difference between samples at the last looks."""
        return float(np.max(self.series.values[-LOOKS:]))

    def difference(self, from_start: bool) -> float:
        """How much samples differ: at most at the last looks, or usually if it is so `from_start`.

        Weights that get no gradient may shrink, so later on more is the same than what began it.
        """
        return float(np.median(self.series.values)) if from_start else self.most


@dataclass(frozen=True, slots=True)
class Collapse:
    """A model whose output is the same for every sample at the end.

    `place` is the first behind which nothing differs, `before` the last at which it does; None if
    the input itself differs by no more.
    """

    model: Model
    output: Place
    place: Place
    before: Place | None
    since: int
    from_start: bool
    bar: float


@dataclass(frozen=True, slots=True)
class Spreads:
    """The places of a model in the order of the forward pass, its input first, its output last."""

    model: Model
    places: tuple[Place, ...]

    @property
    def output(self) -> Place:
        """What the model returns."""
        return self.places[-1]


def spreads_of(record: Record, inputs: PlaceSeries, outputs: PlaceSeries) -> list[Spreads]:
    """The trained models whose output was compared at enough looks.

    Args:
        record: what was judged.
        inputs: its INPUT_SPREAD.
        outputs: its OUTPUT_SPREAD.
    """
    called = {fact.name: fact.location for fact in record.facts(Reading)}
    found = []
    for model in {model.name: model for model in record.facts(Model)}.values():
        whole = outputs.get(model.name)
        if whole is None or len(whole) < FEWEST or not any(p.trainable for p in model.parameters):
            continue
        layers = {layer.name: layer for layer in model.layers if layer.name != model.name}
        places = []
        if model.name in inputs:
            places.append(Place(model.name, True, inputs[model.name], model.call_location))
        for name, series in outputs.items():
            if name not in layers or series.steps[-1] < whole.steps[-1]:
                continue
            read = inputs.get(name)
            if read is not None and read.steps[-1] == series.steps[-1]:
                places.append(Place(name, True, read, called.get(name)))
            places.append(Place(name, False, series, layers[name].location))
        places.append(Place(model.name, False, whole, model.call_location))
        found.append(Spreads(model, tuple(places)))
    return found


def bar_of(
    record: Record, distinct: PlaceSeries, deviations: PlaceSeries, means: PlaceSeries,
    most: float = SAME,
) -> float:
    """The difference, relative to their size, from which outputs differ.

    It is 0 if the targets hardly differ. An output that is right differs as the targets do, which
    may be little beside their size.

    Args:
        record: what was judged.
        distinct: its DISTINCT_TARGETS.
        deviations: its TARGET_DEVIATION.
        means: its TARGET_MEAN.
        most: the largest difference at which outputs are the same.
    """
    known = {loss.name for loss in record.facts(Loss) if loss.function in _TARGETED}
    if any(len(series) and series.values[-1] == 1
           for name, series in distinct.items() if name in known):
        return 0.0
    bar = most
    for name, series in deviations.items():
        mean = means.get(name)
        if name not in known or mean is None or not len(series.finite) or not len(mean.finite):
            continue
        # Of few samples a batch, what differs shows from batch to batch.
        apart = math.hypot(float(np.median(series.finite.values)),
                           float(np.std(mean.finite.values)))
        size = math.hypot(apart, float(np.median(mean.finite.values)))
        bar = min(bar, OF_TARGETS * apart / size if size else 0.0)
    return bar if bar > ROUNDING else 0.0


def collapse_of(record: Record) -> Collapse | None:
    """The first model of a record whose output is the same for every sample."""
    inputs, outputs, distinct, deviations, means = (
        record.series(signal) if record.measured(signal) else {} for signal in SIGNALS)
    bar = bar_of(record, distinct, deviations, means)
    return first_collapse(spreads_of(record, inputs, outputs), bar) if bar else None


def first_collapse(found: Iterable[Spreads], bar: float) -> Collapse | None:
    """The first model whose output is the same for every sample though its inputs differ."""
    return next((each for spreads in found if (each := _collapse(spreads, bar)) is not None), None)


def _collapse(spreads: Spreads, bar: float) -> Collapse | None:
    output, first = spreads.output, spreads.places[0]
    if not output.most <= bar or not (first.reads and first.least > ROUNDING):
        return None
    steps, values = output.series.steps, output.series.values
    other = np.flatnonzero(~(values <= bar))
    since = int(other[-1]) + 1 if len(other) else 0
    differ = [i for i, place in enumerate(spreads.places) if place.difference(since == 0) > bar]
    last = differ[-1] if differ else -1
    return Collapse(
        spreads.model, output, spreads.places[last + 1],
        spreads.places[last] if differ else None, int(steps[since]), since == 0, bar)


def beneath_dropout(found: Iterable[Spreads], bar: float) -> list[Spreads]:
    """The models up to where all is the same for every sample, and only dropout makes it differ."""
    beneath = []
    for spreads in found:
        random = {layer.name for layer in spreads.model.layers if layer.role is LayerRole.DROPOUT}
        same = [i for i, (before, place) in enumerate(pairwise(spreads.places), 1)
                if place.layer in random and not place.reads and before.most <= bar < place.most]
        if same:
            beneath.append(Spreads(spreads.model, spreads.places[:same[0]]))
    return beneath
