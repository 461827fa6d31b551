"""Target in the input: the model is given what it has to predict."""

from __future__ import annotations

from unstuck.measures.basics import first_model, level, measured
from unstuck.measures.origins import cut_beside
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import (
    AttendBackwards,
    Guard,
    OneDirection,
    Remedy,
    Safety,
    ShiftInputs,
    ShiftTargets,
)
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.sequences import LooksAhead, TargetFeature, TargetInPlace
from unstuck.schema.findings import Absent, Present, Unknown, Verdict
from unstuck.schema.signals.sequences import IN_PLACE, LOOKS_AHEAD, TARGET_FEATURES
from unstuck.words import count, number, percent

LEAST = Threshold(
    "looks-ahead", 0.01,
    "With a causal mask exactly nothing of the attention goes to later steps.",
    "definition",
)
MASKS = {"TransformerEncoder": "mask", "TransformerEncoderLayer": "src_mask",
         "MultiheadAttention": "attn_mask", "scaled_dot_product_attention": "is_causal"}


def _detect(view: View) -> Verdict:
    if view.has(LOOKS_AHEAD):
        for fact in view.record.facts(LooksAhead):
            if fact.name in view[LOOKS_AHEAD]:
                share = level(view[LOOKS_AHEAD][fact.name])
                if share >= view.limit(LEAST):
                    return _ahead(view, fact, share)
    if view.has(IN_PLACE):
        for place in view.record.facts(TargetInPlace):
            if place.name in view[IN_PLACE]:
                return _in_place(view, place)
    if view.has(TARGET_FEATURES):
        for found in view.record.facts(TargetFeature):
            series = view[TARGET_FEATURES].get(found.name)
            if series is not None and len(series) and series.values[-1] >= 1:
                return _feature(view, found, float(series.values[-1]))
    if view.has(LOOKS_AHEAD):
        return Absent("no time step sees the later ones that it has to predict")
    if view.has(TARGET_FEATURES):
        return Absent("no feature of the inputs is the target")
    if view.record.facts(Loss):
        return Absent("the targets are not the inputs of a next step")
    return Unknown("no loss was seen", ("a training step with a loss of PyTorch",))


def _ahead(view: View, fact: LooksAhead, share: float) -> Present:
    both_ways = fact.kind not in (*MASKS, "softmax")
    sees = (f"{fact.kind} runs in both directions" if both_ways else
            f"{percent(share)} of the attention goes to later steps")
    return Present(
        strength=0.95, certain=True,
        title="the model sees what it has to predict: the targets are the inputs of the next of "
        f"{fact.steps} steps, and {sees}",
        since_step=0, location=fact.location,
        label="runs in both directions" if both_ways else "sees later steps",
        evidence=(measured(view, LOOKS_AHEAD, fact.name, 0.0, sees),),
        remedies=_remedies(view, fact))


def _remedies(view: View, fact: LooksAhead) -> tuple[Remedy, ...]:
    reason = "let each step attend to itself and to earlier steps only"
    if fact.kind in MASKS:
        edit = AttendBackwards(fact.location, MASKS[fact.kind], fact.steps)
        return (Remedy(edit.words(), Safety.SAFE, (edit,)),)
    if fact.kind == "softmax":
        by = f"{{}} + torch.full(({fact.steps}, {fact.steps}), float('-inf')).triu(1)"
        return (Remedy(reason, Safety.SAFE, (Guard(fact.location, by, reason, "softmax"),)),)
    layer = next((each.name for each in view.record.layers().values()
                  if each.location == fact.location), fact.kind)
    return (Remedy("one direction", Safety.CHANGES_EXPERIMENT, (OneDirection(layer),)),)


def _in_place(view: View, fact: TargetInPlace) -> Present:
    model = first_model(view)
    loss = next((each for each in view.record.facts(Loss) if each.name == fact.name), None)
    at = loss.location if loss is not None else None
    edit = ShiftTargets(at, model.call_location if model is not None else None, fact.time)
    sees = (f"its {fact.layer} runs forwards only" if fact.layer is not None
            else "its attention has a causal mask")
    behind = " behind the first" if fact.begins else ""
    shift = Remedy("give each step what comes before it", Safety.SAFE, (
        ShiftInputs(fact.location),), advice="Put what begins a sequence in front of the targets, "
        "and leave out the last of these.")
    return Present(
        strength=0.95, certain=True,
        title=f"each of {fact.steps} steps{behind} is given the token that it has to predict: the "
        "targets are the inputs of the same steps, and not of the next ones",
        since_step=0, location=fact.location or cut_beside(view, fact.name) or at,
        label="what the model is given at the same step",
        evidence=(measured(view, IN_PLACE, fact.name, 0.0,
                           f"all tokens that the model is given at its {fact.steps} steps{behind} "
                           f"are the targets there, and {sees}"),),
        remedies=(shift if fact.begins else Remedy(edit.words(), Safety.SAFE, (edit,)),))


def _feature(view: View, found: TargetFeature, features: float) -> Present:
    model = first_model(view)
    location = model.call_location if model is not None else None
    feature, fix = f"feature {number(found.feature)}", "drop the feature"
    advice = f"Leave {feature} out of the inputs."
    if found.row is not None:
        feature += f" of step {number(found.row)}"
        location = cut_beside(view, found.name) or location
        fix = "predict what comes after the inputs"
        advice = f"Take a target that comes after the inputs, or leave {feature} out of them."
    return Present(
        strength=0.9,
        title=f"{feature} of the inputs is the target itself, for every sample that was compared",
        since_step=0, location=location, label=f"the model is given the target as {feature}",
        evidence=(measured(
            view, TARGET_FEATURES, found.name, 0.0,
            f"{count(int(features), 'feature')} had the value of the target in every sample"),),
        remedies=(Remedy(fix, Safety.ADVICE, advice=advice),))


CAUSE = Cause(
    slug="target-in-input",
    code="T004",
    title="Target in the input",
    family="Sequences",
    harm=Harm.DISTRUST,
    symptoms=(Symptom.TOO_GOOD, Symptom.OVERFITS),
    words=Words(
        symptom="The loss falls to nearly zero within a few steps, too good to be true, and the "
        "model is useless when it has to generate or predict on its own.",
        consequence="The model learns to copy the answer from its input. Training and validation "
        "look perfect, and in use the answer is not there.",
        why="A language model predicts each token from those before it. Without a causal mask, or "
        "with a recurrent layer that also runs backwards, each step sees the next token, which is "
        "its target. In a table a column that was made from the target does the same.",
        detection="The detector compares the targets with the model's inputs. If they are the "
        "inputs of the next step, tokens or numbers, it measures how much of the attention goes to "
        "later steps, or whether a recurrent layer runs in both directions. If they are the inputs "
        "of the same step, a model that only looks back has nothing left to predict. In a table, "
        "and in the steps of a series, it looks for a value that equals the target in every "
        "sample.",
        limitations="Convolutions that see later steps are not measured. If one of several maps of "
        "attention is causal, the others are taken for those of an encoder. A feature that "
        "determines the target without being equal to it is not reported.",
        references=(
            "Vaswani et al. 2017: Attention is all you need (section 3.2.3)",
            "Kaufman et al. 2012: Leakage in data mining",
        ),
    ),
    needs=(),
    uses=(IN_PLACE, LOOKS_AHEAD, TARGET_FEATURES),
    thresholds=(LEAST,),
    shows=Effect.TARGETS_READ,
    effects=(Effect.MEMORISES,),
    detect=_detect,
)
