"""Wrong target encoding: class labels used as quantities, or targets of a wrong form or type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unstuck.measures.basics import thinned
from unstuck.measures.labels import several_each
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import LossArgument, Remedy, SwapLoss, loss_form
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.run import EndKind
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.quantities import PlaceSignal
from unstuck.schema.signals.targets import (
    DISTINCT_TARGETS,
    LABEL_ORDER,
    LABEL_SEPARATION,
    MULTIPLE_LABELS,
    ONE_LABEL,
    REPEATED_TARGETS,
    TARGET_MAXIMUM,
    TARGET_MINIMUM,
)
from unstuck.torch_api import BINARY, CLASS_LIKELIHOODS, DIFFERENCES, WHOLE_NUMBERS
from unstuck.words import count as counted
from unstuck.words import number, percent

ORDER = Threshold(
    "label-order", 0.3,
    "If the numbers are quantities, neighbouring numbers have similar inputs: counts and graded "
    "values have a correlation of 0.6 to 1. Class labels have none.",
    "measured on digits (-0.3), counting tasks (0.6 to 1) and binned regressions (0.9)",
)
SEPARATION = Threshold(
    "label-separation", 3.0,
    "The order of the numbers can be judged only if their mean inputs differ by more than chance "
    "makes them.",
    "an F ratio; below it, a quantity that the means do not show would pass for a class label",
)
FEWEST = Threshold(
    "fewest-classes", 4.0,
    "Regression on two classes, 0 and 1, is legitimate (least squares, Brier score), and three "
    "classes may have an order by chance.",
    "with four classes there are six distances",
)
SEVERAL = Threshold(
    "several-labels", 0.05,
    "A row of zeros and several ones is not a probability distribution. A rare one may be a double "
    "entry.",
    "definition of the softmax",
)
LOOKS = Threshold(
    "looks-at-targets", 10.0,
    "Ten batches may all hold samples of one kind by chance if an answer is rare.",
    "of 640 answers of which a hundredth is yes, none is yes once in 600 times",
)
WHOLE = (*WHOLE_NUMBERS, "bool")


@dataclass(frozen=True, slots=True)
class _Fault:
    title: str
    label: str
    signal: PlaceSignal
    says: str
    bound: float | None
    strength: float
    remedies: tuple[Remedy, ...]


def _series(view: View, signal: PlaceSignal, loss: Loss) -> Series | None:
    if not view.has(signal) or loss.name not in view[signal]:
        return None
    points = view[signal][loss.name].finite
    return points if len(points) else None


_CROSS_ENTROPY = "give the network one output per class and use cross-entropy"


def _range(view: View, loss: Loss) -> tuple[int, float, float] | None:
    """Number of different whole-number targets, their smallest and largest."""
    kinds = _series(view, DISTINCT_TARGETS, loss)
    low, high = _series(view, TARGET_MINIMUM, loss), _series(view, TARGET_MAXIMUM, loss)
    if kinds is None or low is None or high is None or not kinds.values[-1] > 0:
        return None
    return int(kinds.values[-1]), float(np.min(low.values)), float(np.max(high.values))


def _regressed(view: View, loss: Loss) -> _Fault | Unknown | None:
    """Classes without an order, predicted as one number."""
    found = _range(view, loss)
    if found is None:
        return None
    count, low, high = found
    if count < view.limit(FEWEST) or high - low + 1 != count:
        return None
    order, apart = _series(view, LABEL_ORDER, loss), _series(view, LABEL_SEPARATION, loss)
    if order is None or apart is None:
        return None
    bar = view.limit(ORDER)
    if not float(apart.values[-1]) >= view.limit(SEPARATION):
        return Unknown(
            f"the inputs seen so far do not show whether the targets of {loss.name}, the whole "
            f"numbers {number(low)} to {number(high)}, are classes or quantities",
            (LABEL_ORDER.name, "a longer run"))
    correlation = float(order.values[-1])
    if not correlation <= bar:
        return None
    classes = count if low == 0 else int(high) + 1
    return _Fault(
        f"{_named(loss)} treats the class labels {number(low)} to {number(high)} as quantities, "
        f"but neighbouring labels do not have similar inputs (correlation: {number(correlation)})",
        f"treats {count} classes as quantities: class {number(low)} is close to {number(low + 1)} "
        f"and far from {number(high)}",
        LABEL_ORDER,
        "numbers that are close to each other do not have similar inputs (correlation of the "
        f"distances: {number(correlation)}; for quantities: above {number(bar)})",
        bar, 0.9 if correlation <= 0 else 0.75,
        (loss_form(
            f"F.cross_entropy(logits, labels.long())  # {classes} outputs", _CROSS_ENTROPY),))


def _repeated(view: View, loss: Loss) -> _Fault | None:
    """An output for each class, and all of them compared with the number of the class."""
    found, same = _range(view, loss), _series(view, REPEATED_TARGETS, loss)
    if found is None or same is None or not np.all(same.values == 1):
        return None
    count, low, high = found
    outputs = loss.input_shape[-1]
    if low != 0 or not count == high + 1 == outputs:
        return None
    return _Fault(
        f"{_named(loss)} compares all {outputs} outputs with the same class index (0 to "
        f"{number(high)}), so all outputs learn the same number",
        f"compares one class index with all {outputs} outputs",
        REPEATED_TARGETS, f"all {outputs} targets of a sample are the same number", 1.0, 0.93,
        (_converted(loss, f"F.one_hot({{}}[:, 0].long(), {outputs}).float()",
                    "compare each output with 1 for its own class and with 0 otherwise"),
         loss_form("F.cross_entropy(logits, labels.long())",
                   "use cross-entropy, which takes class indices")))


def _several(view: View, loss: Loss) -> _Fault | None:
    """Several labels per sample, given to a softmax that expects one."""
    rows, ones = _series(view, MULTIPLE_LABELS, loss), _series(view, ONE_LABEL, loss)
    share = float(np.mean(rows.values)) if rows is not None else 0.0
    if not share >= view.limit(SEVERAL) or ones is None:
        return None
    return _Fault(
        f"{percent(share)} of the samples have several labels, but {_named(loss)} expects exactly "
        f"one label per sample ({percent(float(np.mean(ones.values)))} have one)",
        f"{percent(share)} of the targets have more than one 1",
        MULTIPLE_LABELS,
        f"{percent(share)} of the targets are rows of zeros and several ones (expected: one 1)",
        view.limit(SEVERAL), 0.85,
        (loss_form("F.binary_cross_entropy_with_logits(logits, labels)", _SEPARATELY,
                   SwapLoss(loss.location, "binary_cross_entropy_with_logits", _SEPARATELY)),))


def _binary(view: View, loss: Loss) -> _Fault | None:
    """Class indices where the loss expects 0 or 1."""
    found = _range(view, loss)
    if found is None:
        return None
    count, low, high = found
    if count < view.limit(FEWEST) or low != 0 or high - low + 1 != count or several_each(loss):
        return None
    return _Fault(
        f"{_named(loss)} receives {count} class indices (0 to {number(high)}), but it expects a 0 "
        "or 1 for each output",
        f"receives the class indices 0 to {number(high)} instead of 0 or 1",
        TARGET_MAXIMUM, f"the largest target is {number(high)} (expected: 1)", 1.0, 0.93,
        (loss_form(f"F.cross_entropy(logits, labels.long())  # {count} outputs", _CROSS_ENTROPY),))


def _all_alike(view: View, loss: Loss) -> _Fault | Unknown | None:
    """Several questions for each sample, and the same answer to all of them.

    One question may have one answer: a discriminator is told "real" of one batch, "false" of the
    next. That is several losses, each with a target of its own.
    """
    low, high = _series(view, TARGET_MINIMUM, loss), _series(view, TARGET_MAXIMUM, loss)
    alone = sum(each.function in BINARY for each in view.record.facts(Loss)) == 1
    if low is None or high is None or not alone or len(loss.input_shape) != 2 or (
        loss.input_shape[1] < view.limit(FEWEST) or loss.input_shape[0] < 2
    ):
        return None
    value = float(low.values[0])
    if not (np.all(low.values == value) and np.all(high.values == value)):
        return None
    if len(low) < view.limit(LOOKS):
        return Unknown(f"all targets were {number(value)} in {counted(len(low), 'batch')}, too few "
                       "to tell whether others differ",
                       (f"a run with at least {counted(round(view.limit(LOOKS)), 'close look')}",))
    outputs = loss.input_shape[1]
    return _Fault(
        f"all {outputs} targets of every sample are {number(value)}, so nothing tells one sample "
        "from another",
        f"every target is {number(value)}",
        TARGET_MINIMUM, f"the smallest and the largest target are {number(value)}", None, 0.93,
        (loss_form(f"F.one_hot(labels, {outputs}).float()",
                   "set the target to 1 for each sample's own class only"),))


_SEPARATELY = "use binary cross-entropy, which judges each label separately"


def _converted(loss: Loss, by: str, reason: str) -> Remedy:
    """The same loss of targets in another form."""
    return loss_form(f"F.{loss.function}(outputs, {by.format('labels')})", reason,
                     LossArgument(loss.location, "target", by, reason))


def _refused(view: View, loss: Loss) -> _Fault | None:
    """The loss, or its backward, ended the program: the targets' type or shape does not fit it."""
    end = view.record.end
    if end.kind is not EndKind.EXCEPTION or end.exception not in ("RuntimeError", "ValueError") or (
        view.record.steps > 1 or not loss.input_shape
    ):
        return None
    shape, kind = tuple(loss.target_shape), loss.target_dtype
    same = shape == tuple(loss.input_shape)
    at = f"of type {kind} and shape {shape}"
    wants, remedy = "", None
    if loss.function in CLASS_LIKELIHOODS and len(loss.input_shape) > 1:
        expected = (loss.input_shape[0], *loss.input_shape[2:])
        if kind not in ("int64", "uint8") and shape == expected:
            wants = "class indices of type int64"
            remedy = _converted(loss, "{}.long()", "convert the targets to int64")
        elif same and (kind in WHOLE or loss.function == "nll_loss"):
            wants = f"one class index per sample, in shape {expected}"
            remedy = _converted(loss, "{}.argmax(1)", "pass class indices instead of rows")
        elif len(shape) == len(expected) + 1 and shape[1] == 1 and not same:
            wants = f"one class index per sample, in shape {expected}"
            remedy = _converted(loss, "{}.squeeze(1)", "remove the extra axis of the targets")
    elif loss.function in BINARY and kind in WHOLE and (
        same or len(shape) < len(loss.input_shape)
    ):
        wants = f"floating-point targets of shape {tuple(loss.input_shape)}"
        remedy = _converted(loss, "{}.float()", "convert the targets to floating point")
        if not same and loss.input_shape[-1] > 1:
            reason = "use cross-entropy, which takes class indices"
            remedy = loss_form("F.cross_entropy(logits, labels)", reason,
                               SwapLoss(loss.location, "cross_entropy", reason))
    if remedy is None:
        return None
    step = max(0, view.record.steps - 1)
    return _Fault(
        f"the program crashed at step {step} because {loss.function} received targets {at}, but "
        f"expects {wants}",
        f"receives targets {at}", TARGET_MAXIMUM, f"the targets are {at}", None, 0.9, (remedy,))


