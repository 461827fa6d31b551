"""Sampler misses samples: the sampler of a loader draws few of the samples that there are."""

from __future__ import annotations

import math

import numpy as np

from unstuck.measures.basics import last, learned_little, thinned
from unstuck.measures.origins import is_for_training_alone, taken_by_index, training_loaders
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import (
    DrawFromAll,
    Remedy,
    Safety,
    Shuffle,
    WeightPerSample,
    WholeLength,
)
from unstuck.schema.facts.calls import CallRole, LossCall
from unstuck.schema.facts.data import Loader
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.batches import SAME_BATCH
from unstuck.schema.signals.drawing import DIFFERENT_SAMPLES, DRAWN_SAMPLES, ROWS_LEFT_OUT
from unstuck.torch_api import BY_WEIGHT, CHOSEN, IN_ORDER, SHUFFLES
from unstuck.words import count, number, percent, times

AGAIN = Threshold(
    "draws-per-weight", 2.0,
    "A sampler that has weights for a part of the samples may leave the others for validation. "
    "Then it draws about as many samples an epoch as it has weights. One that draws each sample "
    "this many times an epoch repeats a few samples in the place of the others.",
    "definition of an epoch; twice leaves room for oversampling",
)
FEW = Threshold(
    "different-samples-share", 0.2,
    "Number of different samples drawn, divided by what as many random draws from the whole data "
    "set would give. Oversampling of rare classes stays far above.",
    "expected number of different samples among n draws of N: N (1 - (1 - 1/N)^n)",
)
DRAWS = Threshold(
    "least-draws", 200.0,
    "Fewer draws say little about what a sampler of the program's own will draw later.",
    "a choice: some batches of a usual size",
)
HALF = Threshold(
    "drawn-share-of-a-run", 0.5,
    "If even the whole run cannot draw half of the samples, one batch an epoch is too little.",
    "a choice: a run that learns meets its data at least once",
)
LONGER = Threshold(
    "stored-per-length", 4.0,
    "Number of samples that a data set holds, divided by its length. A length that is a division "
    "and this much shorter is the number of batches, if these have that many samples.",
    "a choice: a half may be meant, and batches of fewer samples are rare",
)
ROUNDS = Threshold(
    "draws-per-sample", 3.0,
    "After three times as many draws as there are samples, one that a fair sampler may draw has "
    "hardly ever been left out.",
    "e^-3 is 5 %",
)
LATE = Threshold(
    "late-draws", 10.0,
    "In the second half of the run, a sampler that comes to the other samples later would have "
    "brought so many of them.",
    "a sampler may begin with the easy samples",
)
LEFT = Threshold(
    "samples-left-out", 0.15,
    "A sampler of the program's own that is about all samples should meet nearly all of them.",
    "three times what chance leaves out of so many draws",
)
ROWS = Threshold(
    "rows-left-out", 0.4,
    "Twice as many draws as there are rows leave out one row in seven by chance.",
    "e^-2 is 14 %",
)
KNOWN = (BY_WEIGHT, CHOSEN, IN_ORDER, SHUFFLES, "DistributedSampler")


def _detect(view: View) -> Verdict:
    trained = training_loaders(view)
    loaders = [x for x in view.record.facts(Loader) if x.name in trained]
    if not loaders and view.has(ROWS_LEFT_OUT):
        return _rows(view)
    call = taken_by_index(view)
    if not loaders and call is not None and (_poor(view) or is_for_training_alone(view, call)):
        return Unknown("which rows never come was not looked at", ("a run of three epochs",))
    if not loaders:
        return Absent("no loader feeds the training") if view.record.facts(Loader) or (
            view.record.steps) else Unknown("nothing was trained")
    verdicts = [_judged(view, loader) for loader in loaders]
    for kind in (Present, Unknown):
        found = next((v for v in verdicts if isinstance(v, kind)), None)
        if found is not None:
            return found
    return verdicts[0]


