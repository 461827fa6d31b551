"""Batch too large: few updates, each from more samples than a good direction needs."""

from __future__ import annotations

from unstuck.measures import arms
from unstuck.measures.basics import (
    FAIR_SKILL,
    GOOD_SKILL,
    learned_little,
    level,
    loss_points,
)
from unstuck.measures.origins import training_loaders
from unstuck.measures.slowness import Slow, slow
from unstuck.measures.steps import (
    agreement_evidence,
    batch_location,
    samples_per_step,
    updates_per_epoch,
)
from unstuck.measures.view import Threshold, View
from unstuck.record.schedule import LIMITS
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import BatchSize, MoreSteps, Remedy, Safety, StepEvery
from unstuck.schema.experiments import Arm, Experiment
from unstuck.schema.facts.calls import Guarded
from unstuck.schema.facts.data import Loader
from unstuck.schema.facts.loops import Pace
from unstuck.schema.findings import Absent, Evidence, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.batches import BATCH_SIZE, SAME_BATCH
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import GRADIENT_PRODUCT, GRADIENT_SQUARE
from unstuck.words import count, number, percent

AGREE = Threshold(
    "gradients-agree", 0.8,
    "If the gradients of two batches agree to four fifths, the batches say nearly the same. A "
    "quarter of the samples would already give as much signal as noise.",
    "McCandlish et al. 2018: the agreement is 1 / (1 + noise scale / batch size)",
)
SMALL = Threshold(
    "small-batch", 32.0,
    "Fewer samples than this are a small batch, even where they are all that there are.",
    "Masters, Luschi 2018: batches of 2 to 32 samples generalise best",
)
FEW_UPDATES = Threshold(
    "updates-per-epoch", 8.0,
    "So few updates per epoch make poor use of the data: an eighth of all samples or more goes "
    "into a single step.",
    "usual batches of 16 to 256 samples give ten to thousands of updates per epoch",
)
FEW = Threshold(
    "updates-of-a-run", 100.0,
    "So few updates are too few for nearly any network, however exact their gradients are. If each "
    "takes a whole epoch, its batches could make many.",
    "Adam moves a weight by the learning rate per step: by 0.1 in 100 steps of the usual 0.001",
)
BIG = 1_000  # samples: fewer may be all that there are
MANY_PASSES = 20  # over the data: more of them is not what a run lacks that has few updates
SEVERAL_PASSES = 3  # in which smaller batches would have made a run that shows a trend
ENOUGH = 0.5  # of the agreement: the batch is as large as the noise scale
ONE = 1.5  # updates per epoch: all samples go into a single step
ON_ITS_WAY = Threshold(
    "still-on-its-way", 0.2,
    "In the second half of the run, the loss fell at least a fifth as far as in the first half, so "
    "more updates would have lowered it further.",
    "the loss of a run that has plateaued no longer falls",
)


def _detect(view: View) -> Verdict:
    found, size, updates = slow(view), samples_per_step(view), updates_per_epoch(view)
    if not isinstance(found, Slow):
        if view.outcome.kind is OutcomeKind.LEARNING and (
                view.record.steps <= 2 * view.limit(FEW) and size is not None and size >= BIG
                and updates is not None and updates <= ONE):
            return Unknown(
                f"the loss still falls after {count(view.record.steps, 'update')}, each of all "
                "samples; how much lower more updates bring it shows when they are made",
                ("a run with an eighth of the batch size",))
        return found
    if size is None:
        return Unknown("the batch size is not known", (BATCH_SIZE.name,))
    if not size >= view.limit(SMALL):
        return Absent(f"{count(round(size), 'sample')} are a small batch")
    brief = view.record.steps <= view.limit(FEW)
    hurried = _hurried(view, size, updates) and brief
    # Where each step takes more than an eighth of many samples, half of it is signal all the same.
    gathers = (updates is not None and updates <= ONE and brief) or hurried or (
        updates is not None and updates <= view.limit(FEW_UPDATES) and size >= BIG
        and view.record.steps <= 2 * view.limit(FEW) and found.whole >= ENOUGH)
    if not found.whole >= view.limit(AGREE) and not gathers:
        return Absent("smaller batches would make the gradient noisier (agreement of successive "
                      f"gradients: {number(found.whole)}, where 1 is free of noise)")
    few = updates is not None and updates <= view.limit(FEW_UPDATES)
    # So few steps of so many samples end no descent; of a sum of passes some may be cleared.
    scant = brief and few and level(view[BATCH_SIZE]) >= BIG
    beyond = scant or (
        _asks_for_more_than_all(view) and view.record.steps <= 2 * view.limit(FEW))
    if not found.fall >= view.limit(ON_ITS_WAY) and few and not beyond and (
            view.outcome.kind is OutcomeKind.LEARNING):
        return Unknown("the loss still falls, though much less than at first; whether more updates "
                       "an epoch would lower it shows when they are made",
                       ("a run with an eighth of the batch size",))
    if not (found.fall >= view.limit(ON_ITS_WAY) or beyond):
        return Absent("the loss had plateaued, so more updates would not have lowered it further")
    if updates is None:
        return Unknown("the number of samples in an epoch is not known",
                       ("training data from a DataLoader",))
    if not few:
        return Absent(f"an epoch has enough updates ({number(updates)})")
    scale = size * (1 / found.whole - 1)
    steps, points = loss_points(view)
    agree = found.whole >= view.limit(AGREE)
    evidence = (
        *(agreement_evidence(
            view, view.limit(AGREE),
            "successive gradients are nearly the same (agreement "
            f"{number(found.whole)}; 0 is pure noise, 1 is free of noise), so a batch size of "
            f"{number(max(scale, 1.0))} would already give as much signal as noise"
        ) if agree else ()),
        Evidence(TRAIN_LOSS.name, "", steps, points, None,
                 "the loss was still falling when the run ended (in the second half it fell "
                 f"{percent(found.fall)} as far as in the first)"),
    )
    skill = view.outcome.skill
    short = hurried or (scant and skill is not None and skill < GOOD_SKILL) or (
        view.outcome.kind is OutcomeKind.LEARNING and skill is not None
        and skill < (GOOD_SKILL if beyond else FAIR_SKILL) and size >= BIG
        and view.record.steps >= MANY_PASSES * updates and not learned_little(view.outcome))
    condition = _accumulated_until(view)
    less = () if condition is None else (Remedy(
        "step more often", Safety.CHANGES_EXPERIMENT,
        tuple(StepEvery(passes, condition) for passes in (1, 4))),)
    return Present(
        strength=0.7 if short else 0.49 if size >= BIG else 0.45,  # before a run that is short
        hides_outcome=short, since_step=0, of_value=True,
        location=condition or batch_location(view, size),
        evidence=evidence,
        title=f"a batch size of {number(size)} is too large: the whole run has "
        f"{count(view.record.steps, 'update')}, {number(updates)} per epoch (usual: tens to "
        "thousands per epoch)",
        label=f"only {count(view.record.steps, 'update')} in the whole run",
        remedies=(
            *less,
            Remedy("smaller batches", Safety.CHANGES_EXPERIMENT,
                   tuple(BatchSize(n) for n in (16, 8, max(round(size / 2), 1),
                                                max(round(size / 4), 1), 1) if n < size)
                   or (BatchSize(1),)),
            Remedy("train longer", Safety.SAFE, (MoreSteps(5.0), MoreSteps(20.0))),
        ),
        one_of=("learning-rate-too-low", "too-few-steps", "momentum-too-low"),
        separated_by=Experiment(
            "run again with an eighth of the batch size and the same number of epochs: if that "
            "alone lowers the training loss as far as eight times as many epochs do, the cause is "
            "batch-too-large", (
                Arm((BatchSize(max(round(size / 8), 1)),), ("batch-too-large",)),
                arms.longer(8.0, "too-few-steps"),
                arms.learning_rate(view, 8, "learning-rate-too-low"),
                arms.momentum(view, "momentum-too-low"),
            )),
    )


