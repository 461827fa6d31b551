"""Batch too large: few updates, each of more samples than its direction asks for."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import loss_points
from unstuck.causes._slow import Slow, slow
from unstuck.causes._steps import (
    agreement_evidence,
    batch_location,
    samples_per_step,
    updates_per_epoch,
)
from unstuck.edits import BatchSize, MoreSteps, Remedy, Safety
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.signals import BATCH_SIZE, GRADIENT_PRODUCT, GRADIENT_SQUARE, SAME_BATCH, TRAIN_LOSS
from unstuck.words import number, percent

AGREE = Threshold(
    "gradients-agree", 0.8,
    "Two batches whose gradients agree to four fifths say nearly the same: a quarter of the "
    "samples would still give more slope than noise.",
    "agreement 1 / (1 + noise scale / batch), McCandlish et al. 2018",
)
FEW_UPDATES = Threshold(
    "updates-per-epoch", 8.0,
    "With so few updates in a pass over the data, nearly every sample waits for the same step.",
    "usual batches of 16 to 256 make ten to thousands of updates per epoch",
)
ON_ITS_WAY = Threshold(
    "still-on-its-way", 0.2,
    "The second half took off a fifth of what the first did, at least: more updates would have "
    "brought more.",
    "a run that has come to rest takes off nothing",
)


def _detect(view: View) -> Verdict:
    found = slow(view)
    if not isinstance(found, Slow):
        return found
    size, updates = samples_per_step(view), updates_per_epoch(view)
    if size is None:
        return Unknown("the batch size was not seen", (BATCH_SIZE.name,))
    if not found.whole >= view.limit(AGREE):
        return Absent(f"successive gradients agree by {number(found.whole)}: a smaller batch "
                      "would be noisier")
    if not found.fall >= view.limit(ON_ITS_WAY):
        return Absent("the loss had come to rest: more updates would not have brought more")
    if updates is None:
        return Unknown("how many samples an epoch has is not known", ("a DataLoader",))
    if not updates <= view.limit(FEW_UPDATES):
        return Absent(f"an epoch has {number(updates)} updates")
    scale = size * (1 / found.whole - 1)
    steps, points = loss_points(view)
    evidence = (
        *agreement_evidence(
            view, view.limit(AGREE),
            f"two successive gradients agree by {number(found.whole)} on average"),
        Evidence(TRAIN_LOSS.name, "", steps, points, None,
                 "the loss was still falling when the run ended: its last half took off "
                 f"{percent(found.fall)} of what the first did"),
    )
    return Present(
        strength=0.45, since_step=0, location=batch_location(view, size), evidence=evidence,
        title=f"the batch of {number(size)} leaves {view.facts.steps} updates in all, "
        f"{number(updates)} per epoch; a batch of {number(max(scale, 1.0))} would give as much "
        "slope as noise",
        label="so many samples for each update",
        remedies=(
            Remedy("smaller batches", Safety.CHANGES_EXPERIMENT,
                   tuple(BatchSize(n) for n in (16, 8, max(round(size / 2), 1),
                                                max(round(size / 4), 1), 1) if n < size)
                   or (BatchSize(1),)),
            Remedy("train longer", Safety.SAFE, (MoreSteps(5.0), MoreSteps(20.0))),
        ),
        one_of=("learning-rate-too-low", "too-few-steps", "momentum-too-low"),
        separated_by="run again with an eighth of the batch at the same number of samples: if "
        "that alone lowers the training loss as far as eight times the epochs do, it is "
        "batch-too-large",
    )


CAUSE = Cause(
    slug="batch-too-large",
    code="O003",
    title="Batch too large",
    family="Optimisation",
    harm=Harm.CONDITION,
    words=Words(
        symptom="A smooth curve falls without a tremor, and training ends long before it is down.",
        consequence="Each pass over the data buys a few updates only: the run needs many times "
        "the epochs that smaller batches would.",
        why="Averaging more samples makes a gradient more exact, but beyond the noise scale hardly "
        "better. The samples that an exact gradient uses up would have paid for several steps.",
        detection="The gradients of successive steps agree to four fifths and more over the "
        "run, which puts the noise scale at a quarter of the batch at most. Besides, an epoch has "
        "eight updates or fewer, and the loss was still falling in a run that learned little.",
        limitations="A higher rate or more epochs would carry the same run further: which is "
        "best only a trial can tell, so this is a note. Full batches of noisy "
        "labels, near what can be learned, look the same. Where more than two thousand "
        "samples come without a loader, their number is not known.",
        references=(
            "McCandlish et al. 2018: An empirical model of large-batch training (arXiv 1812.06162)",
            "Masters, Luschi 2018: Revisiting small batch training (arXiv 1804.07612)",
        ),
    ),
    needs=(TRAIN_LOSS, GRADIENT_PRODUCT, GRADIENT_SQUARE, BATCH_SIZE),
    uses=(SAME_BATCH,),
    thresholds=(AGREE, FEW_UPDATES, ON_ITS_WAY),
    by_trial=True,
    detect=_detect,
)
