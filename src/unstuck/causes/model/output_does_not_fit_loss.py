"""Output does not fit the loss: probabilities where logits belong, or the other way round."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from unstuck.measures.basics import activation_at, made_at, thinned
from unstuck.measures.view import Threshold, View
from unstuck.record.reader import Record
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import (
    Edit,
    LossArgument,
    LossOption,
    Remedy,
    RemoveLayer,
    ReplaceLayer,
    Safety,
    SoftmaxAxis,
    SwapLoss,
    loss_form,
)
from unstuck.schema.facts.losses import Loss
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.targets import (
    BATCH_SUM_ERROR,
    CLASS_SUM_ERROR,
    LIKELIHOOD_SUM_ERROR,
    LOSS_INPUT_MAXIMUM,
    LOSS_INPUT_MINIMUM,
)
from unstuck.torch_api import BINARY, CLASS_LIKELIHOODS, LOG_PROBABILITIES, LOGITS, SEQUENCES
from unstuck.words import number

MEASURED = (LOSS_INPUT_MINIMUM, LOSS_INPUT_MAXIMUM, CLASS_SUM_ERROR, BATCH_SUM_ERROR,
            LIKELIHOOD_SUM_ERROR)
SUM = Threshold(
    "sum-to-one", 1e-3,
    "Rows of a softmax sum to 1 except for rounding. Half precision has three digits.",
    "definition",
)
RANGE = Threshold(
    "out-of-range", 1e-3,
    "A probability lies between 0 and 1, and a log-probability is at most 0. Rounding can exceed "
    "these bounds, but by less than this.",
    "definition",
)
NO_SUM = Threshold(
    "no-sum-to-one", 0.05,
    "The probabilities of all classes sum to 1, unless the softmax ran over another axis.",
    "definition; up to 0.01 in 16 bits",
)
SAMPLES = Threshold(
    "fewest-loss-samples", 3.0,
    "One batch may look like probabilities by accident. Values alone are enough only if several "
    "batches agree.",
    "a choice: a single event is never enough",
)


@dataclass(frozen=True, slots=True)
class _Fault:
    """What the loss received and what it expects."""

    received: str
    wants: str
    label: str
    remedies: tuple[Remedy, ...]
    strength: float
    by_value: bool = False
    made: bool = False  # the operation that made what the loss receives is at fault


@dataclass(frozen=True, slots=True)
class _Values:
    """What a loss received over the sampled steps, worst cases; NaN where not measured."""
    low: float
    high: float
    class_sum: float
    batch_sum: float
    likelihood_sum: float  # the least, not the worst
    count: int

    def probabilities(self, slack: float) -> bool:
        """Whether everything lay in 0..1."""
        return self.low >= -slack and self.high <= 1 + slack


def _points(view: View, loss: Loss) -> dict[str, Series]:
    found = {}
    for signal in MEASURED:
        if view.has(signal) and loss.name in view[signal]:
            series = view[signal][loss.name].finite
            if len(series):
                found[signal.name] = series
    return found


def _values(points: dict[str, Series]) -> _Values:
    def worst(name: str, pick: np.ufunc) -> float:
        return float(pick.reduce(points[name].values)) if name in points else math.nan

    return _Values(
        worst(LOSS_INPUT_MINIMUM.name, np.minimum), worst(LOSS_INPUT_MAXIMUM.name, np.maximum),
        worst(CLASS_SUM_ERROR.name, np.maximum), worst(BATCH_SUM_ERROR.name, np.maximum),
        worst(LIKELIHOOD_SUM_ERROR.name, np.minimum), len(points.get(LOSS_INPUT_MINIMUM.name, ())),
    )


_RAW = "use the loss that takes raw scores"
_TAKES = "use the loss that takes probabilities"
_LOGARITHM = "apply log_softmax first"


def _without(view: View, kind: str) -> Remedy:
    """Leave out the activation: the module if the model has one of that kind, else the call."""
    what = f"remove the {kind.lower()} before the loss"
    return Remedy(what, Safety.SAFE, (RemoveLayer(_made_by(view, kind)),),
                  code_text=f"return logits  # without the {kind}; apply it for predictions only")


def _made_by(view: View, kind: str) -> str:
    """The last module of a kind, or else the function that does the same."""
    modules = [layer.name for layer in view.record.layers().values() if layer.kind == kind]
    return modules[-1] if modules else f"torch.{kind.lower()}"


def _single(view: View, loss: Loss) -> str:
    """The softmax that makes what a loss receives: the operation at that place, or the module."""
    return activation_at(view.record, loss) or _made_by(view, "Softmax")


def _axis(loss: Loss) -> str | None:
    """The axis of the nearest softmax if it is not the classes', else None."""
    if loss.softmax_dimension is None or not loss.input_shape:
        return None
    axis = loss.softmax_dimension % len(loss.input_shape)
    if len(loss.input_shape) == 2 and axis == 0 and loss.input_shape[0] != 1:
        return "the batch"
    classes = min(1, len(loss.input_shape) - 1)
    if loss.function in CLASS_LIKELIHOODS and axis != classes:
        return f"axis {axis}"
    return None