def _judged(view: View, loader: Loader) -> Verdict:
    if loader.planned and loader.samples and loader.planned == loader.samples:
        return _in_batches(view, loader, loader.samples)
    if loader.samples is None or loader.batch_size is None or not loader.samples:
        return Unknown("the loader does not say how many samples there are, or makes batches of "
                       "its own", ("a loader over a data set with a length",))
    if loader.counted is not None and loader.stored is None:
        return Unknown("the length of the data set is a division, and how many samples it holds "
                       "is not known", ("a data set that holds its samples in a list or tensor",))
    if loader.stored and loader.length and loader.stored >= view.limit(LONGER) * loader.length:
        return _divided(view, loader, loader.batch_size, loader.stored, loader.length)
    if loader.sampler == BY_WEIGHT and loader.weights is not None and (
        loader.weights < loader.samples
    ):
        if (loader.draws or 0) < view.limit(AGAIN) * loader.weights:
            return Unknown(
                f"the sampler has weights for the first {number(loader.weights)} of "
                f"{count(loader.samples, 'sample')} only, which may be meant",
                ("a data set that holds the training samples alone",))
        return _few_weights(view, loader, loader.weights, loader.samples)
    if loader.sampler in (BY_WEIGHT, SHUFFLES) and loader.draws is not None and (
        loader.draws <= loader.batch_size
        and loader.draws * (view.record.steps + 1) < view.limit(HALF) * loader.samples
    ):
        return _one_batch(view, loader, loader.draws, loader.samples)
    if loader.sampler == CHOSEN and loader.draws is not None and (
        loader.draws < view.limit(FEW) * loader.samples and _alone(view, loader) and _poor(view)
    ):
        return _one_batch(view, loader, loader.draws, loader.samples)
    if loader.sampler in KNOWN and loader.sampler != BY_WEIGHT:
        return Absent("the sampler can draw every sample that it is meant to draw")
    return _counted(view, loader)


def _rows(view: View) -> Verdict:
    """Batches that are taken by their indices, by which rows of the variable never come."""
    series = view[ROWS_LEFT_OUT].finite
    share = float(series.values[-1]) if len(series) else 0.0
    call = taken_by_index(view)
    if call is None or call.variable is None:
        return Unknown("from which rows batches are taken is not known", ("batches x_train[rows]",))
    if share < view.limit(ROWS):
        return Absent("the batches bring most of the rows that they are taken from")
    if (1 - share) * call.variable.rows < 2 * (call.shape or (1,))[0]:
        return Unknown("training may get the same batch at every step", ("a longer run",))
    if len(series) < 2 or float(series.values[0]) - share > 1 - view.limit(ROWS):
        return Unknown(f"{percent(share)} of the rows of {call.variable.name} have not come yet, "
                       "but they may come later in the run", ("a longer run",))
    return Present(
        strength=0.8 if _poor(view) else 0.7 if is_for_training_alone(view, call) else 0.45,
        title=f"{percent(share)} of the {count(call.variable.rows, 'row')} of "
        f"{call.variable.name} are never trained on, however often its batches come",
        since_step=0, location=call.location,
        label=f"only {percent(1 - share)} of {call.variable.name} ever come here",
        evidence=(Evidence(
            ROWS_LEFT_OUT.name, "", *thinned(series.steps, series.values), 0.0,
            f"{percent(share)} of the different rows of {call.variable.name} are in no batch that "
            "was looked at"),),
        remedies=(Remedy(
            "draw from all rows", Safety.SAFE, (DrawFromAll(call.location, call.variable.name),),
            advice="A number of samples that was taken from another set, or a number of steps that "
            "does not cover the data, leaves rows out."),),
    )


def _poor(view: View) -> bool:
    return view.outcome.kind is OutcomeKind.OVERFITTING or learned_little(view.outcome)


