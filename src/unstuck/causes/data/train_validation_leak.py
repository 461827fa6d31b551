"""Train-validation leak: samples of the held-out set were trained on."""

from __future__ import annotations

from unstuck.measures.basics import final
from unstuck.measures.samples import held_out, trained_on, unjudged
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import Remedy, Safety
from unstuck.schema.facts.data import Kept
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.samples import HELD_OUT_OVERLAP, HELD_OUT_SAMPLES, NEAR_COPIES
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


def _detect(view: View) -> Verdict:
    found = held_out(view)
    if not isinstance(found, Kept):
        return found
    if not found.samples and not view.has(HELD_OUT_SAMPLES):
        return unjudged(found)
    train = trained_on(view)
    if isinstance(train, Kept) and train.discrete:
        return Absent("the inputs are tokens or identifiers, which naturally repeat")
    share, compared = final(view, HELD_OUT_OVERLAP), final(view, HELD_OUT_SAMPLES)
    if share is None or compared is None:
        return Unknown(
            "the held-out samples could not be compared with all of the training samples",
            ("a validation pass and at least two epochs of training",))
    copies, judged = share * compared, count(round(compared), "held-out sample")
    if not share >= view.limit(OVERLAP) or not copies >= view.limit(COUNT):
        few = f"only {number(round(copies))}" if round(copies) else "none"
        return Absent(f"{few} of {judged} occurred in the training set")
    near = final(view, NEAR_COPIES)
    if near is None or not near < view.limit(CHANCE):
        return Absent("equal and nearly equal samples are common in these data")
    return Present(
        strength=0.9 if share >= 2 * view.limit(OVERLAP) else 0.7,
        title=f"{number(round(copies))} of {judged} are also in the training set "
        f"({percent(share)}; expected: none)",
        since_step=0,
        location=found.location,
        label=f"{percent(share)} of these samples were also trained on",
        evidence=(
            Evidence(HELD_OUT_OVERLAP.name, "", (int(view[HELD_OUT_OVERLAP].steps[-1]),),
                     (share,), 0.0,
                     f"{percent(share)} of the distinct held-out samples equal a training sample "
                     f"in every element, and not by chance ({percent(near)} of the training "
                     "samples have a near copy)"),
        ),
        remedies=(
            Remedy("split the data so that no sample is on both sides", Safety.ADVICE,
                   advice="Drop duplicates first, then split, and only then augment or oversample "
                   "the training part.",
                   code_text="x, first = np.unique(x, axis=0, return_index=True); y = y[first]  "
                   "# before the split"),
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
        "does not count as a leak. If different samples are often nearly equal, equal samples are "
        "attributed to chance. If the program never evaluates anything but training samples, the "
        "names in the program decide: x_val, or a loop over test_loader, is meant to be held out.",
        limitations="Nothing is reported if fewer than two epochs were seen, as with very large "
        "data sets. Nothing is reported if training samples are augmented either, because that "
        "changes their hashes. A held-out set that lies wholly within the training set looks like "
        "an evaluation on training data, unless its name shows what it is. Only samples "
        "are compared: features that were chosen, or scaled, with the held-out data leak as well, "
        "and are not seen.",
        references=(
            "Kapoor and Narayanan 2023: Leakage and the reproducibility crisis in machine learning",
            "Barz and Denzler 2020: Do we train on test data?",
        ),
    ),
    needs=(),
    uses=(HELD_OUT_OVERLAP, HELD_OUT_SAMPLES, NEAR_COPIES),
    thresholds=(OVERLAP, COUNT, CHANCE),
    shows=Effect.SAMPLES_SHARED,
    detect=_detect,
)