def _nearest(loss: Loss) -> str:
    """The operation that made the loss's input: "Softmax", "LogSoftmax", "Sigmoid" or else."""
    return loss.input_operations[0].split("Backward")[0] if loss.input_operations else ""


def _judge(view: View, loss: Loss, values: _Values) -> _Fault | None:
    slack, near = view.limit(RANGE), view.limit(SUM)
    if loss.reversed:
        return _Fault(
            "the targets in the place of the outputs", "the outputs first and then the targets",
            "the two are the other way round",
            (loss_form("criterion(outputs, targets)", "hand over the outputs first"),), 0.97)
    operation = _nearest(loss)
    many = values.count >= view.limit(SAMPLES)
    single = loss.input_shape[-1:] == (1,) and loss.softmax_dimension in (1, -1)
    constant = 1.0 if operation == "Softmax" else 0.0
    still = abs(values.low - constant) <= slack and abs(values.high - constant) <= slack
    if operation in ("Softmax", "LogSoftmax") and (single or (still and many)):
        return _Fault(
            "a softmax over one output", "several classes or a sigmoid",
            "a softmax over a single output is 1 for every sample",
            (loss_form("torch.sigmoid(logits)", "use a sigmoid for a single output", *(
                (ReplaceLayer(_single(view, loss), "Sigmoid()"),)
                if operation == "Softmax" and loss.function in BINARY else ())),
             loss_form("F.binary_cross_entropy_with_logits(logits, target)",
                   "use the binary loss on the raw output")), 0.97, made=True)
    axis = _axis(loss)
    if operation in ("Softmax", "LogSoftmax") and axis is not None:
        return _over_another_axis(view, loss, axis, 1)
    summed = values.probabilities(slack) and values.class_sum <= near
    across = values.probabilities(slack) and values.batch_sum <= near and not (
        values.class_sum <= 0.01)
    if loss.function in LOGITS:
        return _logits(view, loss, operation, summed and many, across and many)
    if loss.function in LOG_PROBABILITIES:
        if operation == "LogSoftmax" and many and values.likelihood_sum > view.limit(NO_SUM):
            return _over_another_axis(view, loss, "another axis", -1)
        return _log_probabilities(view, loss, operation, values, summed) or _twice(view, loss)
    if loss.function == "binary_cross_entropy" and (
        values.low < -slack or values.high > 1 + slack
    ):
        return _Fault(
            "raw scores", "probabilities between 0 and 1",
            f"receives raw scores ({number(values.low)} to {number(values.high)}), not "
            "probabilities",
            (loss_form("F.binary_cross_entropy_with_logits(logits, target)", _RAW,
                       SwapLoss(loss.location, "binary_cross_entropy_with_logits", _RAW)),
             loss_form("F.binary_cross_entropy(torch.sigmoid(logits), target)",
                       "apply a sigmoid first", LossArgument(
                           loss.location, "input", "torch.sigmoid({})", "apply a sigmoid first"))),
            0.97, by_value=True)
    if loss.log_input is not None:
        return _counts(loss, operation, values, slack)
    return _twice(view, loss)


def _over_another_axis(view: View, loss: Loss, axis: str, classes: int) -> _Fault:
    return _Fault(
        f"a softmax over {axis}", "a distribution over the classes of each sample",
        f"the softmax runs over {axis} instead of the classes",
        (loss_form(f"torch.log_softmax(logits, dim={classes})", "take the softmax over the classes",
                   SoftmaxAxis(made_at(view.record, loss), classes)),), 0.95, made=True)


