"""Data changed in place: fetching a sample changes the one that the data set holds."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import drawn
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import CopySample, LayerArgument, Remedy, Safety
from unstuck.schema.facts.data import Loader
from unstuck.schema.facts.stored import Altered, Rewritten
from unstuck.schema.findings import Absent, Present, Unknown, Verdict
from unstuck.schema.signals.stored import (
    CHANGED_BY_FETCH,
    CHANGED_BY_MODEL,
    FETCH_CHANGE,
    ROWS,
)
from unstuck.words import called, count, percent

SHARE = Threshold(
    "changed-by-fetch-share", 0.2,
    "A cache changes a sample when it is fetched first, and not again. An operation in place "
    "changes every sample each time, or many of them if it is left to chance.",
    "a choice: random augmentations are applied with a probability of a half or more",
)
LOOKS = Threshold(
    "looks-with-a-change", 0.8,
    "Share of the batches looked at, from the second epoch on, in which samples were changed.",
    "as above; a look or two may fall on samples that the change leaves as they are",
)
TIMES = Threshold(
    "changes-per-sample", 1.5,
    "A cache changes each stored sample once. Samples that were seen to change more often than "
    "that are changed by what is done to them.",
    "definition",
)
FEWEST = Threshold(
    "least-looks", 2.0, "One batch may be the last of a cache that is still filled.", "a choice")


def _detect(view: View) -> Verdict:
    for model, series in view[CHANGED_BY_MODEL].items() if view.has(CHANGED_BY_MODEL) else ():
        changed = series.finite.values > 0
        if len(changed) >= view.limit(FEWEST) and float(np.mean(changed)) >= view.limit(LOOKS):
            return _by_model(view, model)
    if not view.has(CHANGED_BY_FETCH):
        if not view.record.facts(Loader):
            return Absent("no loader fetches the data, and no model changes what it is given")
        return Unknown("no batch was looked at that came from tensors or arrays of a data set for "
                       "the second time", (CHANGED_BY_FETCH.name,))
    for loader, series in view[CHANGED_BY_FETCH].items():
        changed = series.finite.values >= view.limit(SHARE)
        if len(changed) < view.limit(FEWEST):
            continue
        if float(np.mean(changed)) >= view.limit(LOOKS) or (
            _times_changed(view, loader, series.finite) >= view.limit(TIMES)
        ):
            return _present(view, loader)
    return Absent("fetching a sample leaves what the data set holds as it is")


def _by_model(view: View, model: str) -> Present:
    fact = next((x for x in view.record.facts(Rewritten) if x.name == model), None)
    series = view[CHANGED_BY_MODEL][model].finite
    who = called(fact.layer if fact is not None and fact.layer else model)
    remedies = [Remedy("work on a copy", Safety.SAFE,
                       (LayerArgument(fact.layer, "inplace", "False"),),
                       )] if fact is not None and fact.place and fact.layer else []
    remedies.append(Remedy(
        "work on a copy", Safety.ADVICE,
        advice="Write x = x * mask or x = x - x.mean(). The operators *= and -=, methods that end "
        "with an underscore, and inplace=True change the tensor that the model was given.",
        code_text="x = x.clone()  # first in forward"))
    return Present(
        strength=0.93, certain=True,
        title=f"{who} changes the data that it is given, in place, at each training step: they "
        "are not the same from epoch to epoch",
        since_step=int(series.steps[0]),
        location=fact.location if fact is not None else None,
        label="this writes into the data themselves",
        evidence=(drawn(CHANGED_BY_MODEL, model, series, 0.0,
                        f"at {count(int((series.values > 0).sum()), 'step')} of {len(series)}, the "
                        "data had other numbers after the call than before (drawn as 1)"),),
        remedies=tuple(remedies),
    )


def _times_changed(view: View, loader: str, series: Series) -> float:
    """How often a stored sample was seen to change, as a mean over all: at most once by a cache.

    What is blotted out piece by piece changes ever less, until nothing is left of it.
    """
    made = next((x for x in view.record.facts(Loader) if x.name == loader), None)
    if made is None or not made.samples or made.batch_size is None:
        return 0.0
    return float(np.sum(series.values)) * min(ROWS, made.batch_size) / made.samples


def _present(view: View, loader: str) -> Present:
    fact = next((x for x in view.record.facts(Altered) if x.name == loader), None)
    made = next((x for x in view.record.facts(Loader) if x.name == loader), None)
    series = view[CHANGED_BY_FETCH][loader]
    size = float(np.max(view[FETCH_CHANGE][loader].finite.values)) if view.has(
        FETCH_CHANGE) and loader in view[FETCH_CHANGE] else 0.0
    where = f"self.{fact.attribute}" if fact is not None else "the data set"
    place = fact.location if fact is not None else None
    remedies = [Remedy(
        "fetch a copy", Safety.SAFE, (CopySample(fact.read, fact.copy),),
    )] if fact is not None and fact.read is not None else []
    remedies.append(Remedy(
        "compute a new tensor", Safety.ADVICE,
        advice="Write x = (x - mean) / std. The operators -= and /=, methods that end with an "
        "underscore, out= and assignments to a part of a tensor change the stored sample.",
        code_text="x = (x - mean) / std  # in place of x -= mean; x /= std"))
    return Present(
        strength=0.95, certain=True,
        title="each fetch changes the samples that the data set holds: their numbers move by "
        f"up to {percent(size)} each time, so the data drift from epoch to epoch",
        since_step=0,
        location=place or (made.made or made.location if made is not None else None),
        label=f"this changes {where} itself, and again in every epoch",
        evidence=(
            drawn(CHANGED_BY_FETCH, loader, series, view.limit(SHARE),
                  f"in {count(len(series), 'batch')} from the second epoch on, "
                  f"{percent(float(np.mean(series.finite.values)))} of the stored samples were "
                  "other ones after they were fetched"),
            *((drawn(FETCH_CHANGE, loader, view[FETCH_CHANGE][loader], 0.0,
                     f"one fetch moves the stored numbers by up to {percent(size)} of their size"),)
              if size else ()),
        ),
        remedies=tuple(remedies),
    )


CAUSE = Cause(
    slug="data-changed-in-place",
    code="D012",
    title="Data changed in place",
    family="Data",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.RISES, Symptom.ANOTHER, Symptom.OVERFITS),
    words=Words(
        symptom="Training starts well and gets worse from epoch to epoch. The first epoch is the "
        "best, the loss may become NaN, and with worker processes all is well.",
        consequence="The network trains on other inputs in every epoch, further and further from "
        "the data. What it is validated on drifts in the same way.",
        why="Indexing a tensor or an array gives a view of the same memory. An operation in place "
        "on it, such as x -= mean, changes what the data set holds, so the next epoch transforms "
        "numbers that were transformed before. Workers do this to copies of their own.",
        detection="From the second epoch on, unstuck compares some numbers of the stored samples "
        "before they are fetched and after. If nearly every batch has changed samples, or samples "
        "change more than once, the data drift. A cache, which changes a sample when it is fetched "
        "first, is not reported. In training, what a model is given is compared before the call "
        "and after, if it was given before or is a part of what was.",
        limitations="Loaders with workers are not looked at, nor are samples that are read from "
        "files or that lie deeper than in a list, a tensor or an array of the data set. Without a "
        "loader, only what the model itself changes is found.",
        references=("PyTorch: Tensor views", "NumPy: Copies and views"),
    ),
    needs=(),
    uses=(CHANGED_BY_FETCH, CHANGED_BY_MODEL, FETCH_CHANGE),
    thresholds=(SHARE, LOOKS, TIMES, FEWEST),
    effects=(Effect.BATCHES_ALIKE, Effect.LABELS_UNPREDICTABLE, Effect.LABELS_WRONG,
             Effect.SAMPLES_FEW, Effect.INPUTS_OFF_SCALE, Effect.TARGETS_OFF_SCALE,
             Effect.BAD_START, Effect.GRADIENTS_TOO_LARGE, Effect.GRADIENTS_VANISH,
             Effect.CANNOT_FIT),
    detect=_detect,
)
