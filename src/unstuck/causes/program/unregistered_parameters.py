"""Unregistered parameters: layers in a plain list, which are missing from `parameters()`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unstuck.measures.basics import succeeded, thinned, unwatched
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import RegisterLayers, Remedy, Safety
from unstuck.schema.facts.models import Unregistered
from unstuck.schema.facts.run import EndKind
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.parameters import REACHED, UNREGISTERED
from unstuck.words import count, joined, number, percent

STEPS = Threshold(
    "unregistered-steps", 2.0,
    "A single step cannot show that a layer never changes, and its optimizer may not exist yet.",
    "a rule of unstuck: one event alone is never a finding",
)


# How torch refuses an optimizer without parameters.
EMPTY = "optimizer got an empty parameter list"


def _detect(view: View) -> Verdict:
    end = view.record.end
    hidden = view.record.facts(Unregistered)
    if end.kind is EndKind.EXCEPTION and EMPTY in (end.message or "") and hidden:
        return _empty(hidden)
    if not view.has(REACHED):
        return Unknown(unwatched(view.record) or f"the check needs {REACHED.requires}",
                       (REACHED.name,))
    if not view.has(UNREGISTERED):
        looked = {int(s) for found in view[REACHED].values() for s in found.steps}
        if len(looked) < view.limit(STEPS):
            return Unknown(
                f"only {count(len(looked), 'step')} could be checked for unregistered layers",
                ("a longer run",))
        return Absent("every layer that the loss depends on is in its model's parameters()")
    series = view[UNREGISTERED]
    unchanged = {name: found for name, found in series.items() if np.all(found.values == 1)}
    if not unchanged:
        return Absent("the layers missing from parameters() are trained or loaded separately, or "
                      "frozen on purpose")
    steps = {name: len(np.unique(found.steps)) for name, found in unchanged.items()}
    guilty = [name for name in unchanged if steps[name] >= view.limit(STEPS)]
    if not guilty:
        return Unknown(
            "layers missing from parameters() were seen at only "
            f"{count(max(steps.values()), 'step')}", ("a longer run",))
    known = {layer.name: layer for layer in view.record.facts(Unregistered)}
    layers = [known[name] for name in guilty if name in known]
    if not layers:
        return Unknown("the record does not describe the unregistered layers",
                       ("a complete record of the run",))
    return _present(view, layers)


def _empty(layers: Sequence[Unregistered]) -> Present:
    """The program ended because none of a model's layers is registered."""
    first = layers[0]
    missing = number(sum(layer.elements for layer in layers))
    return Present(
        strength=0.95, certain=True,
        title=f"none of the {count(len(layers), 'layer')} in {first.owner}.{first.attribute} is in "
        "parameters(): the program ended because its optimizer got an empty list",
        since_step=0,
        location=first.location,
        label=f"PyTorch does not register these layers, with all {missing} weights",
        evidence=(),
        remedies=(_registered(first),),
    )


def _registered(layer: Unregistered) -> Remedy:
    if layer.kind == "Tensor":
        return Remedy("register the tensor", Safety.SAFE,
                      (RegisterLayers(layer.owner, layer.attribute, "Parameter"),))
    kind = "Parameter" if layer.kind == "Parameter" else "Module"
    path = layer.name.removeprefix(f"{layer.owner}.{layer.attribute}")
    container = f"{kind}Dict" if path[1:2] in ("'", '"') else f"{kind}List"
    return Remedy(
        "register the layers", Safety.SAFE,
        (RegisterLayers(layer.owner, layer.attribute, container),),
        advice=f"Make {layer.attribute} an nn.{container} before you build the optimizer, so that "
        "parameters(), to(), train() and state_dict() find its layers.",
    )


def _present(view: View, layers: list[Unregistered]) -> Verdict:
    series = view[UNREGISTERED]
    places = list(dict.fromkeys(f"{layer.owner}.{layer.attribute}" for layer in layers))
    missing = sum(layer.elements for layer in layers)
    are = "is" if len(layers) == 1 else "are"
    what = "tensor" if all(layer.kind == "Tensor" for layer in layers) else "layer"
    fine = succeeded(view.outcome)
    total = missing + sum(
        int(np.prod(p.shape)) for p in view.record.parameters().values() if p.trainable)
    share = percent(missing / max(total, 1))
    return Present(
        # Random layers may be kept out on purpose: where the run succeeds, nothing proves a
        # mistake.
        strength=0.45 if fine else 0.9, certain=True,
        title=f"{count(len(layers), what)} in {joined(places)[:80]} {are} missing from "
        f"parameters(), so {number(missing)} of {number(total)} weights ({share}) are never "
        "trained",
        since_step=min(int(series[layer.name].steps[0]) for layer in layers),
        location=layers[0].location,
        label=f"PyTorch does not register these {what}s: {share} of all weights",
        evidence=tuple(
            Evidence(UNREGISTERED.name, layer.name,
                     *thinned(series[layer.name].steps, series[layer.name].values), 0.0,
                     f"{layer.name} ({layer.kind}, {count(layer.elements, 'weight')}) contributes "
                     "to the loss, but no optimizer updates it and it never changed")
            for layer in layers[:5]
        ),
        remedies=(
            _registered(layers[0]),
            Remedy(
                "freeze them on purpose", Safety.ADVICE,
                advice=f"If these {what}s are meant to stay random, call requires_grad_(False) on "
                "each of them.",
            ),
        ),
    )


CAUSE = Cause(
    slug="unregistered-parameters",
    code="P013",
    title="Unregistered parameters",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.PLATEAU, Symptom.FLAT),
    words=Words(
        symptom="The network learns less than a network of its size should. It has fewer "
        "parameters than you built, and a saved state_dict lacks some layers.",
        consequence="The layers keep their random initial weights. They also ignore to(device), "
        "train() and eval(), and get new random weights when the model is loaded from a "
        "checkpoint.",
        why="A module registers a layer when the layer is assigned to one of its attributes. It "
        "does not look inside a plain list, tuple or dict, and does not register a plain tensor. "
        "Layers kept there take part in the "
        "forward pass, but they are missing from parameters(), which is what the optimizer gets.",
        detection="The autograd graph of the loss leads to weights that no known model lists. "
        "unstuck finds them in a plain attribute of one of the model's modules. They are reported "
        "if they are in train mode, were not loaded, are not registered with any optimizer, and "
        "kept their values over at least two sampled steps.",
        limitations="A plain tensor by which the program differentiates is taken for data. A model "
        "whose layers are all unregistered is not seen. Random layers that are kept out on "
        "purpose look the same, so the finding is only a note if the run succeeds.",
        references=("PyTorch: torch.nn.ModuleList", "PyTorch: torch.nn.Module.register_module"),
    ),
    needs=(),
    uses=(REACHED, UNREGISTERED),
    thresholds=(STEPS,),
    effects=(
        Effect.BAD_START, Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL,
        Effect.CANNOT_FIT,
    ),
    detect=_detect,
)
