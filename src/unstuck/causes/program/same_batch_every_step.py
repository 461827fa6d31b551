"""Same batch every step: every step trains on one batch, although there are more data."""

from __future__ import annotations

import numpy as np

from unstuck.curves.statistics import end_median
from unstuck.measures.basics import thinned, train_loss_at_the_end
from unstuck.measures.samples import kept
from unstuck.measures.steps import samples_per_step
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import FetchEachStep, Remedy, Safety, SeedOnce
from unstuck.schema.facts.calls import CallRole, ModelCall
from unstuck.schema.facts.data import Fetch, Remade
from unstuck.schema.facts.models import Model
from unstuck.schema.facts.run import EndKind
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.batches import BATCH_SIZE, SAME_BATCH, STORED_BATCHES
from unstuck.schema.signals.losses import HELD_OUT_LOSS, TRAIN_LOSS
from unstuck.words import count, number

STEPS = Threshold(
    "same-batch-steps", 10.0,
    "Some programs use a batch a few times in a row on purpose.",
    "longest repetition known to be on purpose",
)
STORED = Threshold(
    "stored-batches", 4.0,
    "A training set that is cut from a tensor as one slice makes up most of it. The tensor behind "
    "a batch holds several such slices.",
    "splits leave half to nine tenths of the samples for training",
)
SLICE = Threshold(
    "slice-size", 128.0,
    "A larger slice may well be a small training set that was chosen on purpose.",
    "a choice: usual batches have 16 to 128 samples",
)
HURT = Threshold(
    "held-out-over-train-of-a-slice", 1.5,
    "A small training set that was chosen on purpose does no harm as long as held-out data are "
    "predicted about as well.",
    "a choice: once a batch is memorised, the held-out loss is several times as high",
)


def _hurts(view: View) -> bool:
    """Whether held-out data are predicted worse in the end than the batch."""
    if not view.has(HELD_OUT_LOSS):
        return True  # it is a note then
    held = view[HELD_OUT_LOSS].finite.values
    return len(held) > 0 and (
        end_median(held) >= view.limit(HURT) * train_loss_at_the_end(view))


def _is_asked(view: View, size: float) -> bool:
    """Whether the model is called with batches of another size too, elsewhere."""
    return any(call.role is not CallRole.TRAIN and call.shape and call.shape[0] not in (1, size)
               for call in view.record.facts(ModelCall))


