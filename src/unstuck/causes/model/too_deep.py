"""Too deep: more plain layers one after another than can be trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from unstuck.measures.basics import learned_little, level, loss_ends_at, loss_points, thinned
from unstuck.measures.capacity import WEIGHTED, model_location
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import FewerLayers, Remedy, Safety, SkipConnections
from unstuck.schema.experiments import Arm, Experiment
from unstuck.schema.facts.models import LayerRole
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.layers import OUTPUT_GRADIENT
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.words import called, count, number, percent

LAYERS = Threshold(
    "many-layers", 8.0,
    "Plain stacks of up to eight layers with weights train well with the usual initialisations.",
    "He et al. 2016: plain networks train with 20 layers and worse with 56; Glorot, Bengio 2010: "
    "networks of five hidden layers",
)
FADED = Threshold(
    "faded-share", 0.1,
    "At most a tenth of the gradient at the last layer's output is left at the first layer's.",
    "with a suitable initialisation both have the same size (He et al. 2015)",
)
FAR = Threshold(
    "far-too-many-layers", 15.0,
    "So many plain layers hardly train, whatever the activation, unless they were initialised for "
    "their depth.",
    "He et al. 2016: plain networks of 20 layers need normalisation; a choice below that",
)
MILD = Threshold(
    "fading-per-layer", 3.0,
    "A layer that takes less than this off the gradient does no harm in a network of four. So it "
    "is their number that does.",
    "ReLU and tanh with PyTorch's default weights take 1.7 to 2.5; sigmoid takes 4 or more",
)
FEW = 4  # layers with weights that nearly any network of that kind trains with
TRIAL = ("four runs with one change each: only 4 layers, skip connections, another activation, "
         "another initialisation (it is too-deep if the first two lower the training loss; if only "
         "one of the others does, that one is the cause)")


def _detect(view: View) -> Verdict:
    if view.outcome.kind is OutcomeKind.DIVERGED:
        return Absent("the run diverged, which depth alone does not cause")
    if not learned_little(view.outcome):
        if view.outcome.skill is None and view.outcome.kind is OutcomeKind.PLATEAU:
            return Unknown("it is unknown how far the loss could have fallen",
                           ("a loss of which that is known, such as a mean squared error",))
        return Absent("the network learned")
    layers = {x.name: x for x in view.record.layers().values()
              if x.role in WEIGHTED and x.parameters}
    if not layers:
        return Unknown("no layer with weights was measured", (OUTPUT_GRADIENT.name,))
    if not len(layers) > view.limit(LAYERS):
        return Absent(f"the network has only {count(len(layers), 'layer')} with weights")
    if any(x.role is LayerRole.NORMALISATION for x in view.record.layers().values()):
        return Absent("normalisation layers preserve the signal over many layers")
    called_layers = [name for name in view[OUTPUT_GRADIENT] if name in layers
                     ] if view.has(OUTPUT_GRADIENT) else []
    if not len(called_layers) > view.limit(LAYERS):
        return Unknown("the gradients at the layers' outputs were not measured",
                       (OUTPUT_GRADIENT.name,))
    first, last = called_layers[0], called_layers[-1]
    gradients = view[OUTPUT_GRADIENT]
    before, behind = level(gradients[first]), level(gradients[last])
    if not behind > 0:
        return Unknown("no gradient reached the last layer", (OUTPUT_GRADIENT.name,))
    share = before / behind
    if not share <= view.limit(FADED):
        return Absent("the gradient reaches the first layer, so the depth does not stop it from "
                      f"learning ({number(before)} there, {number(behind)} at the last layer)")
    fading = share ** (-1 / (len(called_layers) - 1)) if share > 0 else math.inf
    sure = len(called_layers) >= view.limit(FAR) and fading <= view.limit(MILD)
    steps, points = loss_points(view)
    drawn = gradients[first].finite
    return Present(
        strength=0.9 if sure else 0.45, since_step=0, location=model_location(view),
        of_value=True,
        title=f"{count(len(called_layers), 'plain layer')} in a row learned little: the gradient "
        f"at the first one is only {percent(share)} of that at the last (expected: about 100 %)",
        label=f"{count(len(called_layers), 'layer')} with weights in a row",
        evidence=(
            Evidence(OUTPUT_GRADIENT.name, first, *thinned(drawn.steps, drawn.values), None,
                     f"the gradient shrinks from {number(behind)} at the output of {called(last)} "
                     f"to {number(before)} at that of {called(first)}"),
            Evidence(TRAIN_LOSS.name, "", steps, points, None,
                     f"the loss ends at {number(loss_ends_at(view))}"),
        ),
        remedies=(
            Remedy("use fewer layers", Safety.CHANGES_EXPERIMENT,
                   tuple(filter(None, (_fewer(view, called_layers, n) for n in (
                       FEW, len(called_layers) // 2)))),
                   advice="Halve the number of hidden layers.",
                   code_text="# half as many hidden layers"),
            Remedy("add skip connections", Safety.CHANGES_EXPERIMENT,
                   (SkipConnections(tuple(called_layers)),),
                   advice="Add each block's input to its output, so that the gradient can bypass "
                   "the block.", code_text="x = x + block(x)"),
        ),
        one_of=("bad-initialisation",) if sure else (
            "vanishing-gradients", "bad-initialisation", "saturated-activations", "dead-relu"),
        separated_by=Experiment(f"compare {TRIAL}", (
            Arm(tuple(filter(None, (_fewer(view, called_layers, FEW),))), ("too-deep",),
                f"only {count(FEW, 'layer')} with weights"),
            Arm((SkipConnections(tuple(called_layers)),), ("too-deep",), "skip connections"),
            Arm((), ("saturated-activations", "dead-relu"), "another activation"),
            Arm((), ("bad-initialisation",), "another initialisation"),
        )),
    )


def _fewer(view: View, weighted: Sequence[str], left: int) -> FewerLayers | None:
    """Leaves out layers that give as much as they receive, with what is applied to what they give.

    None if there are not so many that so few are `left`.
    """
    layers = list(view.record.layers().values())
    shapes = view.record.parameters()
    able = [name for name in weighted[1:-1] for layer in layers if layer.name == name
            if any(len(shapes[p].shape) >= 2 and shapes[p].shape[0] == shapes[p].shape[1]
                   for p in layer.parameters if p in shapes)]
    wanted = len(weighted) - left
    if not 0 < wanted <= len(able):
        return None
    chosen = able[-wanted:]
    behind = [after.name for before, after in pairwise(layers)
              if before.name in chosen and after.role is LayerRole.ACTIVATION]
    return FewerLayers(tuple(chosen), tuple(behind), left, len(weighted))


CAUSE = Cause(
    slug="too-deep",
    code="M002",
    title="Too deep",
    family="Model",
    harm=Harm.CONDITION,
    symptoms=(Symptom.FLAT, Symptom.CHANCE, Symptom.PLATEAU),
    words=Words(
        symptom="A deep stack of plain layers learns slowly or not at all, while a network with "
        "half as many layers learns well.",
        consequence="The first layers stay as they were initialised, and all other layers see the "
        "inputs only through them.",
        why="On its way back, the gradient is multiplied by a factor in every layer. Without "
        "normalisation or skip connections, these factors compound over the depth: unless they "
        "are close to one, little of the gradient is left, and noise drowns it.",
        detection="Three things must come together in a run that learned little. The network has "
        "more than eight layers with weights. It has no normalisation layers. And the gradient at "
        "the output of the first layer is at most a tenth of that at the last layer. The "
        "activations or the initialisation may also make the gradient fade, so the depth is only "
        "a note beside them until a shallower network has been tried. It is sure where at least 15 "
        "layers each take so little off the gradient that four of them would do no harm.",
        limitations="Parallel layers are counted as if they came one after another. If a suitable "
        "initialisation preserves the gradient, too many layers are not detected.",
        references=(
            "He et al. 2016: Deep residual learning for image recognition",
            "Glorot, Bengio 2010: Understanding the difficulty of training deep networks",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(OUTPUT_GRADIENT,),
    thresholds=(LAYERS, FADED, FAR, MILD),
    effects=(Effect.UNITS_DIE, Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL),
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
