"""Same batch every step: the loader has more, but one batch is all that is ever trained on."""

from __future__ import annotations

import numpy as np

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import thinned
from unstuck.edits import Remedy, Safety
from unstuck.facts import EndKind
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.signals import BATCH_SIZE, HELD_OUT_LOSS, SAME_BATCH

STEPS = Threshold(
    "same-batch-steps", 10.0,
    "A batch may be used a few times in a row on purpose.",
    "longest habit known of repeated use within a run",
)


def _detect(view: View) -> Verdict:
    same = view[SAME_BATCH]
    if np.any(same.values != 1):
        return Absent("the batches differ from step to step")
    if len(same) < view.limit(STEPS):
        return Unknown(f"only {len(same)} batches were compared", ("a run of more steps",))
    sizes = view[BATCH_SIZE].values if view.has(BATCH_SIZE) else np.zeros(0)
    fetch = next((f for f in view.facts.fetches
                  if f.samples > f.batch_size and np.any(sizes == f.batch_size)
                  and not np.any(sizes >= f.samples)), None)
    if fetch is None:
        return Absent("no loader is seen to hold more than the batch that is trained on")
    steps, values = thinned(same.steps, same.values)
    # Learning one batch by heart is also a test of a program: then nothing else is looked at.
    test = view.facts.end.kind is EndKind.FINISHED and not view.has(HELD_OUT_LOSS)
    return Present(
        strength=0.45 if test else 0.85,
        title=f"the same {fetch.batch_size} of {fetch.samples} samples are trained on in each of "
        f"the first {len(same) + 1} steps",
        since_step=0,
        location=fetch.location,
        label=f"{fetch.batch_size} of {fetch.samples} samples are ever trained on",
        evidence=(Evidence(SAME_BATCH.name, "", steps, values, 0.0,
                           "the samples are those of the step before at every step"),),
        remedies=(Remedy(
            "go through the data", Safety.ADVICE,
            advice="Iterate over the loader, so that each step gets the next batch.",
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
        how_we_tell="Hashes of the model's inputs are the same at every one of the first steps, "
        "while the loader that was iterated for training holds more samples than the batch. "
        "Training on all data at once is not meant.",
        known_problems="Without a loader nothing tells how much data there is, so a fixed slice of "
        "a tensor is not named. Learning one batch by heart as a test is a note if the program "
        "ends without looking at other data.",
        references=("PyTorch: torch.utils.data.DataLoader", "Karpathy 2019: overfit one batch"),
    ),
    needs=(SAME_BATCH,),
    uses=(BATCH_SIZE, HELD_OUT_LOSS),
    thresholds=(STEPS,),
    explains=("overfitting", "too-few-samples", "constant-features"),
    detect=_detect,
)
