"""Train-validation leak: samples of the held-out set were trained on."""

from __future__ import annotations

from unstuck.measures.basics import final
from unstuck.measures.origins import split
from unstuck.measures.samples import held_out, trained_on, unjudged
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import DropCopies, Remedy, Safety, SplitFirst, SplitInOrder, SplitOnce
from unstuck.schema.facts.data import Kept
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.samples import (
    HELD_OUT_OVERLAP,
    HELD_OUT_SAMPLES,
    KIN_GAP,
    KIN_SHARE,
    KIN_SIZE,
    NEAR_COPIES,
    WINDOW_OVERLAP,
)
from unstuck.words import count, number, percent

OVERLAP = Threshold(
    "held-out-overlap", 0.05,
    "If the network has memorised one held-out sample in twenty, an accuracy of 80 % rises by one "
    "point. Of CIFAR-10's test images, 3 % are near copies of training images.",
    "Barz and Denzler 2020: Do we train on test data? Purging CIFAR of near-duplicates",
)
COUNT = Threshold(
    "held-out-copies", 10.0,
    "A few equal samples may be chance, or natural in these data.",
    "a single event is never enough for a finding",
)
CHANCE = Threshold(
    "chance-leak", 0.05,
    "If samples often differ in only one or two elements, equal samples arise by chance, as in "
    "tables of categories.",
    "a sample that was really copied has no near copies",
)

KIN = Threshold(
    "kin-gap", 2.3,
    "The next neighbour of a sample on a line or a grid is at most twice as far off as the one "
    "before. Beyond that the near ones come from one source, such as an image and its augmented "
    "copies.",
    "Gap on independent samples of tables, images, windows of series: 1.0 to 2.1; on copies with "
    "noise: above 2.5",
)
KIN_OF_MANY = Threshold(
    "kin-gap-of-many", 1.5,
    "Where most samples have the same number of near neighbours, and more than the two on a line, "
    "the next one need not be that much further off: by chance most have one.",
    "on grids of two and of three dimensions the distance grows by 1.41 behind the fourth and the "
    "sixth",
)
MANY = 3  # near neighbours
WINDOWS = Threshold(
    "overlapping-windows", 0.5,
    "Where a series is split by time, only the windows next to the split overlap. After a split at "
    "random, nearly all do.",
    "definition of a split by time; of short series a few windows in ten lie next to the split",
)
SHARE = Threshold(
    "kin-in-training", 0.1,
    "If families were kept together, no held-out sample would have kin that were trained on. After "
    "a split at random most have, but other data may be evaluated in the same run.",
    "a choice: independent samples have as many near ones by chance in fewer than 1 of 20",
)


def _detect(view: View) -> Verdict:
    found = held_out(view)
    if not isinstance(found, Kept):
        return found
    if not found.samples and not view.has(HELD_OUT_SAMPLES):
        return unjudged(found)
    train = trained_on(view)
    share, compared = final(view, HELD_OUT_OVERLAP), final(view, HELD_OUT_SAMPLES)
    # Samples of tokens or identifiers are only compared where training samples hardly repeat.
    discrete = isinstance(train, Kept) and train.discrete
    if discrete and share is None:
        return Absent("the inputs are tokens or identifiers, which naturally repeat")
    if (near_copies := _kin(view, found) or _windows(view, found)) is not None:
        return near_copies
    if share is None or compared is None:
        return Unknown(
            "the held-out samples could not be compared with all of the training samples",
            ("a validation pass and at least two epochs of training",))
    copies, judged = share * compared, count(round(compared), "held-out sample")
    if not share >= view.limit(OVERLAP) or not copies >= view.limit(COUNT):
        few = f"only {number(round(copies))}" if round(copies) else "none"
        return Absent(f"{few} of {judged} occurred in the training set")
    near = final(view, NEAR_COPIES)
    if not discrete and (near is None or not near < view.limit(CHANCE)):
        return Absent("equal and nearly equal samples are common in these data")
    chance = "" if near is None else (
        f", and not by chance ({percent(near)} of the training samples have a near copy)")
    once = Remedy("drop copies before the split", Safety.SAFE,
                  (DropCopies(split(view), split=True),))
    one = Remedy("take both parts from one random order", Safety.SAFE, (SplitOnce(),))
    apart = Remedy("split the data so that no sample is on both sides", Safety.SAFE,
                   (SplitFirst(),),
                   code_text="# drop copies first, then split, and only then augment or\n"
                   "# oversample the training part")
    return Present(
        strength=0.9 if share >= 2 * view.limit(OVERLAP) else 0.7,
        title=f"{number(round(copies))} of {judged} are also in the training set "
        f"({percent(share)}; expected: none)",
        since_step=0,
        location=split(view) or found.location, of_value=True,
        label=f"{percent(share)} of the held-out samples were also trained on",
        evidence=(
            Evidence(HELD_OUT_OVERLAP.name, "", (int(view[HELD_OUT_OVERLAP].steps[-1]),),
                     (share,), 0.0,
                     f"{percent(share)} of the distinct held-out samples equal a training sample "
                     f"in every element{chance}"),
        ),
        # Samples that were split at random are on both sides because they were there twice before.
        remedies=(one, once, apart) if split(view) else (one, apart, once),
    )


