"""Wrong target encoding: classes as numbers to regress on, or targets of another form or type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import thinned
from unstuck.edits import LossForm, Remedy, Safety
from unstuck.facts import EndKind, Loss
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.series import Series
from unstuck.signals import (
    DISTINCT_TARGETS,
    LABEL_ORDER,
    LABEL_SEPARATION,
    MULTIPLE_LABELS,
    ONE_LABEL,
    REPEATED_TARGETS,
    TARGET_MAXIMUM,
    TARGET_MINIMUM,
    PlaceSignal,
)
from unstuck.words import number, percent

ORDER = Threshold(
    "label-order", 0.3,
    "Where a number is a size, inputs of neighbouring numbers are alike: a correlation of 0.6 to "
    "1 was measured for counts and graded values. Names in disguise have none.",
    "measured on digits (-0.3), counting tasks (0.6 to 1) and binned regressions (0.9)",
)
SEPARATION = Threshold(
    "label-separation", 3.0,
    "Only where the mean inputs of the numbers differ by more than chance puts between them can "
    "their order be judged.",
    "an F ratio; below it a size that no mean shows would pass for a name",
)
FEWEST = Threshold(
    "fewest-classes", 4.0,
    "Two classes as 0 and 1 are a fair regression (least squares networks, Brier score), and "
    "three have an order by chance.",
    "with four classes there are six distances",
)
SEVERAL = Threshold(
    "several-labels", 0.05,
    "A row of zeros and several ones is no distribution. A stray one may be a double entry.",
    "definition of the softmax",
)
VALUES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
BINARY = ("binary_cross_entropy", "binary_cross_entropy_with_logits")
INDEX = ("cross_entropy", "nll_loss")
WHOLE = ("int64", "int32", "int16", "int8", "uint8", "bool")


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


def _form(code: str, reason: str) -> Remedy:
    return Remedy(reason, Safety.SAFE, (LossForm(code, reason),))


_CROSS_ENTROPY = "give the network an output for each class and use the cross entropy"


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
            f"the targets of {loss.name} are the whole numbers {number(low)} to {number(high)}; "
            "whether they are classes or sizes the inputs seen do not show",
            (LABEL_ORDER.name, "a run of more steps"))
    correlation = float(order.values[-1])
    if not correlation <= bar:
        return None
    classes = count if low == 0 else int(high) + 1
    return _Fault(
        f"the {count} whole numbers {number(low)} to {number(high)} are regressed on by "
        f"{_named(loss)}, but neighbouring numbers have inputs no more alike than distant ones "
        f"(correlation {correlation:.2f}): they are classes",
        f"treats {count} classes as sizes: class {number(low)} is near {number(low + 1)}, far from "
        f"{number(high)}",
        LABEL_ORDER,
        f"distance of two numbers and distance of their mean inputs correlate by {correlation:.2f}",
        bar, 0.9 if correlation <= 0 else 0.75,
        (_form(f"F.cross_entropy(logits, labels.long())  # {classes} outputs", _CROSS_ENTROPY),))


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
        f"each of the {outputs} outputs is compared with the same class index (0 to "
        f"{number(high)}) by {_named(loss)}: all of them learn the same",
        f"stretches one class index over {outputs} outputs",
        REPEATED_TARGETS, f"all {outputs} targets of a sample are the same number", 1.0, 0.93,
        (_form("F.cross_entropy(logits, labels.long())",
               "use the loss that takes class indices"),))


def _several(view: View, loss: Loss) -> _Fault | None:
    """Several labels at once, given to a softmax that shares out one."""
    rows, ones = _series(view, MULTIPLE_LABELS, loss), _series(view, ONE_LABEL, loss)
    share = float(np.mean(rows.values)) if rows is not None else 0.0
    if not share >= view.limit(SEVERAL) or ones is None:
        return None
    return _Fault(
        f"{percent(share)} of the samples have several labels at once "
        f"({percent(float(np.mean(ones.values)))} have one), but {_named(loss)} shares out one "
        "probability among the classes",
        f"{percent(share)} of the targets have more than one 1",
        MULTIPLE_LABELS, f"{percent(share)} of the targets are zeros and several ones",
        view.limit(SEVERAL), 0.85,
        (_form("F.binary_cross_entropy_with_logits(logits, labels)",
               "ask a yes or no of each label"),))


def _binary(view: View, loss: Loss) -> _Fault | None:
    """Class indices where a yes or no belongs."""
    found = _range(view, loss)
    if found is None:
        return None
    count, low, high = found
    if count < view.limit(FEWEST) or low != 0 or high - low + 1 != count:
        return None
    return _Fault(
        f"{_named(loss)} receives {count} class indices (0 to {number(high)}); it wants a 0 or 1 "
        "for each output",
        f"receives the class indices 0 to {number(high)}, not a 0 or 1",
        TARGET_MAXIMUM, f"the largest target is {number(high)}", 1.0, 0.93,
        (_form(f"F.cross_entropy(logits, labels.long())  # {count} outputs", _CROSS_ENTROPY),))


def _refused(view: View, loss: Loss) -> _Fault | None:
    """The loss, or its backward, ended the program: the targets' type or shape does not fit it."""
    end = view.facts.end
    if end.kind is not EndKind.EXCEPTION or end.exception not in ("RuntimeError", "ValueError") or (
        view.facts.steps > 1 or not loss.input_shape
    ):
        return None
    shape, kind = tuple(loss.target_shape), loss.target_dtype
    same = shape == tuple(loss.input_shape)
    at = f"of type {kind} and shape {shape}"
    wants, remedy = "", None
    if loss.function in INDEX and len(loss.input_shape) > 1:
        expected = (loss.input_shape[0], *loss.input_shape[2:])
        if kind not in ("int64", "uint8") and shape == expected:
            wants = "class indices of type int64"
            remedy = _form(f"F.{loss.function}(outputs, labels.long())", "make indices of them")
        elif same and (kind in WHOLE or loss.function == "nll_loss"):
            wants = f"one class index for each sample, shape {expected}"
            remedy = _form(f"F.{loss.function}(outputs, labels.argmax(1))",
                           "give the index in place of the row")
        elif len(shape) == len(expected) + 1 and shape[1] == 1 and not same:
            wants = f"one class index for each sample, shape {expected}"
            remedy = _form(f"F.{loss.function}(outputs, labels.squeeze(1))", "drop the axis")
    elif loss.function in BINARY and kind in WHOLE and (
        same or len(shape) < len(loss.input_shape)
    ):
        wants = f"floating-point targets of shape {tuple(loss.input_shape)}"
        remedy = _form(f"F.{loss.function}(outputs, labels.float())",
                       "make floating-point numbers of them")
        if not same and loss.input_shape[-1] > 1:
            remedy = _form("F.cross_entropy(logits, labels)",
                           "use the loss that takes class indices")
    if remedy is None:
        return None
    step = max(0, view.facts.steps - 1)
    return _Fault(
        f"{loss.function} was given targets {at} and ended the program at step {step}; it wants "
        f"{wants}",
        f"targets {at}", TARGET_MAXIMUM, f"the targets are {at}", None, 0.9, (remedy,))


