"""Missing nonlinearity: successive layers with weights that act as a single one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unstuck.measures.basics import GOOD_SKILL, by_unit, learned_little
from unstuck.measures.idle import discarded, kept
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import InsertLayer, Remedy, Safety, Together
from unstuck.schema.facts.models import Layer, LayerRole, Straight
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.layers import CURVED_OPERATIONS, STACKED_LAYERS
from unstuck.words import called, count, joined, percent

STACKED = Threshold(
    "stacked-layers", 1.0,
    "If one layer follows another with nothing nonlinear between them, one of the two is "
    "redundant: their product is a single matrix.",
    "linear algebra",
)
SURE = 0.75  # confidence of an outcome from which on a run has clearly learned what it could


@dataclass(frozen=True, slots=True)
class _Stack:
    """Layers with weights in the order of the forward pass."""

    names: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]  # inputs and outputs of each; 0 where unknown
    first: int  # the first that directly follows another
    depths: tuple[float, ...]

    @property
    def narrow(self) -> bool:
        """Whether the stack is a factorised matrix: narrower inside than at either end."""
        inside = [out for _, out in self.sizes[:-1] if out]
        start, end = self.sizes[0][0], self.sizes[-1][1]
        return bool(inside and start and end) and min(inside) < min(start, end)


def _detect(view: View) -> Verdict:
    series = view[STACKED_LAYERS]
    limit = view.limit(STACKED)
    first = min(int(s.steps[0]) for s in series.values())
    depths = {name: float(s.values[0]) for name, s in series.items() if int(s.steps[0]) == first}
    names = list(depths)
    stacked = [n for n in names if depths[n] >= limit]
    if not stacked:
        return Absent("something nonlinear lies between any two successive layers with weights")
    if len(names) == 1:
        return Absent(f"{called(names[0])} is used again and again, as in a linear system whose "
                      "state goes on")
    curved = view[CURVED_OPERATIONS].finite
    if not len(curved):
        return Unknown("the graph of the loss was not examined", (CURVED_OPERATIONS.name,))
    if any(value > 0 for value in curved.values):
        follow = "follows" if len(stacked) == 1 else "follow"
        return Absent(f"{joined(map(called, stacked))} directly {follow} another layer, as in "
                      "projections and factorised layers, but the network as a whole is nonlinear")
    stack = _Stack(tuple(names), tuple(_size(view, n) for n in names),
                   names.index(stacked[0]), tuple(depths.values()))
    if stack.narrow:
        return Absent("the layers are narrower inside than at their ends, as in a factorised "
                      "matrix")
    return _present(view, stack)


def _size(view: View, name: str) -> tuple[int, int]:
    for parameter in view.record.parameters().values():
        if (parameter.layer == name or parameter.name == name) and len(parameter.shape) >= 2:
            layer = view.record.layers().get(name)
            outs, ins = by_unit(view, parameter)[:2]
            if layer is not None and layer.role in (LayerRole.LINEAR, LayerRole.CONVOLUTION) and (
                not layer.kind.startswith("ConvTranspose")
            ):
                return ins, outs
            return outs, ins
    return 0, 0


def _present(view: View, stack: _Stack) -> Present:
    layers = view.record.layers()
    idle = discarded(view)
    straight = next(iter(view.record.facts(Straight)[::-1]), None)
    blamed = layers.get(stack.names[stack.first])
    order = list(layers)
    since = order.index(stack.names[stack.first - 1]) if stack.first and (
        stack.names[stack.first - 1] in layers) else len(order)
    between = order[since:order.index(blamed.name)] if blamed is not None else []
    void = ("Identity", "LeakyReLU") if straight else ("Identity",)
    empty = next((layers[name] for name in reversed(between) if layers[name].kind in void
                  and layers[name].location is not None), None)
    skill = view.outcome.skill
    well = view.outcome.kind is OutcomeKind.CONVERGED and view.outcome.confidence >= SURE
    suffers = learned_little(view.outcome) or (not well if skill is None else skill < GOOD_SKILL)
    if view.outcome.kind is OutcomeKind.TOO_SHORT:
        suffers = True
    strength = 0.9 if learned_little(view.outcome) else 0.7 if suffers else 0.4
    number = len(stack.names)
    steps = tuple(int(s) for s in view[CURVED_OPERATIONS].steps)
    values = tuple(float(v) for v in view[CURVED_OPERATIONS].values)
    after = called(stack.names[stack.first - 1]) if stack.first else "another layer"
    learned = "" if skill is None or not math.isfinite(skill) or not suffers else (
        f", and the loss ends only {percent(skill)} below that of a constant prediction"
        if skill > 0 else ", and the loss ends no lower than that of a constant prediction")
    if idle:
        place: SourceLocation | None = idle[0].location
        label = "its result is not kept"
    elif empty is not None and empty.kind == "Identity":
        place, label = empty.location, "changes nothing: an activation belongs here"
    elif straight is not None:
        place = empty.location if empty is not None else straight.location
        label = "has a slope of 1 on both sides, so it changes nothing"
    else:
        place = blamed.location if blamed is not None else None
        label = f"follows {after} without an activation in between"
    return Present(
        strength=strength,
        title=f"the {number} layers with weights act as a single linear layer: there is no "
        f"activation between them{' that bends anything' if straight else ''}{learned}",
        since_step=0,
        location=place,
        label=label,
        evidence=(
            Evidence(CURVED_OPERATIONS.name, "", steps, values, 1.0,
                     f"none of the operations between the {number} layers with weights is "
                     "nonlinear"),
            *(Evidence(STACKED_LAYERS.name, name, (steps[0],), (depth,), view.limit(STACKED),
                       f"{called(name)} follows {count(round(depth), 'layer')} with weights, and "
                       "nothing in between is nonlinear")
              for name, depth in list(zip(stack.names, stack.depths, strict=True))[:5]
              if depth >= view.limit(STACKED)),
        ),
        remedies=(*kept(idle), *_remedies(stack, blamed)),
    )


def _remedies(stack: _Stack, blamed: Layer | None) -> tuple[Remedy, ...]:
    code = "nn.ReLU()  # between the layers"
    if blamed is None:
        code = "torch.relu(...)  # between the layers"
    # Several layers may make the outputs side by side, which are left as they are.
    deepest = max(stack.depths)
    hidden = [name for name, depth in zip(stack.names[:-1], stack.depths, strict=False)
              if depth < deepest] or stack.names[:-1]
    return (
        Remedy("add an activation after each hidden layer", Safety.CHANGES_EXPERIMENT,
               (Together(tuple(InsertLayer(name, "ReLU()") for name in hidden),
                         "insert a ReLU after each hidden layer"),), code_text=code),
    )


CAUSE = Cause(
    slug="missing-nonlinearity",
    code="M008",
    title="Missing nonlinearity",
    family="Model",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.PLATEAU,),
    words=Words(
        symptom="A network of several layers does no better than a linear model, however wide it "
        "is and however long it trains.",
        consequence="Decision boundaries stay straight lines, and regressions stay planes. All "
        "weights beyond those of one matrix are wasted.",
        why="A linear function of a linear function is linear. Dropout, reshaping, averaging and "
        "batch normalisation between two layers do not change that; only an activation does.",
        detection="The detector searches the real graph of the loss, not the list of modules. It "
        "goes from the input of every layer with weights back to the layers before it. The network "
        "is reported only if no operation on any of these paths is nonlinear; what is computed of "
        "the data before the first layer does not count. A network that is "
        "narrower inside than at its ends is not reported, because a matrix is often factorised "
        "like that on purpose.",
        limitations="Two successive layers in a network that is nonlinear elsewhere are not "
        "reported: projections, bottlenecks and separable convolutions are built like that. "
        "Compiled networks cannot be searched. Layer normalisation counts as nonlinear.",
        references=("Goodfellow, Bengio, Courville 2016: Deep Learning, section 6.1",
                    "Saxe, McClelland, Ganguli 2014: Deep linear networks (arXiv 1312.6120)"),
    ),
    needs=(STACKED_LAYERS, CURVED_OPERATIONS),
    thresholds=(STACKED,),
    effects=(Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT),
    detect=_detect,
)
