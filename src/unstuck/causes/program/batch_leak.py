"""Batch leak: one sample's output depends on other samples of its batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unstuck.measures.basics import level, unwatched
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import (
    BatchFirst,
    KeepSamples,
    Remedy,
    Safety,
    SoftmaxAxis,
    SwapAxes,
)
from unstuck.schema.facts.models import COMBINED, BatchAxis, Model, Pasted
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.batches import PASTED_SHARE, SAME_BATCH
from unstuck.words import called, count, percent

MOST = Threshold(
    "pasted-share", 0.5,
    "A view in place of a transpose mixes nearly all samples. If most samples stay intact, the "
    "cause is a different one.",
    "a view of (36, 8, 8) as (8, 36, 8) mixes all 36 samples",
)


def _detect(view: View) -> Verdict:
    for found in view.record.facts(Pasted):
        series = view[PASTED_SHARE].get(found.name)
        if series is None:
            return Unknown("how many samples are mixed is missing in the record",
                           (PASTED_SHARE.name,))
        share = level(series)
        if share < view.limit(MOST) or (found.how == "sum" and _is_one_whole(view)):
            continue
        words = _WAYS[found.how](found)
        return Present(
            strength=0.95, certain=True, title=words.title, since_step=0, location=found.location,
            label=words.label, of_value=words.of_value,
            evidence=(Evidence(
                PASTED_SHARE.name, found.name, (0,), (share,), view.limit(MOST), words.seen),),
            remedies=(words.remedy,),
        )
    if not view.record.facts(Model):
        return Unknown(unwatched(view.record) or "no model was seen in training",
                       ("a run that trains a model",))
    followed = view.record.facts(BatchAxis)
    lost = next((f for f in followed if not f.whole), None)
    if lost is not None and lost.lost == COMBINED:
        return Absent("the program combines its samples by a matrix of its own, as a graph does")
    if lost is not None:
        return Unknown(_LOST.format(called(lost.name), lost.lost) if lost.lost else (
            f"the output of {called(lost.name)} does not have rows for each sample"), (_ALONE,))
    if not followed:
        return Unknown("the samples of a batch were not followed through the model", (_ALONE,))
    return Absent("the samples of a batch were followed through every operation to the model's "
                  "output, and none joins pieces of different samples")


def _is_one_whole(view: View) -> bool:
    """Whether each step gets the same rows: they may be the nodes of one graph."""
    same = view[SAME_BATCH].finite.values if view.has(SAME_BATCH) else np.zeros(1)
    return bool(len(same)) and bool(np.all(same == 1))


_LOST = "the samples of a batch could not be followed through {} beyond an operation ({})"
_ALONE = "`unstuck check`, which exchanges one sample and looks at the outputs for the others"


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    label: str  # under the line
    seen: str
    remedy: Remedy
    of_value: bool = False  # whether the remedy changes what is at fault


def _memory(found: Pasted) -> _Words:
    where = called(found.name)
    return _Words(
        title=f"{where[:40]} receives samples that mix several samples of the batch "
        f"({found.mixed:,} of {found.samples:,})",
        label=_KEPT_ORDER.format(found.given, found.taken),
        seen=f"{percent(found.mixed / found.samples)} of what {where} takes for one sample holds "
        f"parts of several samples (its input {found.taken} shares memory with the model's input "
        f"{found.given})",
        remedy=_turned(found),
    )


def _view(found: Pasted) -> _Words:
    return _Words(
        title=f"a view of {found.given} as {found.taken} mixes the {found.samples} samples of the "
        "batch with one another, because a view does not swap axes",
        label=_KEPT_ORDER.format(found.given, found.taken),
        seen="the view changes the axes but not the order of the numbers, so it cuts the axis of "
        f"{found.samples} samples apart",
        remedy=_turned(found),
    )


def _order(found: Pasted) -> _Words:
    where = called(found.name)[:40]
    return _Words(
        title=f"{where} treats the {found.samples} samples of the batch as {found.samples} time "
        f"steps of {count(found.taken[1], 'sequence')}",
        label="expects the time axis first, but receives the batch axis first",
        seen=f"the layer has batch_first=False, PyTorch's default, but its input {found.taken} has "
        f"the batch axis first, like the model's input {found.given} and the model's output",
        remedy=Remedy(
            "samples first", Safety.SAFE, (BatchFirst(found.name),),
            advice="Create the layer with batch_first=True, or swap the first two axes of its "
            "input and of its output."),
        of_value=True,
    )


def _softmax(found: Pasted) -> _Words:
    return _Words(
        title=f"a softmax runs over the {found.samples} samples of the batch instead of within "
        "each sample",
        label="runs over the samples of the batch",
        seen=f"the softmax runs along the batch axis of its input {found.given}, so its outputs "
        f"sum to one over the {found.samples} samples",
        remedy=Remedy(
            "over the last axis", Safety.SAFE, (SoftmaxAxis(found.location, -1),),
            advice="Let the softmax run over the axis that holds the values of one sample. Often "
            "it is the last one."),
    )


def _sum(found: Pasted) -> _Words:
    return _Words(
        title=f"a product of matrices adds up over the {found.samples} samples of the batch, so "
        "each output depends on all of them",
        label="adds up over the samples of the batch",
        seen=f"the axis over which the product of {found.given} and {found.taken} adds up holds "
        f"the {found.samples} samples",
        remedy=Remedy(
            "keep the samples apart", Safety.SAFE, (KeepSamples(found.location),),
            advice="Keep the batch axis in the result: torch.bmm multiplies matrices sample by "
            "sample, and in einsum the letter of the batch belongs behind the arrow too."),
    )


_KEPT_ORDER = "{} becomes {}, but the numbers stay in the same order"


def _turned(found: Pasted) -> Remedy:
    given, taken = found.given, found.taken
    if found.order and given.index(found.samples) and len(given) > 2:
        return Remedy("samples first", Safety.SAFE, (SwapAxes(found.location, found.order),))
    if len(given) > 1 and taken == (given[1], given[0], *given[2:]):
        return Remedy("swap the axes", Safety.SAFE, (SwapAxes(found.location),))
    return Remedy(
        "swap the axes", Safety.ADVICE,
        advice="Swap axes with transpose or permute. view and reshape leave the order of the "
        "numbers as it is and only cut it up differently.",
        code_text="x = x.transpose(0, 1)  # in place of the view")


_WAYS = {"memory": _memory, "view": _view, "order": _order, "softmax": _softmax, "sum": _sum}


CAUSE = Cause(
    slug="batch-leak",
    code="P011",
    title="Batch leak",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.OVERFITS, Symptom.EVAL, Symptom.PLATEAU),
    often=Often.SELDOM,
    words=Words(
        symptom="The network learns little or nothing although the loss and the layers look right. "
        "Its prediction for a sample changes with the other samples of the batch.",
        consequence="The loss compares labels with outputs that were computed from other samples. "
        "What the network learns from one batch does not hold for the next batch, or for a single "
        "sample.",
        why="A layer or an operation uses the batch axis as if it were another one, such as time. "
        "Often the reason is a view in place of a transpose. A view gives the numbers a new shape "
        "without moving them. "
        "If it is meant to swap the batch axis and the time axis, it cuts the samples apart and "
        "joins the pieces of different samples.",
        detection="In the first steps, unstuck follows the samples of a batch through the axes of "
        "every operation between the model's input and its output. It reports a view or reshape "
        "that cuts the samples apart and joins the pieces of different samples, a softmax over the "
        "batch axis, and a recurrent or attention layer that expects time first but gets the "
        "samples first. If the input of the first layer shares memory with the model's input, "
        "it is known to which sample each number belongs. The layer is reported if most of "
        "what it takes for one sample holds numbers of several samples.",
        limitations="The verdict is unknown for models whose output does not have rows for each "
        "sample, and where an operation leaves it open which number belongs to which sample: an "
        "operation of the program's own, a compiled model, a sum or a choice of samples. A softmax "
        "over one number per sample is not reported, because attention pools a bag of samples in "
        "this way.",
        references=("PyTorch: torch.Tensor.view", "PyTorch: torch.transpose"),
    ),
    needs=(),
    uses=(PASTED_SHARE, SAME_BATCH),
    thresholds=(MOST,),
    effects=(
        Effect.LABELS_UNPREDICTABLE, Effect.LABELS_WRONG, Effect.UPDATES_TOO_LARGE,
        Effect.GRADIENTS_VANISH, Effect.UPDATES_TOO_SMALL,
        Effect.CANNOT_FIT,
    ),
    detect=_detect,
)