def _named(loss: Loss) -> str:
    names = {"mse_loss": "the squared error", "l1_loss": "the absolute error"}
    return names.get(loss.function, loss.function)


def _detect(view: View) -> Verdict:
    if not view.record.facts(Loss):
        return Unknown("no loss of the program was recognised", ("a loss from torch.nn",))
    unsure = None
    for loss in view.record.facts(Loss):
        fault: _Fault | Unknown | None = _refused(view, loss)
        if fault is None:
            if loss.function in DIFFERENCES:
                fault = _repeated(view, loss) or _regressed(view, loss)
            elif loss.function == "cross_entropy":
                fault = _several(view, loss)
            elif loss.function in BINARY:
                fault = _binary(view, loss) or _all_alike(view, loss)
        if isinstance(fault, Unknown):
            unsure = unsure or fault
        elif fault is not None:
            return _present(view, loss, fault)
    return unsure or Absent("the targets have the form that their loss expects")


def _present(view: View, loss: Loss, fault: _Fault) -> Present:
    points = _series(view, fault.signal, loss)
    steps, values = thinned(points.steps, points.values) if points is not None else (
        (0,), (float("nan"),))
    return Present(
        strength=fault.strength,
        title=fault.title,
        since_step=0,
        location=loss.location, of_value=True,
        label=fault.label,
        evidence=(Evidence(fault.signal.name, loss.name, steps, values, fault.bound, fault.says),),
        remedies=fault.remedies,
    )


