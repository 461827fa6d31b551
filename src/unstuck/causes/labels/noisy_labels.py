"""Noisy labels: a share of them contradicts the class on which two methods agree."""

from __future__ import annotations

from unstuck.measures.basics import last, measured
from unstuck.measures.labels import interval, pairs_location
from unstuck.measures.origins import GIVEN, nearest, target_steps
from unstuck.measures.samples import labelled
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import Remedy, Safety
from unstuck.schema.facts.calls import StepKind
from unstuck.schema.facts.data import Kept
from unstuck.schema.facts.losses import Loss
from unstuck.schema.findings import Absent, Present, Unknown, Verdict
from unstuck.schema.signals.batches import BATCH_SIZE
from unstuck.schema.signals.samples import (
    AGREEING_SAMPLES,
    CLASS_SAMPLES,
    LABEL_DEPENDENCE,
    LABEL_DISAGREEMENT,
    LABEL_SUSPECT,
    LABEL_SUSPECTS,
    PAIRS_TESTED,
    SUSPECTS_LEARNED,
)
from unstuck.words import count, joined, number, percent

SHARE = Threshold(
    "wrong-labels", 0.05,
    "The limit applies to the lower end of the 95 % interval of the share. The test sets of ten "
    "common data sets contain 3.3 % wrong labels on average, which networks tolerate.",
    "Northcutt, Athalye and Mueller 2021, Pervasive label errors",
)
PLATEAU = Threshold(
    "wrong-labels-among-the-surest", 0.75,
    "Wrong labels are as frequent where the baseline is confident as elsewhere; samples that lie "
    "between two classes are rare there. So the most confident quarter must keep at least this "
    "fraction of the share among all samples, and the most confident tenth four fifths of it.",
    "wrong labels leave 0.85 to 1.2, logistic outcomes 0.3 to 0.65 (measured)",
)
PLATEAU_OF_TWO = Threshold(
    "wrong-labels-of-two-classes", 0.85,
    "The same limit for two classes, applied to the most confident half, quarter and tenth. "
    "Outcomes that are random by nature, such as clicks, mostly have two classes, and their share "
    "stays nearly level if the inputs predict little.",
    "a logistic outcome of unit slope leaves 0.8, 0.65 and 0.45 (computed)",
)
AGREEMENT = Threshold(
    "agreement-with-the-learner", 0.35,
    "The network and the baseline must agree on at least this share of the samples. Otherwise one "
    "of them knows too little to contradict a label.",
    "a choice: with ten classes, chance alone makes them agree on a tenth",
)
SAMPLES = Threshold(
    "samples-for-wrong-labels", 100.0,
    "With fewer samples in the more confident half, the 95 % interval is wider than a tenth.",
    "Wilson's interval for a share of one in ten",
)
BOTH = Threshold(
    "suspects-of-both-methods", 0.5,
    "Confident learning must confirm at least this share of the labels that the network's early "
    "loss makes suspect.",
    "two methods agree if each confirms most of what the other finds",
)
LEARNED = Threshold(
    "suspects-learned-by-heart", 0.3,
    "From this share on, the network spends much of its capacity on memorising wrong labels.",
    "Zhang et al. 2017: random labels are memorised completely; Arpit et al. 2017: after the rest",
)
MANY = Threshold(
    "wrong-labels-that-always-harm", 0.1,
    "The limit applies to the lower end of the 95 % interval. One wrong label in ten costs "
    "accuracy even if the network does not memorise them.",
    "Rolnick et al. 2017: the data needed to compensate for noise grow with 1 / (1 - share)",
)
DEPENDENT = Threshold(
    "dependence-for-wrong-labels", 8.0,
    "Labels without any relation to the inputs are all wrong, which is a different cause. A share "
    "of wrong labels leaves most of the relation intact.",
    "with hundreds of samples, real labels score tens of standard deviations above permuted ones",
)
BOTH_METHODS = "the network's early predictions and a leave-one-out baseline"
BY_HAND = ("a check of some labels by hand",)


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
        return Unknown("label noise can be checked only on samples seen in several epochs, and too "
                       f"few of the {count(train.samples, 'kept sample')} qualify",
                       ("several hundred training samples, each seen in more than one epoch",))
    shares, counts = last(view[LABEL_DISAGREEMENT]), last(view[AGREEING_SAMPLES])
    suspects = last(view[LABEL_SUSPECTS])
    tested = last(view[PAIRS_TESTED]).get("train", 0.0)
    dependence = last(view[LABEL_DEPENDENCE]).get("train", 0.0)
    half, quarter, every = "surest half", "surest quarter", "all"
    if not all(part in shares and part in counts for part in (half, quarter, every)):
        return Unknown(f"{BOTH_METHODS} agree on too few samples", ("more training samples",))
    low, high = interval(shares[half], counts[half])
    if not low >= view.limit(SHARE):
        if interval(shares[every], counts[every])[0] >= view.limit(SHARE):
            return Unknown(f"{percent(shares[every])} of the labels look wrong, but only "
                           f"{percent(shares[half])} of those that are predicted with more "
                           "confidence: the classes may overlap, or only some of them are confused",
                           BY_HAND)
        if counts[half] >= view.limit(SAMPLES):
            return Absent(f"{percent(shares[half])} of the "
                          f"{count(round(counts[half]), 'label')} that are predicted with most "
                          f"confidence contradict both {BOTH_METHODS}, which is not clearly above "
                          f"{percent(view.limit(SHARE))}")
        return Unknown(f"{BOTH_METHODS} agree on only {count(round(counts[every]), 'sample')}",
                       ("more training samples",))
    if not counts[half] >= view.limit(SAMPLES) or not (
        counts[every] >= view.limit(AGREEMENT) * tested
    ):
        return Unknown(f"{BOTH_METHODS} agree on only {number(round(counts[every]))} of "
                       f"{count(round(tested), 'sample')}",
                       ("a network that has learned the classes",))
    if any(loss.reduction == "none" for loss in view.record.facts(Loss)):
        return Unknown("the loss weights samples one by one, so the targets may be actions that "
                       "were tried, which need not be the most likely class", BY_HAND)
    if not dependence >= view.limit(DEPENDENT):
        return Unknown("the labels hardly depend on the inputs",
                       ("inputs that predict the labels better",))
    two = len(last(view[CLASS_SAMPLES])) <= 2
    needed = shares[every] * view.limit(PLATEAU_OF_TWO if two else PLATEAU)
    flat = shares[quarter] >= needed and shares.get("surest tenth", 0.0) >= (
        needed if two else 0.8 * needed)
    if not flat or (two and not shares[half] >= needed):
        return Unknown("the share of labels that look wrong changes with the confidence of the "
                       f"prediction ({percent(shares[every])} of all labels, "
                       f"{percent(shares[quarter])} of the most confident quarter), as it does if "
                       "classes overlap or outcomes are random by nature", BY_HAND)
    early, both = suspects.get("loss early in training", 0.0), suspects.get("both", 0.0)
    if not both >= view.limit(BOTH) * early > 0:
        return Unknown(f"of {count(round(early), 'label')} that the network's early loss makes "
                       f"suspect, confident learning confirms only {number(round(both))}", BY_HAND)
    learned = float(view[SUSPECTS_LEARNED].values[-1])
    harmful = learned >= view.limit(LEARNED) or low >= view.limit(MANY)
    return _present(view, shares[half], (low, high), learned, 0.9 if harmful else 0.4)