def _detect(view: View) -> Verdict:
    same = view[SAME_BATCH]
    after = "first"
    if len(same) and same.values[0] != 1:  # a seed within the step rules from the second batch on
        same, after = same.since(int(same.steps[0]) + 1), "next"
    if np.any(same.values != 1):
        return Absent("the batches differ from step to step")
    if len(same) < view.limit(STEPS):
        return Unknown(f"only {count(len(same), 'batch')} could be compared with the one before",
                       (f"a run of at least {count(round(view.limit(STEPS)) + 1, 'step')}",))
    if not view.has(BATCH_SIZE):
        return Unknown("the size of the batches is not known", (BATCH_SIZE.name,))
    sizes = view[BATCH_SIZE].values
    fetch = next((f for f in view.record.facts(Fetch)
                  if f.samples > f.batch_size and np.any(sizes == f.batch_size)
                  and not np.any(sizes >= f.samples)), None)
    size = float(sizes[0]) if len(sizes) else 0.0
    if fetch is not None and (samples_per_step(view) or 0.0) >= fetch.samples:
        return Absent("each step adds up the gradients of all the batches")
    stored = float(np.min(view[STORED_BATCHES].values)) if view.has(STORED_BATCHES) else 1.0
    remade = next(iter(view.record.facts(Remade)), None)
    whole = 0
    if fetch is not None:
        size, whole, location = fetch.batch_size, fetch.samples, fetch.location
    elif stored >= view.limit(STORED) and 0 < size <= view.limit(SLICE) and _hurts(view):
        if len(view.record.siblings) > 1:
            return Unknown(
                "the batch is a slice of a larger tensor, whose other samples may be for the other "
                "trainings of the program", ("a program that trains once",))
        whole = round(stored * size)
        location = next((m.call_location for m in view.record.facts(Model)), None)
    elif remade is not None and remade.location is not None:
        location = remade.location
    elif remade is not None:
        return Unknown(
            "each step gets the same samples in a tensor that is made anew, and it is not known "
            "whether there are others",
            ("a look at what the batch is cut from: training on all the data at once is fine",))
    else:
        return Absent("neither a loader nor the tensor that the batch is cut from is known to "
                      "hold more samples")
    steps, values = thinned(same.steps, same.values)
    # Memorising one batch is also a test of a program: then nothing else is looked at.
    test = view.record.end.kind is EndKind.FINISHED and not (
        view.has(HELD_OUT_LOSS) or kept(view, "held-out") is not None or _is_asked(view, size))
    seeded = not whole
    drawn = count(round(size), "sample") if seeded else (
        f"{number(round(size))} of {count(whole, 'sample')}")
    return Present(
        strength=0.45 if test and not seeded else 0.85,
        title=f"each of the {after} {count(len(same) + 1, 'step')} trains on the same {drawn}"
        + (", because each seeds the random numbers anew that pick them" if seeded else ""),
        since_step=0,
        location=location,
        label="starts the same random numbers again in each step" if seeded else (
            f"training only ever sees {drawn}"),
        evidence=(Evidence(SAME_BATCH.name, "", steps, values, 0.0,
                           "the batch is the same as the one before at all "
                           f"{number(len(same))} compared steps"),),
        remedies=(Remedy(
            "seed once", Safety.SAFE, (SeedOnce(location),),
            advice="Create and seed the generator once, before the loop, so that each step draws "
            "different samples.",
        ) if seeded else Remedy(
            "iterate over all the data", Safety.ADVICE if fetch is None else Safety.SAFE,
            () if fetch is None else (FetchEachStep(location),),
            advice="Iterate over the loader, or take the next slice, so that each step gets "
            "different samples.",
            code_text="for inputs, targets in loader:",
        ),),
    )


CAUSE = Cause(
    slug="same-batch-every-step",
    code="P012",
    title="Same batch every step",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.OVERFITS, Symptom.TOO_GOOD),
    often=Often.SELDOM,
    words=Words(
        symptom="The training loss falls to almost zero at once, while the network does badly on "
        "all other data.",
        consequence="The network memorises a few samples and never sees the rest.",
        why="A new iterator over a loader starts at the beginning every time. A batch that was "
        "fetched before the loop stays the same inside it. A generator that is seeded in each step "
        "picks the same samples in each step.",
        detection="Hashes of the model's inputs are the same at each of the first steps, or from "
        "the second one on. In "
        "addition, the loader that was used for training holds more samples than the batch, or the "
        "batch is a slice of a larger tensor, or each step seeds a random generator and picks "
        "samples by it. Training on all data at once is not reported.",
        limitations="Without a loader, a fixed slice is reported only if it has at most 128 "
        "samples, the tensor that it is cut from holds at least four times as many, and the "
        "program trains only once. A batch that was picked by indices once, before the loop, is "
        "not detected. If a program memorises one batch as a test and ends without looking at "
        "other data, the finding is only a note.",
        references=("PyTorch: torch.utils.data.DataLoader", "Karpathy 2019: overfit one batch"),
    ),
    needs=(SAME_BATCH,),
    uses=(BATCH_SIZE, HELD_OUT_LOSS, TRAIN_LOSS, STORED_BATCHES),
    thresholds=(STEPS, STORED, SLICE, HURT),
    shows=Effect.BATCHES_ALIKE,
    effects=(Effect.SAMPLES_FEW, Effect.TOO_SLOW),
    detect=_detect,
)
