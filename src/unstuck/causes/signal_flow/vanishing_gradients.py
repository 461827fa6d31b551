"""Vanishing gradients: the gradient shrinks from layer to layer on its way to the input."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.measures.basics import by_unit, drawing, learned_little, spread, thinned
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Floats
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import (
    InitialiseLayer,
    InsertLayer,
    Remedy,
    ReplaceLayer,
    Safety,
    SkipConnections,
    Together,
)
from unstuck.schema.facts.models import Activation, Layer, LayerRole, Model
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.layers import OUTPUT_GRADIENT, SATURATED_SHARE, TIME_GROWTH
from unstuck.words import called, count, number, percent, times

LAYERS = Threshold(
    "fewest-layers", 4.0,
    "A trend over depth needs several layers; three points cannot be distinguished from scatter.",
    "a line through fewer points fits anything",
)
DECAY = Threshold(
    "decay-per-layer", 1 / 3,
    "The gradient becomes ten times smaller (one decade) in three layers. A sigmoid makes it at "
    "least four times smaller (0.6 decades) per layer; ReLU layers with He initialisation lose "
    "almost nothing.",
    "He et al. 2015 (arXiv 1502.01852)",
)
TOTAL = Threshold(
    "first-over-last", 1e-3,
    "The first layers get less than a thousandth of the last layer's gradient, so they hardly move "
    "at a learning rate that suits the last layer.",
    "AutoTrainer; no false alarm on 72 healthy runs",
)
MILD = Threshold(
    "mild-decay-per-layer", 0.15,
    "In a deep network a milder decay adds up. The gradient must still shrink from layer to layer: "
    "0.15 decades are a factor of 1.4.",
    "half of the limit for a steep decay, rounded down",
)
FAR = Threshold(
    "first-over-last-of-many", 1e-4,
    "With a mild decay over many layers, the first layers must get less than a ten-thousandth of "
    "the last layer's gradient.",
    "a tenth of the limit for a steep decay",
)
AT_ONCE = Threshold(
    "decay-between-two-layers", 0.9,
    "Nine tenths of all decades are lost between two neighbours. There is a fault at one place, "
    "such as outputs that are the same for every sample, and none of the depth.",
    "of four layers that decay alike, each link has a third",
)
WEIGHTED = (LayerRole.LINEAR, LayerRole.CONVOLUTION, LayerRole.RECURRENT)
MOST_LAYERS, MOST_STEPS = 200, 1000  # that are compared in pairs, spread evenly over all
UNDERFLOW = 1e-17  # squares of less are lost in single precision, and the norm with them


@dataclass(frozen=True, slots=True)
class _Flow:
    """Gradients of one model's layers in call order: shape (layers, steps), all above 0."""

    layers: tuple[Layer, ...]
    steps: tuple[int, ...]
    norms: Floats
    dead: bool  # some layer got exactly none

    @property
    def decay(self) -> float:
        """Decades per layer lost from output to input: the median of pairs and steps."""
        depth = spread(len(self.layers), MOST_LAYERS)
        i, j = np.triu_indices(len(depth), 1)
        logs = np.log10(self.norms[np.ix_(depth, spread(len(self.steps), MOST_STEPS))])
        slopes = (logs[j] - logs[i]) / (depth[j] - depth[i])[:, None]
        return float(np.median(np.median(slopes, axis=0)))

    @property
    def ratio(self) -> float:
        """The first layer's gradient over the last one's, the median over steps."""
        return float(np.median(self.norms[0] / self.norms[-1]))

    @property
    def at_once(self) -> float:
        """The share of all decades that is lost between two neighbours."""
        logs = np.median(np.log10(self.norms), axis=1)
        return float(np.diff(logs).max() / (logs[-1] - logs[0])) if logs[-1] > logs[0] else 0.0

    def since(self, limit: float) -> int:
        """The first step at which the first layer got no more than this share of the last one's."""
        small = np.flatnonzero(self.norms[0] <= limit * self.norms[-1])
        return self.steps[small[0] if len(small) else 0]


def _flow(view: View, layers: list[Layer]) -> _Flow | None:
    """What is known of the gradient along some layers, None if nothing."""
    gradients = view[OUTPUT_GRADIENT]
    steps = sorted(set.intersection(*(set(gradients[x.name].steps.tolist()) for x in layers)))
    table = np.empty((len(layers), len(steps)))
    for row, layer in enumerate(layers):
        known = gradients[layer.name]
        values = dict(zip(known.steps.tolist(), known.values.tolist(), strict=True))
        table[row] = [values[s] for s in steps]
    whole = np.flatnonzero(np.isfinite(table).all(axis=0))
    table, steps = table[:, whole], [steps[i] for i in whole]
    if not steps:
        return None
    # A zero before a number at the edge of the digits is a number that was lost.
    for row in range(len(layers) - 2, -1, -1):
        lost = (table[row] == 0) & (table[row + 1] > 0) & (table[row + 1] < UNDERFLOW)
        table[row, lost] = table[row + 1, lost] / 2
    flowing = np.flatnonzero((table > 0).all(axis=0))
    dead = len(flowing) < len(steps) / 2
    kept = tuple(steps[i] for i in flowing)
    return _Flow(tuple(layers), kept, table[:, flowing], dead)


