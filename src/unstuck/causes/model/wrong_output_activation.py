"""Wrong output activation: the last activation cannot output what the targets require."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import (
    GOOD_SKILL,
    activation_at,
    final,
    level,
    loss_ends_at,
    made_at,
    thinned,
)
from unstuck.measures.looks import left_out
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import (
    LossArgument,
    Remedy,
    RemoveLayer,
    ReplaceLayer,
    Safety,
    loss_form,
)
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import Layer
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.layers import SILENT_SHARE
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.samples import LARGEST_SCORE, SCALED_LOSS, SCORE_FACTOR, TOP_SPREAD
from unstuck.schema.signals.targets import (
    CLASS_SUM_ERROR,
    TARGET_MAXIMUM,
    TARGET_MINIMUM,
    TARGET_SUM_ERROR,
    UNREACHABLE_LOSS,
    UNREACHABLE_SHARE,
)
from unstuck.torch_api import CLASS_LIKELIHOODS
from unstuck.words import number, percent

SHARE = Threshold(
    "unreachable-targets", 0.05,
    "A few outliers outside the range of scaled targets do no harm, but one target in twenty does.",
    "min-max scaling by the training data leaves a few held-out values outside",
)
FLOOR = Threshold(
    "unreachable-error", 0.02,
    "Noise around the end of the range is small compared with the spread of the targets. From this "
    "limit on, even the best prediction within the range misses a fiftieth of their variance.",
    "definition of the explained variance",
)
SUM = Threshold(
    "outputs-sum-to-one", 1e-3,
    "Outputs that always sum to 1 are those of a softmax. Half precision has three digits.",
    "definition",
)
APART = Threshold(
    "targets-sum-apart", 0.1,
    "Targets that sum to 1 in nearly every sample are a distribution, or one class. Others are "
    "numbers, or several classes that may be right at once.",
    "targets of one class, smoothed or mixed, sum to 1 exactly",
)
WITHIN = Threshold(
    "scores-within-one", 0.8,
    "Cosines, and what a tanh returns, reach up to 1 and never further. Free scores that end "
    "between this and 1 by accident are not all alike as well.",
    "the range of a cosine",
)
CRAMPED = Threshold(
    "loss-of-larger-scores", 0.5,
    "The same scores, larger by one factor, would halve the cross entropy. A network whose scores "
    "are free finds that factor by itself: the slope of its last layer points there.",
    "definition of a scale that is free",
)
FACTOR = 4.0  # on the scores, at least
ALIKE = 0.15  # spread of the samples' largest scores, as they pile up at their bound
FEWEST = 3  # looks in the second half of a run
# An operation and its range, in words.
NAMES = {
    "Relu": ("a ReLU", "0 and above"), "Sigmoid": ("a sigmoid", "0 to 1"),
    "Tanh": ("a tanh", "-1 to 1"), "Softmax": ("a softmax", "0 to 1"),
    "Softplus": ("a softplus", "0 and above"), "Elu": ("an ELU", "-1.76 and above"),
    "Gelu": ("a GELU", "-0.17 and above"), "Silu": ("a SiLU", "-0.28 and above"),
    "Mish": ("a Mish", "-0.31 and above"), "Hardswish": ("a hardswish", "-0.38 and above"),
    "Hardsigmoid": ("a hardsigmoid", "0 to 1"), "Exp": ("an exp", "0 and above"),
    "Abs": ("an absolute value", "0 and above"), "LogSigmoid": ("a logsigmoid", "0 and below"),
    "LogSoftmax": ("a log_softmax", "0 and below"), "Hardtanh": ("a hardtanh", "its two bounds"),
    "Clamp": ("a clamp", "its two bounds"),
}
RECURRENT = dict.fromkeys(("Stack", "MkldnnRnnLayer"), ("a recurrent layer", "-1 to 1"))
BOUNDED = NAMES | RECURRENT


def _operation(loss: Loss) -> str | None:
    """The activation that made the loss's input, as autograd calls it."""
    stems = [operation.split("Backward")[0] for operation in loss.input_operations]
    if loss.hand_written:  # its chain begins with the loss itself
        return next((s for names in (NAMES, RECURRENT) for s in stems if s in names and s != "Abs"),
                    None)
    return next(iter(stems), None)


