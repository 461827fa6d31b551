"""Bad initialisation: copies, factors that are zero, or weights whose scale kills signals."""

from __future__ import annotations

import math

import numpy as np

from unstuck.measures.basics import GOOD_SKILL, by_unit, drawing, learned_little, thinned, unwatched
from unstuck.measures.gains import DEFAULT_GAIN, Weighted, told_apart, weighted_layers
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import DefaultInitialisation, InitialiseLayer, Remedy, Safety
from unstuck.schema.facts.models import Initialisation, LayerRole
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.layers import (
    SATURATED_SHARE,
    STACKED_LAYERS,
    TIME_GROWTH,
    TWIN_UNITS,
)
from unstuck.schema.signals.losses import CONSTANT_LOSS, TRAIN_LOSS
from unstuck.schema.signals.parameters import GRADIENT_NORM, WEIGHT_NORM
from unstuck.words import called, count, joined, number, percent, times

TWINS = Threshold(
    "twin-units", 0.5,
    "Half of a hidden layer's units are copies of other units and stay so. Of units that are drawn "
    "at random, no two are the same.",
    "Goodfellow, Bengio, Courville 2016, section 8.4: initialisation must break the symmetry",
)
LARGE = Threshold(
    "large-gain", 5.0,
    "The layer multiplies the size of its input by five. The gain of He initialisation is 1.4, "
    "that of LeCun initialisation 1. PyTorch's default, which it calls Kaiming uniform with "
    "a=sqrt(5), has only 0.58.",
    "He et al. 2015: a gain of the root of 2 for ReLU",
)
WILD = Threshold(
    "first-loss", 5.0,
    "An untrained network should start near the loss of the best constant guess. At five times "
    "that loss, it starts with confident wrong predictions.",
    "Karpathy 2019: verify the loss at initialisation",
)
WORSE = Threshold(
    "first-loss-of-large-weights", 2.0,
    "Where most layers multiply their input by five or more, twice the loss of the best constant "
    "guess is enough: normalisations hold the outputs back, and the weights are as far off.",
    "a choice; an untrained network stays within a few per cent of that loss",
)
HALF = Threshold(
    "born-saturated", 0.5,
    "If half of the outputs of an activation are at the ends of their range at the very first "
    "step, the scale of the initial weights is to blame.",
    "SageMaker Debugger and DeepDiagnosis raise an alarm at one half",
)
FADING = Threshold(
    "fading-signal", 0.01,
    "After all layers, the signal is at most a hundredth of what PyTorch's default would leave.",
    "a hundredth of the default, which is itself small",
)
RECURRENT = Threshold(
    "large-recurrent-gain", 2.0,
    "A recurrent weight is applied at every step of a sequence. The gain of PyTorch's default is "
    "0.58, that of an orthogonal matrix 1.",
    "Pascanu et al. 2013: gradients explode where the gain exceeds 1",
)
GROWS = Threshold(
    "growth-through-time-at-first", 1000.0,
    "Before any update, the gradient grows a thousandfold on its way back through one sequence.",
    "ten times the limit for exploding gradients",
)
FEWEST = 3  # sampled steps over which twins must stay twins


def _detect(view: View) -> Verdict:
    zeros = _zeros(view)
    if zeros is not None:
        return zeros
    tables = _twins(view, _tables(view), hidden=False)
    if isinstance(tables, Present):
        return tables
    if not view.has(STACKED_LAYERS):
        if _only_tables(view):
            return tables or Absent("the network has only tables, and their columns differ")
        if _without_matrices(view):
            return Absent("no weights are a matrix: no units can be copies of one another, and no "
                          "signal passes through layers")
        return Unknown(unwatched(view.record) or f"the check needs {STACKED_LAYERS.requires}",
                       (STACKED_LAYERS.name,))
    weighted = weighted_layers(view)
    if not weighted:
        return Unknown("no layer with weights was found in the graph of the loss",
                       (STACKED_LAYERS.name,))
    return _twins(view, weighted) or _scale(view, weighted) or Absent(
        "the units of each layer differ, and signals survive the scale of the weights")


def _only_tables(view: View) -> bool:
    """Whether all matrices are looked up by index: none multiplies a signal."""
    layers = view.record.layers()
    matrices = [layers.get(each.layer) for each in view.record.parameters().values()
                if len(each.shape) >= 2]
    return bool(matrices) and unwatched(view.record) is None and all(
        layer is not None and layer.role is LayerRole.EMBEDDING for layer in matrices)


def _without_matrices(view: View) -> bool:
    """Whether all parameters are single numbers or rows of them."""
    parameters = view.record.parameters().values()
    return bool(parameters) and unwatched(view.record) is None and all(
        len(each.shape) < 2 for each in parameters)


