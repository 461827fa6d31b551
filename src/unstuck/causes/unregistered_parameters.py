"""Unregistered parameters: layers in a plain list, which `parameters()` does not know of."""

from __future__ import annotations

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import GOOD_SKILL, failed, thinned
from unstuck.edits import Remedy, Safety
from unstuck.facts import Unregistered
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.signals import REACHED, UNREGISTERED
from unstuck.words import joined, percent

STEPS = Threshold(
    "unregistered-steps", 2.0,
    "At a single step nothing can be seen to rest, and its optimizer may not have been built yet.",
    "never a single event",
)


def _detect(view: View) -> Verdict:
    if not view.has(UNREGISTERED):
        looked = {int(s) for found in view[REACHED].values() for s in found.steps}
        if len(looked) < view.limit(STEPS):
            return Unknown(f"only {len(looked)} step was looked at", ("a run of more steps",))
        return Absent("every layer that the loss reaches belongs to a model's parameters()")
    series = view[UNREGISTERED]
    resting = {name: found for name, found in series.items() if np.all(found.values == 1)}
    if not resting:
        return Absent("layers outside of parameters() are trained, loaded or fixed on purpose")
    steps = {name: len(np.unique(found.steps)) for name, found in resting.items()}
    guilty = [name for name in resting if steps[name] >= view.limit(STEPS)]
    if not guilty:
        return Unknown(
            f"unregistered layers were seen at {max(steps.values())} step only",
            ("a run of more steps",))
    known = {layer.name: layer for layer in view.facts.unregistered}
    layers = [known[name] for name in guilty if name in known]
    if not layers:
        return Unknown("the record does not describe the unregistered layers", ("their facts",))
    return _present(view, layers)


def _present(view: View, layers: list[Unregistered]) -> Verdict:
    series = view[UNREGISTERED]
    places = list(dict.fromkeys(f"{layer.owner}.{layer.attribute}" for layer in layers))
    count = sum(layer.elements for layer in layers)
    noun = "layer" if len(layers) == 1 else "layers"
    skill = view.outcome.skill
    fine = not failed(view.outcome) and skill is not None and skill >= GOOD_SKILL
    total = count + sum(
        int(np.prod(p.shape)) for p in view.facts.parameters().values() if p.trainable)
    share = percent(count / max(total, 1))
    attribute = layers[0].attribute
    kind = "Parameter" if layers[0].kind == "Parameter" else "Module"
    return Present(
        # Random layers may be kept out on purpose: where the run succeeds, nothing proves a
        # mistake.
        strength=0.45 if fine else 0.9,
        title=f"{len(layers)} {noun} in {joined(places)[:80]} {'is' if len(layers) == 1 else 'are'}"
        f" unknown to parameters(): {count} of {total} weights ({share}) are never trained",
        since_step=min(int(series[layer.name].steps[0]) for layer in layers),
        location=layers[0].location,
        label=f"kept where PyTorch does not look: {share} of all weights",
        evidence=tuple(
            Evidence(UNREGISTERED.name, layer.name,
                     *thinned(series[layer.name].steps, series[layer.name].values), 0.0,
                     f"{layer.name} ({layer.kind}, {layer.elements} weights) is reached by the "
                     "loss; no optimizer holds it and it never changed")
            for layer in layers[:5]
        ),
        remedies=(
            Remedy(
                "register the layers", Safety.ADVICE,
                advice=f"Make {attribute} a {kind}List (a {kind}Dict for a dict), before the "
                "optimizer is built, so that parameters(), to(), train() and state_dict() find "
                "its layers.",
                code_text=f"self.{attribute} = nn.{kind}List([...])",
            ),
            Remedy(
                "fix them on purpose", Safety.ADVICE,
                advice="If they are meant to stay random, say so: call requires_grad_(False) on "
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
    words=Words(
        symptom="The network learns less than one of its size should; fewer parameters are counted "
        "than were built, and a saved state_dict lacks some layers.",
        consequence="The layers stay as random as they were made. They also miss to(device), "
        "train() and eval(), and are random anew when the model is loaded from a checkpoint.",
        why="A module finds its layers when they are assigned as attributes. It does not look "
        "into a plain list, tuple or dict, so layers kept there take part in the forward pass "
        "but are missing from parameters(), which is what the optimizer is given.",
        detection="The loss's graph leads to weights that no known model lists. They are found "
        "in a plain attribute of one of its modules, are in training mode, were not loaded, are "
        "held by no optimizer, and kept their values over at least two sampled steps.",
        limitations="Plain tensors that should have been a Parameter are not named, for they "
        "look like data that are differentiated. A model all of whose layers are unregistered "
        "is not seen. Random layers kept out on purpose look the same: where the run succeeds "
        "it is only a note.",
        references=("PyTorch: torch.nn.ModuleList", "PyTorch: torch.nn.Module.register_module"),
    ),
    needs=(REACHED,),
    uses=(UNREGISTERED,),
    thresholds=(STEPS,),
    explains=(
        "too-narrow", "too-shallow", "noise-floor", "learning-rate-too-low", "vanishing-gradients",
        "bad-initialisation", "parameters-not-in-optimizer",
    ),
    detect=_detect,
)