def _detect(view: View) -> Verdict:
    if not view.record.facts(Loss):
        return Unknown("no loss of the program was recognised", ("a loss from torch.nn",))
    for loss in view.record.facts(Loss):
        sums, targets = (level(view[signal][loss.name]) if view.has(signal) and loss.name in view[
            signal] else None for signal in (CLASS_SUM_ERROR, TARGET_SUM_ERROR))
        if sums is not None and targets is not None and sums <= view.limit(SUM) and (
                targets >= view.limit(APART) and _operation(loss) == "Softmax"):
            return _competing(view, loss, targets)
        mute = _mute(view, loss) or _cramped(view, loss)
        if mute is not None:
            return mute
    if left_out(view.record) and not view.has(SCORE_FACTOR) and any(
            _stuck_on(view, loss) for loss in view.record.facts(Loss)):
        return Unknown("too few steps were examined closely to know whether the outputs are "
                       "bounded", ("a run with --overhead 1",))
    if not view.has(UNREACHABLE_SHARE):
        return Absent("no model output comes from an operation with a limited range")
    worst = 0.0
    for loss in view.record.facts(Loss):
        if loss.name not in view[UNREACHABLE_SHARE]:
            continue
        share = level(view[UNREACHABLE_SHARE][loss.name])
        floor = 0.0
        if view.has(UNREACHABLE_LOSS) and loss.name in view[UNREACHABLE_LOSS]:
            floor = level(view[UNREACHABLE_LOSS][loss.name])
        worst = max(worst, share)
        if share >= view.limit(SHARE) and floor >= view.limit(FLOOR):
            return _present(view, loss, share, floor)
    return Absent(f"at most {percent(worst)} of the targets lie outside the output's range")


def _target_range(view: View, loss: Loss) -> str:
    if not (view.has(TARGET_MINIMUM) and view.has(TARGET_MAXIMUM)):
        return ""
    low = view[TARGET_MINIMUM].get(loss.name)
    high = view[TARGET_MAXIMUM].get(loss.name)
    if low is None or high is None or not len(low.finite) or not len(high.finite):
        return ""
    return (f"they range from {number(float(np.min(low.finite.values)))} to "
            f"{number(float(np.max(high.finite.values)))}, but ")


def _present(view: View, loss: Loss, share: float, floor: float) -> Present:
    kind, reach = BOUNDED.get(_operation(loss) or "", ("an activation", "a limited range"))
    layer = view.record.layers().get(loss.input_layer or "")
    series = view[UNREACHABLE_SHARE][loss.name].finite
    evidence = [Evidence(
        UNREACHABLE_SHARE.name, loss.name, *thinned(series.steps, series.values),
        view.limit(SHARE), "no output can reach "
        f"{percent(share)} of the targets (healthy: under {percent(view.limit(SHARE))})")]
    if view.has(UNREACHABLE_LOSS) and loss.name in view[UNREACHABLE_LOSS]:
        floors = view[UNREACHABLE_LOSS][loss.name].finite
        evidence.append(Evidence(
            UNREACHABLE_LOSS.name, loss.name, *thinned(floors.steps, floors.values),
            view.limit(FLOOR),
            f"even the best possible output misses {percent(floor)} of the targets' variance "
            f"(healthy: under {percent(view.limit(FLOOR))})"))
    return Present(
        strength=0.95 if share >= 2 * view.limit(SHARE) else 0.8,
        title=f"the model can never reach {percent(share)} of its targets: "
        f"{_target_range(view, loss)}its output comes from {kind} (range: {reach})",
        since_step=0,
        location=made_at(view.record, loss),
        label=f"cannot output {percent(share)} of the targets",
        evidence=tuple(evidence),
        remedies=_remedies(loss, layer, kind),
    )


