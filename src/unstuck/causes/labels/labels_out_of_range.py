"""Labels out of range: labels that do not fit the loss or the number of outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unstuck.measures.basics import thinned, unread_loss
from unstuck.measures.labels import several_each
from unstuck.measures.origins import nearest, target_steps
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Floats
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import LossArgument, LossOption, Remedy, Safety, literal, loss_form
from unstuck.schema.facts.calls import StepKind
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.run import EndKind
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.targets import DISTINCT_TARGETS, TARGET_MAXIMUM, TARGET_MINIMUM
from unstuck.torch_api import BINARY, CLASSES, WHOLE_NUMBERS
from unstuck.words import count, number

SLACK = Threshold(
    "label-slack", 0.25,
    "Labels for generative networks are sometimes softened slightly beyond 0 and 1 on purpose. "
    "The next wrong encoding is a whole 1 away.",
    "Salimans et al. 2016, Improved techniques for training GANs: labels of 0.7 to 1.2",
)
CODES = Threshold(
    "most-label-codes", 3.0,
    "Two different labels, or three if one of them means neither, stand for yes and no. More "
    "different whole numbers from 0 up are classes, which need another encoding.",
    "definition",
)
SIGNED = ("soft_margin_loss", "hinge_embedding_loss", "cosine_embedding_loss")
# The same by formulas of the program's own.
MARGINS = {"hinge_loss": "the hinge loss", "soft_margin_loss": "the logistic loss",
           "exponential_loss": "the exponential loss"}


@dataclass(frozen=True, slots=True)
class _Labels:
    """Range and number of the labels of one loss over all sampled steps."""

    low: float
    high: float
    distinct: int  # 0 if they are not whole numbers
    steps: tuple[int, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    first_bad: int = 0


@dataclass(frozen=True, slots=True)
class _Fault:
    title: str
    label: str
    bound: float
    strength: float
    remedies: tuple[Remedy, ...]


def _labels(view: View, loss: Loss, bounds: tuple[float, float]) -> _Labels | None:
    if loss.name not in view[TARGET_MINIMUM] or loss.name not in view[TARGET_MAXIMUM]:
        return None
    low, high = view[TARGET_MINIMUM][loss.name].finite, view[TARGET_MAXIMUM][loss.name].finite
    if not len(low) or not len(high):
        return None
    kinds: Floats = np.zeros(0)
    if view.has(DISTINCT_TARGETS) and loss.name in view[DISTINCT_TARGETS]:
        kinds = view[DISTINCT_TARGETS][loss.name].finite.values
    outside = [int(s) for s in low.steps[low.values < bounds[0]]]
    outside += [int(s) for s in high.steps[high.values > bounds[1]]]
    steps, lows = thinned(low.steps, low.values)
    _, highs = thinned(high.steps, high.values)
    return _Labels(
        float(low.values.min()), float(high.values.max()),
        int(kinds[-1]) if len(kinds) else 0, steps, lows, highs, min(outside, default=0))


def _span(labels: _Labels) -> str:
    return f"{number(labels.low)} to {number(labels.high)}"


def _typed(value: float) -> str:
    """A label as one would type it in code."""
    return str(int(value)) if value.is_integer() else literal(value)


def _of_classes(loss: Loss, labels: _Labels) -> _Fault | None:
    classes = loss.input_shape[1] if len(loss.input_shape) > 1 else loss.input_shape[-1]
    if labels.low >= 0 and labels.high < classes:
        return None
    shift = labels.low >= 1 and labels.high == classes
    remedies = []
    if shift:
        remedies.append(_mapped(loss, "{} - 1", "count the labels from 0"))
    if labels.low == -1 and labels.high == classes - 2:
        remedies.append(_mapped(loss, "{} + 1", "count the labels from 0"))
    if labels.low == -1:
        ignore = "ignore labels of -1, if they mark samples without a label"
        remedies.append(loss_form(
            f"F.{loss.function}(logits, labels, ignore_index=-1)", ignore,
            LossOption(loss.location, "ignore_index", "-1", ignore)))
    valid = f"0 to {number(classes - 1)}" if classes > 1 else "0"
    remedies.append(Remedy(
        "match the outputs and the labels", Safety.ADVICE,
        advice="Give the last layer as many outputs as there are classes, or renumber the labels "
        f"to {valid}."))
    return _Fault(
        f"the labels range from {_span(labels)}, but with {count(classes, 'output')} only {valid} "
        "is valid",
        f"labels from {_span(labels)}; with {count(classes, 'output')} only {valid} is "
        "valid",
        0.0 if labels.low < 0 else float(classes - 1), 0.97, tuple(remedies))


def _of_two(view: View, loss: Loss, labels: _Labels) -> _Fault | None:
    slack = view.limit(SLACK)
    codes = view.limit(CODES)
    if labels.low >= -1e-3 and labels.high <= 1 + 1e-3:
        return None
    if labels.low >= 0 and labels.distinct > codes and not several_each(loss):
        return None  # classes: another encoding is needed
    strength = 0.95
    if labels.low >= -slack and labels.high <= 1 + slack:
        strength = 0.4
    elif loss.reduction == "none" and labels.distinct != 2:
        strength = 0.4  # a label of its own for what the program leaves out afterwards
    by, reason = "{}.clamp(0, 1)", "clamp the labels to the range 0 to 1"
    if labels.distinct == 2 and labels.low == 1 and labels.high == 2:
        by, reason = "{} - 1", "count the labels from 0"
    elif labels.distinct == 2 and labels.low:
        low, apart = _typed(labels.low), _typed(labels.high - labels.low)
        by = f"({{}} - {low}) / {apart}" if labels.low > 0 else (
            f"({{}} + {_typed(-labels.low)}) / {apart}")
        reason = f"map the labels from {low} and {_typed(labels.high)} to 0 and 1"
    elif labels.low >= 0:
        by, reason = f"{{}} / {_typed(labels.high)}", "scale the labels to the range 0 to 1"
    wants = "the binary cross entropy" if loss.hand_written else loss.function
    return _Fault(
        f"the labels range from {_span(labels)}, but {wants} expects labels between 0 and 1",
        f"labels from {_span(labels)}, but the loss expects 0 to 1",
        0.0 if labels.low < 0 else 1.0, strength,
        (_mapped(loss, by, reason),))


def _mapped(loss: Loss, by: str, reason: str) -> Remedy:
    """The same loss of other labels."""
    return loss_form(f"F.{loss.function}(outputs, {by.format('labels')})", reason,
                     LossArgument(loss.location, "target", by, reason))


def _of_signs(loss: Loss, labels: _Labels) -> _Fault | None:
    if labels.distinct != 2 or labels.low != 0 or labels.high != 1:
        return None
    wants = MARGINS[loss.function] if loss.hand_written else loss.function
    return _Fault(
        f"the labels are 0 and 1, but {wants} expects -1 and 1",
        "receives labels of 0 and 1, but expects -1 and 1", -1.0, 0.9,
        (_mapped(loss, "2 * {} - 1", "map the labels to -1 and 1"),))


def _judge(view: View, loss: Loss) -> tuple[_Fault, _Labels] | None:
    if not loss.input_shape:
        return None
    by_index = loss.function in CLASSES and loss.target_dtype in WHOLE_NUMBERS
    classes = float(loss.input_shape[1] if len(loss.input_shape) > 1 else loss.input_shape[-1])
    labels = _labels(view, loss, (0.0, classes - 1 if by_index else 1.0))
    if labels is None:
        return None
    fault = None
    if by_index and loss.target_shape != loss.input_shape:
        # PyTorch refuses such a label: if training goes on, the outputs have become more.
        went_on = view.record.steps > labels.first_bad + 1
        fault = None if went_on else _of_classes(loss, labels)
    elif loss.function in BINARY:
        fault = _of_two(view, loss, labels)
    elif loss.function in (MARGINS if loss.hand_written else SIGNED):
        fault = _of_signs(loss, labels)
    return (fault, labels) if fault is not None else None


def _detect(view: View) -> Verdict:
    refused = _one_hot(view)
    if refused is not None:
        return refused
    if not (view.has(TARGET_MINIMUM) and view.has(TARGET_MAXIMUM)):
        return Unknown(unread_loss(view.record) or "no loss with targets was seen",
                       ("a loss from torch.nn or torch.nn.functional that takes labels",))
    for loss in view.record.facts(Loss):
        judged = None if loss.reversed else _judge(view, loss)  # its target is no label
        if judged is not None:
            return _present(view, loss, *judged)
    return Absent("all labels are in the range that their loss expects")


def _one_hot(view: View) -> Present | None:
    """The program ended because one_hot received a label that does not fit its columns."""
    end = view.record.end
    if end.kind is not EndKind.EXCEPTION or "Class values must be" not in (
        end.message or ""
    ):
        return None
    return Present(
        0.9, "one_hot received a label that is negative or too large for its number of classes at "
        f"step {number(view.record.steps)}", view.record.steps, end.location,
        "receives a label outside the range 0 to num_classes - 1",
        (Evidence(TARGET_MAXIMUM.name, "", (view.record.steps,), (float("nan"),), None,
                  f"the program ended with the error: {end.message}"),),
        (Remedy("count the labels from 0", Safety.ADVICE,
                advice="Renumber the labels to 0 to num_classes - 1."),))


def _present(view: View, loss: Loss, fault: _Fault, labels: _Labels) -> Present:
    evidence = (
        Evidence(TARGET_MINIMUM.name, loss.name, labels.steps, labels.lows, None,
                 f"the smallest label is {number(labels.low)}"),
        Evidence(TARGET_MAXIMUM.name, loss.name, labels.steps, labels.highs, fault.bound,
                 f"the largest label is {number(labels.high)}"),
    )
    place = nearest(target_steps(view, loss.name), StepKind.CONVERTED) or loss.location
    return Present(fault.strength, fault.title, labels.first_bad, place, fault.label, evidence,
                   fault.remedies)


CAUSE = Cause(
    slug="labels-out-of-range",
    code="L003",
    title="Labels out of range",
    family="Labels and targets",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.NAN, Symptom.FLAT, Symptom.RISES, Symptom.PLATEAU),
    words=Words(
        symptom="The program stops with an error about a target that is out of bounds. Or the loss "
        "falls below zero and keeps falling, while the accuracy does not change.",
        consequence="A loss that was made for other labels rewards something other than the right "
        "answer, usually ever larger outputs.",
        why="A class index selects one of C outputs, counted from 0. Binary cross entropy is a "
        "likelihood only for labels between 0 and 1: for a label of -1 it has no lower bound, and "
        "its gradient never vanishes. Margin losses multiply by the sign of the label, so a label "
        "of 0 erases the sample.",
        detection="The detector compares the smallest label, the largest label and the number of "
        "different labels with the number of outputs and with what the loss expects. Labels that "
        "the loss ignores or weights with 0 do not count.",
        limitations="Of hand-written losses, only the binary cross entropy and those of a label "
        "times a score are judged. Labels that stay within the range but are shifted by one are "
        "not found. A program that computes its losses without reduction may "
        "drop odd labels later, so the finding is only a note then.",
        references=(
            "PyTorch: torch.nn.CrossEntropyLoss, BCEWithLogitsLoss, SoftMarginLoss",
            "Salimans et al. 2016: Improved techniques for training GANs (soft labels)",
        ),
    ),
    needs=(),
    uses=(TARGET_MINIMUM, TARGET_MAXIMUM, DISTINCT_TARGETS),
    thresholds=(SLACK, CODES),
    effects=(
        Effect.GRADIENTS_TOO_LARGE, Effect.GRADIENTS_VANISH,
        Effect.UPDATES_TOO_SMALL, Effect.PLATEAU,
    ),
    detect=_detect,
)
