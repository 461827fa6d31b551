"""Noisy labels: a share of them names another class than two methods agree on."""

from __future__ import annotations

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._labels import interval, pairs_location
from unstuck.causes._measures import last, measured
from unstuck.causes._samples import labelled
from unstuck.edits import Remedy, Safety
from unstuck.facts import Kept
from unstuck.findings import Absent, Present, Unknown, Verdict
from unstuck.sample_signals import (
    AGREEING_SAMPLES,
    CLASS_SAMPLES,
    LABEL_DEPENDENCE,
    LABEL_DISAGREEMENT,
    LABEL_SUSPECT,
    LABEL_SUSPECTS,
    PAIRS_TESTED,
    SUSPECTS_LEARNED,
)
from unstuck.signals import BATCH_SIZE
from unstuck.words import joined, percent

SHARE = Threshold(
    "wrong-labels", 0.05,
    "Lower end of the 95 % interval of the share. The test sets of ten common data sets hold 3.3 % "
    "wrong labels on average, which networks bear.",
    "Northcutt, Athalye and Mueller 2021, Pervasive label errors",
)
PLATEAU = Threshold(
    "wrong-labels-among-the-surest", 0.75,
    "Of the share among all samples so much must be left in the quarter where the learner is "
    "surest, and four fifths of that in the tenth. Wrong labels are there as often as anywhere; of "
    "samples between two classes few are.",
    "wrong labels leave 0.85 to 1.2, logistic outcomes 0.3 to 0.65 (measured)",
)
PLATEAU_OF_TWO = Threshold(
    "wrong-labels-of-two-classes", 0.85,
    "The same for two classes, in the surest half, quarter and tenth: outcomes that are random by "
    "nature, as clicks are, mostly come as two classes and are nearly flat where inputs tell "
    "little.",
    "a logistic outcome of unit slope leaves 0.8, 0.65 and 0.45 (computed)",
)
AGREEMENT = Threshold(
    "agreement-with-the-learner", 0.35,
    "The network and the cheap learner must agree on so many samples, or one of them knows too "
    "little to accuse a label.",
    "ten classes agree on a tenth by chance; never on a minority of the samples alone",
)
SAMPLES = Threshold(
    "samples-for-wrong-labels", 100.0,
    "Fewer samples in the surer half leave an interval wider than a tenth.",
    "Wilson's interval of one in ten",
)
BOTH = Threshold(
    "suspects-of-both-methods", 0.5,
    "Share of the suspects by the early loss that confident learning suspects too.",
    "two methods agree if most of what one says the other says as well",
)
LEARNED = Threshold(
    "suspects-learned-by-heart", 0.3,
    "From this share on the network spends itself on learning wrong labels by heart.",
    "Zhang et al. 2017: random labels are memorised whole; Arpit et al. 2017: after the rest",
)
MANY = Threshold(
    "wrong-labels-that-always-harm", 0.1,
    "Lower end of the interval: one wrong label in ten costs accuracy even where the network does "
    "not learn them by heart.",
    "Rolnick et al. 2017: the data that make up for noise grow with 1 / (1 - share)",
)
DEPENDENT = Threshold(
    "dependence-for-wrong-labels", 8.0,
    "Labels without any relation to the inputs are all wrong, which is another fault; a share of "
    "wrong ones leaves most of the relation.",
    "labels of hundreds of samples stand tens of deviations above permuted ones",
)


def _detect(view: View) -> Verdict:
    train = labelled(view)
    if not isinstance(train, Kept):
        return train
    if train.targets != "classes":
        return Absent("the targets are numbers, not classes")
    if not all(view.has(signal) for signal in (
        LABEL_DISAGREEMENT, AGREEING_SAMPLES, LABEL_SUSPECTS, SUSPECTS_LEARNED, LABEL_DEPENDENCE,
        PAIRS_TESTED, CLASS_SAMPLES,
    )):
        return Unknown(f"{train.samples} samples were too few, or not met again, or come with "
                       "inputs that were not kept",
                       ("some hundred samples that are trained on more than once",))
    shares, counts = last(view[LABEL_DISAGREEMENT]), last(view[AGREEING_SAMPLES])
    suspects = last(view[LABEL_SUSPECTS])
    tested = last(view[PAIRS_TESTED]).get("train", 0.0)
    dependence = last(view[LABEL_DEPENDENCE]).get("train", 0.0)
    half, quarter, every = "surest half", "surest quarter", "all"
    if not all(part in shares and part in counts for part in (half, quarter, every)):
        return Unknown("too few samples were compared", ("more samples",))
    low, high = interval(shares[half], counts[half])
    if not low >= view.limit(SHARE):
        if interval(shares[every], counts[every])[0] >= view.limit(SHARE):
            return Unknown(f"{percent(shares[every])} of the labels differ from the prediction, "
                           f"but {percent(shares[half])} where it is surer: classes overlap, or "
                           "labels are mixed up between some of them", ("a look at the suspects",))
        if counts[half] >= view.limit(SAMPLES):
            return Absent(f"{percent(shares[half])} of {counts[half]:.0f} labels differ from what "
                          "network and cheap learner agree on")
        return Unknown(f"the network and a cheap learner agree on {counts[every]:.0f} samples only",
                       ("more samples",))
    if not counts[half] >= view.limit(SAMPLES) or not (
        counts[every] >= view.limit(AGREEMENT) * tested
    ):
        return Unknown(f"the network and a cheap learner agree on {counts[every]:.0f} of "
                       f"{tested:.0f} samples only", ("a network that learns the classes",))
    if any(loss.reduction == "none" for loss in view.facts.losses):
        return Unknown("targets that are weighted one by one may be actions that were tried, and "
                       "those are meant to differ", ("a look at the suspects",))
    if not dependence >= view.limit(DEPENDENT):
        return Unknown("the labels hardly depend on the inputs", ("better inputs",))
    two = len(last(view[CLASS_SAMPLES])) <= 2
    needed = shares[every] * view.limit(PLATEAU_OF_TWO if two else PLATEAU)
    flat = shares[quarter] >= needed and shares.get("surest tenth", 0.0) >= (
        needed if two else 0.8 * needed)
    if not flat or (two and not shares[half] >= needed):
        return Unknown(f"labels differ from the prediction in {percent(shares[every])} of the "
                       f"samples, but in {percent(shares[quarter])} where it is surest: classes "
                       "that overlap, or outcomes random by nature, look so too",
                       ("a look at the suspects",))
    early, both = suspects.get("loss early in training", 0.0), suspects.get("both", 0.0)
    if not both >= view.limit(BOTH) * early > 0:
        return Unknown(f"of {early:.0f} labels that the early loss suspects, confident learning "
                       f"suspects {both:.0f} only", ("a look at the suspects",))
    learned = float(view[SUSPECTS_LEARNED].values[-1])
    harmful = learned >= view.limit(LEARNED) or low >= view.limit(MANY)
    return _present(view, shares[half], (low, high), learned, 0.9 if harmful else 0.4)


