"""Too deep: more plain layers one after another than can be trained."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._capacity import WEIGHTED, model_location
from unstuck.causes._measures import called, learned_little, level, loss_points, thinned
from unstuck.edits import Remedy, RemoveLayer, Safety
from unstuck.facts import LayerRole
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.signals import OUTPUT_GRADIENT, TRAIN_LOSS
from unstuck.words import number

LAYERS = Threshold(
    "many-layers", 8.0,
    "Plain stacks of up to eight layers with weights train well with usual initialisations.",
    "He et al. 2016: plain networks of 20 layers train, of 56 worse; Glorot, Bengio 2010: five",
)
FADED = Threshold(
    "faded-share", 0.1,
    "A tenth of the gradient at the last layer's output, or less, is left at the first one's.",
    "with a fitting initialisation they are of the same size (He et al. 2015)",
)
TRIAL = ("a run with half the layers and one with skip connections, which both lower the training "
         "loss if it is too-deep, and one with another activation and one with another "
         "initialisation, which do so alone if it is that")


def _detect(view: View) -> Verdict:
    if view.outcome.kind is OutcomeKind.DIVERGED:
        return Absent("the run diverged, which is no matter of depth alone")
    if not learned_little(view.outcome):
        return Absent("the loss fell well, or by an unknown part of what there is to learn")
    layers = {x.name: x for x in view.facts.layers().values()
              if x.role in WEIGHTED and x.parameters}
    if not layers:
        return Unknown("no layer with weights was looked into", (OUTPUT_GRADIENT.name,))
    if not len(layers) > view.limit(LAYERS):
        return Absent(f"the network has {len(layers)} layers with weights")
    if any(x.role is LayerRole.NORMALISATION for x in view.facts.layers().values()):
        return Absent("normalisation layers keep the signal up over many layers")
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
        return Absent(f"{number(share)} of the last layer's gradient reaches the first one: the "
                      "depth does not keep it from learning")
    steps, points = loss_points(view)
    drawn = gradients[first].finite
    return Present(
        strength=0.45, since_step=0, location=model_location(view),
        title=f"{len(called_layers)} plain layers one after another learned little, and the "
        f"gradient at the first one is {number(share)} of that at the last",
        label=f"{len(called_layers)} layers with weights",
        evidence=(
            Evidence(OUTPUT_GRADIENT.name, first, *thinned(drawn.steps, drawn.values), None,
                     f"{number(before)} at the output of {called(first)}, {number(behind)} at that "
                     f"of {called(last)}"),
            Evidence(TRAIN_LOSS.name, "", steps, points, None,
                     f"the loss ends at {number(points[-1])}"),
        ),
        remedies=(
            Remedy("fewer layers", Safety.CHANGES_EXPERIMENT,
                   tuple(RemoveLayer(name) for name in called_layers[1:4]),
                   advice="Halve the number of hidden layers."),
            Remedy("skip connections", Safety.ADVICE,
                   advice="Add each block's input to its output, so that the gradient has a way "
                   "around it.", code_text="x = x + block(x)"),
        ),
        one_of=("vanishing-gradients", "bad-initialisation", "saturated-activations",
                "dead-relu"),
        separated_by=TRIAL,
    )


CAUSE = Cause(
    slug="too-deep",
    code="M002",
    title="Too deep",
    family="Model",
    harm=Harm.CONDITION,
    words=Words(
        symptom="A deep stack of plain layers learns slowly or not at all, where a network of "
        "half as many learns well.",
        consequence="The first layers stay as they were initialised, and what they make of the "
        "inputs is all that the others ever see.",
        why="On its way back the gradient is multiplied in every layer. Without normalisation or "
        "a way around, each factor that is not one adds up over the depth, and noise drowns what "
        "is left.",
        detection="More than eight layers with weights and no normalisation between them, in a "
        "run that learned little, and at the output of the first one a tenth of the last one's "
        "gradient or less. Activations and initialisation may be what fades it, so the depth is "
        "a note beside them until a shallower twin was tried.",
        limitations="Layers in parallel are counted as if they came one after another. Where a "
        "fitting initialisation keeps the gradient up, too many layers are not told.",
        references=(
            "He et al. 2016: Deep residual learning for image recognition",
            "Glorot, Bengio 2010: Understanding the difficulty of training deep networks",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(OUTPUT_GRADIENT,),
    thresholds=(LAYERS, FADED),
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
