"""Dead ReLU: units that output zero for every sample, get no gradient and never recover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unstuck.curves.collapse import ROUNDING
from unstuck.measures.basics import (
    drawing,
    failed,
    last_good_step,
    learned_little,
    level,
    optimizer_of,
    rate_code,
    rates,
    thinned,
)
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import InitialiseLayer, Remedy, ReplaceLayer, Safety
from unstuck.schema.facts.models import Initialisation, Layer
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.batches import BATCH_SIZE
from unstuck.schema.signals.layers import OUTPUT_MEAN, SILENT_SHARE
from unstuck.schema.signals.spread import INPUT_SPREAD, OUTPUT_SPREAD
from unstuck.words import called, count, percent

NEARLY_ALL = Threshold(
    "dead-layer", 0.9,
    "If nine of ten units output zero for every sample, the layers after them see almost nothing "
    "of the input.",
    "SageMaker Debugger and TheDeepChecker warn at one half, AutoTrainer at 0.7",
)
HALF = Threshold(
    "dead-half", 0.5,
    "A layer that lost half of its units is reported if the run failed.",
    "torchmortem and TheDeepChecker; no false alarm on 72 healthy runs",
)
SAMPLES = Threshold(
    "samples-of-a-batch", 5.0,
    "A unit that is zero for half of the samples is zero for all of four in one batch of 16.",
    "0.5 to the power of 4 is 0.06; half of a layer is then never silent by chance",
)
ALIKE = Threshold(
    "input-spread-of-chance", 0.25,
    "If the samples are nearly the same to a layer, its units tell few of them apart: with weights "
    "of both signs half of the units are zero for every sample, and not because they died.",
    "24 plain layers: from a spread of 0.23 on, 38 to 59 % of the units are zero in each layer",
)
LAST = 3  # sampled times at the end at which a unit must be silent; one of them sees three batches
BEGIN = 2  # sampled steps that count as the beginning


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    layer: Layer | None  # the activation, or the layer that feeds a functional one
    series: Series
    share: float  # the least of the last samples
    since: int
    from_start: bool


def _judge(view: View, name: str, series: Series) -> _Place | None:
    """A place whose units have been silent up to the end, None if too little is known of it."""
    good = series.steps <= last_good_step(view)
    points = Series(series.steps[good], series.values[good])
    if len(points) < 2 or np.isnan(points.values[-LAST:]).any():
        return None
    share = float(np.min(points.values[-LAST:]))
    bar = min(view.limit(HALF), share)
    awake = np.flatnonzero(~(points.values >= bar))
    first = int(awake[-1]) + 1 if len(awake) else 0
    layer = view.record.layers().get(name.partition(" > ")[0])
    return _Place(name, layer, points, share, int(points.steps[min(first, len(points) - 1)]),
                  first < BEGIN)


def _detect(view: View) -> Verdict:
    if not view.has(SILENT_SHARE):
        if view.has(OUTPUT_MEAN):
            return Absent("the program has no ReLU")
        return Unknown("the outputs of the layers were not measured", (SILENT_SHARE.name,))
    places = [
        place for name, series in view[SILENT_SHARE].items()
        if (place := _judge(view, name, series)) is not None
    ]
    alike = [place for place in places if _fed_alike(view, place)]
    if alike and len(alike) == len(places):
        return Unknown(f"the input of {called(alike[0].name)} is the same for every sample, so a "
                       "unit that is zero for one is zero for all",
                       ("inputs that differ between samples",))
    places = [place for place in places if place not in alike]
    if not places:
        return Unknown("the outputs of ReLU units were measured at fewer than two steps",
                       (SILENT_SHARE.name, "a longer run"))
    worst = max(places, key=lambda p: p.share)
    few = view.has(BATCH_SIZE) and level(view[BATCH_SIZE]) < view.limit(SAMPLES)
    dead = [p for p in places if p.share >= view.limit(NEARLY_ALL) or (
        failed(view.outcome) and p.share >= view.limit(HALF)
        and not few and not _by_chance(view, p))]
    if not dead and few and failed(view.outcome) and worst.share >= view.limit(HALF):
        return Unknown(f"{percent(worst.share)} of the units of {called(worst.name)} output zero, "
                       "but batches of so few samples show by chance only zeros of many units",
                       ("a run with larger batches",))
    if not dead:
        return Absent(f"at most {percent(worst.share)} of a layer's ReLU units are dead"
                      if worst.share else "no ReLU unit is dead")
    return _present(view, dead)


def _fed_alike(view: View, place: _Place) -> bool:
    """Whether the layer before an activation got the same for every sample since the first look.

    The difference is lost before it then, and not because units die.
    """
    feeding = _feeding(view, place)
    inputs = view[INPUT_SPREAD] if view.has(INPUT_SPREAD) else {}
    series = inputs.get(feeding) if feeding is not None else None
    return series is not None and bool(np.all(series.values <= ROUNDING))


def _by_chance(view: View, place: _Place) -> bool:
    """Whether half of a layer may be silent because its samples are nearly alike."""
    feeding = _feeding(view, place)
    if feeding is None:
        return False
    order = list(view.record.layers())
    known = view[INPUT_SPREAD] if view.has(INPUT_SPREAD) else {}
    series = known.get(feeding)
    if series is None and view.has(OUTPUT_SPREAD):  # it receives what the layer before returned
        made = [name for name in order[:order.index(feeding)] if name in view[OUTPUT_SPREAD]]
        series = view[OUTPUT_SPREAD][made[-1]] if made else None
    return series is not None and len(series.finite) > 0 and (
        float(np.median(series.finite.values)) < view.limit(ALIKE))


def _present(view: View, dead: list[_Place]) -> Verdict:
    # A dead layer starves those after it: among the equally dead the first is to blame.
    nearly_all = [p for p in dead if p.share >= view.limit(NEARLY_ALL)] or dead
    first = nearly_all[0]
    steps, values = thinned(first.series.steps, first.series.values)
    when = "from the start" if first.from_start else f"since step {first.since}"
    more = f"{count(len(dead), 'layer')} affected; " if len(dead) > 1 else ""
    strength = 0.6 + 0.3 * (first.share >= view.limit(NEARLY_ALL))
    strength += 0.05 * learned_little(view.outcome)
    name = called(first.name)
    drawn = _drawn(view, first) if first.from_start else None
    what = f"every unit of {name} has" if first.share >= 0.999 else (
        f"{percent(first.share)} of the units of {name} have")
    return Present(
        strength=strength,
        title=f"{what} been dead {when} ({more}healthy: under 50 %)",
        since_step=first.since,
        location=drawn or (first.layer.location if first.layer is not None else None),
        label=f"with these values {percent(first.share)} of the units output only zeros"
        if drawn is not None
        else f"{percent(first.share)} of its units have output only zeros {when}",
        evidence=tuple(
            Evidence(SILENT_SHARE.name, place.name,
                     *((steps, values) if place is first
                       else thinned(place.series.steps, place.series.values)),
                     view.limit(HALF),
                     f"{percent(place.share)} of the units of {called(place.name)} output zero for "
                     "every sample at the end of the run")
            for place in dead[:5]
        ),
        remedies=_remedies(view, first),
    )


def _drawn(view: View, place: _Place) -> SourceLocation | None:
    """Where the program gives the layer before its values, the biases first."""
    feeding = _feeding(view, place)
    given = {each.name: each.location for each in view.record.facts(Initialisation)}
    return given.get(f"{feeding}.bias") or given.get(f"{feeding}.weight")


def _remedies(view: View, first: _Place) -> tuple[Remedy, ...]:
    leaky = Remedy(
        "use a leaky ReLU", Safety.CHANGES_EXPERIMENT,
        (ReplaceLayer("ReLU", "LeakyReLU(0.01)"), ReplaceLayer("ReLU", "LeakyReLU(0.1)"),
         ReplaceLayer("ReLU", "ELU()")),
        code_text="F.leaky_relu(x, 0.01)" if " > " in first.name else "nn.LeakyReLU(0.01)",
    )
    feeding = _feeding(view, first)
    fresh = Remedy(
        "initialise for ReLU (He), with zero biases", Safety.CHANGES_EXPERIMENT,
        (InitialiseLayer(feeding, "kaiming_normal_"),),
        code_text=drawing(view, "kaiming_normal_") or None,
    ) if feeding else None
    optimizer = optimizer_of(view, view.record.parameters())
    lower = None
    if optimizer is not None and optimizer.learning_rate:
        now = optimizer.learning_rate
        lower = Remedy(
            "lower the learning rate", Safety.SAFE,
            rates(optimizer, [now / 10, now / 100, now / 2, now / 4]),
            code_text=rate_code(optimizer, now / 10),
        )
    # Dead at birth is a matter of initialisation, dead on the way one of the steps.
    order = (fresh, leaky) if first.from_start else (lower, leaky, fresh)
    return tuple(remedy for remedy in order if remedy is not None)


def _feeding(view: View, place: _Place) -> str | None:
    """The layer with weights before an activation, in the order in which the model lists them."""
    if " > " in place.name:
        return place.layer.name if place.layer is not None else None
    before = None
    for name, layer in view.record.layers().items():
        if name == place.name:
            return before
        if layer.parameters:
            before = name
    return None


CAUSE = Cause(
    slug="dead-relu",
    code="G001",
    title="Dead ReLU",
    family="Signal flow",
    harm=Harm.CONDITION,
    symptoms=(Symptom.FLAT, Symptom.SAME, Symptom.CHANCE, Symptom.MARGIN),
    often=Often.COMMON,
    words=Words(
        symptom="The loss stays flat for epochs, and the outputs are the same for every input.",
        consequence="A dead unit never recovers by itself because its gradient is zero for every "
        "sample. A dead layer cuts off everything before it, and only the biases after it still "
        "learn.",
        why="While its input is negative, a ReLU outputs zero and passes back no gradient. A "
        "strongly negative bias, or one update that is far too large, can make that input "
        "negative for all data. Then no gradient is left to undo it.",
        detection="A unit counts as dead if it output zero for every sample of the last sampled "
        "batches of the run. If a layer was already dead in the first steps, its initialisation "
        "is to blame. If its units died later, the updates killed them. If the learning rate or "
        "the inputs are to blame, unstuck reports them as the root cause.",
        limitations="Some dead units are normal, and sparse networks have many on purpose. While "
        "a run learns, only layers that are almost completely dead are reported. So it is with "
        "layers to which all samples are nearly alike: half of their units are zero by chance. "
        "A ReLU that is written with torch.where or as a multiplication is not seen.",
        references=(
            "Maas, Hannun, Ng 2013: Rectifier nonlinearities improve acoustic models",
            "Lu, Shin, Su, Karniadakis 2019: Dying ReLU and initialization (arXiv 1903.06733)",
        ),
    ),
    needs=(),
    uses=(BATCH_SIZE, SILENT_SHARE, INPUT_SPREAD, OUTPUT_MEAN, OUTPUT_SPREAD),
    thresholds=(NEARLY_ALL, HALF, SAMPLES, ALIKE),
    shows=Effect.UNITS_DIE,
    effects=(Effect.OUTPUT_CONSTANT, Effect.GRADIENTS_VANISH),
    detect=_detect,
)