def _mute(view: View, loss: Loss) -> Present | None:
    """A class whose output a ReLU holds at zero for every sample: nothing can lift it again."""
    if loss.function not in CLASS_LIKELIHOODS or _operation(loss) != "Relu" or (
        not loss.input_shape or not view.has(SILENT_SHARE)
    ):
        return None
    layer = view.record.layers().get(loss.input_layer or "")
    outputs = {p.layer for p in view.record.parameters().values()
               if len(p.shape) == 2 and p.shape[0] == loss.input_shape[-1]}
    shared = [f"{each} > relu" for each in outputs if f"{each} > relu" in view[SILENT_SHARE]]
    for place in shared or [loss.input_layer or ""]:
        if place not in view[SILENT_SHARE]:
            continue
        series = view[SILENT_SHARE][place]
        late = series.finite.values[len(series.finite) // 2:]
        if len(late) < FEWEST or not (late > 0).mean() > 0.5:
            continue
        silent = round(float(np.median(late[late > 0])) * loss.input_shape[-1])
        if not silent:
            continue
        what = f"{silent} of {loss.input_shape[-1]} classes"
        return Present(
            strength=0.85,
            title=f"the model can hardly predict {what}: a ReLU behind the last layer holds "
            f"{'its score' if silent == 1 else 'their scores'} at zero for every sample",
            since_step=0,
            location=made_at(view.record, loss),
            label=f"keeps {what} at zero",
            evidence=(Evidence(
                SILENT_SHARE.name, place, *thinned(series.finite.steps, series.finite.values), 0.0,
                f"{what} get a score of zero in whole batches, and no gradient"),),
            remedies=_remedies(loss, layer, "a ReLU") if not (shared and layer) else (
                Remedy("leave out the last ReLU", Safety.ADVICE,
                       advice=f"Use {layer.name} between the layers only, and return what the "
                       "last layer makes."),),
        )
    return None


def _stuck_on(view: View, loss: Loss) -> bool:
    """Whether the run plateaued with classes that it is not sure of."""
    outcome = view.outcome
    return (outcome.kind in (OutcomeKind.PLATEAU, OutcomeKind.CONVERGED)
            and outcome.skill is not None and outcome.skill < GOOD_SKILL
            and loss.function in CLASS_LIKELIHOODS)


def _cramped(view: View, loss: Loss) -> Present | None:
    """Scores that never leave -1 to 1: too small for a cross entropy, however right they are."""
    factor, scaled, largest, spread = (
        final(view, signal) for signal in (SCORE_FACTOR, SCALED_LOSS, LARGEST_SCORE, TOP_SPREAD))
    if factor is None or scaled is None or largest is None or spread is None or not _stuck_on(
            view, loss):
        return None
    if not (factor >= FACTOR and scaled <= view.limit(CRAMPED) and spread <= ALIKE
            and view.limit(WITHIN) <= largest <= 1 + 1e-3):
        return None
    step = int(view[SCORE_FACTOR].steps[-1])
    ends_at = loss_ends_at(view)
    kind = _operation(loss) or ""
    layer = view.record.layers().get(loss.input_layer or "")
    larger = f"make the outputs {number(factor)} times as large"
    remedies = _remedies(loss, layer, BOUNDED[kind][0]) if kind in BOUNDED else (
        loss_form(f"F.cross_entropy({number(factor)} * outputs, labels)", larger,
                  LossArgument(loss.location, "input", f"{number(factor)} * {{}}", larger)),)
    return Present(
        strength=0.85,
        title=f"the outputs stay between -1 and 1, too small for a cross entropy: {number(factor)} "
        f"times as large, they would bring it from {number(ends_at)} to "
        f"{number(scaled * ends_at)}",
        since_step=0,
        location=made_at(view.record, loss) if kind in BOUNDED else loss.location,
        label="receives scores that cannot grow",
        evidence=(
            Evidence(LARGEST_SCORE.name, "", (step,), (largest,), 1.0,
                     f"no output of the kept samples is larger than {number(largest)}"),
            Evidence(TOP_SPREAD.name, "", (step,), (spread,), ALIKE,
                     "the largest outputs of the samples are alike, as if at a bound: they differ "
                     f"by {percent(spread)}"),
        ),
        remedies=remedies,
    )


def _competing(view: View, loss: Loss, apart: float) -> Present:
    """The outputs of a sample share a sum of 1, and its targets do not."""
    layer = view.record.layers().get(loss.input_layer or "")
    name = layer.name if layer is not None else (
        activation_at(view.record, loss) or "torch.softmax")
    series = view[TARGET_SUM_ERROR][loss.name].finite
    return Present(
        strength=0.93,
        title="the model can never reach its targets: its output comes from a softmax, so it sums "
        f"to 1 for each sample, but the targets of a sample do not (they miss 1 by "
        f"{number(apart)} on average)",
        since_step=0,
        location=made_at(view.record, loss),
        label="one output can only rise if the others fall",
        evidence=(Evidence(
            TARGET_SUM_ERROR.name, loss.name, *thinned(series.steps, series.values),
            view.limit(APART),
            f"the sum of a sample's targets differs from 1 by {number(apart)} on average"),),
        remedies=(Remedy("give each output a sigmoid of its own", Safety.SAFE,
                         (ReplaceLayer(name, "Sigmoid()"),)),),
    )


def _remedies(loss: Loss, layer: Layer | None, kind: str) -> tuple[Remedy, ...]:
    operation = (_operation(loss) or "").lower()
    name = layer.name if layer is not None else f"torch.{operation}" if operation else kind
    at = None if layer is not None else loss.input_location
    if _operation(loss) in RECURRENT:
        return (Remedy("put a linear layer behind the recurrent one", Safety.ADVICE, advice="Give "
                       "the recurrent layer more units, and make the prediction of its output with "
                       "an nn.Linear, which has no limits."),)
    removed = Remedy(
        "remove the last activation", Safety.SAFE, (RemoveLayer(name, at),),
        code_text=f"# end with the linear layer, without {kind}")
    if layer is None:
        scaled = Remedy("scale the targets", Safety.ADVICE,
                        advice="Scale the targets into the range of the activation, and undo "
                        "the scaling for predictions.")
        return (removed, scaled)
    return (removed, Remedy("replace it with an identity", Safety.CHANGES_EXPERIMENT,
                            (ReplaceLayer(name, "Identity()"),)))


CAUSE = Cause(
    slug="wrong-output-activation",
    code="M006",
    title="Wrong output activation",
    family="Model",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.PLATEAU, Symptom.SAME, Symptom.FLAT),
    often=Often.COMMON,
    words=Words(
        symptom="The loss falls at first and then stops at a floor. Predictions pile up at one "
        "end of their range, for example at 0 for a ReLU.",
        consequence="No amount of training brings the error below that floor. The network misses "
        "every target outside the range by at least its distance from the range.",
        why="A ReLU never outputs negative numbers, a sigmoid outputs 0 to 1, and a tanh outputs "
        "-1 to 1. An output that is pushed against its limit also gets no gradient any more.",
        detection="The autograd graph shows which operation made the prediction. "
        "unstuck measures the share of targets outside the range of that operation, and the "
        "squared error that remains for the best possible output. Both must be larger than noise "
        "and outliers make them. The outputs of a softmax sum to 1 for each sample. Targets that "
        "do not, such as several classes that may be right at once, cannot be reached either. "
        "Bounded scores of a classifier, such as cosines, are detected by what a common factor on "
        "all of them would do to its cross entropy.",
        limitations="An activation whose result is scaled or shifted afterwards is not judged. "
        "Of the range, only squared, absolute and Huber errors are judged, from torch.nn or "
        "written by hand.",
        references=(
            "Holden 2017: My neural network isn't working: you used the wrong last activation",
            "Goodfellow, Bengio, Courville: Deep Learning, ch. 6.2.2: output units",
        ),
    ),
    needs=(),
    uses=(
        SILENT_SHARE,
        UNREACHABLE_SHARE, UNREACHABLE_LOSS, TARGET_MINIMUM, TARGET_MAXIMUM, CLASS_SUM_ERROR,
        TARGET_SUM_ERROR, SCORE_FACTOR, SCALED_LOSS, LARGEST_SCORE, TOP_SPREAD, TRAIN_LOSS,
    ),
    thresholds=(SHARE, FLOOR, SUM, APART, WITHIN, CRAMPED),
    effects=(
        Effect.TARGETS_OFF_SCALE, Effect.BAD_START, Effect.GRADIENTS_TOO_LARGE,
        Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL,
        Effect.CANNOT_FIT,
    ),
    detect=_detect,
)