# Factors of one another that are zero -------------------------------------------------------------
def _zeros(view: View) -> Present | Unknown | None:
    """Matrices that are zero to the end, for the gradient of each is a multiple of another."""
    layers, gradients, found = view.record.layers(), view[GRADIENT_NORM], []
    for name, parameter in view.record.parameters().items():
        norms, met = view[WEIGHT_NORM].get(name), gradients.get(name)
        if len(parameter.shape) >= 2 and parameter.trainable and not parameter.loaded and (
            norms is not None and met is not None and len(met)
            and norms.steps[0] == 0 and not norms.values.any() and not met.values.any()
        ):
            found.append(Weighted(parameter, layers.get(parameter.layer), 0.0, False))
    if len(found) < 2:
        return None
    if any(len(gradients[w.parameter.name]) < FEWEST for w in found):
        return Unknown("weights that start at zero may still get a gradient",
                       (f"a run of at least {FEWEST} steps",))
    names = joined(dict.fromkeys(called(w.parameter.layer) for w in found))
    return Present(
        strength=0.95,
        title=f"the weights of {names} start at zero and stay there: each gets a gradient only "
        "where another is not zero",
        since_step=0, location=_location(view, found[0]),
        label="starts at zero, as what it is multiplied by",
        evidence=tuple(
            Evidence(GRADIENT_NORM.name, w.parameter.name,
                     *thinned(gradients[w.parameter.name].steps,
                              gradients[w.parameter.name].values), 0.0,
                     f"the weights of {called(w.parameter.layer)} are zero, and so is their "
                     "gradient at all steps that were looked at")
            for w in found[:5]),
        remedies=_remedies(view, found),
    )


# Units that start as copies ----------------------------------------------------------------------
def _tables(view: View) -> list[Weighted]:
    """The tables of embeddings. What lies in a column of one is the same unit for all rows."""
    layers = view.record.layers()
    return [Weighted(parameter, layer, 1.0, False)
            for parameter in view.record.parameters().values()
            if (layer := layers.get(parameter.layer)) is not None
            and layer.role is LayerRole.EMBEDDING and len(parameter.shape) == 2]


def _twins(view: View, weighted: list[Weighted], hidden: bool = True) -> Verdict | None:
    if not weighted:
        return None
    last = list(view[STACKED_LAYERS])[-1] if hidden else None
    weighted = [w for w in weighted if last not in (w.parameter.layer, w.parameter.name)]
    if not view.has(TWIN_UNITS) and not weighted:
        return None  # the units of a hidden layer only are compared
    found: list[tuple[Weighted, float]] = []
    parted: list[tuple[Weighted, float]] = []
    young = False
    for item in weighted:
        name = item.parameter.name
        series = view[TWIN_UNITS].get(name)
        if series is None or item.parameter.loaded or not item.parameter.trainable or (
                name not in view[GRADIENT_NORM]):
            continue
        if series.steps[0] != 0 or not series.values[0] >= view.limit(TWINS):
            continue
        if item.gain > 0 and not told_apart(view, item.parameter):  # zeros may be meant to wake up
            parted.append((item, float(series.values[0])))
        met = view[GRADIENT_NORM][name].steps
        if len(met) < FEWEST:
            young = True
            continue
        # Looked at in all samples up to the last one: it is left as soon as the units differ.
        if series.steps[-1] >= met[-1] and float(np.min(series.values)) >= view.limit(TWINS):
            found.append((item, float(series.values[-1])))
    stay = bool(found)
    if not stay and learned_little(view.outcome):
        found = parted
    if not found:
        return Unknown("units that start as copies of one another may still become different",
                       (f"a run of at least {FEWEST} steps",)) if young else None
    item, share = found[0]
    skill = view.outcome.skill
    learned = skill is not None and skill >= GOOD_SKILL
    series = view[TWIN_UNITS][item.parameter.name]
    layers = dict.fromkeys(called(i.parameter.layer) for i, _ in found)
    until = " and stay so to the last step" if stay else ""
    width, units = (by_unit(view, item.parameter)[0], "units") if hidden else (
        item.parameter.shape[1], "columns")
    return Present(
        strength=0.4 if learned else 0.95 if stay else 0.8,
        title=f"{percent(share)} of the {width} {units} of {called(item.parameter.layer)} start "
        f"as copies of one another{until}"
        f"{f' ({len(layers)} layers affected: {joined(layers)})' if len(layers) > 1 else ''}",
        since_step=0,
        location=_location(view, item),
        label=f"{percent(share)} of its {width} {units} start as copies of one another{until}",
        evidence=tuple(
            Evidence(TWIN_UNITS.name, i.parameter.name,
                     *thinned(view[TWIN_UNITS][i.parameter.name].steps,
                              view[TWIN_UNITS][i.parameter.name].values), view.limit(TWINS),
                     f"{percent(s)} of the {units} of {called(i.parameter.layer)} have the same "
                     "weights as another one (normal: none)")
            for i, s in found[:5]
        ),
        remedies=_remedies(view, [i for i, _ in found]),
    ) if len(series) else None