def _in_batches(view: View, loader: Loader, samples: int) -> Verdict:
    """A sampler of batches that is about all samples, by what it has drawn of them."""
    drawn = view[DRAWN_SAMPLES][loader.name].finite if (
        view.has(DRAWN_SAMPLES) and loader.name in view[DRAWN_SAMPLES]) else None
    steps, points = _steps(view, loader)
    different = points[-1]
    rounds = drawn.values[-1] / samples if drawn is not None and len(drawn) else 0.0
    # One round does where so few samples come that chance would bring five times as many.
    few = rounds >= 1 and different < view.limit(FEW) * -math.expm1(-rounds) * samples
    if drawn is None or not (few or rounds >= view.limit(ROUNDS)):
        return Unknown("too few draws of the sampler were seen", ("a run of more epochs",))
    left = samples - round(different)
    if not left >= view.limit(LEFT) * samples:
        return Absent(f"the sampler draws nearly all samples ({number(round(different))} of "
                      f"{number(samples)})")
    expected = left / samples * _late(view, drawn)
    brought = _late(view, view[DIFFERENT_SAMPLES][loader.name].finite)
    if not expected >= view.limit(LATE) or brought > view.limit(FEW) * expected:
        return Unknown("whether the sampler comes to the other samples later in the run was hardly "
                       "looked at", ("a run with --overhead 1",))
    return Present(
        strength=0.8 if _poor(view) else 0.55,
        title=f"the sampler of batches is about all of {count(samples, 'sample')} and never draws "
        f"{number(left)} of them ({percent(left / samples)})",
        since_step=0, location=loader.batches or loader.location,
        label="the batches that are made here leave samples out",
        evidence=(Evidence(
            DIFFERENT_SAMPLES.name, loader.name, steps, points, float(samples),
            f"{number(round(float(drawn.values[-1])))} draws brought only "
            f"{count(round(different), 'different sample')}"),),
        remedies=(Remedy(
            "draw from all samples", Safety.ADVICE,
            advice="Draw numbers of samples, not of batches, and keep what is left of a group that "
            "does not fill a batch: whole groups may be smaller than one."),),
    )


def _late(view: View, series: Series) -> float:
    """By how much a count grew in the second half of the run."""
    first = series.values[series.steps < view.record.steps / 2]
    return float(series.values[-1] - first[-1]) if len(first) else 0.0