CAUSE = Cause(
    slug="wrong-target-encoding",
    code="L004",
    title="Wrong target encoding",
    family="Labels and targets",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.PLATEAU, Symptom.FLAT),
    words=Words(
        symptom="The loss falls, yet the accuracy stays poor and wrong predictions land between "
        "the true classes. Or the loss rejects the targets with an error about their type or "
        "shape.",
        consequence="The network learns relations that do not exist. For example, it learns that a "
        "3 is half-way between a 2 and a 4, or that two correct labels exclude each other.",
        why="A squared error compares quantities. A softmax divides one probability among the "
        "classes. A sigmoid answers one yes-or-no question. Which of them fits depends on what the "
        "targets mean, and the targets must be encoded for it: as a class index, as a row of "
        "probabilities, or as a 0 or 1 for each label. Textbooks write cross-entropy with one-hot "
        "rows and probabilities; PyTorch's cross_entropy takes class indices and logits.",
        detection="Whole numbers without a gap may be classes or quantities. If they are "
        "quantities, neighbouring numbers have more similar mean inputs than distant ones; classes "
        "show no such order. Rows of zeros and several ones reveal multiple labels. Rows that "
        "repeat one class index for as many outputs as there are classes reveal an index that was "
        "expanded. Several targets that are the same number for every sample tell the network "
        "nothing. If the loss ended the program, unstuck compares the type and shape of the "
        "targets with what the loss accepts.",
        limitations="The order is visible only if the mean inputs differ and the loss receives one "
        "number per sample. It is unknown for token sequences and dictionaries. Probabilities as "
        "targets, label smoothing, mixup, and two classes as 0 and 1 are correct and not "
        "reported.",
        references=(
            "PyTorch: torch.nn.CrossEntropyLoss, BCEWithLogitsLoss, NLLLoss",
            "Bishop 2006: Pattern recognition and machine learning, ch. 4.1.3",
        ),
    ),
    needs=(),
    uses=(
        TARGET_MINIMUM, TARGET_MAXIMUM, DISTINCT_TARGETS, LABEL_ORDER, LABEL_SEPARATION,
        MULTIPLE_LABELS, ONE_LABEL, REPEATED_TARGETS,
    ),
    thresholds=(ORDER, SEPARATION, FEWEST, SEVERAL, LOOKS),
    effects=(
        Effect.TARGETS_OFF_SCALE, Effect.GRADIENTS_TOO_LARGE, Effect.UPDATES_TOO_SMALL,
        Effect.CANNOT_FIT,
    ),
    detect=_detect,
)