def _named(loss: Loss) -> str:
    names = {"mse_loss": "the squared error", "l1_loss": "the absolute error"}
    return names.get(loss.function, loss.function)


def _detect(view: View) -> Verdict:
    if not view.facts.losses:
        return Unknown("no loss of the program was recognised", ("a recognised loss",))
    unsure = None
    for loss in view.facts.losses:
        fault: _Fault | Unknown | None = _refused(view, loss)
        if fault is None:
            if loss.function in VALUES:
                fault = _repeated(view, loss) or _regressed(view, loss)
            elif loss.function == "cross_entropy":
                fault = _several(view, loss)
            elif loss.function in BINARY:
                fault = _binary(view, loss)
        if isinstance(fault, Unknown):
            unsure = unsure or fault
        elif fault is not None:
            return _present(view, loss, fault)
    return unsure or Absent("the targets have the form that their loss wants")


def _present(view: View, loss: Loss, fault: _Fault) -> Present:
    points = _series(view, fault.signal, loss)
    steps, values = thinned(points.steps, points.values) if points is not None else (
        (0,), (float("nan"),))
    return Present(
        strength=fault.strength,
        title=fault.title,
        since_step=0,
        location=loss.location,
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
    words=Words(
        symptom="The loss falls, yet the accuracy stays poor and wrong answers lie between the "
        "right ones; or the loss refuses the targets with an error about their type or shape.",
        consequence="The network is taught relations that do not exist: that a 3 is half-way "
        "between a 2 and a 4, or that of two right labels each excludes the other.",
        why="A squared error compares sizes, a softmax shares out one probability, a sigmoid "
        "answers one question. Which of them fits depends on what the targets mean, and the "
        "targets must be encoded for it: an index, a row of probabilities, or a 0 or 1 for each "
        "label.",
        detection="Whole numbers without a gap may be classes or sizes. If they are sizes, the "
        "mean inputs of neighbouring numbers lie nearer to each other than those of distant ones; "
        "names show no such order. Rows of zeros and several ones give away multiple labels; "
        "rows that repeat the class index for each of as many outputs as there are classes, an "
        "index that was stretched. Where the loss ended the program, type and shape of the targets "
        "are compared with what it takes.",
        limitations="The order is seen only where the mean inputs differ and the loss meets "
        "one number for each sample; of token sequences and dictionaries it is not known. "
        "Probabilities as targets, label smoothing, mixtures and two classes as 0 and 1 are "
        "right and left alone.",
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
    thresholds=(ORDER, SEPARATION, FEWEST, SEVERAL),
    explains=(
        "targets-not-normalised", "labels-out-of-range", "learning-rate-too-low",
        "learning-rate-too-high", "noise-floor", "too-shallow", "too-narrow", "non-finite-loss",
        "exploding-gradients", "dead-relu", "saturated-activations",
    ),
    detect=_detect,
)
