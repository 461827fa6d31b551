"""Duplicate samples: a share of the training data is there several times."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._measures import final
from unstuck.causes._samples import kept, training_location
from unstuck.edits import Remedy, Safety
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.sample_signals import (
    DUPLICATE_CLASS_SHARE,
    DUPLICATE_SHARE,
    DUPLICATE_UNEVENNESS,
    NEAR_COPIES,
)
from unstuck.words import percent

SHARE = Threshold(
    "duplicate-share", 0.1,
    "A tenth of the set is no new information, and the samples that it repeats weigh double. "
    "Well-kept sets hold at most a few in a hundred.",
    "Barz and Denzler 2020: 3 % of CIFAR-10; Lee et al. 2022: 3 to 14 % of crawled text",
)
CHANCE = Threshold(
    "chance-copies", 0.05,
    "Where samples often differ in an element or two only, equal ones come about by themselves, "
    "as in tables of categories.",
    "a copied sample has no near copies",
)
UNEVEN = Threshold(
    "duplicate-unevenness", 0.05,
    "Where every sample has the same number of copies the set was repeated on purpose, to make "
    "epochs longer, and no sample weighs more than another.",
    "definition of a repeated set",
)
REPEATED = Threshold(
    "repeated-share", 0.45,
    "Where all samples are there twice half of them are copies. So many are more likely a set "
    "that was repeated as a whole.",
    "definition of a repeated set, less what an estimate from a part may err",
)
ONE_CLASS = Threshold(
    "duplicate-class-share", 0.9,
    "Copies of one class only are oversampling against its rarity.",
    "a common practice, He and Garcia 2009",
)


def _detect(view: View) -> Verdict:
    share = final(view, DUPLICATE_SHARE)
    if share is None:
        return _not_measured(view)
    if not share >= view.limit(SHARE):
        return Absent(f"{percent(share)} of the training samples are copies of another one")
    near = final(view, NEAR_COPIES)
    if near is None or not near < view.limit(CHANCE):
        return Absent("samples that are nearly or quite the same are common in these data")
    uneven, one_class = final(view, DUPLICATE_UNEVENNESS), final(view, DUPLICATE_CLASS_SHARE)
    purpose = ""
    # Of a large set only part was seen: all samples twice, or more often, makes half.
    half, unlike, most = (view.limit(x) for x in (REPEATED, UNEVEN, ONE_CLASS))
    alike = share >= half if uneven is None else not uneven >= unlike
    if alike:
        purpose = "all samples are repeated alike, which harms nothing"
    elif one_class is not None and one_class >= most:
        purpose = "nearly all are of one class, as oversampling makes them"
    return _present(view, share, near, purpose)


def _not_measured(view: View) -> Verdict:
    train = kept(view, "train")
    if train is not None and train.discrete:
        return Absent("the inputs are tokens or identifiers, which repeat by themselves")
    return Unknown(
        "copies could not be told from samples that are drawn again",
        ("a loader without worker processes, or two rounds through the same samples",))


def _present(view: View, share: float, near: float, purpose: str) -> Present:
    step = int(view[DUPLICATE_SHARE].steps[-1])
    return Present(
        strength=0.4 if purpose else 0.8 if share >= 2 * view.limit(SHARE) else 0.7,
        title=f"{percent(share)} of the training samples are exact copies of other training "
        f"samples{'; ' if purpose else ''}{purpose}",
        since_step=0,
        location=training_location(view),
        label=f"{percent(share)} of these samples are there already",
        evidence=(
            Evidence(DUPLICATE_SHARE.name, "", (step,), (share,), view.limit(SHARE),
                     f"of the samples of one round {percent(share)} equal another one in every "
                     f"element; only {percent(near)} of the different ones are near another, so "
                     "that chance makes no equal ones"),
        ),
        remedies=(
            Remedy("drop the copies", Safety.CHANGES_EXPERIMENT,
                   advice="keep each sample once, before the data are split",
                   code_text="x, first = np.unique(x, axis=0, return_index=True); y = y[first]  "
                   "# before the split"),
        ),
    )


CAUSE = Cause(
    slug="duplicate-samples",
    code="D003",
    title="Duplicate samples",
    family="Data",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="The training loss falls faster than what the size of the data set would let "
        "expect, and the validation does not keep up, or keeps up too well.",
        consequence="The set is smaller than it looks. Samples that are there twice weigh double, "
        "with their noise and their labels' mistakes, and a random split puts copies on both "
        "sides.",
        why="The loss is a mean over the samples that come. A sample with ten copies pulls ten "
        "times as hard as another, whatever it is worth.",
        detection="Samples are compared element by element as the model receives them. The same "
        "index of a data set drawn again, or a second round through the set, is no copy. Where "
        "different samples are often nearly the same, as in tables of categories, equal ones are "
        "taken for chance.",
        limitations="Only exact copies are counted, and only the first 2000 different samples "
        "are compared; in larger sets the share is scaled up. Random augmentation hides copies. "
        "Models with several inputs are not judged.",
        references=(
            "Lee et al. 2022: Deduplicating training data makes language models better",
            "Barz and Denzler 2020: Do we train on test data?",
        ),
    ),
    needs=(),
    uses=(DUPLICATE_SHARE, NEAR_COPIES, DUPLICATE_UNEVENNESS, DUPLICATE_CLASS_SHARE),
    thresholds=(SHARE, CHANCE, UNEVEN, REPEATED, ONE_CLASS),
    explains=("train-validation-leak", "too-few-samples"),
    detect=_detect,
)
