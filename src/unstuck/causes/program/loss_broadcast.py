"""Loss broadcast: predictions (N, 1) against targets (N,) make a loss over N × N pairs."""

from __future__ import annotations

from unstuck.measures.basics import (
    backward_location,
    constant_loss,
    loss_ends_at,
    loss_points,
)
from unstuck.measures.view import View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import LossArgument, Remedy, loss_form
from unstuck.schema.facts.losses import Loss
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.losses import CONSTANT_LOSS, TRAIN_LOSS
from unstuck.words import number


def _detect(view: View) -> Verdict:
    if not view.record.facts(Loss):
        return Unknown("no loss of the program was recognised",
                       ("a loss from torch.nn or torch.nn.functional",))
    stretched = [loss for loss in view.record.facts(Loss) if loss.broadcast_shape is not None]
    if not stretched:
        return Absent("predictions and targets have matching shapes in every loss")
    return _present(view, stretched[0])


def _shape(shape: tuple[int, ...]) -> str:
    inner = ", ".join(map(str, shape))
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def _present(view: View, loss: Loss) -> Verdict:
    given, target = _shape(loss.input_shape), _shape(loss.target_shape)
    both = _shape(loss.broadcast_shape or ())
    shapes = f"predictions {given} and targets {target}" if loss.target_shape else (
        f"predictions {given} and targets of another shape")
    steps, values = loss_points(view)
    constant = constant_loss(view)
    than = "" if constant is None else f" (best constant prediction: {number(constant)})"
    return Present(
        strength=0.98, certain=True,
        title=f"{_called(loss)} compares every prediction with every target: {shapes} broadcast "
        f"to {both}",
        since_step=0,
        location=loss.location or loss.call_location or backward_location(view),
        label=f"{given} and {target} broadcast to {both}" if loss.target_shape
        else f"broadcasts {given} to {both}",
        evidence=(
            Evidence(TRAIN_LOSS.name, loss.name, steps, values, constant,
                     f"the loss went from {number(values[0])} to "
                     f"{number(loss_ends_at(view))}{than}"),
        ),
        remedies=_remedies(loss),
    )


def _called(loss: Loss) -> str:
    return "the hand-written loss" if loss.function == "hand-written" else loss.function


def _remedies(loss: Loss) -> tuple[Remedy, ...]:
    given, target = loss.input_shape, loss.target_shape
    if not target and len(given) == 1:
        target = (*given, 1)  # nothing else makes N numbers N × N
    if len(target) == len(given) + 1 and target[-1] == 1:
        words, argument = "drop the last dimension of the target", "target"
    elif given and given[-1] == 1 and (not target or len(given) == len(target) + 1):
        words, argument = "drop the last dimension of the prediction", "input"
    else:
        words = "reshape the target like the prediction"
        return (loss_form("target.view_as(prediction)", words),)
    code = "prediction" if argument == "input" else "target"
    return (loss_form(f"{code}.squeeze(-1)", words,
                      LossArgument(loss.location, argument, "{}.squeeze(-1)", words)),)


CAUSE = Cause(
    slug="loss-broadcast",
    code="P007",
    title="Loss broadcast",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.PLATEAU, Symptom.SAME, Symptom.FLAT),
    often=Often.COMMON,
    words=Words(
        symptom="The loss of a regression settles at the variance of the targets, and the network "
        "predicts about the same number for every sample. PyTorch prints a warning, or nothing.",
        consequence="The network learns the mean of the targets and nothing else, whatever its "
        "size, its learning rate or its data.",
        why="Shapes (N, 1) and (N,) broadcast to (N, N), so each prediction is compared with the "
        "target of every sample. The best single answer to all targets at once is their mean.",
        detection="The shapes of both sides are read where the loss is computed, in library losses "
        "and in hand-written differences. Only results that are larger than both sides are "
        "reported. Broadcasting one target over many predictions makes no such result.",
        limitations="Pairwise losses that broadcast on purpose, with an explicit unsqueeze or "
        "between outputs of the network, are not reported. Hand-written losses other than a "
        "difference are not checked.",
        references=(
            "Tobin: Troubleshooting deep neural networks (FSDL), the most common bugs",
            "PyTorch: broadcasting semantics",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(CONSTANT_LOSS,),
    effects=(Effect.LABELS_UNPREDICTABLE, Effect.CANNOT_FIT),
    detect=_detect,
)
