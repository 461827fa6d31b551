"""Frozen parameters: most weights need no gradient although nothing ever trained them."""

from __future__ import annotations

import math

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import thinned
from unstuck.edits import Remedy, Safety
from unstuck.facts import LayerRole, Model, Parameter
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.signals import FROZEN, OUTPUT_MEAN
from unstuck.words import joined, percent

SHARE = Threshold(
    "frozen-share", 0.5,
    "Below half of the weights the larger part of the model learns, and a fixed part is more "
    "likely a choice.",
    "definition: most of the model",
)


def _detect(view: View) -> Verdict:
    if any(not cut.before for cut in view.facts.cuts):
        return Absent("an optimizer holds parameters that may learn; the loss does not reach them")
    if not view.facts.models:
        return Unknown("no model was seen in training", ("a model that is trained",))
    if not view.has(FROZEN):
        if any(not p.trainable for p in view.facts.parameters().values()):
            return Unknown("frozen parameters were not looked at", (FROZEN.name,))
        return Absent("no parameter of a model is frozen")
    guilty: tuple[Model, list[Parameter], float] | None = None
    for model in view.facts.models:
        fresh, share = _share(view, model)
        if fresh and share >= view.limit(SHARE) and (guilty is None or share > guilty[2]):
            guilty = (model, fresh, share)
    if guilty is None:
        return Absent("what is frozen was trained or loaded before, or is a small part")
    return _present(view, *guilty)


def _share(view: View, model: Model) -> tuple[list[Parameter], float]:
    """The fresh frozen weights in a model's forward pass, and their share of what could learn.

    Embeddings are left out, for vectors come from elsewhere in many ways; so are models that are
    frozen whole beside one that learns, such as a fixed target.
    """
    layers = {layer.name: layer for layer in model.layers}
    own = [
        p for p in model.parameters
        if not p.loaded
        and not (p.layer in layers and layers[p.layer].role is LayerRole.EMBEDDING)
    ]
    others = [m for m in view.facts.models if m is not model]
    if not any(p.trainable for p in model.parameters) and others:
        return [], 0.0
    series = view[FROZEN]
    called = view[OUTPUT_MEAN] if view.has(OUTPUT_MEAN) else None
    fresh = [
        p for p in own
        if not p.trainable and p.name in series and np.all(series[p.name].values == 1)
        and (called is None or p.layer in called)
    ]
    return fresh, _size(fresh) / max(_size(own), 1)


def _size(parameters: list[Parameter]) -> int:
    return sum(math.prod(p.shape) for p in parameters)


def _present(view: View, model: Model, fresh: list[Parameter], share: float) -> Verdict:
    series = view[FROZEN]
    line = next((f.location for f in view.facts.freezings if f.name == model.name), None)
    names = list(dict.fromkeys(p.layer for p in fresh))
    part = percent(share)
    return Present(
        strength=0.9,
        title=f"{part} of the weights of {model.name} are frozen at their random first values "
        f"({_size(fresh)} in {joined(names)[:80]})",
        since_step=min(int(series[p.name].steps[0]) for p in fresh),
        location=line or model.location,
        label=f"{part} of the weights stay random",
        evidence=tuple(
            Evidence(FROZEN.name, p.name,
                     *thinned(series[p.name].steps, series[p.name].values), 0.0,
                     f"{p.name} {p.shape} is frozen; it was never trained or loaded")
            for p in fresh[:5]
        ),
        remedies=(
            Remedy(
                "let them learn", Safety.ADVICE,
                advice="Leave out the freezing, or unfreeze the layers before the optimizer is "
                "built and pass it all of the model's parameters.",
                code_text="model.requires_grad_(True)",
            ),
            Remedy(
                "load what they should know", Safety.ADVICE,
                advice="If this is a fine-tuning, load the pretrained weights before freezing.",
            ),
        ),
    )


CAUSE = Cause(
    slug="frozen-parameters",
    code="P005",
    title="Frozen parameters",
    family="Program",
    harm=Harm.CONDITION,
    words=Words(
        symptom="Only a few weights move. The network learns slowly and ends far from what one of "
        "its size should reach.",
        consequence="The frozen layers stay random, so the others learn on top of random features.",
        why="A tensor whose requires_grad is False gets no gradient and is left as it is. That is "
        "right for weights that were trained elsewhere; weights that were never trained have "
        "nothing worth keeping.",
        detection="Most of a model's weights are frozen and take part in the forward pass, while "
        "their layers were constructed in this run, no checkpoint was loaded into them, nothing "
        "trained them earlier in the run, and their values rest. Embeddings are not counted.",
        limitations="Weights that were copied in by hand, without load_state_dict, look fresh. "
        "Random features that are fixed on purpose do so too. Both are findings only where the "
        "run learned little. A frozen model beside the one that learns is not named.",
        references=("PyTorch: torch.nn.Module.requires_grad_", "PyTorch: autograd mechanics"),
    ),
    needs=(),
    uses=(FROZEN, OUTPUT_MEAN),
    thresholds=(SHARE,),
    explains=(
        "too-narrow", "too-shallow", "noise-floor", "learning-rate-too-low", "dead-relu",
        "detached-graph", "vanishing-gradients", "bad-initialisation",
    ),
    alike=("detached-graph",),
    detect=_detect,
)
