"""Frozen parameters: most weights are frozen although nothing ever trained them."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import learned_little, thinned, unwatched, weights
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import CallRequiresGrad, LayerArgument, Remedy, Safety, Unfreeze
from unstuck.schema.facts.models import Cut, Freezing, LayerRole, Model, Parameter, Thaw
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.layers import OUTPUT_MEAN
from unstuck.schema.signals.parameters import COLUMN_TIES, FROZEN
from unstuck.words import called, count, joined, number, percent

SHARE = Threshold(
    "frozen-share", 0.5,
    "If less than half of the weights are frozen, most of the model learns, and the frozen part is "
    "more likely a choice.",
    "definition: most of the model",
)

TIES = Threshold(
    "chance-ties", 1.7,
    "Columns that were drawn by themselves are correlated as much as chance makes them: 1 on this "
    "scale. What training puts into vectors ties their columns together.",
    "the variance of a correlation is 1 / (n - 1); with 8 columns the mean strays by 0.3",
)
LATE = 0.5  # of a run that learned little: what was to be unfrozen by then is looked at


def _detect(view: View) -> Verdict:
    if any(not cut.before for cut in view.record.facts(Cut)):
        return Absent("the optimizer has trainable parameters, but the loss does not reach them")
    if not view.record.facts(Model):
        return Unknown(unwatched(view.record) or "no model was seen in training",
                       ("a run that trains a model",))
    if not view.has(FROZEN):
        if any(not p.trainable for p in view.record.parameters().values()):
            return Unknown("the frozen parameters were not checked during the training",
                           (FROZEN.name,))
        return Absent("no parameter of a model is frozen")
    for model in view.record.facts(Model):
        thaw = next((each for each in view.record.facts(Thaw) if each.name == model.name), None)
        meant = [p for p in model.parameters if thaw is not None and p.name in thaw.parameters]
        share = weights(meant) / max(weights(model.parameters), 1)
        if thaw is not None and share >= view.limit(SHARE):
            return _meant(view, thaw, meant, share)
    guilty: tuple[Model, list[Parameter], float] | None = None
    for model in view.record.facts(Model):
        fresh, share = _share(view, model)
        if fresh and share >= view.limit(SHARE) and (guilty is None or share > guilty[2]):
            guilty = (model, fresh, share)
    if guilty is None:
        last = max((int(series.steps[-1]) for series in view[FROZEN].values()), default=0)
        late = last >= LATE * view.record.steps
        vectors = _vectors(view, late)
        if vectors is not None:
            return vectors
        if learned_little(view.outcome) and not late:
            return Unknown("whether the program unfreezes its weights was looked at only up to "
                           f"step {number(last)}", ("a run with --overhead 1",))
        return Absent("the frozen weights were trained or loaded, or are a small part of the model")
    return _present(view, *guilty)


def _share(view: View, model: Model) -> tuple[list[Parameter], float]:
    """The fresh frozen weights in a model's forward pass, and their share of what could learn.

    Embeddings are left out because pretrained vectors can be loaded in many ways; so are models
    that are frozen as a whole next to one that learns, such as a fixed target network.
    """
    layers = {layer.name: layer for layer in model.layers}
    own = [
        p for p in model.parameters
        if not p.loaded
        and not (p.layer in layers and layers[p.layer].role is LayerRole.EMBEDDING)
    ]
    others = [m for m in view.record.facts(Model) if m is not model]
    if not any(p.trainable for p in model.parameters) and others:
        return [], 0.0
    series = view[FROZEN]
    used = view[OUTPUT_MEAN] if view.has(OUTPUT_MEAN) else None
    fresh = [
        p for p in own
        if not p.trainable and p.name in series and np.all(series[p.name].values == 1)
        and (used is None or p.layer in used)
    ]
    return fresh, weights(fresh) / max(weights(own), 1)


def _present(view: View, model: Model, fresh: list[Parameter], share: float) -> Verdict:
    series = view[FROZEN]
    line = next((f.location for f in view.record.facts(Freezing) if f.name == model.name), None)
    names = list(dict.fromkeys(p.layer for p in fresh))
    part = percent(share)
    return Present(
        strength=0.9, certain=True,
        title=f"{part} of the weights of {model.name} are frozen at their random initial values "
        f"({count(weights(fresh), 'weight')} in {joined(map(called, names))[:80]})",
        since_step=min(int(series[p.name].steps[0]) for p in fresh),
        location=line or model.location,
        label=f"{part} of the weights stay random",
        evidence=tuple(
            Evidence(FROZEN.name, p.name,
                     *thinned(series[p.name].steps, series[p.name].values), 0.0,
                     f"{p.name} {p.shape} is frozen although it was never trained or loaded")
            for p in fresh[:5]
        ),
        remedies=(
            Remedy(
                "unfreeze the weights", Safety.SAFE, (Unfreeze(line),) if line else (),
                advice="Leave out the freezing. Or unfreeze the layers before the optimizer is "
                "built, and pass it all parameters of the model.",
                code_text="model.requires_grad_(True)",
            ),
            Remedy(
                "load pretrained weights", Safety.ADVICE,
                advice="If this is fine-tuning, load the pretrained weights before freezing.",
            ),
        ),
    )


def _vectors(view: View, late: bool) -> Present | None:
    """A frozen table of vectors in a run that learned little, unless something shows in them.

    It stays frozen if it was so in a `late` look, or if no optimizer holds it.
    """
    if not learned_little(view.outcome) or not view.has(COLUMN_TIES):
        return None
    held = {name for optimizer in view.record.facts(Optimizer) for name in optimizer.parameters}
    for model in view.record.facts(Model):
        layers = {layer.name: layer for layer in model.layers
                  if layer.role is LayerRole.EMBEDDING}
        frozen = [p for p in model.parameters if p.layer in layers and not p.trainable
                  and not p.loaded and p.name in view[COLUMN_TIES]]
        share = weights(frozen) / max(weights(model.parameters), 1)
        if share < view.limit(SHARE) or len(frozen) == len(model.parameters):
            continue
        table = max(frozen, key=lambda p: weights([p]))
        ties = view[COLUMN_TIES][table.name]
        if not ties.values[-1] <= view.limit(TIES) or not (late or table.name not in held):
            continue
        part = percent(share)
        return Present(
            strength=0.8,
            title=f"the vectors of {called(table.layer)} are frozen and look random: {part} of the "
            f"weights of {model.name} hold nothing that was learned",
            since_step=int(ties.steps[0]),
            location=layers[table.layer].location,
            label="these vectors never change",
            evidence=(Evidence(
                COLUMN_TIES.name, table.name, *thinned(ties.steps, ties.values), view.limit(TIES),
                f"the columns of {table.name} {table.shape} have no more in common than by chance "
                f"({number(float(ties.values[-1]))} times; trained vectors: several times)"),),
            remedies=(Remedy(
                "train the vectors too", Safety.CHANGES_EXPERIMENT,
                (LayerArgument(table.layer, "freeze", "False"),),
                advice="Let the vectors learn, with freeze=False or requires_grad_(True), or load "
                "trained ones. Embedding.from_pretrained freezes what it gets."),),
        )
    return None


def _meant(view: View, thaw: Thaw, frozen: list[Parameter], share: float) -> Present:
    """An attribute was set that leaves the parameters frozen."""
    series, part = view[FROZEN], percent(share)
    edit = CallRequiresGrad(thaw.location)
    how = "requires_grad was set on a module, which has no such attribute" if (
        thaw.attribute == "requires_grad") else (
        f"{thaw.attribute} was set on them, and a parameter has no such attribute")
    return Present(
        strength=0.95, certain=True,
        title=f"{part} of the weights of {thaw.name} are frozen although the program was to "
        f"unfreeze them: {how}",
        since_step=min((int(series[p.name].steps[0]) for p in frozen if p.name in series),
                       default=0),
        location=thaw.location,
        label=f"this unfreezes nothing: {part} of the weights stay as they are",
        evidence=tuple(
            Evidence(FROZEN.name, p.name,
                     *thinned(series[p.name].steps, series[p.name].values), 1.0,
                     f"{p.name} {p.shape} has requires_grad=False")
            for p in frozen[:5] if p.name in series
        ),
        remedies=(Remedy(edit.words(), Safety.SAFE, (edit,)),),
    )


CAUSE = Cause(
    slug="frozen-parameters",
    code="P005",
    title="Frozen parameters",
    family="Program",
    harm=Harm.CONDITION,
    symptoms=(Symptom.PLATEAU, Symptom.FLAT),
    words=Words(
        symptom="Only a few weights change. The network learns slowly and ends far from what a "
        "network of its size should reach.",
        consequence="The frozen layers stay random, so the other layers learn on top of random "
        "features.",
        why="A tensor with requires_grad=False gets no gradient and never changes. That is right "
        "for weights that were trained elsewhere. Weights that were never trained hold nothing "
        "worth keeping.",
        detection="Most of a model's weights are frozen and take part in the forward pass. Their "
        "layers were built in this run, or copied from such layers before anything was trained, as "
        "PyTorch does in its encoders; no checkpoint was loaded into them, nothing trained them "
        "earlier in the run, and their values do not change. A frozen table of vectors counts in a "
        "run that learned little, if its columns are correlated no more than by chance. Or "
        "requires_grad was set to True on a module, or a misspelt requires_grad on parameters: "
        "PyTorch takes that for an attribute of the program's own, and the parameters stay frozen.",
        limitations="Weights that were copied in by hand, without load_state_dict, look untrained. "
        "So do random features that are fixed on purpose. Both are only notes unless the run "
        "learned little. A frozen model next to the one that learns is not reported.",
        references=("PyTorch: torch.nn.Module.requires_grad_", "PyTorch: autograd mechanics"),
    ),
    needs=(),
    uses=(COLUMN_TIES, FROZEN, OUTPUT_MEAN),
    thresholds=(SHARE, TIES),
    shows=Effect.WEIGHTS_RANDOM,
    effects=(
        Effect.BAD_START, Effect.UNITS_DIE, Effect.GRADIENTS_VANISH,
        Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT, Effect.TOO_SLOW,
    ),
    alike=("detached-graph",),
    detect=_detect,
)
