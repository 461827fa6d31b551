"""Batch leak: one sample's output depends on other samples of its batch."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import called, level, percent
from unstuck.edits import Remedy, Safety
from unstuck.findings import Absent, Evidence, Present, Verdict
from unstuck.signals import PASTED_SHARE

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
        where = called(found.name)
        return Present(
            strength=0.95,
            title=f"{found.mixed} of {found.samples} samples that {where[:40]} takes are pasted "
            f"together from several samples of the batch",
            since_step=0,
            location=found.location,
            label=f"{found.given} becomes {found.taken} without a number moved",
            evidence=(Evidence(
                PASTED_SHARE.name, found.name, (0,), (share,), view.limit(MOST),
                f"the model's input {found.given} and the input {found.taken} of {where} are the "
                f"same memory; {percent(share)} of the layer's samples hold parts of several"),),
            remedies=(Remedy(
                "turn the axes", Safety.ADVICE,
                advice="Swap axes with transpose or permute, which move the numbers along; view "
                "and reshape only count them off in another way.",
                code_text="x = x.transpose(0, 1)  # in place of the view",
            ),),
        )
    return Absent("no layer was seen to take parts of several samples as one")


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
        how_we_tell="The first layer's input lies in the memory of the model's input, so each "
        "number's sample is known. Most of what the layer takes as one sample holds numbers of "
        "several, along whatever axis of the same size one counts the samples.",
        known_problems="Only convolutions, recurrent and attention layers that read the model's "
        "first input through views are looked at; mixing deeper in the network, behind a copy, "
        "or through a wrong axis of a softmax or mean is not seen.",
        references=("PyTorch: torch.Tensor.view", "PyTorch: torch.transpose"),
    ),
    needs=(),
    uses=(PASTED_SHARE,),
    thresholds=(MOST,),
    explains=(
        "labels-unrelated-to-inputs", "learning-rate-too-low", "learning-rate-too-high",
        "vanishing-gradients", "bottleneck", "too-narrow", "too-shallow", "noisy-labels",
    ),
    detect=_detect,
)