def _detect(view: View) -> Verdict:
    found = _over_layers(view)
    return found if isinstance(found, Present) else _over_time(view) or found


def _over_time(view: View) -> Present | None:
    """Through the uses of one weight, one time step after another.

    Many recurrent networks learn in spite of it what lies near in time. So it is a suspect only
    where a run learned little, and no more than that.
    """
    if not (view.has(TIME_GROWTH) and learned_little(view.outcome)):
        return None
    known = {name: points for name, series in view[TIME_GROWTH].items()
             if len(points := series.finite) >= 2}
    left = {name: float(np.median(points.values)) for name, points in known.items()}
    name = min(left, key=lambda each: left[each], default=None)
    if name is None or not left[name] <= view.limit(FAR):
        return None
    parameter = view.record.parameters().get(name)
    layer = view.record.layers().get(parameter.layer) if parameter is not None else None
    fold = times(1 / left[name] if left[name] > 0 else math.inf)
    return Present(
        strength=0.45,
        title=f"the gradient vanishes over time: where {name} is used first, it is {fold} smaller "
        "than where it is used last",
        since_step=int(known[name].steps[0]),
        location=layer.location if layer is not None else None,
        label=f"its gradient is {fold} smaller at the first time step than at the last",
        evidence=(Evidence(TIME_GROWTH.name, name, *thinned(known[name].steps, known[name].values),
                           view.limit(FAR), "what happens at the first time steps hardly changes "
                           f"the weights: their share of the gradient is {percent(left[name])}"),),
        remedies=(Remedy(
            "let the state pass unchanged", Safety.ADVICE,
            advice="Use an LSTM or a GRU whose forget gate starts open (a bias of 1 or more), add "
            "the old state to the new one without shrinking it, or shorten the sequences."),),
    )


def _over_layers(view: View) -> Verdict:
    gradients = view[OUTPUT_GRADIENT]
    flows = []
    for model in view.record.facts(Model):
        known = {layer.name: layer for layer in model.layers}
        order = [known[p] for p in gradients if p in known and known[p].role in WEIGHTED]
        if len(order) >= view.limit(LAYERS) and (flow := _flow(view, order)) is not None:
            flows.append(flow)
    if not flows:
        if learned_little(view.outcome) and any(
                layer.role is LayerRole.RECURRENT for layer in view.record.layers().values()):
            return Unknown("how much of the gradient is left from one time step to the one before "
                           "was not measured", ("a run on sequences of a quarter of the length",))
        return Absent(f"no model has at least {number(view.limit(LAYERS))} layers with weights "
                      "that receive a gradient")
    flowing = [f for f in flows if not f.dead and len(f.steps) >= 2]
    if not flowing:
        if any(f.dead for f in flows):
            return Absent("a layer gets no gradient at all, which is a dead layer and not a decay "
                          "from layer to layer")
        return Unknown("gradients were seen at fewer than two sampled steps",
                       (OUTPUT_GRADIENT.name, "a longer run"))
    worst = max(flowing, key=lambda f: f.decay)
    steep = worst.decay >= view.limit(DECAY) and worst.ratio <= view.limit(TOTAL)
    long = worst.decay >= view.limit(MILD) and worst.ratio <= view.limit(FAR)
    if not (steep or long):
        return Absent("the gradient does not vanish: at the first layer it is "
                      f"{times(worst.ratio)} the gradient at the last layer")
    if worst.at_once >= view.limit(AT_ONCE):
        return Absent("the gradient does not vanish from layer to layer: nearly all of it is lost "
                      "between two of them")
    return _present(view, worst)


def _present(view: View, flow: _Flow) -> Verdict:
    first, last = flow.layers[0], flow.layers[-1]
    strength = 0.7 + 0.1 * (flow.ratio <= view.limit(TOTAL) / 10)
    strength += 0.1 * learned_little(view.outcome)
    fold = times(1 / flow.ratio if flow.ratio > 0 else math.inf)
    says = f"{fold} smaller than at {called(last.name)}"
    shrinks = f"{times(10 ** min(flow.decay, 300))} smaller"
    evidence = [
        Evidence(OUTPUT_GRADIENT.name, layer.name, *thinned(np.array(flow.steps), norms), None,
                 f"the gradient at the output of {called(layer.name)} has a norm of "
                 f"{number(float(np.median(norms)))}")
        for layer, norms in ((first, flow.norms[0]), (last, flow.norms[-1]))
    ]
    saturated = _saturated(view)
    if saturated is not None:
        evidence.append(saturated)
    return Present(
        strength=strength,
        title=f"the gradient vanishes over {count(len(flow.layers), 'layer')}: it gets "
        f"{shrinks} per layer, and at {called(first.name)} it is {says}",
        since_step=flow.since(view.limit(TOTAL)),
        location=first.location, of_value=True,
        label=f"the gradient gets {shrinks} per layer (healthy: about the same)",
        evidence=tuple(evidence),
        remedies=_remedies(view, flow),
    )