# Scale -------------------------------------------------------------------------------------------
def _scale(view: View, weighted: list[Weighted]) -> Verdict | None:
    known = [w for w in weighted if math.isfinite(w.gain)]
    large = [w for w in known if w.gain >= view.limit(LARGE) and not w.normalised]
    fading = _fading(view, known)
    harm = _wild(view, view.limit(WORSE if 2 * len(large) > len(known) > 2 else WILD))
    if harm is None or not large:
        again, grows = [w for w in known if _recurs(view, w)], _growing(view)
        large, harm = (again, grows) if again and grows is not None else (large, harm)
    if not large and not fading:
        return None
    if large:
        if harm is None:
            return None
        worst = max(large, key=lambda w: w.gain)
        title = (f"the initial weights are too large: {called(worst.parameter.layer)} multiplies "
                 f"its input by {number(worst.gain)} (normal: 0.6 to 1.4)")
        blamed, more = large, [harm]
        first = large[0]
    else:
        worst, first = min(fading, key=lambda w: w.gain), fading[0]
        title = (f"the initial weights are too small: {called(worst.parameter.layer)} shrinks its "
                 f"input to {percent(worst.gain)} of its size (normal: 60 to 140 %; "
                 f"{count(len(fading), 'layer')} affected)")
        blamed, more = fading, []
    if view.outcome.kind is OutcomeKind.TOO_SHORT:
        return Unknown(f"the run is too short to show whether it recovers from its start: {title}",
                       ("a longer run",))
    # Weights of zero are set on purpose: they learn from what comes behind them.
    dies = fading and all(w.gain > 0 for w in fading) and (view.outcome.skill or 1) < GOOD_SKILL
    norms = view[WEIGHT_NORM][first.parameter.name]
    label = f"its weights multiply their input by {number(first.gain)} (normal: 0.6 to 1.4)"
    return Present(
        strength=0.8 if learned_little(view.outcome) else 0.6 if dies else 0.4,
        title=title, since_step=0, location=_location(view, first), label=label,
        evidence=(
            *more,
            Evidence(WEIGHT_NORM.name, first.parameter.name,
                     *thinned(norms.steps, norms.values), None,
                     f"the weights of {called(first.parameter.layer)} multiply their input by "
                     f"{number(first.gain)} at the start (PyTorch's default: 0.58; He "
                     "initialisation: 1.4)"),
        ),
        remedies=_remedies(view, blamed),
    )


def _recurs(view: View, item: Weighted) -> bool:
    return item.gain >= view.limit(RECURRENT) and item.layer is not None and (
        item.layer.role is LayerRole.RECURRENT)


def _growing(view: View) -> Evidence | None:
    """What shows that a recurrence amplifies from the first step on."""
    for place, series in view[TIME_GROWTH].items() if view.has(TIME_GROWTH) else ():
        found = series.finite
        if len(found) and found.steps[0] == 0 and found.values[0] >= view.limit(GROWS):
            return Evidence(TIME_GROWTH.name, place, *thinned(found.steps, found.values),
                            view.limit(GROWS),
                            "before any update, the gradient becomes "
                            f"{times(float(found.values[0]))} as large on its way back through one "
                            "sequence")
    return None


def _fading(view: View, known: list[Weighted]) -> list[Weighted]:
    """The layers that let the signal die, if it does over the whole network."""
    layers = view.record.layers().values()
    limit = math.log(view.limit(FADING))
    if any(layer.role is LayerRole.NORMALISATION for layer in layers):
        return []
    known = [w for w in known if w.layer is not None and w.layer.role in (
        LayerRole.LINEAR, LayerRole.CONVOLUTION)]
    if len(known) < 2:
        return []
    if known[-1].gain == 0:
        known = known[:-1]  # a last layer at zero is a choice
    passed = sum(math.log(max(w.gain, 1e-30) / DEFAULT_GAIN) for w in known)
    small = [w for w in known if w.gain < DEFAULT_GAIN / 3]
    return small if len(small) >= 2 and passed <= limit else []


