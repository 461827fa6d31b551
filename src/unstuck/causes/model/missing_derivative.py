"""Missing derivative: the loss needs a derivative that is zero, or that cannot be trained."""

from __future__ import annotations

from unstuck.measures.basics import thinned
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import CreateGraph, Remedy, ReplaceLayer, Safety
from unstuck.schema.facts.derivatives import Differentiation, FixedDerivative
from unstuck.schema.facts.models import Activation, Model
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.derivatives import SECOND_DERIVATIVE
from unstuck.words import count

LOOKS = Threshold(
    "derivative-looks", 2.0,
    "One batch may lie where a derivative happens to be zero.",
    "a rule of unstuck: one event alone is never a finding",
)
# Activations of straight pieces, as layers and as functions.
_LAYERS = frozenset({"ReLU", "LeakyReLU", "PReLU", "RReLU", "ReLU6", "Hardtanh", "Threshold",
                     "Hardshrink", "Softshrink"})
_FUNCTIONS = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "prelu": "PReLU", "rrelu": "RReLU",
              "hardtanh": "Hardtanh", "threshold": "Threshold", "clamp": "clamp",
              "clamp_min": "clamp_min", "abs": "abs"}


def _detect(view: View) -> Verdict:
    zero = _zero(view)
    return (_constant(view) or zero) if isinstance(zero, Absent) else zero


def _constant(view: View) -> Present | Unknown | None:
    """A derivative that the loss takes as a constant, because it has no graph."""
    fixed = view.record.facts(FixedDerivative)
    used = next((fact for fact in fixed if fact.used is not None), None)
    if used is not None:
        return _without_graph(used)
    if any(fact.again for fact in fixed):
        return Unknown("a second derivative with respect to the inputs was computed without a "
                       "graph, and whether the loss is meant to train it was not seen",
                       ("create_graph=True in that call, if the loss contains its result",))
    return None


def _without_graph(fact: FixedDerivative) -> Present:
    which = "second derivative" if fact.again else "derivative"
    line = f" (line {fact.used.line:,})" if fact.used is not None else ""
    return Present(
        strength=0.85,
        title=f"the {which} with respect to the inputs has no graph, so it is a constant in the "
        "loss and the network is not trained to change it",
        since_step=0,
        location=fact.location,
        label=f"this {which} is computed without create_graph=True",
        evidence=(Evidence(
            SECOND_DERIVATIVE.name, fact.name, (), (), None,
            f"the loss combines it with what was differentiated{line}, but no gradient flows "
            f"through it (seen at {count(fact.looks, 'step')})"),),
        remedies=(Remedy("keep the graph of the derivative", Safety.SAFE,
                         (CreateGraph(fact.location),)),),
    )


def _zero(view: View) -> Verdict:
    if not view.has(SECOND_DERIVATIVE):
        return Absent("the loss contains no second derivative with respect to an input")
    zero = {name: series for name, series in view[SECOND_DERIVATIVE].items()
            if not series.values.any()}
    if not zero:
        return Absent("the second derivatives with respect to the inputs are not zero")
    name = max(zero, key=lambda found: len(zero[found]))
    looks = len(zero[name])
    if looks < view.limit(LOOKS):
        return Unknown(f"second derivatives were looked at in {count(looks, 'step')} only",
                       ("a longer run",))
    straight = _straight(view)
    if straight is None:
        return Unknown("a second derivative is zero for every sample, but the network has no "
                       "activation of straight pieces", ("a look at the network",))
    return _present(view, name, *straight)


def _straight(view: View) -> tuple[str, SourceLocation | None] | None:
    """The first activation that consists of straight pieces, and where it is."""
    for model in view.record.facts(Model):
        for layer in model.layers:
            if layer.kind in _LAYERS:
                return layer.kind, layer.location
    for fact in view.record.facts(Activation):
        if fact.function in _FUNCTIONS:
            return _FUNCTIONS[fact.function], fact.location
    return None


def _present(view: View, name: str, kind: str, location: SourceLocation | None) -> Present:
    series = view[SECOND_DERIVATIVE][name]
    steps, values = thinned(series.steps, series.values)
    call = next((f.location for f in view.record.facts(Differentiation) if f.name == name), None)
    where = f" (line {call.line:,})" if call is not None else ""
    return Present(
        strength=0.95, certain=True,
        title=f"the second derivative with respect to the inputs is exactly 0 for every sample, at "
        f"all {count(len(series), 'step')} that were looked at, because {kind} consists of "
        "straight pieces",
        since_step=int(series.steps[0]),
        location=location or call,
        label=f"the second derivative of {kind} is 0 everywhere",
        evidence=(Evidence(
            SECOND_DERIVATIVE.name, name, steps, values, 1.0,
            f"torch.autograd.grad{where} differentiates a derivative and returns zeros only"),),
        remedies=(
            *(Remedy(f"use {by}", Safety.CHANGES_EXPERIMENT, (ReplaceLayer(kind, f"{by}()"),))
              for by in ("Tanh", "Softplus") if kind in _LAYERS),
            Remedy("use a smooth activation", Safety.ADVICE,
                   advice="Use an activation with a second derivative: tanh, softplus, SiLU or a "
                   "sine."),
        ),
    )


CAUSE = Cause(
    slug="missing-derivative",
    code="M011",
    title="Missing derivative",
    family="Model",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.FLAT, Symptom.PLATEAU),
    often=Often.SELDOM,
    words=Words(
        symptom="A physics-informed network fits its boundary values and ignores the equation. "
        "The residual of the equation does not fall, or is small at once and means nothing.",
        consequence="The term of the loss that holds the second derivative teaches the network "
        "nothing: its gradient is zero.",
        why="A ReLU is made of two straight pieces. A network of them is straight almost "
        "everywhere, so its second derivative is zero, whatever its weights are. PyTorch computes "
        "that zero without a warning. Or the derivative was computed without create_graph=True: "
        "then it is a mere number to the loss, and no gradient flows through it.",
        detection="The program differentiates the result of torch.autograd.grad once more with "
        "respect to an input, and the result is exactly zero for every sample at every look, while "
        "the network has activations of straight pieces. Or torch.autograd.grad returns a "
        "derivative without a graph, and the graph of the loss combines a constant of its shape "
        "with what was differentiated, at a line that reads this derivative.",
        limitations="A derivative without a graph that is kept elsewhere than in a variable is not "
        "followed into the loss. Derivatives by torch.func are not seen. A penalty on first "
        "derivatives, as in WGAN-GP, needs no second derivative with respect to the inputs and is "
        "not reported.",
        references=("Raissi et al. 2019, Physics-informed neural networks",
                    "PyTorch: torch.autograd.grad"),
    ),
    needs=(),
    uses=(SECOND_DERIVATIVE,),
    thresholds=(LOOKS,),
    effects=(Effect.BAD_START, Effect.UNITS_DIE, Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT,
             Effect.TOO_SLOW),
    detect=_detect,
)