def _kin(view: View, kept: Kept) -> Present | None:
    """Held-out samples of which near copies were trained on; None if there are none."""
    share, gap, size = (final(view, signal) for signal in (KIN_SHARE, KIN_GAP, KIN_SIZE))
    if share is None or gap is None or size is None or share < view.limit(SHARE) or (
            gap < view.limit(KIN_OF_MANY if size >= MANY and size == round(size) else KIN)):
        return None
    step = int(view[KIN_SHARE].steps[-1])
    has = (f"most samples have {count(round(size), 'near copy', 'near copies')}"
           if size == round(size) else f"a sample has {number(round(size, 1))} near copies on "
           "average")
    return Present(
        strength=0.75,
        title=f"{percent(share)} of the held-out samples have near copies in the training set "
        "(expected: none)",
        since_step=0,
        location=split(view) or kept.location, of_value=True,
        label="near copies of these samples were trained on",
        evidence=(
            Evidence(KIN_SHARE.name, "", (step,), (share,), 0.0,
                     f"{has}, and the next sample is {number(gap)} times as far off"),
        ),
        remedies=(
            Remedy("split before copies are made", Safety.SAFE, (SplitFirst(),),
                   code_text="# split the originals first, and only then augment the training "
                   "part;\n# what comes of one source belongs on one side: GroupShuffleSplit"),
        ),
    )


def _windows(view: View, kept: Kept) -> Present | None:
    """Held-out windows of a series that overlap windows that were trained on."""
    share = final(view, WINDOW_OVERLAP)
    if share is None or share < view.limit(WINDOWS):
        return None
    return Present(
        strength=0.75,
        title=f"{percent(share)} of the held-out samples overlap training samples: half of their "
        "numbers and more, in the same order, were trained on",
        since_step=0,
        location=split(view) or kept.location,
        label="most of these samples was trained on, at another place of a window",
        evidence=(
            Evidence(WINDOW_OVERLAP.name, "", (int(view[WINDOW_OVERLAP].steps[-1]),), (share,),
                     view.limit(WINDOWS),
                     f"{percent(share)} of the held-out samples share most of their numbers with "
                     "training samples, as windows of one series do that overlap"),
        ),
        remedies=(
            Remedy("split by time", Safety.SAFE, (SplitInOrder(split(view)),)),
            Remedy("split the series before it is cut into windows", Safety.ADVICE,
                   advice="Split by time or by recording, and only then cut each part into "
                   "windows. Windows on both sides of the split must not overlap."),
        ),
    )


CAUSE = Cause(
    slug="train-validation-leak",
    code="D009",
    title="Train-validation leak",
    family="Data",
    harm=Harm.DISTRUST,
    symptoms=(Symptom.OVERFITS, Symptom.TOO_GOOD),
    often=Often.SELDOM,
    words=Words(
        symptom="Validation scores are better than scores on data that is really new. Overfitting "
        "does not show, or shows too late.",
        consequence="The score on the leaked samples measures memorisation. You choose, stop and "
        "publish models by a number that new data will not reproduce.",
        why="A held-out set stands for new data only if the network has learned nothing from it. "
        "Overlapping splits, duplicates in the data, and oversampling before the split put the "
        "same sample on both sides.",
        detection="Samples are hashed as the model receives them. A held-out sample has leaked if "
        "a training sample has the same hash. An evaluation pass over the training data itself "
        "does not count as a leak. Of samples that are evaluated together, some may have been "
        "trained on and others never, as after two random splits: then fewer of them are known "
        "than of training samples that come again. If different samples are often nearly equal, "
        "equal samples are attributed to chance. If the program never evaluates anything but "
        "training samples, the names in the program decide: x_val, or a loop over test_loader, is "
        "meant to be held out. Near copies, such as those of an augmentation before the split, are "
        "found by a gap: nearly all samples have a few near neighbours, and the next one is much "
        "further off. Windows of a series overlap if the numbers of one lie in another as well, in "
        "the same order and at another place.",
        limitations="Nothing is reported if fewer than two epochs were seen, as with very large "
        "data sets. If training samples are augmented anew each time, copies are not found, "
        "because their hashes change. A held-out set that lies wholly within the training set "
        "looks like an evaluation on training data, unless its name shows what it is. Only samples "
        "are compared: features that were chosen, or scaled, with the held-out data leak as well, "
        "and are not seen.",
        references=(
            "Kapoor and Narayanan 2023: Leakage and the reproducibility crisis in machine learning",
            "Barz and Denzler 2020: Do we train on test data?",
        ),
    ),
    needs=(),
    uses=(HELD_OUT_OVERLAP, HELD_OUT_SAMPLES, KIN_GAP, KIN_SHARE, KIN_SIZE, NEAR_COPIES,
          WINDOW_OVERLAP),
    thresholds=(OVERLAP, COUNT, CHANCE, KIN, KIN_OF_MANY, WINDOWS, SHARE),
    shows=Effect.SAMPLES_SHARED,
    detect=_detect,
)