def _present(
    view: View, share: float, bounds: tuple[float, float], learned: float, strength: float
) -> Present:
    suspects = round(last(view[LABEL_SUSPECTS])["both"])
    worst = list(view[LABEL_SUSPECT]) if view.has(LABEL_SUSPECT) else []
    indexed = not any(name.startswith("#") for name in worst)
    listed = joined(worst, 10)
    where = (f"by index in the data set: {listed}" if indexed else
             f"numbered in the order in which samples first came: {listed} (their indices in the "
             "data set are not known)")
    interval_text = f"95 % interval: {percent(bounds[0])} to {percent(bounds[1])}"
    memorised = f", and the network has memorised {percent(learned)} of the suspects" if (
        learned >= view.limit(LEARNED)) else ""
    evidence = [
        measured(view, LABEL_DISAGREEMENT, "surest half", view.limit(SHARE),
                 f"{percent(share)} of the labels contradict both {BOTH_METHODS} "
                 f"({interval_text})"),
        measured(view, LABEL_DISAGREEMENT, "surest quarter", view.limit(SHARE),
                 "overlapping classes do not explain this: where the baseline is most confident, "
                 f"the share is still {percent(last(view[LABEL_DISAGREEMENT])['surest quarter'])}"),
    ]
    if worst:
        evidence.append(measured(
            view, LABEL_SUSPECT, worst[0], 0.0,
            f"the network's early loss and confident learning agree on "
            f"{count(suspects, 'suspect label')}; the worst, {where}"))
    paired, steps = pairs_location(view), target_steps(view)
    return Present(
        strength=strength,
        title=f"about {percent(share)} of the labels look wrong ({interval_text}){memorised}",
        since_step=0,
        location=nearest(steps, StepKind.CHANGED) or nearest(steps[::-1], *GIVEN) or paired,
        label=f"this data set has {count(suspects, 'label')} likely to be wrong",
        evidence=tuple(evidence),
        remedies=(
            Remedy("check the suspect labels; correct or drop them", Safety.ADVICE,
                   advice="Check the listed samples. Correct their labels, or leave the samples "
                   "out of training.",
                   code_text="Subset(train_set, [i for i in range(len(train_set)) "
                   f"if i not in {{{', '.join(worst[:5])}, ...}}])" if indexed and worst else None),
            Remedy("stop before the network memorises the wrong labels", Safety.ADVICE,
                   advice="Stop training where the held-out loss is lowest. Networks memorise "
                   "wrong labels last."),
        ),
    )


