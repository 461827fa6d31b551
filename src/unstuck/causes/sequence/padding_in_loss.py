"""Padding in the loss: padded time steps count as if they were real, or nothing counts at all."""

from __future__ import annotations

from unstuck.measures.basics import first_model, level, measured, unread_loss
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import (
    Edit,
    IgnorePaddedSteps,
    InvertLossMask,
    LeaveOutPadding,
    LossOption,
    Remedy,
    Safety,
    literal,
)
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.sequences import PaddedTargets, Padding
from unstuck.schema.findings import Absent, Present, Unknown, Verdict
from unstuck.schema.quantities import PlaceSignal
from unstuck.schema.signals.sequences import (
    IGNORED_TARGETS,
    PADDED_SHARE,
    PADDING_IN_LOSS,
    REAL_IN_LOSS,
    TAIL_IN_LOSS,
)
from unstuck.torch_api import CLASS_LIKELIHOODS, REGRESSION
from unstuck.words import number, percent

LEAST = Threshold(
    "padding-in-loss", 0.2,
    "A loss that leaves out the padding takes none of its gradient from there. With a fifth of it "
    "the real time steps still dominate.",
    "definition",
)
MOST = Threshold(
    "tail-in-loss", 0.5,
    "If only the targets look padded, or real steps have the same target, the padding may be a "
    "part of the answer. Where it outweighs all other targets, the loss is mostly about it in any "
    "case.",
    "definition of the greater part",
)
NEARLY_ALL = Threshold(
    "only-padding", 0.9,
    "A network that knows nothing but the padding gets nine tenths of such a loss right. So the "
    "loss does not show whether it learns anything else.",
    "definition of a loss that is nearly all about padding",
)
REAL = Threshold(
    "real-counted", 0.05,
    "A mask that is the right way round lets real time steps count. Where hardly any of them "
    "does, and padding does, it is the wrong way round. Targets may be a step or two longer than "
    "inputs.",
    "a choice: one step in twenty",
)
ALL = Threshold(
    "ignored-targets", 0.999,
    "The mean over no target at all is 0 divided by 0.",
    "definition",
)


def _detect(view: View) -> Verdict:
    losses = {loss.name: loss for loss in view.record.facts(Loss)}
    if view.has(IGNORED_TARGETS):
        for name, series in view[IGNORED_TARGETS].items():
            if name in losses and level(series) >= view.limit(ALL):
                return _nothing(view, losses[name])
    if view.has(PADDING_IN_LOSS):
        shares = {name: level(series) for name, series in view[PADDING_IN_LOSS].items()}
        for fact in view.record.facts(PaddedTargets):
            share = shares.get(fact.name, 0.0)
            if fact.name not in losses or share < view.limit(LEAST):
                continue
            if (turned := _turned(view, losses[fact.name], share)) is not None:
                return turned
            if not fact.own and share < view.limit(MOST):
                return Unknown(f"{percent(share)} of the targets that count in the loss are at "
                               f"padded steps: they are {number(fact.value)}, which real steps "
                               "have too", ("a mask in the loss, or ignore_index",))
            return _padded(view, losses[fact.name], fact, share)
        return Absent("the loss leaves out the padded time steps" if not max(shares.values()) else
                      f"only {percent(max(shares.values()))} of the targets that count are padding")
    if view.has(TAIL_IN_LOSS) and (found := _tail(view, losses)) is not None:
        return found
    if view.has(PADDED_SHARE) and view.record.fact(Padding) is not None:
        unread = unread_loss(view.record)
        if unread is not None:
            return Unknown(unread, ("a loss from torch.nn or torch.nn.functional",))
        return Absent("the targets have no value of their own at padded time steps")
    if losses or view.has(PADDED_SHARE) or view.has(TAIL_IN_LOSS):
        return Absent("no padding was found in the data")
    return Unknown("no loss was seen", ("a training step with a loss of PyTorch",))


def _tail(view: View, losses: dict[str, Loss]) -> Verdict | None:
    """What is said of targets that end in padding; None if there are none."""
    shares = {name: level(series) for name, series in view[TAIL_IN_LOSS].items()}
    for fact in view.record.facts(PaddedTargets):
        share = shares.get(fact.name, 0.0)
        if fact.name not in losses or share < view.limit(LEAST):
            continue
        numbers = losses[fact.name].function in REGRESSION  # a signal may really end in zeros
        if not fact.meant and (numbers or share < view.limit(MOST)):
            return Unknown(f"{percent(share)} of the targets that count in the loss are a tail of "
                           f"{number(fact.value)}, which may be padding or a part of the answer",
                           ("a mask in the loss, or ignore_index, if it is padding",))
        return _padded(view, losses[fact.name], fact, share, TAIL_IN_LOSS)
    return None


def _turned(view: View, loss: Loss, share: float) -> Present | None:
    """A mask that lets the padding count and nothing else."""
    counted = view[REAL_IN_LOSS].get(loss.name) if view.has(REAL_IN_LOSS) else None
    if counted is None or not len(counted.finite) or (
        counted.finite.values.max() > view.limit(REAL)
    ):
        return None
    return Present(
        strength=0.95, certain=True, hides_outcome=True,
        title="the mask of the loss is the wrong way round: real time steps hardly count in it, "
        f"and {percent(share)} of what counts is padding",
        since_step=0, location=loss.location, label="counts the padded time steps alone",
        evidence=(
            measured(view, REAL_IN_LOSS, loss.name, 1.0,
                     f"{percent(float(counted.finite.values.max()))} of the targets of real time "
                     "steps get a gradient (healthy: all)"),
            measured(view, PADDING_IN_LOSS, loss.name, view.limit(LEAST),
                     f"{percent(share)} of the targets whose outputs get a gradient are at padded "
                     "steps")),
        remedies=(Remedy("turn the mask round", Safety.SAFE, (InvertLossMask(loss.location),),
                         advice="Compare the number of each step with the lengths the other way "
                         "round: steps < lengths is true at real time steps, and so is "
                         "tokens != padding."),),
    )