def _wild(view: View, times_constant: float) -> Evidence | None:
    """What shows that large weights do harm at the first step: a loss of so many times that of a
    constant, or flat activations.
    """
    loss = view[TRAIN_LOSS]
    if view.has(CONSTANT_LOSS) and loss.steps[0] == 0:
        constant = view[CONSTANT_LOSS].finite
        start = float(loss.values[0])
        if len(constant) and constant.values[-1] > 0 and (
            not start < times_constant * float(constant.values[-1])
        ):
            level = float(constant.values[-1])
            return Evidence(TRAIN_LOSS.name, "", *thinned(loss.steps, loss.values), level,
                            f"the first loss is {number(start)}, while a constant guess has "
                            f"{number(level)}")
    for place, series in view[SATURATED_SHARE].items() if view.has(SATURATED_SHARE) else ():
        if series.steps[0] == 0 and series.values[0] >= view.limit(HALF):
            return Evidence(SATURATED_SHARE.name, place,
                            *thinned(series.steps, series.values), view.limit(HALF),
                            f"{percent(float(series.values[0]))} of the outputs of {called(place)} "
                            "are saturated at the first step")
    return None


def _location(view: View, item: Weighted) -> SourceLocation | None:
    for call in view.record.facts(Initialisation):
        if call.name == item.parameter.name and call.location is not None:
            return call.location
    if item.parameter.made is not None:
        return item.parameter.made
    return item.layer.location if item.layer is not None else None


def _remedies(view: View, blamed: list[Weighted]) -> tuple[Remedy, ...]:
    layers = list(dict.fromkeys(w.parameter.layer for w in blamed))
    which = layers[0] if len(layers) == 1 else ""
    default = Remedy(
        "keep PyTorch's own initialisation", Safety.CHANGES_EXPERIMENT,
        (DefaultInitialisation(which),),
        code_text="# without the statement that sets these weights")
    # Nothing else would set them.
    own = all(w.parameter.made is not None for w in blamed) or bool(drawing(view, ""))
    return (
        *(() if own else (default,)),
        *(Remedy(name, Safety.CHANGES_EXPERIMENT, (InitialiseLayer(which, scheme),),
                 code_text=drawing(view, scheme) or
                 f"nn.init.{scheme}(layer.weight); nn.init.zeros_(layer.bias)")
          for name, scheme in (
              ("He (Kaiming) initialisation, for ReLU", "kaiming_normal_"),
              ("Xavier (Glorot) initialisation, for tanh and sigmoid", "xavier_normal_"))),
    )


CAUSE = Cause(
    slug="bad-initialisation",
    code="M005",
    title="Bad initialisation",
    family="Model",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.FLAT, Symptom.CHANCE, Symptom.SAME, Symptom.RISES),
    words=Words(
        symptom="The network learns as if it had one unit per layer. Or its first loss is far "
        "above that of a constant guess. Or it never starts to learn.",
        consequence="Units that start as copies get the same gradient, so they stay copies however "
        "long you train. Weights of the wrong scale make signals vanish or explode with depth.",
        why="Units can learn different things only if they start out different. Gradient descent "
        "cannot make copies differ. The scale of the weights decides how much each layer amplifies "
        "or shrinks the signal in the forward pass and the gradient in the backward pass.",
        detection="Before the first update and at sampled steps to the end, unstuck compares the "
        "units of each hidden layer with one another. It reports copies if they are still copies "
        "at the end although the layer gets a gradient, or if the run learned little. The gain of "
        "a layer is the norm of its initial weights divided by the square root of its number of "
        "units. A large gain counts only if the first loss is far too high or activations are "
        "saturated at the first step, or if a recurrent layer multiplies its gradient a "
        "thousandfold over one sequence. Small gains count only if their product over the depth is "
        "small. Weights from a checkpoint are not judged, nor are large weights right before a "
        "normalisation layer. Two or more weights that are zero at every look, with a gradient of "
        "exactly zero, are reported as well: as factors of one another they never leave zero.",
        limitations="Biases far from zero are not detected here; unstuck reports their effect, "
        "dead or saturated units. If weights are filled by hand, the report points at the line "
        "that constructs the layer. For layers that are neither linear nor convolutional, the gain "
        "is a cautious estimate and may be too low.",
        references=(
            "Glorot, Bengio 2010: Understanding the difficulty of training deep networks",
            "He et al. 2015: Delving deep into rectifiers (arXiv 1502.01852)",
        ),
    ),
    needs=(WEIGHT_NORM, GRADIENT_NORM, TRAIN_LOSS),
    uses=(STACKED_LAYERS, TWIN_UNITS, CONSTANT_LOSS, SATURATED_SHARE, TIME_GROWTH),
    thresholds=(TWINS, LARGE, WILD, WORSE, HALF, FADING, RECURRENT, GROWS),
    shows=Effect.BAD_START,
    effects=(Effect.GRADIENTS_TOO_LARGE, Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL,
             Effect.CANNOT_FIT),
    alike=("inputs-not-normalised", "vanishing-gradients"),
    detect=_detect,
)
