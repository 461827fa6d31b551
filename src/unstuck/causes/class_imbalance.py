"""Class imbalance: frequent classes are learned, rare ones are never predicted."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._labels import interval
from unstuck.causes._measures import last, measured
from unstuck.causes._samples import labelled
from unstuck.edits import LossForm, Remedy, Safety, literal
from unstuck.facts import Kept, Loss
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.sample_signals import (
    CLASS_RANKING,
    CLASS_RECALL,
    CLASS_SAMPLES,
    CLASS_SEPARABILITY,
    CLASSES_JUDGED,
    HELD_OUT_CLASS_RANKING,
    HELD_OUT_CLASS_RECALL,
    HELD_OUT_CLASSES_JUDGED,
    LABEL_DEPENDENCE,
)
from unstuck.words import joined, percent

RATIO = Threshold(
    "class-ratio", 4.0,
    "The largest class has so many times the samples of a rare one, and surely half as many times. "
    "Below that a network that learned nothing else about the class would still predict it at "
    "times.",
    "SageMaker Debugger's rule warns at 10; lower here because the harm is measured too",
)
LOST = Threshold(
    "lost-recall", 0.3,
    "Upper end of the 95 % interval of the rare classes' recall: most of their samples are "
    "missed, and not by the chance of few samples.",
    "definition of a class that is as good as never predicted",
)
OUTSIDE = Threshold(
    "lost-held-out-recall", 0.6,
    "Upper end of the 95 % interval of the recall of held-out samples: four in ten at least are "
    "missed, of all rare classes or of each one that is named.",
    "a choice: a rare class of a network that handles it is found nearly as often as the others",
)
KNOWN = Threshold(
    "known-recall", 0.7,
    "The other classes must be learned, or the network failed for a reason that has nothing to do "
    "with their sizes.",
    "half-way between a fair and a perfect share for few classes",
)
TOLD_APART = Threshold(
    "rare-class-ranking", 0.6,
    "Lower end of the interval of the area under the ROC curve, 0.5 for chance: a class that "
    "nothing tells from the others is no matter of weights.",
    "Hanley and McNeil 1982; 0.6 is a weak but real signal",
)
OFTENER = Threshold(
    "rare-class-shift", 3.0,
    "Held-out data hold the rare classes so many times as often as training does: they matter more "
    "there than the loss was told.",
    "a choice: a random split leaves the shares within a factor of two",
)
LEARNABLE = Threshold(
    "held-out-label-dependence", 8.0,
    "Standard deviations above permuted labels: held-out samples show that inputs do tell classes "
    "apart, of which training had too few to learn it.",
    "permutation distribution; twice what counts as dependent",
)


@dataclass(frozen=True, slots=True)
class _Group:
    """Classes taken together: their samples and the share that was found."""

    samples: float
    recall: float

    @property
    def most(self) -> float:
        return interval(self.recall, self.samples)[1]


def _group(names: list[str], judged: dict[str, float], recall: dict[str, float]) -> _Group:
    counted = {n: judged[n] for n in names if n in recall and judged.get(n, 0) > 0}
    total = sum(counted.values())
    if not total:
        return _Group(0.0, math.nan)
    return _Group(total, sum(recall[n] * k for n, k in counted.items()) / total)


def _detect(view: View) -> Verdict:
    train = labelled(view)
    if not isinstance(train, Kept):
        return train
    if train.targets != "classes":
        return Absent("the targets are numbers, not classes")
    if not all(view.has(s) for s in (CLASS_SAMPLES, CLASSES_JUDGED, CLASS_RECALL)):
        return Unknown("what the network predicted of each class is not known",
                       ("a loss that receives logits or probabilities of at most 100 classes",))
    counts = {n: k for n, k in last(view[CLASS_SAMPLES]).items() if k > 0}
    if len(counts) < 2:
        return Unknown("samples of one class only were kept", ("samples of several classes",))
    most = max(counts.values())
    judged, recall = last(view[CLASSES_JUDGED]), last(view[CLASS_RECALL])
    held_out = (last(view[HELD_OUT_CLASSES_JUDGED]), last(view[HELD_OUT_CLASS_RECALL])) if (
        view.has(HELD_OUT_CLASSES_JUDGED) and view.has(HELD_OUT_CLASS_RECALL)) else ({}, {})
    total = sum(counts.values())
    surely = interval(most / total, total)[0] * 2 / view.limit(RATIO)
    # Of few samples some class comes four times as often as another by chance.
    rare = [n for n, k in counts.items()
            if most >= view.limit(RATIO) * k and interval(k / total, total)[1] <= surely]
    # Those of which training has none at all.
    if interval(0.0, total)[1] <= surely:
        rare += [n for n, k in held_out[0].items() if n not in counts and k > 0]
    if not rare:
        return Absent(f"the largest class has {most / min(counts.values()):.2g} times the samples "
                      "of the smallest")
    frequent = [n for n in counts if n not in rare]
    shown = _outside(view, counts, rare, frequent, held_out)
    if shown is not None:
        return shown
    common = _group(frequent, judged, recall)
    if not common.samples:
        return Unknown("no sample was met again late in the run", ("predictions late in the run",))
    found = _group(rare, judged, recall)
    missed = [n for n in rare if n in recall and not recall[n] > view.limit(LOST)]
    lost, outside = _group(missed, judged, recall), _group(missed, *held_out)
    if found.samples and not missed:
        return Absent(f"rare classes are found too: {percent(found.recall)} of their samples")
    if not lost.samples or not lost.most <= view.limit(LOST):
        return Unknown(f"only {lost.samples:.0f} samples of rare classes were judged late in the "
                       "run", ("more samples of the rare classes",))
    if not common.recall >= view.limit(KNOWN):
        return Unknown(f"the frequent classes are not learned either: {percent(common.recall)} "
                       "of their samples are found", ("a run that learns the frequent classes",))
    if outside.samples and outside.recall > 0.5:
        return Absent(f"of held-out samples the rare classes are found: {percent(outside.recall)}")
    ranked, told = (
        _told(last(view[signal]) if view.has(signal) else {}, missed, lost.samples)
        for signal in (CLASS_RANKING, CLASS_SEPARABILITY))
    if not ranked >= view.limit(TOLD_APART) and not (
        told >= view.limit(TOLD_APART) and len(counts) - len(rare) > 1
    ):
        return Unknown("neither the network nor a cheap learner is known to tell the rare classes "
                       "from the others", ("a trial with class weights",))
    worst = min(missed, key=lambda n: (counts[n], n))
    evidence = [measured(
        view, CLASS_RECALL, worst, view.limit(LOST),
        f"of {lost.samples:.0f} training samples of {_said(missed)} the network finds "
        f"{percent(lost.recall)} late in the run, of the frequent classes' "
        f"{percent(common.recall)}")]
    if outside.samples and worst in view[HELD_OUT_CLASS_RECALL]:
        evidence.append(measured(
            view, HELD_OUT_CLASS_RECALL, worst, view.limit(LOST),
            f"of {outside.samples:.0f} held-out samples of them it finds "
            f"{percent(outside.recall)}"))
    return _present(view, counts, missed, evidence,
                    0.85 if ranked >= view.limit(TOLD_APART) else 0.75,
                    f"{percent(lost.recall)} of the samples", f"{percent(common.recall)}")


def _outside(
    view: View, counts: dict[str, float], rare: list[str], frequent: list[str],
    held_out: tuple[dict[str, float], dict[str, float]],
) -> Present | None:
    """Rare classes that held-out samples show to be lost, even if they were learned by heart."""
    judged, recall = held_out
    missed = [n for n in rare if n in recall]
    if not _group(missed, judged, recall).most <= view.limit(OUTSIDE):
        missed = [n for n in missed
                  if interval(recall[n], judged.get(n, 0.0))[1] <= view.limit(OUTSIDE)]
    lost, common = _group(missed, judged, recall), _group(frequent, judged, recall)
    ranked = _told(last(view[HELD_OUT_CLASS_RANKING]) if view.has(HELD_OUT_CLASS_RANKING) else {},
                   missed, lost.samples)
    dependence = last(view[LABEL_DEPENDENCE]) if view.has(LABEL_DEPENDENCE) else {}
    # Outcomes that are rare by nature are missed as often in training, and are as rare outside.
    by_heart = _group(missed, last(view[CLASSES_JUDGED]), last(view[CLASS_RECALL]))
    here = sum(counts.get(n, 0.0) for n in missed) / sum(counts.values())
    there = sum(judged.get(n, 0.0) for n in missed) / max(sum(judged.values()), 1.0)
    if not by_heart.recall >= view.limit(KNOWN) and not there >= view.limit(OFTENER) * here:
        return None
    if not missed or not common.recall >= view.limit(KNOWN) or not (
        dependence.get("held-out", 0.0) >= view.limit(LEARNABLE)
        or ranked >= view.limit(TOLD_APART)
    ):
        return None
    worst = min(missed, key=lambda n: (counts.get(n, 0.0), n))
    evidence = [measured(
        view, HELD_OUT_CLASS_RECALL, worst, view.limit(OUTSIDE),
        f"of {lost.samples:.0f} held-out samples of {_said(missed)} the network finds "
        f"{percent(lost.recall)} late in the run, of the frequent classes' "
        f"{percent(common.recall)}")]
    return _present(view, counts, missed, evidence, 0.8,
                    f"{percent(lost.recall)} of the held-out samples", f"{percent(common.recall)}")


def _said(names: list[str]) -> str:
    return f"{'class' if len(names) == 1 else 'classes'} {joined(names)}"


def _told(ranking: dict[str, float], names: list[str], samples: float) -> float:
    """The lower end of the interval of the mean area under the curve."""
    areas = [ranking[n] for n in names if n in ranking]
    if not areas or not samples:
        return math.nan
    mean = sum(areas) / len(areas)
    return mean - 2 * math.sqrt(max(mean * (1 - mean), 0.0) / samples)


def _present(
    view: View, counts: dict[str, float], missed: list[str], evidence: list[Evidence],
    strength: float, lost: str, common: str,
) -> Present:
    share = sum(counts.get(n, 0.0) for n in missed) / sum(counts.values())
    loss = _loss(view)
    known = [n for n in missed if n in counts]
    if known:
        worst = min(known, key=lambda n: (counts[n], n))
        evidence.append(measured(
            view, CLASS_SAMPLES, worst, max(counts.values()) / view.limit(RATIO),
            f"class {worst} has {counts[worst]:.0f} of the {sum(counts.values()):.0f} training "
            f"samples that were kept, the largest class {max(counts.values()):.0f}"))
    return Present(
        strength=strength,
        title=f"the network finds {lost} of {_said(missed)}, which "
        f"{'is' if len(missed) == 1 else 'are'} {percent(share)} of the training data, and "
        f"{common} of the frequent ones",
        since_step=0,
        location=loss.location if loss is not None else None,
        label="counts each sample once, so rare classes hardly weigh",
        evidence=tuple(evidence),
        remedies=_remedies(counts, loss),
    )


def _loss(view: View) -> Loss | None:
    """The loss of the classes, as far as it is known."""
    return next((x for x in view.facts.losses if x.location is not None), None)


def _remedies(counts: dict[str, float], loss: Loss | None) -> tuple[Remedy, ...]:
    binary = loss is not None and "binary" in loss.function and len(counts) == 2
    if binary:
        weight = literal(counts.get("0", 1.0) / counts.get("1", 1.0))
        code = f"nn.BCEWithLogitsLoss(pos_weight=torch.tensor([{weight}]))"
    elif len(counts) <= 10 and all(n.isdecimal() and len(n) <= 2 for n in counts):
        mean = sum(counts.values()) / len(counts)
        size = max(int(n) for n in counts) + 1
        weights = ", ".join(literal(mean / counts[str(i)]) if str(i) in counts else "1"
                            for i in range(size))
        code = f"nn.CrossEntropyLoss(weight=torch.tensor([{weights}]))"
    else:
        code = "nn.CrossEntropyLoss(weight=len(y) / (classes * torch.bincount(y)))"
    return (
        Remedy("weigh each class by the inverse of its frequency", Safety.CHANGES_EXPERIMENT,
               (LossForm(code, "weigh each class by the inverse of its frequency"),)),
        Remedy("draw rare classes more often", Safety.ADVICE,
               advice="let the loader draw samples of all classes equally often",
               code_text="WeightedRandomSampler(1 / torch.bincount(y)[y], len(y))"),
    )


CAUSE = Cause(
    slug="class-imbalance",
    code="L005",
    title="Class imbalance",
    family="Labels and targets",
    harm=Harm.DISTRUST,
    words=Words(
        symptom="The accuracy is as high as the largest class is frequent, the loss is low, and "
        "some classes are never predicted.",
        consequence="The network is useless for the rare classes, which are often those that "
        "matter, while the accuracy looks good.",
        why="The loss is an average over samples, so a class counts as much as it is frequent. "
        "Where a rare class is not told with certainty, predicting the frequent one is the "
        "cheapest answer, and the few gradients that say otherwise are outvoted.",
        detection="Unequal classes alone are no fault. The last predictions of the samples that "
        "were kept are counted per class, with a binomial interval: the rare classes must be "
        "missed nearly always while the frequent ones are found, and the network must rank "
        "samples of the rare classes above others, or a cheap learner must, so that there is "
        "something to learn about them. Or held-out samples of a rare class are missed that was "
        "learned by heart in training, or that is far more frequent there, though the network "
        "ranks them above others or the held-out labels do depend on their inputs.",
        limitations="At most 2,000 training samples are kept, so classes rarer than one in two "
        "hundred are seldom judged. Whether a rare class that nothing tells apart would be "
        "learned with weights only a trial shows. Regressions have no classes.",
        references=(
            "He and Garcia 2009: Learning from imbalanced data",
            "Johnson and Khoshgoftaar 2019: Survey on deep learning with class imbalance",
        ),
    ),
    needs=(),
    uses=(
        CLASS_SAMPLES, CLASSES_JUDGED, CLASS_RECALL,
        HELD_OUT_CLASSES_JUDGED, HELD_OUT_CLASS_RECALL, HELD_OUT_CLASS_RANKING, CLASS_RANKING,
        CLASS_SEPARABILITY, LABEL_DEPENDENCE,
    ),
    thresholds=(RATIO, LOST, OUTSIDE, KNOWN, TOLD_APART, OFTENER, LEARNABLE),
    explains=("too-few-samples", "no-regularisation", "noisy-labels"),
    detect=_detect,
    needs_trend=True,
)