def _logits(view: View, loss: Loss, operation: str, summed: bool, across: bool) -> _Fault | None:
    own = "sigmoid" if loss.function != "cross_entropy" else "softmax"
    wants = f"raw scores (logits) because it applies a {own} itself"
    if operation == "Softmax" or (summed and loss.function == "cross_entropy"
                                  and operation not in ("LogSoftmax", "Log")):
        return _Fault(
            "the output of a softmax", wants,
            f"{loss.function} applies a {own} on top of this" if operation == "Softmax" else
            f"receives probabilities and applies a {own} on top",
            (_without(view, "Softmax"),
             loss_form("F.nll_loss(torch.log(probabilities), target)",
                   "take the logarithm and use nll_loss")),
            0.97 if operation == "Softmax" else 0.85, by_value=operation != "Softmax",
            made=operation == "Softmax")
    if operation == "Sigmoid":
        return _Fault(
            "the output of a sigmoid", wants,
            f"{loss.function} applies a {own} on top of this",
            (_without(view, "Sigmoid"),
             *((loss_form("F.binary_cross_entropy(probabilities, target)", _TAKES,
                          SwapLoss(loss.location, "binary_cross_entropy", _TAKES)),)
               if own == "sigmoid" else ())),
            0.95, made=True)
    if across and loss.function == "cross_entropy":
        return _Fault(
            "values that sum to 1 over the batch", wants,
            "receives probabilities that are normalised over the batch",
            (_without(view, "Softmax"),), 0.8, by_value=True)
    return None


def _log_probabilities(
    view: View, loss: Loss, operation: str, values: _Values, summed: bool
) -> _Fault | None:
    wants, raw = "log-probabilities", "use cross_entropy on the raw scores"
    if operation in ("LogSoftmax", "Log", "LogSigmoid", "Log2"):
        return None
    name, axis = ("log_probs", -1) if loss.function in SEQUENCES else ("input", 1)
    probable = operation == "Softmax" or summed
    code, reason = ("torch.log({} + 1e-8)", "take the logarithm of the probabilities") if (
        probable) else (f"torch.log_softmax({{}}, dim={axis})", _LOGARITHM)
    taken: Edit = LossArgument(loss.location, name, code, reason)
    if axis == -1 and operation == "Softmax":
        taken = ReplaceLayer(_single(view, loss), "LogSoftmax(dim=-1)")
    swap = loss_form("F.cross_entropy(logits, target)", raw, SwapLoss(
        loss.location, "cross_entropy", raw))
    takes = (
        *((swap,) if loss.function == "nll_loss" and not probable else ()),
        loss_form(f"F.{loss.function}({code.format('output')}, target)", reason, taken))
    if operation in ("Softmax", "Sigmoid") or summed:
        return _Fault(
            "probabilities", wants, "receives probabilities, not log-probabilities", takes,
            0.97 if operation else 0.9, by_value=operation not in ("Softmax", "Sigmoid"))
    if values.high > view.limit(RANGE):
        return _Fault(
            "raw scores", wants,
            f"receives raw scores up to {number(values.high)}; a log-probability is at most 0",
            takes, 0.93, by_value=True)
    return None


def _counts(loss: Loss, operation: str, values: _Values, slack: float) -> _Fault | None:
    """Expected counts where their logarithms are wanted, or the other way round."""
    if loss.log_input and operation in ("Exp", "Softplus"):
        reason = "tell the loss that it receives expected counts"
        return _Fault(
            "expected counts", "their logarithms",
            f"takes the output of {_plain(operation)} for the logarithm of the expected count, so "
            "no sample can get less than 1",
            (loss_form("F.poisson_nll_loss(counts, target, log_input=False)", reason,
                       LossOption(loss.location, "log_input", "False", reason)),), 0.95)
    if not loss.log_input and values.low < -slack:
        reason = "tell the loss that it receives logarithms"
        return _Fault(
            "raw scores", "expected counts, which are never negative",
            f"receives {number(values.low)} as an expected count",
            (loss_form("F.poisson_nll_loss(score, target, log_input=True)", reason,
                       LossOption(loss.location, "log_input", "True", reason)),), 0.95,
            by_value=True)
    return None


def _twice(view: View, loss: Loss) -> _Fault | None:
    """Two activations in direct succession; a log_softmax of a log_softmax changes nothing."""
    stems = [operation.split("Backward")[0] for operation in loss.input_operations]
    for outer, inner in pairwise(stems):
        if outer in ("LogSoftmax", "Softmax", "Sigmoid", "LogSigmoid") and inner in (
            "Softmax", "Sigmoid"
        ):
            return _Fault(
                f"a {_plain(outer)} of a {_plain(inner)}", "only one of the two",
                f"applies {_plain(outer)} to the output of a {_plain(inner)}",
                (_without(view, inner),), 0.85)
    return None


