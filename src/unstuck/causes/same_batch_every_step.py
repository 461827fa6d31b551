"""Same batch every step: the loader has more, but one batch is all that is ever trained on."""

from __future__ import annotations

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import thinned
from unstuck.edits import Remedy, Safety
from unstuck.facts import EndKind
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.signals import (
    BATCH_SIZE,
    HELD_OUT_LOSS,
    SAME_BATCH,
    STORED_BATCHES,
    TRAIN_LOSS,
)

STEPS = Threshold(
    "same-batch-steps", 10.0,
    "A batch may be used a few times in a row on purpose.",
    "longest habit known of repeated use within a run",
)
STORED = Threshold(
    "stored-batches", 4.0,
    "A training set that is cut from a tensor as one slice is most of it; of a batch it holds "
    "several.",
    "splits leave half to nine tenths for training",
)
SLICE = Threshold(
    "slice-size", 128.0,
    "A slice of more samples may well be a small training set that is taken on purpose.",
    "a choice: usual batches have 16 to 128 samples",
)
HURT = Threshold(
    "held-out-over-train-of-a-slice", 1.5,
    "A small training set that is cut out on purpose does no harm as long as held-out data are "
    "predicted about as well.",
    "a choice: what is learned by heart of a batch leaves a gap of several times",
)


def _hurts(view: View) -> bool:
    """Whether held-out data are predicted worse in the end than the batch."""
    if not view.has(HELD_OUT_LOSS):
        return True  # it is a note then
    held, train = view[HELD_OUT_LOSS].finite.values, view[TRAIN_LOSS].finite.values
    return len(held) > 0 and len(train) > 0 and (
        float(np.median(held[-3:])) >= view.limit(HURT) * float(np.median(train[-3:])))


def _detect(view: View) -> Verdict:
    same = view[SAME_BATCH]
    if np.any(same.values != 1):
        return Absent("the batches differ from step to step")
    if len(same) < view.limit(STEPS):
        return Unknown(f"only {len(same)} batches were compared", ("a run of more steps",))
    if not view.has(BATCH_SIZE):
        return Unknown("how many samples a batch holds was not looked at", (BATCH_SIZE.name,))
    sizes = view[BATCH_SIZE].values
    fetch = next((f for f in view.facts.fetches
                  if f.samples > f.batch_size and np.any(sizes == f.batch_size)
                  and not np.any(sizes >= f.samples)), None)
    size = float(sizes[0]) if len(sizes) else 0.0
    stored = float(np.min(view[STORED_BATCHES].values)) if view.has(STORED_BATCHES) else 1.0
    if fetch is not None:
        size, whole, location = fetch.batch_size, fetch.samples, fetch.location
    elif stored >= view.limit(STORED) and 0 < size <= view.limit(SLICE) and _hurts(view):
        whole = round(stored * size)
        location = next((m.call_location for m in view.facts.models), None)
    else:
        return Absent("no loader is seen to hold more than the batch that is trained on, nor the "
                      "memory that it is a part of")
    steps, values = thinned(same.steps, same.values)
    # Learning one batch by heart is also a test of a program: then nothing else is looked at.
    test = view.facts.end.kind is EndKind.FINISHED and not view.has(HELD_OUT_LOSS)
    return Present(
        strength=0.45 if test else 0.85,
        title=f"the same {size:.0f} of {whole} samples are trained on in each of the first "
        f"{len(same) + 1} steps",
        since_step=0,
        location=location,
        label=f"{size:.0f} of {whole} samples are ever trained on",
        evidence=(Evidence(SAME_BATCH.name, "", steps, values, 0.0,
                           "the samples are those of the step before at every step"),),
        remedies=(Remedy(
            "go through the data", Safety.ADVICE,
            advice="Iterate over the loader, or take the next slice, so that each step gets "
            "other samples.",
            code_text="for inputs, targets in loader:",
        ),),
    )


CAUSE = Cause(
    slug="same-batch-every-step",
    code="P012",
    title="Same batch every step",
    family="Program",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="The train loss falls to nothing at once, while the network does badly on all "
        "other data.",
        consequence="The network learns a few samples by heart and never sees the rest.",
        why="Asking a loader for an iterator anew gives its beginning each time, and a batch that "
        "was fetched before the loop stays the same within it.",
        detection="Hashes of the model's inputs are the same at every one of the first steps, "
        "while the loader that was iterated for training holds more samples than the batch, or the "
        "batch is a slice of a tensor that does. Training on all data at once is not meant.",
        limitations="Without a loader a fixed slice is named only if the tensor that it is cut "
        "from holds four times as much, and not if it was picked by indices or has more than 128 "
        "samples. Learning one batch by "
        "heart as a test is a note if the program ends without looking at other data.",
        references=("PyTorch: torch.utils.data.DataLoader", "Karpathy 2019: overfit one batch"),
    ),
    needs=(SAME_BATCH,),
    uses=(BATCH_SIZE, HELD_OUT_LOSS, TRAIN_LOSS, STORED_BATCHES),
    thresholds=(STEPS, STORED, SLICE, HURT),
    explains=("overfitting", "too-few-samples", "constant-features"),
    detect=_detect,
)
