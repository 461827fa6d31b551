"""Too narrow: a layer with too few units to carry what the task needs."""

from __future__ import annotations

from unstuck.measures import arms
from unstuck.measures.basics import FAIR_SKILL, GOOD_SKILL, last, learned_little, loss_points
from unstuck.measures.capacity import (
    SAMPLE_SIGNALS,
    Shortfall,
    Width,
    hidden,
    loss_evidence,
    model_location,
    shortfall,
    widths,
)
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import Remedy, ResizeLayer, Safety
from unstuck.schema.experiments import Arm, Experiment
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import GRADIENT_NORM, GRADIENT_PRODUCT, UPDATE_NORM
from unstuck.schema.signals.targets import DIRECTIONS_TOLD, TARGET_DIRECTIONS
from unstuck.words import called, count, percent

SQUEEZE = Threshold(
    "units-per-input", 0.25,
    "A layer with a quarter as many units as inputs drops most of what it receives. This does not "
    "count if the layer has more units than the network has outputs, or is a convolution.",
    "Johnson 2019: layers no wider than the input cannot enclose a region of it",
)
BENDS = Threshold(
    "fewest-units", 2.0,
    "Two units can bend a function twice; enclosing a region of the inputs takes three bends.",
    "Johnson 2019: Deep, skinny neural networks are not universal approximators",
)
WIDEST = Threshold(
    "units-at-the-widest", 4.0,
    "If even the widest hidden layer has four units, the whole network is as narrow, however few "
    "inputs it has.",
    "a choice: such networks are for toy problems, whose data they fit",
)
STEPS = Threshold(
    "steps-share-narrow", 0.25,
    "If the noise floor of SGD makes up this share of the loss, the width is not to blame.",
    "from this share on, a plateau is attributed to the noise floor",
)
FAR = Threshold(
    "times-the-errors", 4.0,
    "The network leaves four times as much unexplained of what it was trained on as a baseline "
    "model leaves of new samples. However far the loss has fallen, it should have fallen much "
    "further.",
    "a choice: twice what counts as behind",
)
SHORT = Threshold(
    "far-behind", 0.2,
    "And it falls short of the baseline model by a fifth of the variance, or of the area under the "
    "ROC curve: four times next to nothing is little.",
    "a choice",
)
HELD = Threshold(
    "held-by-so-many", 0.85,
    "If the targets vary in hardly more directions than a layer has units, little is lost in it.",
    "a choice: a seventh of the variance is worth a wider layer",
)
NEAR = Threshold(
    "near-what-is-held", 0.08,
    "A network that has learned about what so many numbers can hold, and no more, is limited by "
    "them.",
    "Eckart, Young 1936: no approximation of that rank is better",
)
TOLD = Threshold(
    "next-direction-told", 0.1,
    "What one more number would hold can be predicted from the inputs. Else it may be noise, and "
    "nothing is lost with it.",
    "a choice: a share that chance does not give",
)
RESTING = (OutcomeKind.PLATEAU, OutcomeKind.CONVERGED, OutcomeKind.LEARNING,
           OutcomeKind.OVERFITTING)
ALIKE = ("too-shallow", "learning-rate-too-low", "momentum-too-low", "too-few-steps")
TRIAL = ("five runs with one change each: four times the units, one more layer, ten times the "
         "learning rate, momentum 0.9, four times the epochs (it is too-narrow if the first lowers "
         "the training loss most)")


def _detect(view: View) -> Verdict:
    layers = widths(view)
    inner = hidden(layers)
    if not inner:
        return Absent("there is no hidden layer that could be too narrow")
    targets = view[TARGET_DIRECTIONS] if view.has(TARGET_DIRECTIONS) else {}
    outputs = max(layers[-1].units, len(targets))  # each may have a layer of its own
    bends, share = view.limit(BENDS), view.limit(SQUEEZE)
    # Few channels are many numbers: one of each at every place.
    thin = max(one.units for one in inner) <= view.limit(WIDEST)
    narrow = [one for one in inner if (thin and not one.convolution) or one.units <= (
        bends if one.convolution else max(bends, min(share * one.inputs, outputs)))]
    if not narrow:
        return Absent("no hidden layer is too narrow (the narrowest has "
                      f"{count(min(x.units for x in inner), 'unit')}, and the network has "
                      f"{count(outputs, 'output')})")
    least = min(narrow, key=lambda one: one.units)
    widened = least.name if len(narrow) == 1 and len(inner) > 1 else ""  # else all hidden layers
    if outputs == layers[0].inputs and not targets and not learned_little(view.outcome):
        if view.outcome.skill is not None and view.outcome.skill < FAIR_SKILL:
            return Unknown(f"{called(least.name)} has only {count(least.units, 'unit')}, which may "
                           "be the purpose: the network has as many outputs as inputs, like an "
                           "autoencoder", ("a run with twice the units",))
        return Absent("the network learns and has as many outputs as inputs, like an autoencoder, "
                      "which is narrow on purpose")
    squeezed = _squeezed(view, least, outputs, widened)
    if squeezed is not None:
        return squeezed
    found = shortfall(view)
    if isinstance(found, Unknown):
        return Unknown(f"{called(least.name)} has only {count(least.units, 'unit')}, but "
                       f"{found.reason}",
                       (*found.needs, TRIAL))
    if not isinstance(found, Shortfall):
        skill = view.outcome.skill
        rests = view.outcome.kind is OutcomeKind.PLATEAU and (
            skill is not None and skill < GOOD_SKILL)
        # A baseline model may know these data even less than a network that is too narrow.
        return found if not rests or least.units > bends else Unknown(
            f"{called(least.name)} has only {count(least.units, 'unit')}, and no baseline model "
            "shows that more can be learned", (TRIAL,))
    if found.steps_share is not None and not found.steps_share < view.limit(STEPS):
        return Absent("the noise floor of SGD keeps the loss high, not the width")
    return Present(
        strength=0.45, since_step=0, location=_location(view, least),
        of_value=True,
        hides_outcome=(found.errors >= view.limit(FAR) and found.behind >= view.limit(SHORT)) or (
            found.errors >= 3 * view.limit(FAR) and found.behind >= view.limit(SHORT) / 4),
        title=f"{called(least.name)} has only {count(least.units, 'unit')} for "
        f"{count(least.inputs, 'input')}, and the network learns less than its data allow: "
        f"{found.says}",
        label=f"only {count(least.units, 'unit')} in the narrowest layer",
        evidence=(found.evidence, loss_evidence(view, found)),
        remedies=(_widen(widened),),
        one_of=ALIKE, separated_by=_separated(view, widened),
    )