def _hurried(view: View, size: float, updates: float | None) -> bool:
    """Whether the run went over many samples several times, too short a run to see a trend in."""
    return view.outcome.kind is OutcomeKind.TOO_SHORT and size >= BIG and updates is not None and (
        SEVERAL_PASSES * updates <= view.record.steps and updates <= view.limit(FEW_UPDATES))


def _asks_for_more_than_all(view: View) -> bool:
    """Whether the loader that feeds training asks for batches of more samples than there are."""
    trained = training_loaders(view)
    return any(loader.name in trained and loader.samples and (loader.batch_size or 0)
               > loader.samples for loader in view.record.facts(Loader))


def _accumulated_until(view: View) -> SourceLocation | None:
    """The condition under which the optimizer steps, where gradients of several batches add up."""
    guards = [each for each in view.record.facts(Guarded) if each.method == "step"]
    several = any(pace.backwards > 1 for pace in view.record.facts(Pace))
    return guards[0].condition if several and len(guards) == 1 else None


CAUSE = Cause(
    slug="batch-too-large",
    code="O003",
    title="Batch too large",
    family="Optimisation",
    harm=Harm.CONDITION,
    symptoms=(Symptom.SLOW, Symptom.OVERFITS),
    often=Often.SELDOM,
    words=Words(
        symptom="The loss curve falls smoothly, without jitter, and training ends long before the "
        "loss is low.",
        consequence="Each epoch makes only a few updates. The run needs many times as many epochs "
        "as it would with smaller batches.",
        why="More samples make a gradient more exact. But once the batch is larger than the "
        "gradient noise scale, the direction hardly improves. The samples of one such step would "
        "have been enough for several steps that are almost as good.",
        detection="Three things must come together. The gradients of successive steps agree to at "
        "least four fifths over the run, so the gradient noise scale is at most a quarter of the "
        "batch size, which is 32 or more; or the run makes only one update per epoch, and no more "
        "than a hundred, or goes several times over thousands of samples in so few updates that no "
        "trend shows. An epoch has at most eight updates. The run has not learned enough, and "
        "its loss was still falling when it ended.",
        limitations="A higher learning rate or more epochs would also help such a run. Only a "
        "trial can show which is best, so this is at most the best suspect of a run that learned "
        "little, that had many epochs of few updates each, or whose loader asks for more samples "
        "than there are. A run on full batches of noisy labels looks the same once it has learned "
        "most of what can be learned. If a program trains on more than "
        f"{LIMITS.kept_samples:,} samples without a DataLoader, their number is not known.",
        references=(
            "McCandlish et al. 2018: An empirical model of large-batch training (arXiv 1812.06162)",
            "Masters, Luschi 2018: Revisiting small batch training (arXiv 1804.07612)",
        ),
    ),
    needs=(TRAIN_LOSS, GRADIENT_PRODUCT, GRADIENT_SQUARE, BATCH_SIZE),
    uses=(SAME_BATCH,),
    thresholds=(SMALL, AGREE, FEW_UPDATES, FEW, ON_ITS_WAY),
    by_trial=True,
    detect=_detect,
)
