"""Train-validation leak: samples of the held-out set were trained on."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import final
from unstuck.causes._samples import held_out, trained_on
from unstuck.edits import Remedy, Safety
from unstuck.facts import Kept
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.sample_signals import HELD_OUT_OVERLAP, HELD_OUT_SAMPLES, NEAR_COPIES
from unstuck.words import percent

OVERLAP = Threshold(
    "held-out-overlap", 0.05,
    "One held-out sample in twenty that was memorised lifts an accuracy of 80 % by a point; of "
    "CIFAR-10's test images 3 % are near copies of training images.",
    "Barz and Denzler 2020: Do we train on test data? Purging CIFAR of near-duplicates",
)
COUNT = Threshold(
    "held-out-copies", 10.0,
    "A few equal samples may be chance or the data's own.",
    "never a single event",
)
CHANCE = Threshold(
    "chance-leak", 0.05,
    "Where samples often differ in an element or two only, equal ones come about by themselves, "
    "as in tables of categories.",
    "a copied sample has no near copies",
)


def _detect(view: View) -> Verdict:
    found = held_out(view)
    if not isinstance(found, Kept):
        return found
    if not found.samples and not view.has(HELD_OUT_SAMPLES):
        return Absent("no loss is computed of samples that are not trained on")
    train = trained_on(view)
    if isinstance(train, Kept) and train.discrete:
        return Absent("the inputs are tokens or identifiers, which repeat by themselves")
    share, compared = final(view, HELD_OUT_OVERLAP), final(view, HELD_OUT_SAMPLES)
    if share is None or compared is None:
        return Unknown(
            "no held-out samples could be compared with all of the training samples",
            ("a validation, and training that comes round to each sample once more",))
    copies = share * compared
    if not share >= view.limit(OVERLAP) or not copies >= view.limit(COUNT):
        return Absent(f"{copies:.0f} of {compared:.0f} held-out samples were trained on")
    near = final(view, NEAR_COPIES)
    if near is None or not near < view.limit(CHANCE):
        return Absent("samples that are nearly or quite the same are common in these data")
    return Present(
        strength=0.9 if share >= 2 * view.limit(OVERLAP) else 0.7,
        title=f"{copies:.0f} of {compared:.0f} held-out samples ({percent(share)}) are among "
        "the training samples",
        since_step=0,
        location=found.location,
        label=f"{percent(share)} of what is judged here was trained on",
        evidence=(
            Evidence(HELD_OUT_OVERLAP.name, "", (int(view[HELD_OUT_OVERLAP].steps[-1]),),
                     (share,), 0.0,
                     f"{percent(share)} of {compared:.0f} different held-out samples equal a "
                     f"training sample in every element; of the training samples {percent(near)} "
                     "have a near copy, so that chance makes no equal ones"),
        ),
        remedies=(
            Remedy("split so that no sample is on both sides", Safety.ADVICE,
                   advice="drop copies first, then split, and only then augment or oversample the "
                   "training part",
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
    words=Words(
        symptom="Validation scores are better than those on data that are really new; overfitting "
        "does not show, or shows too late.",
        consequence="The score on the leaked samples measures memory. Models are chosen, stopped "
        "and published by a number that new data will not give.",
        why="A held-out set stands for new data only if nothing of it was learned from. Splits "
        "that overlap, copies in the data, and oversampling before the split put the same sample "
        "on both sides.",
        detection="Samples are hashed as the model receives them. A held-out sample leaks if "
        "its hash is that of a training sample. Passes over the training data themselves are no "
        "leak. Where different samples are often nearly the same, equal ones are taken for chance. "
        "If nothing but training samples is ever looked at, the names of what the model is given "
        "there decide: x_val, or a loop over test_loader, is meant to be held out.",
        limitations="Nothing is said where training was not seen to come round, as with very "
        "large sets, nor where training samples are augmented, which changes their hashes. A "
        "held-out set that lies wholly within the training set looks like a look at training data "
        "unless it is named.",
        references=(
            "Kapoor and Narayanan 2023: Leakage and the reproducibility crisis in machine learning",
            "Barz and Denzler 2020: Do we train on test data?",
        ),
    ),
    needs=(),
    uses=(HELD_OUT_OVERLAP, HELD_OUT_SAMPLES, NEAR_COPIES),
    thresholds=(OVERLAP, COUNT, CHANCE),
    detect=_detect,
)
