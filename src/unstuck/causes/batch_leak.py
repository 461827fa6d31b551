"""Batch leak: one sample's output depends on other samples of its batch."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import called, level
from unstuck.edits import Remedy, Safety
from unstuck.facts import Pasted
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.signals import PASTED_SHARE
from unstuck.words import percent

MOST = Threshold(
    "pasted-share", 0.5,
    "A view that turns the axes round tears nearly every sample apart; where most stay whole, "
    "something else is going on.",
    "a view of (36, 8, 8) as (8, 36, 8) tears all 36",
)


def _detect(view: View) -> Verdict:
    for found in view.facts.pasted:
        share = level(view[PASTED_SHARE][found.name])
        if share < view.limit(MOST):
            continue
        words = _WAYS[found.how](found)
        return Present(
            strength=0.95, title=words.title, since_step=0, location=found.location,
            label=words.label,
            evidence=(Evidence(
                PASTED_SHARE.name, found.name, (0,), (share,), view.limit(MOST), words.seen),),
            remedies=(words.remedy,),
        )
    if not view.facts.models:
        return Unknown("no model was seen in training", ("a model that is trained",))
    return Absent("no operation was seen to take parts of several samples as one")


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    label: str  # under the line
    seen: str
    remedy: Remedy


def _memory(found: Pasted) -> _Words:
    where = called(found.name)
    return _Words(
        title=f"{found.mixed} of {found.samples} samples that {where[:40]} takes are pasted "
        "together from several samples of the batch",
        label=f"{found.given} becomes {found.taken} without a number moved",
        seen=f"the model's input {found.given} and the input {found.taken} of {where} are the "
        f"same memory; {percent(found.mixed / found.samples)} of the layer's samples hold parts "
        "of several",
        remedy=_TURN,
    )


def _view(found: Pasted) -> _Words:
    return _Words(
        title=f"a view of {found.given} as {found.taken} tears the {found.samples} samples of the "
        "batch apart and pastes the pieces together",
        label=f"{found.given} becomes {found.taken} without a number moved",
        seen=f"the same sizes in another order, with the {found.samples} samples no longer first: "
        "a view counts numbers off as they lie in memory",
        remedy=_TURN,
    )


def _order(found: Pasted) -> _Words:
    where = called(found.name)[:40]
    return _Words(
        title=f"{where} takes the {found.samples} samples of the batch for as many steps in time "
        f"of {found.taken[1]} sequences",
        label="expects time first, and gets the samples first",
        seen=f"its input {found.taken} has the samples first, as the model's input {found.given} "
        "and its output have, but the layer was made with batch_first=False",
        remedy=Remedy(
            "samples first", Safety.ADVICE,
            advice="Make the layer with batch_first=True, or swap the first two axes on the way "
            "into it and out of it.",
            code_text="batch_first=True"),
    )


def _softmax(found: Pasted) -> _Words:
    return _Words(
        title="a softmax shares out one among the samples of the batch, not within each sample",
        label="runs over the samples",
        seen=f"its input {found.given} has the {found.samples} samples along the axis that is made "
        "to sum to one",
        remedy=Remedy(
            "over the last axis", Safety.ADVICE,
            advice="Let the softmax run over the axis along which the shares of one sample lie.",
            code_text="dim=-1"),
    )


_TURN = Remedy(
    "turn the axes", Safety.ADVICE,
    advice="Swap axes with transpose or permute, which move the numbers along; view and reshape "
    "only count them off in another way.",
    code_text="x = x.transpose(0, 1)  # in place of the view",
)
_WAYS = {"memory": _memory, "view": _view, "order": _order, "softmax": _softmax}


CAUSE = Cause(
    slug="batch-leak",
    code="P011",
    title="Batch leak",
    family="Program",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="The network learns little or nothing although the loss and the layers look right, "
        "and its answer for a sample changes with the other samples of the batch.",
        consequence="Labels are compared with outputs that were made of other samples. What is "
        "learned in one batch does not hold in the next, nor for a single sample.",
        why="A view gives the numbers new axes without moving them. Where the axes of batch and "
        "time are to change places, it cuts through the samples and glues the pieces together.",
        detection="In the first steps the axes of operations are compared with the one along "
        "which the model gets its samples: a recurrent or attention layer that has time first "
        "though the samples come first, a softmax over them, a view that counts the same axes off "
        "in another order. Where the first layer's input lies in the memory of the model's input, "
        "each number's sample is known: most of what the layer takes as one sample must hold "
        "numbers of several.",
        limitations="Models are passed over whose output has not one row a sample, as are axes "
        "of equal size and weights of one number a sample, which pool a bag. Means, sums and "
        "sorting over the samples are not seen.",
        references=("PyTorch: torch.Tensor.view", "PyTorch: torch.transpose"),
    ),
    needs=(),
    uses=(PASTED_SHARE,),
    thresholds=(MOST,),
    explains=(
        "labels-unrelated-to-inputs", "learning-rate-too-low", "learning-rate-too-high",
        "vanishing-gradients", "noise-floor", "too-narrow", "too-shallow", "noisy-labels",
    ),
    detect=_detect,
)