def _saturated(view: View) -> Evidence | None:
    if not view.has(SATURATED_SHARE):
        return None
    series = view[SATURATED_SHARE]
    shares = {place: float(np.median(points.values)) for place, points in series.items()}
    place = next((place for place, share in shares.items() if share >= 0.5), None)
    if place is None:
        return None
    return Evidence(SATURATED_SHARE.name, place,
                    *thinned(series[place].steps, series[place].values), 0.5,
                    f"{percent(shares[place])} of the outputs of {called(place)} are saturated, so "
                    "its slope there is almost 0")


def _squashing(view: View) -> str | None:
    """What squashes signals between the layers, as a layer or as a function."""
    kinds = [layer.kind for layer in view.record.layers().values()]
    kinds += [fact.function.capitalize() for fact in view.record.facts(Activation)]
    return next((kind for kind in ("Sigmoid", "Tanh", "Softsign", "Hardsigmoid")
                 if kind in kinds), None)


def _remedies(view: View, flow: _Flow) -> tuple[Remedy, ...]:
    squashing = _squashing(view)
    remedies = []
    if squashing is not None:
        remedies.append(Remedy(
            "use a ReLU or an ELU", Safety.CHANGES_EXPERIMENT,
            (ReplaceLayer(squashing, "ReLU()"), ReplaceLayer(squashing, "ELU()")),
            code_text="nn.ReLU()",
        ))
    scheme = "xavier_normal_" if squashing else "kaiming_normal_"
    norms = [f"{_norm(layer)}({_width(view, layer)})" for layer in flow.layers[:-1]]
    norm = norms[0] if len(set(norms)) == 1 else _norm(flow.layers[0])
    remedies += [
        Remedy("normalise between layers", Safety.CHANGES_EXPERIMENT,
               (Together(tuple(InsertLayer(layer.name, each) for layer, each in zip(
                   flow.layers[:-1], norms, strict=True)),
                         f"insert {norm} after each hidden layer"),),
               code_text=f"nn.{norm}  # after each hidden layer"),
        Remedy("use an initialisation that keeps the scale", Safety.CHANGES_EXPERIMENT,
               (InitialiseLayer("", scheme),),
               code_text=drawing(view, scheme) or
               f"for p in model.parameters(): p.dim() > 1 and nn.init.{scheme}(p)"),
        Remedy("add skip connections", Safety.CHANGES_EXPERIMENT,
               (SkipConnections(tuple(layer.name for layer in flow.layers)),),
               advice="Add each block's input to its output (x = x + block(x)), so that the "
               "gradient can bypass the layers. Or use fewer layers."),
    ]
    return tuple(remedies)


def _norm(layer: Layer) -> str:
    """The normalisation for what a layer puts out."""
    if layer.role is LayerRole.CONVOLUTION and layer.kind.endswith("d"):
        return f"BatchNorm{layer.kind[-2:]}"
    return "LayerNorm"


def _width(view: View, layer: Layer) -> int:
    shapes = [by_unit(view, p) for p in view.record.parameters().values()
              if p.layer == layer.name and len(p.shape) >= 2]
    return shapes[0][0] if shapes else 0


CAUSE = Cause(
    slug="vanishing-gradients",
    code="G002",
    title="Vanishing gradients",
    family="Signal flow",
    harm=Harm.CONDITION,
    symptoms=(Symptom.FLAT, Symptom.CHANCE, Symptom.SLOW),
    words=Words(
        symptom="A deep network does not learn, or only its last layers do. The weights of the "
        "first layers stay at their initial values.",
        consequence="The last layers work on random features. A higher learning rate ruins them "
        "before it moves the first layers.",
        why="Each layer multiplies the gradient by its weights and by the slope of its activation. "
        "The slope of a sigmoid is at most a quarter, and weights that are too small shrink the "
        "gradient further. The product falls exponentially with depth.",
        detection="At every sampled step, unstuck measures how the norm of the gradient falls from "
        "the output of each layer with weights to the one before it. The median over pairs "
        "of layers and over steps decides. A run near its optimum has small gradients in all "
        "layers, so they do not fall from layer to layer. A layer whose gradient is exactly 0 is "
        "dead, which is another cause.",
        limitations="In networks with several paths, layers are judged in the order in which they "
        "are called, which is not their depth. Gradients over time are seen where a program loops "
        "over its time steps itself, not within a recurrent layer of torch, and are a suspect only "
        "if the run learned little. Optimizers that rescale the gradient of each weight, such as "
        "Adam, tolerate some decay.",
        references=(
            "Bengio, Simard, Frasconi 1994: Learning long-term dependencies is difficult",
            "Glorot, Bengio 2010: Understanding the difficulty of training deep networks",
            "He et al. 2015: Delving deep into rectifiers (arXiv 1502.01852)",
        ),
    ),
    needs=(OUTPUT_GRADIENT,),
    uses=(SATURATED_SHARE, TIME_GROWTH),
    thresholds=(LAYERS, DECAY, TOTAL, MILD, FAR, AT_ONCE),
    shows=Effect.GRADIENTS_VANISH,
    effects=(Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT),
    detect=_detect,
)