def _nothing(view: View, loss: Loss) -> Present:
    reason = "count all classes again, with an ignore_index that never occurs"
    return Present(
        strength=0.97, certain=True,
        title=f"the loss ignores all of its targets: {percent(1.0)} of them equal its ignore_index",
        since_step=0, location=loss.location, label="ignores every target",
        evidence=(measured(view, IGNORED_TARGETS, loss.name, None,
                           "every target is the class that ignore_index leaves out"),),
        remedies=(
            Remedy(reason, Safety.SAFE, (LossOption(
                loss.location, "ignore_index", "-100", reason),)),
            Remedy("look at the targets", Safety.ADVICE, advice="If the targets should not all be "
                   "ignored, look at how they are made: are they masked the wrong way round?"),
        ))


def _padded(
    view: View, loss: Loss, fact: PaddedTargets, share: float,
    signal: PlaceSignal = PADDING_IN_LOSS,
) -> Present:
    value = number(fact.value)
    ignores = f", and ignore_index is {fact.ignored}" if fact.ignored not in (None, -100) else ""
    reason = f"leave out the padding, whose target is {value}"
    mask = Remedy("mask the loss", Safety.ADVICE, advice="Compute the loss without reduction, "
                  "multiply it by a mask of the real time steps, and divide the sum by their "
                  "number.")
    edit: Edit | None = None
    if not fact.own:
        edit = _real_steps(view, loss, fact)
        reason = edit.words() if edit is not None else ""
    elif loss.function in CLASS_LIKELIHOODS and not loss.hand_written:
        edit = LossOption(loss.location, "ignore_index", literal(fact.value), reason)
    elif loss.function in REGRESSION and loss.target_shape[:2] == loss.input_shape[:2]:
        edit = LeaveOutPadding(loss.location, fact.value)
    # How far padding lies from real numbers is most of what such numbers vary by.
    most = MOST if fact.own and loss.function in REGRESSION else NEARLY_ALL
    return Present(
        strength=0.85, hides_outcome=share >= view.limit(most),
        title=f"{percent(share)} of the targets that count in the loss are padding: "
        f"they are all {value}{ignores}{'' if fact.own else ', as real targets may be too'}",
        since_step=0, location=loss.location, label="counts the padded time steps",
        evidence=(measured(
            view, signal, loss.name,
            view.limit(LEAST if signal is PADDING_IN_LOSS else MOST),
            f"{percent(share)} of the targets whose outputs get a gradient are "
            + ("at padded steps" if signal is PADDING_IN_LOSS else
               "in the constant tails of the samples")),),
        remedies=((Remedy(reason, Safety.SAFE, (edit,)),) if edit else ()) + (mask,))


def _real_steps(view: View, loss: Loss, fact: PaddedTargets) -> Edit | None:
    """The steps with real inputs alone, where the class of the padding is a real one as well."""
    padding, model = view.record.fact(Padding), first_model(view)
    if padding is None or padding.features or model is None or fact.ignored != -100:
        return None
    return IgnorePaddedSteps(loss.location, model.call_location, padding.argument, padding.value)


CAUSE = Cause(
    slug="padding-in-loss",
    code="T002",
    title="Padding in the loss",
    family="Sequences",
    harm=Harm.CONDITION,
    symptoms=(Symptom.PLATEAU, Symptom.METRIC),
    words=Words(
        symptom="The loss is small and the accuracy is high, but the network answers nearly always "
        "with the padding. Or the loss is NaN from the first step, because every target is "
        "ignored.",
        consequence="The network mostly learns to predict the padding, and the loss and the "
        "accuracy look better than what it does on real time steps.",
        why="A mean over all time steps of a padded batch counts the padding as often as it fills "
        "the batch. It is easy to predict, and its gradients outnumber those of the real steps. "
        "If on the other hand all targets are ignored, the mean is taken over nothing, which is "
        "NaN.",
        detection="Padding is found in the inputs. The detector looks for one value that the "
        "targets have at all padded steps, and measures at which of them the gradient of the loss "
        "is not zero. So a mask counts wherever the program applies it. If the inputs are not "
        "padded, the targets are looked at alone: a tail of different length in most samples, of "
        "one class or number that is not met elsewhere and that the numbers before it do not "
        "approach.",
        limitations="Of losses that are written by hand, those are judged that pick the "
        "log-probability of a class at each step, and binary cross entropies. If the network has "
        "to learn where a sequence ends by predicting the padding, ignoring it is wrong. The "
        "finding is a note if the run learned well, unless numbers are predicted and most of them "
        "are padding: then the loss does not show it.",
        references=(
            "PyTorch: torch.nn.CrossEntropyLoss (ignore_index)",
            "PyTorch tutorials: translation with torch.nn.Transformer (ignore_index=PAD_IDX)",
        ),
    ),
    needs=(),
    uses=(IGNORED_TARGETS, PADDED_SHARE, PADDING_IN_LOSS, REAL_IN_LOSS, TAIL_IN_LOSS),
    thresholds=(ALL, LEAST, MOST, NEARLY_ALL, REAL),
    effects=(
        Effect.CLASSES_RARE, Effect.NON_FINITE, Effect.UPDATES_TOO_SMALL, Effect.PLATEAU,
        Effect.TOO_SLOW,
    ),
    detect=_detect,
)