CAUSE = Cause(
    slug="noisy-labels",
    code="L002",
    title="Noisy labels",
    family="Labels and targets",
    harm=Harm.DISTRUST,
    symptoms=(Symptom.PLATEAU, Symptom.OVERFITS),
    words=Words(
        symptom="Either the training accuracy stays below what the task allows, or the network "
        "memorises the training set while its held-out predictions get worse.",
        consequence="The network spends capacity on errors, and its confidence is wrong. Any "
        "score that is measured against such labels is wrong as well.",
        why="A wrong label pulls a sample towards a class that its neighbours do not belong to. "
        "Networks first learn what most samples agree on. Later they memorise the exceptions one "
        "by one.",
        detection="Two methods must agree. The first is confident learning on a leave-one-out "
        "baseline, a simple model that predicts each label from all other samples. The second is "
        "the network's own loss early in training, before it memorises exceptions. Overlapping "
        "classes cause contradictions where the baseline is unsure. Wrong labels are just as "
        "frequent where it is confident.",
        limitations="Outcomes that are random by nature, such as clicks, look like wrong labels. "
        "With two classes, wrong labels are therefore reported only if their share stays level "
        "where the baseline is confident. Augmented samples never come again and are not checked. "
        "Labels that are confused between only two classes are seldom detected. A group of "
        "samples that follows a labelling rule of its own is reported by mistake if neither method "
        "can resolve the group. Soft labels, regression targets and data sets of less than a few "
        "hundred samples are not checked.",
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
    shows=Effect.LABELS_WRONG,
    effects=(Effect.SAMPLES_FEW, Effect.WEIGHTS_SHRINK),
    detect=_detect,
)
