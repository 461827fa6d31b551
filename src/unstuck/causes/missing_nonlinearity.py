"""Missing nonlinearity: layers with weights in a row that amount to a single one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import GOOD_SKILL, called, learned_little
from unstuck.edits import InsertLayer, Remedy, Safety
from unstuck.facts import Layer, LayerRole
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.signals import CURVED_OPERATIONS, STACKED_LAYERS
from unstuck.words import joined, percent

STACKED = Threshold(
    "stacked-layers", 1.0,
    "One layer before another with nothing nonlinear between them is one too many: their product "
    "is a single matrix.",
    "linear algebra",
)


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
        return Absent("something nonlinear lies between any two layers with weights")
    curved = view[CURVED_OPERATIONS].finite
    if not len(curved):
        return Unknown("the graph of the loss was not looked into", (CURVED_OPERATIONS.name,))
    if any(value > 0 for value in curved.values):
        return Absent(f"{joined(stacked)} follow another layer directly, as projections and "
                      "factorised layers do; the network as a whole is nonlinear")
    stack = _Stack(tuple(names), tuple(_size(view, n) for n in names),
                   names.index(stacked[0]), tuple(depths.values()))
    if stack.narrow:
        return Absent("the layers are narrower inside than at their ends: a factorised matrix")
    return _present(view, stack)


def _size(view: View, name: str) -> tuple[int, int]:
    for parameter in view.facts.parameters().values():
        if (parameter.layer == name or parameter.name == name) and len(parameter.shape) >= 2:
            layer = view.facts.layers().get(name)
            outs, ins = parameter.shape[0], parameter.shape[1]
            if layer is not None and layer.role in (LayerRole.LINEAR, LayerRole.CONVOLUTION) and (
                not layer.kind.startswith("ConvTranspose")
            ):
                return ins, outs
            return outs, ins
    return 0, 0


def _present(view: View, stack: _Stack) -> Present:
    layers = view.facts.layers()
    blamed = layers.get(stack.names[stack.first])
    skill = view.outcome.skill
    suffers = learned_little(view.outcome) or skill is None or skill < GOOD_SKILL
    if view.outcome.kind is OutcomeKind.TOO_SHORT:
        suffers = True
    strength = 0.9 if learned_little(view.outcome) else 0.7 if suffers else 0.4
    count = len(stack.names)
    steps = tuple(int(s) for s in view[CURVED_OPERATIONS].steps)
    values = tuple(float(v) for v in view[CURVED_OPERATIONS].values)
    after = called(stack.names[stack.first - 1]) if stack.first else "another layer"
    learnt = "" if skill is None or not math.isfinite(skill) or not suffers else (
        f"; the loss is only {percent(max(skill, 0.0))} better than a constant prediction's")
    return Present(
        strength=strength,
        title=f"the {count} layers with weights amount to a single linear one: nothing nonlinear "
        f"lies between them{learnt}",
        since_step=0,
        location=blamed.location if blamed is not None else None,
        label=f"follows {after} with nothing nonlinear in between",
        evidence=(
            Evidence(CURVED_OPERATIONS.name, "", steps, values, 1.0,
                     f"0 nonlinear operations between {count} layers with weights"),
            *(Evidence(STACKED_LAYERS.name, name, (steps[0],), (depth,), view.limit(STACKED),
                       f"{called(name)} has {depth:.0f} layers before it with nothing nonlinear in "
                       "between")
              for name, depth in list(zip(stack.names, stack.depths, strict=True))[:5]
              if depth >= view.limit(STACKED)),
        ),
        remedies=_remedies(stack, blamed),
    )


def _remedies(stack: _Stack, blamed: Layer | None) -> tuple[Remedy, ...]:
    code = "nn.ReLU()  # between the layers"
    if blamed is None:
        code = "torch.relu(...)  # between the layers"
    return (
        Remedy("a nonlinearity after each hidden layer", Safety.CHANGES_EXPERIMENT,
               tuple(InsertLayer(name, "ReLU()") for name in stack.names[:-1]), code_text=code),
    )


CAUSE = Cause(
    slug="missing-nonlinearity",
    code="M008",
    title="Missing nonlinearity",
    family="Model",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="A network of several layers does no better than a linear model, however wide it "
        "is made and however long it is trained.",
        consequence="Boundaries stay straight lines and regressions planes; all weights but those "
        "of one matrix are spent for nothing.",
        why="A linear function of a linear function is linear. Dropout, reshaping, averaging and "
        "batch normalisation between two layers do not change that; only an activation does.",
        detection="The real graph of the loss is searched, not the list of modules: from the "
        "input of every layer with weights back to the layers before it. The network counts only "
        "if no operation on any such way is nonlinear, and if it is not narrower inside than at "
        "its ends, which is how a matrix is factorised on purpose.",
        limitations="Two layers in a row within a network that is nonlinear elsewhere are no "
        "finding: projections, bottlenecks and separable convolutions are built so. Compiled "
        "networks cannot be searched. Layer normalisation counts as nonlinear.",
        references=("Goodfellow, Bengio, Courville 2016: Deep Learning, section 6.1",
                    "Saxe, McClelland, Ganguli 2014: Deep linear networks (arXiv 1312.6120)"),
    ),
    needs=(STACKED_LAYERS, CURVED_OPERATIONS),
    thresholds=(STACKED,),
    explains=("too-shallow", "too-narrow", "noise-floor", "learning-rate-too-low"),
    detect=_detect,
)
