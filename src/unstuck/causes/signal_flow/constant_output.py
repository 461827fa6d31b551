"""Constant output: on its way through the network, all that differs between samples is lost."""

from __future__ import annotations

from unstuck.curves.collapse import (
    FEWEST,
    SAME,
    SIGNALS,
    Collapse,
    Place,
    Spreads,
    bar_of,
    beneath_dropout,
    first_collapse,
    spreads_of,
)
from unstuck.measures.basics import drawn, optimizer_of, rate_code, rates
from unstuck.measures.looks import gaps, left_out
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import (
    InitialiseLayer,
    LayerArgument,
    Remedy,
    RemoveLayer,
    ReplaceLayer,
    Safety,
)
from unstuck.schema.facts.models import Layer, LayerRole
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.spread import INPUT_SPREAD, OUTPUT_SPREAD
from unstuck.schema.signals.targets import DISTINCT_TARGETS, TARGET_DEVIATION, TARGET_MEAN
from unstuck.words import called, number, percent

POSSIBLE = 0.45  # every layer loses a part
AT_ONCE = Threshold(
    "lost-at-once", 30.0,
    "What differs is lost in a single place if it is thirty times as large before it. Layers that "
    "each lose a part have no such place; their depth, scale or slopes are then to blame.",
    "a layer of PyTorch with its default initialisation loses a factor of 2 to 4",
)
FALLING = Threshold(
    "spread-falls", 0.1,
    "What differs between outputs has become a tenth of what it was. Where steps were left out for "
    "lack of time, it may have gone on to nothing between them.",
    "a choice: outputs that are learned differ more as the training goes on",
)
THE_SAME = Threshold(
    "same-output", SAME,
    "The outputs for two samples differ by less than a thousandth of their size. The outputs of "
    "an untrained network usually differ by a tenth. Where targets are numbers that differ "
    "little beside their size, the limit is 2 % of what they differ.",
    "no false alarm on the healthy programs of the corpus",
)


def _detect(view: View) -> Verdict:
    record = view.record
    inputs, outputs, distinct, deviations, means = (
        view[signal] if view.has(signal) else {} for signal in SIGNALS)
    found = spreads_of(record, inputs, outputs)
    if not found:
        return Unknown(f"no model was looked at in {FEWEST} steps on batches of several samples",
                       (OUTPUT_SPREAD.name, "a longer run"))
    bar = bar_of(record, distinct, deviations, means, view.limit(THE_SAME))
    if not bar:
        return Absent("the targets hardly differ, so that an output which is the same for every "
                      "sample is right")
    collapse = first_collapse(found, bar)
    if collapse is None and view.outcome.kind is OutcomeKind.NOT_LEARNING:
        collapse = first_collapse(beneath_dropout(found, bar), bar)
    if collapse is None:
        return _differs(view, found, bar)
    if view.outcome.kind is OutcomeKind.TOO_SHORT:
        return Unknown("the run is too short to show whether the output begins to differ between "
                       "samples", ("a longer run",))
    if gaps(record, collapse.output.series.steps).wide:
        return Unknown("too few steps were examined closely to know how the run ends",
                       ("a run with --overhead 1",))
    if view.outcome.kind is not OutcomeKind.NOT_LEARNING and view.outcome.skill is not None and (
        view.outcome.skill > 0
    ):
        return Absent("the loss is lower than that of any output that is the same for every sample")
    return _present(view, collapse)


def _differs(view: View, found: list[Spreads], bar: float) -> Verdict:
    if beneath_dropout(found, bar):
        return Unknown("dropout makes the output differ between samples, whatever they are",
                       ("a run without dropout",))
    least = min(found, key=lambda each: each.output.most)
    if least.output.most <= bar:
        return Absent("the samples themselves hardly differ")
    seen = least.output.series
    falls = seen.values[-1] < view.limit(FALLING) * seen.values[0]
    if gaps(view.record, seen.steps).wide or (falls and left_out(view.record)):
        return Unknown("too few steps were examined closely to know whether the output, which "
                       f"{'differs less and less' if falls else 'differs'} between samples, does "
                       "so to the end", ("a run with --overhead 1",))
    if seen.values[-1] < view.limit(FALLING) ** 2 * seen.values[0]:
        return Unknown(f"the output differs between samples by {percent(least.output.most)} of its "
                       f"size, and by {percent(seen.values[0])} before the training: whether "
                       "targets ask for that is not known", ("the output of a longer run",))
    return Absent(f"the output differs between samples by {percent(least.output.most)} of its size")


def _present(view: View, found: Collapse) -> Verdict:
    output, place = found.output, found.place
    layer = view.record.layers().get(place.layer)
    when = "from step 0 on" if found.from_start else f"since step {found.since:,}"
    differ = "the same for every sample"
    before = found.before
    if before is None:
        where = "the samples themselves hardly differ beside their size"
    elif place.reads:
        where = (f"what differs is lost between {called(before.layer)} and "
                 f"{called(place.layer)}")
    elif place is output:
        where = f"what differs is lost behind {called(before.layer)}, the last layer"
    else:
        where = f"what differs is lost in {called(place.layer)}"
    gradual = before is not None and not before.difference(found.from_start) > (
        view.limit(AT_ONCE) * place.difference(found.from_start))
    # Of a single value a normalisation leaves nothing, whatever comes before or behind it.
    alone = layer is not None and layer.role is LayerRole.NORMALISATION and found.from_start
    return Present(
        strength=POSSIBLE if gradual else 0.8,
        own=alone and before is not None and not gradual and not place.reads,
        title=f"{_what(found)} has been {differ} {when}: {where}",
        since_step=found.since,
        location=place.location,
        label=f"{'its input' if place.reads else 'its output'} is {differ}",
        evidence=(
            _evidence(output, found.bar, f"{_what(found)} differs between samples by "
                      f"{percent(output.most)} of their size at the end (healthy: 10 % and more)"),
            *(_evidence(each, found.bar, f"the {'inputs' if each.reads else 'outputs'} of "
                        f"{called(each.layer)} differ by "
                        f"{percent(each.difference(found.from_start))}")
              for each in (before, place) if each is not None and each is not output),
        ),
        remedies=_remedies(view, found, layer),
    )