def _plain(stem: str) -> str:
    return {"LogSoftmax": "log_softmax", "LogSigmoid": "logsigmoid"}.get(stem, stem.lower())


def _detect(view: View) -> Verdict:
    if not view.record.facts(Loss):
        return Unknown("no loss of the program was recognised", ("a loss of torch.nn",))
    for loss in view.record.facts(Loss):
        points = _points(view, loss)
        fault = _judge(view, loss, _values(points))
        if fault is not None:
            return _present(view.record, loss, fault, points)
    return Absent("every loss receives what it expects")


def _range(points: dict[str, Series]) -> str:
    values = _values(points)
    if math.isnan(values.low) or math.isnan(values.high):
        return ""
    return f" ({number(values.low)} to {number(values.high)})"


def _present(record: Record, loss: Loss, fault: _Fault, points: dict[str, Series]) -> Verdict:
    says = {
        LOSS_INPUT_MINIMUM.name: "the smallest value in a batch is typically",
        LOSS_INPUT_MAXIMUM.name: "the largest value in a batch is typically",
        CLASS_SUM_ERROR.name: "the sum over the classes typically differs from 1 by up to",
        BATCH_SUM_ERROR.name: "the sum over the batch typically differs from 1 by up to",
        LIKELIHOOD_SUM_ERROR.name: "the probabilities of all classes sum to 1 but for up to",
    }
    evidence = tuple(
        Evidence(name, loss.name, *thinned(series.steps, series.values), None,
                 f"{says[name]} {number(float(np.median(series.values)))}")
        for name, series in points.items())
    name = "the hand-written loss" if loss.hand_written else loss.function
    # An option of a loss module is set where that is constructed.
    ladder = fault.remedies[0].ladder if fault.remedies else ()
    set_at = any(isinstance(edit, LossOption) for edit in ladder)
    return Present(
        strength=fault.strength,
        title=f"{name} receives {fault.received}{_range(points)}, but it expects {fault.wants}",
        since_step=0,
        location=made_at(record, loss) if fault.made else (
            (set_at and loss.built) or loss.location),
        label=fault.label,
        evidence=evidence,
        remedies=fault.remedies,
    )


CAUSE = Cause(
    slug="output-does-not-fit-loss",
    code="M007",
    title="Output does not fit the loss",
    family="Model",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.PLATEAU, Symptom.CHANCE, Symptom.SLOW),
    often=Often.COMMON,
    words=Words(
        symptom="The loss falls slowly and stops at a floor (near 1.46 with ten classes), or it "
        "falls below zero. Sometimes the program ends with an error about the range of values.",
        consequence="Training is slow and weak at best. The printed loss is not the negative "
        "log-likelihood that it seems to be.",
        why="In the literature, cross-entropy takes probabilities. In PyTorch, cross_entropy "
        "applies log_softmax itself and expects raw scores (logits). nll_loss expects "
        "log-probabilities. binary_cross_entropy expects probabilities, and its with_logits form "
        "expects raw scores. With C classes, a softmax of a softmax only takes values between "
        "1/(C-1+e) and e/(C-1+e). So the loss cannot fall below ln(1 + (C-1)/e), and its gradient "
        "is small.",
        detection="The autograd graph shows which operation made the input of the loss, and along "
        "which axis. If it does not, the values of several batches decide. Rows that are not "
        "negative and sum to 1 are probabilities. Log-probabilities are never above 0, and "
        "probabilities never lie outside 0..1. poisson_nll_loss takes the logarithm of the "
        "expected count by default; neither an exponential nor a softplus makes "
        "one. A log_softmax before cross_entropy changes nothing and is not reported.",
        limitations="Hand-written losses are checked only if one activation directly follows "
        "another. A hand-written sigmoid before binary_cross_entropy_with_logits is not detected.",
        references=(
            "PyTorch: torch.nn.CrossEntropyLoss, NLLLoss, BCELoss, BCEWithLogitsLoss",
            "Karpathy 2018: the most common neural net mistakes",
        ),
    ),
    needs=(),
    uses=MEASURED,
    thresholds=(SUM, NO_SUM, RANGE, SAMPLES),
    effects=(Effect.GRADIENTS_TOO_LARGE, Effect.UPDATES_TOO_SMALL, Effect.CANNOT_FIT),
    detect=_detect,
)
