"""Too deep: more plain layers one after another than can be trained."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import failed, learned_little, level, loss_points
from unstuck.causes._plateau import WEIGHTED, model_location
from unstuck.edits import Remedy, RemoveLayer, Safety, number
from unstuck.facts import LayerRole
from unstuck.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.signals import GRADIENT_NORM, TRAIN_LOSS

LAYERS = Threshold(
    "many-layers", 8.0,
    "Plain stacks of up to eight layers with weights train well with usual initialisations.",
    "He et al. 2016: plain networks of 20 layers train, of 56 worse; Glorot, Bengio 2010: five",
)
FADED = Threshold(
    "faded-share", 0.1,
    "The gradient of the first layer with weights is a tenth of the last one's, or less.",
    "with a fitting initialisation they are of the same size (He et al. 2015)",
)
TRIAL = ("run again with half the layers, and with the same layers and skip connections: if both "
         "lower the training loss it is too-deep, if another activation or initialisation does "
         "alone it is that")


def _detect(view: View) -> Verdict:
    if view.outcome.kind is OutcomeKind.DIVERGED or not learned_little(view.outcome):
        return Absent("the loss fell well, so the depth can be trained"
                      if view.outcome.kind is not OutcomeKind.DIVERGED else
                      "the run diverged, which is no matter of depth alone")
    layers = [x for x in view.facts.layers().values() if x.role in WEIGHTED and x.parameters]
    if not len(layers) > view.limit(LAYERS):
        return Absent(f"the network has {len(layers)} layers with weights")
    if any(x.role is LayerRole.NORMALISATION for x in view.facts.layers().values()):
        return Unknown("normalisation layers keep the signal up over many layers", (TRIAL,))
    gradients = view[GRADIENT_NORM]
    sizes = [(layer.name, level(gradients[name])) for layer in layers
             for name in layer.parameters if name in gradients and name.endswith("weight")]
    if len(sizes) < 2 or not sizes[-1][1] > 0:
        return Unknown("the gradients of the layers were not measured", (GRADIENT_NORM.name,))
    share = sizes[0][1] / sizes[-1][1]
    if not (share <= view.limit(FADED) or failed(view.outcome)):
        return Unknown("the gradient reaches the first layer; whether fewer layers learn faster "
                       "only a trial can tell", (TRIAL,))
    steps, points = loss_points(view)
    first = next(name for layer in layers for name in layer.parameters if name in gradients)
    series = gradients[first].finite
    return Present(
        strength=0.45, since_step=0, location=model_location(view),
        title=f"{len(layers)} plain layers one after another learned little; the first one's "
        f"gradient is {number(share)} of the last one's",
        label=f"{len(layers)} layers with weights",
        evidence=(
            Evidence(TRAIN_LOSS.name, "", steps, points, None,
                     f"the loss ends at {number(points[-1])}"),
            Evidence(GRADIENT_NORM.name, first, tuple(map(int, series.steps)),
                     tuple(map(float, series.values)), None,
                     f"the gradient at the first layer, {number(share)} of that at the last"),
        ),
        remedies=(
            Remedy("fewer layers", Safety.CHANGES_EXPERIMENT,
                   (RemoveLayer(layers[len(layers) // 2].name),),
                   advice="Halve the number of hidden layers."),
            Remedy("skip connections", Safety.ADVICE,
                   advice="Add each block's input to its output, so that the gradient has a way "
                   "around it.", code_text="x = x + block(x)"),
        ),
        one_of=("vanishing-gradients", "bad-initialisation", "saturated-activations"),
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
        how_we_tell="More than eight layers with weights and no normalisation, in a run that "
        "learned little, with a gradient that fades towards the first layer or a loss that never "
        "fell. Activations and initialisation may be what fades it: a note until a twin was tried.",
        known_problems="Skip connections do not show in a record, so a deep residual network that "
        "fails for another reason may get this note.",
        references=(
            "He et al. 2016: Deep residual learning for image recognition",
            "Glorot, Bengio 2010: Understanding the difficulty of training deep networks",
        ),
    ),
    needs=(TRAIN_LOSS, GRADIENT_NORM),
    thresholds=(LAYERS, FADED),
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