def _what(found: Collapse) -> str:
    """The output of the model, or what is the same before dropout makes it differ."""
    output = found.output
    return f"the {'input' if output.reads else 'output'} of {called(output.layer)}" + (
        "" if output.layer == found.model.name else ", but for dropout,")


def _evidence(place: Place, bar: float, says: str) -> Evidence:
    return drawn(INPUT_SPREAD if place.reads else OUTPUT_SPREAD, place.layer, place.series, bar,
                 says)


def _remedies(view: View, found: Collapse, layer: Layer | None) -> tuple[Remedy, ...]:
    place = found.place
    inside = layer if layer is not None and not place.reads else None
    changes: list[Remedy] = []
    if inside is not None and inside.role is LayerRole.NORMALISATION:
        changes.append(Remedy(
            "leave out a normalisation that has nothing to compare", Safety.CHANGES_EXPERIMENT,
            (RemoveLayer(inside.name),)))
    elif inside is not None and inside.role is LayerRole.ACTIVATION:
        changes.append(Remedy(
            "use an activation that does not go flat", Safety.CHANGES_EXPERIMENT,
            (ReplaceLayer(inside.name, "LeakyReLU(0.01)"),)))
    elif found.from_start and inside is not None and inside.parameters and (
            inside.role is not LayerRole.RECURRENT):
        changes.append(Remedy(
            "initialise the layer again", Safety.CHANGES_EXPERIMENT,
            (InitialiseLayer(inside.name, "kaiming_normal_"),
             InitialiseLayer("", "kaiming_normal_"))))
    elif found.from_start and inside is not None and any(
            name.endswith("weight_ih_l3") for name in inside.parameters):
        changes.append(Remedy(
            "use fewer recurrent layers", Safety.CHANGES_EXPERIMENT,
            tuple(LayerArgument(inside.name, "num_layers", value) for value in ("1", "2"))))
    optimizer = optimizer_of(view, view.record.parameters())
    if not found.from_start and optimizer is not None and optimizer.learning_rate:
        now = optimizer.learning_rate
        changes.append(Remedy(
            "lower the learning rate", Safety.SAFE, rates(optimizer, [now / 10, now / 100]),
            code_text=rate_code(optimizer, now / 10)))
        changes.append(Remedy(
            "check that the loss does not reward it", Safety.ADVICE,
            advice="Check that equal outputs are not a cheap way to a low loss. A loss of pairs "
            "needs pairs that must differ, a stopped gradient on one side, or a term that keeps "
            "the outputs apart."))
    if not changes:
        changes.append(_look(place.location))
    return tuple(changes)


def _look(at: SourceLocation | None) -> Remedy:
    line = f" at line {number(at.line)}" if at is not None else " there"
    return Remedy(
        "look at what is lost", Safety.ADVICE,
        advice=f"Print the standard deviation over samples of each value{line}, step by step. A "
        "mean or a softmax over the wrong axis, an inverted mask or a wrong variable makes it 0.",
        code_text="print(x.std(0).mean())  # before and after each operation")


CAUSE = Cause(
    slug="constant-output",
    code="G006",
    title="Constant output",
    family="Signal flow",
    harm=Harm.CONDITION,
    symptoms=(Symptom.SAME, Symptom.CHANCE, Symptom.MARGIN, Symptom.FLAT),
    often=Often.COMMON,
    words=Words(
        symptom="The network gives the same answer for every input. The loss is that of the best "
        "constant guess: ln C for C classes, 0.693 for two, the margin in a loss of pairs.",
        consequence="An output that ignores its input has nothing left to learn. No gradient "
        "tells the layers before that place how samples differ.",
        why="Each layer hands on what differs between samples, and what one layer loses, no later "
        "layer can bring back. Units die or saturate, a mask or a mean wipes everything out, "
        "weights shrink to nothing, or the loss itself rewards equal outputs.",
        detection="At sampled steps unstuck compares the samples of a batch at each layer: the "
        "standard deviation over samples, divided by the size of the values. If the outputs are "
        "the same at the end although the inputs differ, the first place behind which nothing "
        "differs is reported, and since when. If something else explains it, such as a learning "
        "rate that is too high or dead units, that is reported as the root cause.",
        limitations="Outputs that are right to be the same, because the targets are, are not "
        "reported. With batches of one sample nothing can be compared. Dropout makes outputs "
        "differ even if nothing else does; the verdict is then unknown. What differs over time "
        "or position counts as a difference, too, where samples do not lie along the first axis.",
        references=(
            "Saxe, McClelland, Ganguli 2014: Exact solutions to learning in deep linear networks",
            "Jing et al. 2022: Dimensional collapse in contrastive learning (arXiv 2110.09348)",
        ),
    ),
    needs=(OUTPUT_SPREAD,),
    uses=(INPUT_SPREAD, DISTINCT_TARGETS, TARGET_DEVIATION, TARGET_MEAN),
    thresholds=(AT_ONCE, FALLING, THE_SAME),
    shows=Effect.OUTPUT_CONSTANT,
    effects=(
        Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT, Effect.TOO_SLOW,
    ),
    detect=_detect,
)