def _present(
    view: View, share: float, bounds: tuple[float, float], learned: float, strength: float
) -> Present:
    number = last(view[LABEL_SUSPECTS])["both"]
    worst = list(view[LABEL_SUSPECT]) if view.has(LABEL_SUSPECT) else []
    indexed = not any(name.startswith("#") for name in worst)
    listed = joined(worst, 10)
    where = (f"by index in the data set: {listed}" if indexed else
             f"in the order in which samples first came: {listed} (they cannot be matched to "
             "indices)")
    heart = f", and {percent(learned)} of the suspects are learned by heart" if (
        learned >= view.limit(LEARNED)) else ""
    evidence = [
        measured(view, LABEL_DISAGREEMENT, "surest half", view.limit(SHARE),
                 f"{percent(share)} ({percent(bounds[0])} to {percent(bounds[1])}) of the labels "
                 "differ from the class on which the network, early in training, and a cheap "
                 "learner, told by the other samples, agree"),
        measured(view, LABEL_DISAGREEMENT, "surest quarter", view.limit(SHARE),
                 "where the learner is surest, and classes do not overlap, the share is "
                 f"{percent(last(view[LABEL_DISAGREEMENT])['surest quarter'])}"),
    ]
    if worst:
        evidence.append(measured(
            view, LABEL_SUSPECT, worst[0], 0.0,
            f"{number:.0f} suspects of both methods, the worst {where}"))
    return Present(
        strength=strength,
        title=f"about {percent(share)} of the labels look wrong ({percent(bounds[0])} to "
        f"{percent(bounds[1])}){heart}",
        since_step=0,
        location=pairs_location(view),
        label=f"of these samples {number:.0f} look mislabelled",
        evidence=tuple(evidence),
        remedies=(
            Remedy("look at the suspects; relabel or drop them", Safety.ADVICE,
                   advice="look at the suspects that are listed; correct their labels, or leave "
                   "them out of training",
                   code_text="Subset(train_set, [i for i in range(len(train_set)) "
                   f"if i not in {{{', '.join(worst[:5])}, ...}}])" if indexed and worst else None),
            Remedy("stop before the wrong labels are learned by heart", Safety.ADVICE,
                   advice="stop where the held-out loss is lowest: wrong labels are learned last"),
        ),
    )


CAUSE = Cause(
    slug="noisy-labels",
    code="L002",
    title="Noisy labels",
    family="Labels and targets",
    harm=Harm.DISTRUST,
    words=Words(
        symptom="The training accuracy stays below what the task allows, or the network learns "
        "the training set by heart while held-out samples get worse.",
        consequence="The network spends capacity on errors, its confidence is wrong, and any "
        "score that is measured against such labels is wrong as well.",
        why="A wrong label pulls a sample to a class that its neighbours are not of. Networks "
        "learn what most samples agree on first and the exceptions later, each by heart.",
        detection="Two methods must agree: confident learning on the predictions of a cheap "
        "learner that is told by all other samples, and the network's own loss early in training, "
        "before it knows exceptions by heart. Classes that overlap give disagreement where the "
        "learner is unsure; wrong labels give as much where it is surest.",
        limitations="Outcomes that are random by nature, such as clicks, look like wrong "
        "labels; so of two classes only an even share convicts. Augmented samples, which never "
        "come again, are not judged, and labels mixed up between two classes are seldom seen. A "
        "group of samples that is consistently labelled otherwise, and that both methods are too "
        "coarse to tell, would be accused. Soft labels, regressions and sets of fewer than some "
        "hundred samples are not judged.",
        references=(
            "Northcutt, Jiang and Chuang 2021: Confident learning",
            "Arpit et al. 2017: A closer look at memorization in deep networks",
            "Arazo et al. 2019: Unsupervised label noise modeling and loss correction",
        ),
    ),
    needs=(),
    uses=(
        LABEL_DISAGREEMENT, AGREEING_SAMPLES, LABEL_SUSPECTS, SUSPECTS_LEARNED, LABEL_DEPENDENCE,
        PAIRS_TESTED, CLASS_SAMPLES, LABEL_SUSPECT, BATCH_SIZE,
    ),
    thresholds=(SHARE, PLATEAU, PLATEAU_OF_TWO, AGREEMENT, SAMPLES, BOTH, LEARNED, MANY, DEPENDENT),
    explains=("too-much-regularisation", "no-regularisation", "too-few-samples"),
    detect=_detect,
)