def _squeezed(view: View, least: Width, outputs: int, widened: str) -> Present | None:
    """A layer through which fewer numbers pass than the targets vary in, where the network has
    learned about what so many hold.

    What a linear layer makes of n numbers has n directions at most, and no n directions hold more
    of the targets' variance than their first n principal components.
    """
    if not (view.has(TARGET_DIRECTIONS) and view.has(DIRECTIONS_TOLD)) or least.units >= outputs:
        return None
    held = last(view[TARGET_DIRECTIONS]).get(str(least.units))
    more = last(view[DIRECTIONS_TOLD]).get(str(least.units + 1))
    skill = view.outcome.skill
    if held is None or more is None or skill is None or view.outcome.kind not in RESTING:
        return None
    if not (held <= view.limit(HELD) and more >= view.limit(TOLD)
            and abs(skill - held) <= view.limit(NEAR)):
        return None
    units, step = count(least.units, "unit"), int(view.record.steps) - 1
    steps, points = loss_points(view)
    return Present(
        strength=0.75, since_step=0, location=_location(view, least), of_value=True,
        hides_outcome=True,
        title=f"{called(least.name)} has only {units} for {count(outputs, 'output')}: so many "
        f"numbers hold at most {percent(held)} of what the targets vary in, and the network has "
        f"learned {percent(skill)}",
        label=f"all {count(outputs, 'output')} are made of {units}",
        evidence=(
            Evidence(TARGET_DIRECTIONS.name, str(least.units), (step,), (held,), None,
                     f"the first {count(least.units, 'principal component')} of the targets hold "
                     f"{percent(held)} of their variance"),
            Evidence(TRAIN_LOSS.name, "", steps, points, None,
                     f"the loss ends at {percent(1 - skill)} of that of a constant prediction"),
        ),
        remedies=(_widen(widened),), one_of=ALIKE, separated_by=_separated(view, widened),
    )


def _separated(view: View, widened: str) -> Experiment:
    return Experiment(f"compare {TRIAL}", (
        Arm((ResizeLayer(4.0, widened),), ("too-narrow",)),
        Arm((), ("too-shallow",), "one more layer"),
        arms.learning_rate(view, 10, "learning-rate-too-low"),
        arms.momentum(view, "momentum-too-low"),
        arms.longer(4.0, "too-few-steps"),
    ))


def _location(view: View, least: Width) -> SourceLocation | None:
    return view.record.layers()[least.name].location or model_location(view)


def _widen(layer: str) -> Remedy:
    return Remedy(f"widen {called(layer) if layer else 'the hidden layers'}",
                  Safety.CHANGES_EXPERIMENT, tuple(
                      ResizeLayer(f, layer) for f in (4.0, 16.0, 2.0)))


CAUSE = Cause(
    slug="too-narrow",
    code="M003",
    title="Too narrow",
    family="Model",
    harm=Harm.CONDITION,
    symptoms=(Symptom.PLATEAU,),
    often=Often.SELDOM,
    words=Words(
        symptom="The training loss falls a little and plateaus at a high value. New data are "
        "predicted just as badly.",
        consequence="No learning rate and no number of epochs lowers the loss much further, "
        "because the network cannot represent what the task needs.",
        why="A hidden layer outputs as many numbers as it has units. What does not fit into them "
        "is lost to all later layers.",
        detection="A hidden layer has at most two units, all have at most four, or one has at most "
        "a quarter as many units as inputs and no more than the network has outputs. Noise in the "
        "data must not be the reason: a baseline model (nearest neighbours or kernel regression) "
        "must predict samples that it has not seen far better than the network predicts the "
        "samples that it was trained on. The noise floor of SGD must not explain the loss either. "
        "Too few layers or too few steps look the same, so this is only possible until a wider "
        "network has been tried.",
        limitations="Width usually has little influence and comes last among the suspects. Nothing "
        "is reported if the target of each sample is not known, or if the baseline model does no "
        "better, as on large images. Autoencoders are left alone, because they are narrow on "
        "purpose.",
        references=(
            "Goodfellow, Bengio, Courville: Deep Learning, ch. 6.4",
            "Johnson 2019: Deep, skinny neural networks are not universal approximators",
        ),
    ),
    needs=(TRAIN_LOSS, UPDATE_NORM, GRADIENT_NORM),
    uses=(*SAMPLE_SIGNALS, GRADIENT_PRODUCT, DIRECTIONS_TOLD, TARGET_DIRECTIONS),
    thresholds=(SQUEEZE, BENDS, WIDEST, STEPS, FAR, SHORT, HELD, NEAR, TOLD),
    shows=Effect.CANNOT_FIT,
    needs_trend=True,
    by_trial=True,
    detect=_detect,
)