def _divided(
    view: View, loader: Loader, size: int, stored: int, length: int
) -> Present | Unknown:
    """The data set's length is a division of what it holds and fetches one by one."""
    few, many = number(length), count(stored, "sample")
    if length not in (stored // size, math.ceil(stored / size)):
        return Unknown(f"the length of the data set is {few} although it holds {many}, which may "
                       "be meant", ("a length that is the number of samples",))
    steps, drawn = _steps(view, loader)
    return Present(
        strength=0.9,
        title=f"the data set holds {many}, but its length is {few}, the number of batches, so "
        f"only its first {few} are ever drawn",
        since_step=0,
        location=loader.counted,
        label=f"{few} of {many}",
        evidence=(Evidence(
            DIFFERENT_SAMPLES.name, loader.name, steps, drawn, float(stored),
            f"a loader draws numbers below the length of its data set, and makes batches of "
            f"{count(size, 'sample')} itself: {number(stored - length)} samples are left out"),),
        remedies=(Remedy("return the number of samples", Safety.SAFE,
                         (WholeLength(loader.counted),)),),
    )


def _alone(view: View, loader: Loader) -> bool:
    """Whether no other loader takes what this one leaves of its data set."""
    return not any(other.name != loader.name and other.made == loader.made
                   for other in view.record.facts(Loader))


def _few_weights(view: View, loader: Loader, weights: int, samples: int) -> Present:
    what = "one for each " + ("class" if weights == _classes(view) else "of the first samples")
    few = count(weights, "sample")
    steps, drawn = _steps(view, loader)
    return Present(
        strength=0.97, certain=True,
        title=f"the sampler has {count(weights, 'weight')}, {what}, so it only ever draws "
        f"the first {number(weights)} of {count(samples, 'sample')}",
        since_step=0,
        location=loader.built or loader.location,
        label=f"the {count(weights, 'weight')} belong to the first {few}",
        evidence=(Evidence(
            DIFFERENT_SAMPLES.name, loader.name, steps, drawn, float(weights),
            f"a sampler draws by the position of its weights: {count(weights, 'weight')} "
            f"for {count(samples, 'sample')} leave out "
            f"{number(samples - weights)} of them"),),
        remedies=(_weights(loader.built, weights),),
    )


def _weights(at: SourceLocation | None, weights: int) -> Remedy:
    return Remedy("give each sample the weight of its class", Safety.SAFE,
                  (WeightPerSample(at, weights),),
                  code_text="WeightedRandomSampler((1 / counts)[labels], len(labels))")


def _one_batch(view: View, loader: Loader, draws: int, samples: int) -> Present:
    (steps, drawn), same = _steps(view, loader), loader.sampler == CHOSEN
    most = draws * (1 if same else view.record.steps + 1) / samples
    return Present(
        strength=0.75 if learned_little(view.outcome) else 0.6,
        title=f"the sampler draws {'the same ' if same else ''}{count(draws, 'sample')} an epoch, "
        f"so the whole run meets at most {percent(min(most, 1.0))} of {count(samples, 'sample')}",
        since_step=0,
        location=loader.built or loader.location,
        label=f"an epoch is {count(draws, 'draw')}{'' if same else ', a single batch'}",
        evidence=(Evidence(
            DRAWN_SAMPLES.name, loader.name, steps, drawn, float(samples),
            f"an epoch is over after {count(draws, 'sample')} of "
            f"{number(samples)}"),),
        remedies=(Remedy("draw from all samples", Safety.SAFE, (Shuffle(loader.location),)),) if (
            same) else (Remedy(
            "draw as many samples as there are", Safety.ADVICE,
            advice="Set num_samples of the sampler to the number of training samples.",
            code_text="WeightedRandomSampler(weights, num_samples=len(dataset))"),),
    )


def _counted(view: View, loader: Loader) -> Verdict:
    """By what was drawn, of a sampler that may draw anything."""
    drawn = last(view[DRAWN_SAMPLES]).get(loader.name) if view.has(DRAWN_SAMPLES) else None
    different = last(view[DIFFERENT_SAMPLES]).get(loader.name) if (
        view.has(DIFFERENT_SAMPLES)) else None
    if drawn is None or different is None or not drawn >= view.limit(DRAWS):
        return Unknown("too few draws of the sampler were seen", ("a run of more steps",))
    if not different:
        return Absent("no sampler draws the samples: the data set brings them itself")
    total = float(loader.samples or 1)
    expected = -total * math.expm1(drawn * math.log1p(-1 / total)) if total > 1 else 1.0
    if not different < view.limit(FEW) * expected:
        return Absent(f"the sampler draws many different samples ({number(round(different))} in "
                      f"{number(round(drawn))} draws)")
    if loader.draws is None or loader.draws < view.limit(AGAIN) * different:
        return Unknown(f"the sampler only draws {number(round(different))} of "
                       f"{count(loader.samples or 0, 'sample')}, each once an epoch, which may be "
                       "meant", ("a data set that holds the training samples alone",))
    if view.has(SAME_BATCH) and len(same := view[SAME_BATCH]) and np.all(same.values == 1):
        return Unknown("each step gets the same batch, so what its sampler would draw later is "
                       "not seen", ("a loop over the loader",))
    if loader.sampler == BY_WEIGHT:
        return Unknown("the weights of most samples are near zero, which may be meant",
                       ("weights that give every sample a chance",))
    steps, points = _steps(view, loader)
    return Present(
        strength=0.8,
        title=f"{loader.sampler} keeps drawing the same {number(round(different))} of "
        f"{count(loader.samples or 0, 'sample')}",
        since_step=0,
        location=loader.location,
        label=f"{number(round(drawn))} draws brought {count(round(different), 'different sample')}",
        evidence=(Evidence(
            DIFFERENT_SAMPLES.name, loader.name, steps, points, view.limit(FEW) * expected,
            f"{number(round(drawn))} random draws from all samples would bring about "
            f"{number(round(expected))} different ones, and each of these comes "
            f"{times(loader.draws / different)} an epoch"),),
        remedies=(Remedy(
            "draw from all samples", Safety.ADVICE,
            advice="Let the sampler yield indices of the whole data set. A list of indices that "
            "was made for a smaller set, or that counts classes or batches, leaves most samples "
            "out.",
            code_text="iter(torch.randperm(len(dataset)).tolist())"),),
    )


def _steps(view: View, loader: Loader) -> tuple[tuple[int, ...], tuple[float, ...]]:
    if not view.has(DIFFERENT_SAMPLES) or loader.name not in view[DIFFERENT_SAMPLES]:
        return (0,), (float(loader.weights or loader.draws or 0),)
    series = view[DIFFERENT_SAMPLES][loader.name]
    return tuple(int(s) for s in series.steps), tuple(float(v) for v in series.values)


def _classes(view: View) -> int | None:
    """How many outputs the loss of the training chooses among, two for one output of a flag."""
    for call in view.record.facts(LossCall):
        if call.role is CallRole.TRAIN and call.input_shape:
            wide = call.input_shape[1] if len(call.input_shape) > 1 else 1
            return 2 if wide == 1 else wide
    return None


CAUSE = Cause(
    slug="sampler-misses-samples",
    code="D014",
    title="Sampler misses samples",
    family="Data",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.OVERFITS, Symptom.TOO_GOOD),
    often=Often.SELDOM,
    words=Words(
        symptom="The training loss falls to almost zero within the first epochs. On all other data "
        "the network does about as well as a guess, or predicts one class only.",
        consequence="The network memorises a handful of samples. The rest of the data set is never "
        "used.",
        why="A weighted sampler draws positions in the data set, each with its own weight. Given "
        "one weight for each class, it takes them for the weights of the first few samples and "
        "never draws any other. The same happens with indices that were made for a smaller set. If "
        "num_samples is the number of classes or the size of a batch, an epoch is a single batch. "
        "A data set whose length is the number of its batches is cut to its first samples.",
        detection="For each loader that feeds the training, unstuck compares the number of weights "
        "of its sampler with the number of samples. Fewer weights than samples are reported if the "
        "sampler draws each of these samples several times an epoch. For a sampler of the "
        "program's own, unstuck counts how many different samples it draws, against what random "
        "draws would give; one that makes the batches and holds the numbers of all samples should "
        "draw nearly all of them. Where the length of a data set is a division, it is compared "
        "with the number of samples that the data set holds. Where batches are taken from a tensor "
        "by their indices, unstuck looks for its rows among the samples that were trained on.",
        limitations="A sampler that draws each of its samples once an epoch may leave the others "
        "for validation, so it is not reported. The same holds for weights that are zero for most "
        "samples. Rows of a tensor that other calls of the model take from it as well, such as "
        "those of a validation, are not missed.",
        references=("PyTorch: torch.utils.data.WeightedRandomSampler",),
    ),
    needs=(),
    uses=(DIFFERENT_SAMPLES, DRAWN_SAMPLES, ROWS_LEFT_OUT, SAME_BATCH),
    thresholds=(AGAIN, FEW, DRAWS, HALF, ROUNDS, LATE, LEFT, LONGER, ROWS),
    effects=(Effect.BATCHES_ALIKE, Effect.CLASSES_RARE, Effect.SAMPLES_FEW),
    detect=_detect,
)
