"""Class imbalance: frequent classes are learned, rare ones are never predicted."""

from __future__ import annotations

import math

from unstuck.measures.basics import last, measured, train_loss_at_the_end
from unstuck.measures.labels import interval
from unstuck.measures.recall import Group, group, lowest_ranking, reads_its_classes
from unstuck.measures.repeats import SHORT, short_on_purpose
from unstuck.measures.samples import labelled
from unstuck.measures.slowness import falls_steeply
from unstuck.measures.steps import samples_per_step
from unstuck.measures.view import Threshold, View
from unstuck.record.schedule import LIMITS
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import ClassWeights, Edit, LossForm, Remedy, Safety, literal
from unstuck.schema.facts.data import Kept
from unstuck.schema.facts.losses import Loss
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.quantities import PlaceSignal
from unstuck.schema.signals.batches import BATCH_SIZE
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.samples import (
    CLASS_RANKING,
    CLASS_RECALL,
    CLASS_SAMPLES,
    CLASS_SEPARABILITY,
    CLASSES_JUDGED,
    DENSE_CLASS_COUNT,
    DENSE_CLASS_RANKING,
    DENSE_CLASS_RECALL,
    HELD_OUT_CLASS_RANKING,
    HELD_OUT_CLASS_RECALL,
    HELD_OUT_CLASSES_JUDGED,
    LABEL_DEPENDENCE,
)
from unstuck.torch_api import BINARY, CLASS_LIKELIHOODS
from unstuck.words import count, joined, number, percent, times

RATIO = Threshold(
    "class-ratio", 4.0,
    "A class counts as rare if the largest class has this many times as many samples, and at least "
    "half that many times after allowing for sampling error. In a milder imbalance, even a network "
    "that learned nothing about the class would sometimes predict it.",
    "SageMaker Debugger's rule warns at 10; this limit is lower because the harm is measured too",
)
LOST = Threshold(
    "lost-recall", 0.3,
    "Upper end of the 95 % confidence interval of the recall on rare classes. Below this limit the "
    "network misses most of their samples, and a small number of samples cannot explain that.",
    "definition of a class that is practically never predicted",
)
HALF_LOST = Threshold(
    "lost-recall-of-ranked", 0.45,
    "The same limit where the network clearly ranks the samples of the rare classes above others: "
    "it could find them, but most stay below the score at which it would predict them.",
    "a choice: below a half, so that most are missed",
)
RANKED = Threshold(
    "clear-rare-class-ranking", 0.8,
    "Lower end of the confidence interval of the area under the ROC curve from which on a network "
    "clearly ranks the rare classes above others.",
    "Hosmer and Lemeshow 2000: excellent discrimination",
)
OUTSIDE = Threshold(
    "lost-held-out-recall", 0.6,
    "Upper end of the 95 % confidence interval of the recall on held-out samples. Below this limit "
    "the network misses at least 40 % of them, over all rare classes together or in each class "
    "that is reported.",
    "a choice: a network that handles a rare class finds it nearly as often as the others",
)
KNOWN = Threshold(
    "known-recall", 0.7,
    "The network must have learned the other classes. Otherwise it failed for a reason that has "
    "nothing to do with class sizes.",
    "half-way between a fair and a perfect recall for few classes",
)
DISTINCT = Threshold(
    "rare-class-ranking", 0.6,
    "Lower end of the confidence interval of the area under the ROC curve (0.5 is chance). If "
    "nothing distinguishes a class from the others, class weights cannot help.",
    "Hanley and McNeil 1982; 0.6 is a weak but real signal",
)
OFTENER = Threshold(
    "rare-class-shift", 3.0,
    "The rare classes are this many times as frequent in the held-out data as in the training "
    "data, so they matter more than the training loss assumes.",
    "a choice: a random split keeps the shares within a factor of two",
)
LEARNABLE = Threshold(
    "held-out-label-dependence", 8.0,
    "In standard deviations above permuted labels. Above this limit the held-out samples show that "
    "the inputs do distinguish the classes, and that training only had too few samples of them.",
    "permutation distribution; twice what counts as dependent",
)
SHOWN = Threshold(
    "rare-samples-shown", 40.0,
    "So often, on average, must a class that is missed have been shown to the network. It finds "
    "the frequent classes first, and the others later.",
    "a choice: a rare class is learned from tens of samples, not from a few",
)
BRIEF = Threshold(
    "steps-of-one-of-many", 100.0,
    "One of many short trainings alike, such as a round of federated learning, leaves what it has "
    "not learned to those that follow.",
    "a choice: three times the updates of an epoch of a small part",
)


_KEPT = (CLASS_SAMPLES, CLASSES_JUDGED, CLASS_RECALL, CLASS_RANKING)
_HELD_OUT = (HELD_OUT_CLASSES_JUDGED, HELD_OUT_CLASSES_JUDGED, HELD_OUT_CLASS_RECALL,
             HELD_OUT_CLASS_RANKING)
_DENSE = (DENSE_CLASS_COUNT, DENSE_CLASS_COUNT, DENSE_CLASS_RECALL, DENSE_CLASS_RANKING)


_UNITS = {CLASS_SAMPLES: "kept sample", HELD_OUT_CLASSES_JUDGED: "kept sample",
          DENSE_CLASS_COUNT: "label"}


def _detect(view: View) -> Verdict:
    if view.record.steps < view.limit(BRIEF) and short_on_purpose(view.record):
        return Unknown(SHORT, ("a look at the network after the last of these trainings",))
    train = labelled(view)
    if isinstance(train, Absent) and view.has(DENSE_CLASS_RECALL):
        return _compared(view, _DENSE, True)
    if not isinstance(train, Kept):
        return train
    if train.targets != "classes":
        return Absent("the targets are numbers, not classes")
    if not all(view.has(s) for s in _KEPT[:3]):
        return Unknown("the network's predictions for each class are not known",
                       ("a loss that receives logits or probabilities for at most 100 classes",))
    return _compared(view, _KEPT, train.discrete)


def _compared(view: View, signals: tuple[PlaceSignal, ...], discrete: bool) -> Verdict:
    """By how many labels of each class there are, how many of them were judged, which share of
    these was found, and how they are ranked."""
    dense = signals is _DENSE
    counts = {n: k for n, k in last(view[signals[0]]).items() if k > 0}
    if len(counts) < 2:
        return Unknown("all labels seen are of one class", ("samples of several classes",))
    most = max(counts.values())
    judged, recall = last(view[signals[1]]), last(view[signals[2]])
    held_out = (last(view[HELD_OUT_CLASSES_JUDGED]), last(view[HELD_OUT_CLASS_RECALL])) if (
        not dense and view.has(HELD_OUT_CLASSES_JUDGED) and view.has(HELD_OUT_CLASS_RECALL)) else (
            {}, {})
    total = sum(counts.values())
    surely = interval(most / total, total)[0] * 2 / view.limit(RATIO)
    # Among few samples, one class is four times as frequent as another by chance.
    rare = [n for n, k in counts.items()
            if most >= view.limit(RATIO) * k and interval(k / total, total)[1] <= surely]
    # Those of which training has none at all.
    if interval(0.0, total)[1] <= surely:
        rare += [n for n, k in held_out[0].items() if n not in counts and k > 0]
    if not rare:
        ratio = most / min(counts.values())
        return Absent("all classes are about equally frequent" if ratio < 1.1 else
                      f"no class is rare enough (the largest has {times(ratio)} the samples of the "
                      "smallest)")
    if discrete and reads_its_classes(view):
        return Absent("the classes are the tokens that the network reads, and some tokens are rare "
                      "by nature")
    frequent = [n for n in counts if n not in rare]
    lost_outside = None if dense else _outside(view, counts, rare, frequent, held_out)
    if lost_outside is not None:
        return lost_outside
    where = "training"
    if _tells(view, rare, held_out) and (
        group(rare, *held_out).samples > group(rare, judged, recall).samples
    ):  # of a very rare class, training meets few samples late in a run
        where, signals = "held-out", _HELD_OUT
        judged, recall = held_out
    common = group(frequent, judged, recall)
    if not common.samples:
        return Unknown("no kept sample of a frequent class was seen again late in the run",
                       ("a run of several epochs",))
    found = group(rare, judged, recall)
    ranking = last(view[signals[3]]) if view.has(signals[3]) else {}
    clear = lowest_ranking(ranking, rare, found.samples) >= view.limit(RANKED)
    limit = view.limit(HALF_LOST if clear else LOST)
    missed = [n for n in rare if n in recall and not recall[n] > limit]
    lost, outside = group(missed, judged, recall), group(missed, *held_out)
    if found.samples and not missed:
        return Absent(f"the network finds the rare classes too (recall {percent(found.recall)})")
    if not lost.samples or not lost.most <= limit:
        return Unknown("too few predictions for rare classes were seen late in the run "
                       f"({number(round(lost.samples))})", ("more samples of the rare classes",))
    each = None if dense else samples_per_step(view)
    shown = math.inf if each is None else each * view.record.steps * (
        sum(counts.get(n, 0.0) for n in missed) / total / len(missed))
    if shown < view.limit(SHOWN):
        return Unknown(f"the network was shown only {count(round(shown), 'sample')} of each rare "
                       "class that it misses", ("a longer run",))
    if not common.recall >= view.limit(KNOWN):
        return Unknown("the network has not learned the frequent classes either (recall "
                       f"{percent(common.recall)})", ("a run that learns the frequent classes",))
    if outside.samples and outside.recall > 0.5:
        return Absent("the network finds the rare classes in held-out data (recall "
                      f"{percent(outside.recall)})")
    if falls_steeply(view) or (where == "training" and _moved_on(view, judged, recall)):
        return Unknown("the loss has fallen since these samples were seen, or still falls steeply",
                       ("a longer run with --overhead 1",))
    separability = last(view[CLASS_SEPARABILITY]) if view.has(CLASS_SEPARABILITY) else {}
    ranked, separable = (
        lowest_ranking(areas, missed, lost.samples) for areas in (ranking, separability))
    if not ranked >= view.limit(DISTINCT) and not (
        separable >= view.limit(DISTINCT) and len(counts) - len(rare) > 1
    ):
        return Unknown("neither the network nor a baseline model is known to distinguish the rare "
                       "classes from the others", ("a trial run with class weights",))
    worst = min(missed, key=lambda n: (counts[n], n))
    seen = "time steps or pixels" if dense else f"{where} samples"
    evidence = [measured(
        view, signals[2], worst, limit,
        f"late in the run the network misses most {seen} of {_said(missed)} (recall "
        f"{percent(lost.recall)} on {_samples(lost, dense)}; frequent classes: "
        f"{percent(common.recall)})",
    )]
    if where == "training" and outside.samples and worst in view[HELD_OUT_CLASS_RECALL]:
        evidence.append(measured(
            view, HELD_OUT_CLASS_RECALL, worst, limit,
            f"it misses them in held-out data, too (recall {percent(outside.recall)} on "
            f"{_samples(outside)})"))
    return _present(view, signals[0], counts, missed, evidence,
                    0.85 if ranked >= view.limit(DISTINCT) else 0.75,
                    f"the recall is only {percent(lost.recall)}", percent(common.recall))


def _moved_on(view: View, judged: dict[str, float], recall: dict[str, float]) -> bool:
    """Whether the loss ends far below what missed samples cost: the logarithm of 2 each."""
    likely = all(x.function in CLASS_LIKELIHOODS | BINARY for x in view.record.facts(Loss))
    missed = sum(k * (1 - recall[n]) for n, k in judged.items() if n in recall)
    ends_at = train_loss_at_the_end(view) * sum(judged.values())
    return likely and missed * math.log(2) > 2 * ends_at


def _tells(
    view: View, rare: list[str], judged_recall: tuple[dict[str, float], dict[str, float]]
) -> bool:
    """Whether enough samples of rare classes were judged to call them missed, if all were."""
    return interval(0.0, group(rare, *judged_recall).samples)[1] <= view.limit(LOST)


def _outside(
    view: View, counts: dict[str, float], rare: list[str], frequent: list[str],
    held_out: tuple[dict[str, float], dict[str, float]],
) -> Present | None:
    """Rare classes that held-out samples show to be lost, even if training memorised them."""
    judged, recall = held_out
    missed = [n for n in rare if n in recall]
    if not group(missed, judged, recall).most <= view.limit(OUTSIDE):
        missed = [n for n in missed
                  if interval(recall[n], judged.get(n, 0.0))[1] <= view.limit(OUTSIDE)]
    lost, common = group(missed, judged, recall), group(frequent, judged, recall)
    ranked = lowest_ranking(
        last(view[HELD_OUT_CLASS_RANKING]) if view.has(HELD_OUT_CLASS_RANKING) else {},
        missed, lost.samples)
    dependence = last(view[LABEL_DEPENDENCE]) if view.has(LABEL_DEPENDENCE) else {}
    # Outcomes that are rare by nature are missed as often in training, and are as rare outside.
    memorised = group(missed, last(view[CLASSES_JUDGED]), last(view[CLASS_RECALL]))
    here = sum(counts.get(n, 0.0) for n in missed) / sum(counts.values())
    there = sum(judged.get(n, 0.0) for n in missed) / max(sum(judged.values()), 1.0)
    if not memorised.recall >= view.limit(KNOWN) and not there >= view.limit(OFTENER) * here:
        return None
    if not missed or not common.recall >= view.limit(KNOWN) or not (
        dependence.get("held-out", 0.0) >= view.limit(LEARNABLE)
        or ranked >= view.limit(DISTINCT)
    ):
        return None
    worst = min(missed, key=lambda n: (counts.get(n, 0.0), n))
    evidence = [measured(
        view, HELD_OUT_CLASS_RECALL, worst, view.limit(OUTSIDE),
        f"late in the run the network misses many held-out samples of {_said(missed)} (recall "
        f"{percent(lost.recall)} on {_samples(lost)}; frequent classes: {percent(common.recall)})",
    )]
    return _present(view, CLASS_SAMPLES, counts, missed, evidence, 0.8,
                    f"the held-out recall is only {percent(lost.recall)}", percent(common.recall))


def _said(names: list[str]) -> str:
    return f"{'class' if len(names) == 1 else 'classes'} {joined(names)}"


def _samples(group: Group, dense: bool = False) -> str:
    return count(round(group.samples), "label" if dense else "sample")


def _present(
    view: View, counted: PlaceSignal, counts: dict[str, float], missed: list[str],
    evidence: list[Evidence], strength: float, lost: str, common: str,
) -> Present:
    share = sum(counts.get(n, 0.0) for n in missed) / sum(counts.values())
    loss = _loss(view)
    known = [n for n in missed if n in counts]
    if known:
        worst = min(known, key=lambda n: (counts[n], n))
        evidence.append(measured(
            view, counted, worst, max(counts.values()) / view.limit(RATIO),
            f"class {worst} is rare in the training data ({number(round(counts[worst]))} of "
            f"{count(round(sum(counts.values())), _UNITS[counted])}; the largest class has "
            f"{number(round(max(counts.values())))})"))
    return Present(
        strength=strength,
        title=f"{lost} on {_said(missed)} ({percent(share)} of the training data), but {common} on "
        "the frequent classes",
        since_step=0,
        location=(loss.built or loss.location) if loss is not None else None,
        label="this loss weighs all samples equally, so rare classes hardly count",
        evidence=tuple(evidence),
        remedies=_remedies(counts, loss)[:1 if counted is DENSE_CLASS_COUNT else 2],
    )


def _loss(view: View) -> Loss | None:
    """The loss of the classes, as far as it is known."""
    return next((x for x in view.record.facts(Loss) if x.location is not None), None)


def _remedies(counts: dict[str, float], loss: Loss | None) -> tuple[Remedy, ...]:
    binary = loss is not None and "binary" in loss.function and len(counts) == 2
    edit: Edit | None = None
    at = loss.location if loss is not None else None
    if binary:
        edit = ClassWeights(at, (1 / counts.get("0", 1.0), 1 / counts.get("1", 1.0)))
        weight = literal(counts.get("0", 1.0) / counts.get("1", 1.0))
        code = f"nn.BCEWithLogitsLoss(pos_weight=torch.tensor([{weight}]))"
    elif len(counts) <= 10 and all(n.isdecimal() and len(n) <= 2 for n in counts):
        mean = sum(counts.values()) / len(counts)
        size = max(int(n) for n in counts) + 1
        shares = tuple(mean / counts[str(i)] if str(i) in counts else 1.0 for i in range(size))
        edit = ClassWeights(at, shares)
        weights = ", ".join(map(literal, shares))
        code = f"nn.CrossEntropyLoss(weight=torch.tensor([{weights}]))"
    else:
        code = "nn.CrossEntropyLoss(weight=len(y) / (classes * torch.bincount(y)))"
    return (
        Remedy("weight each class by the inverse of its frequency", Safety.CHANGES_EXPERIMENT,
               (edit or LossForm(code, "weight each class by the inverse of its frequency"),),
               code_text=code),
        Remedy("oversample the rare classes", Safety.ADVICE,
               advice="Let the loader draw samples of all classes equally often.",
               code_text="WeightedRandomSampler(1 / torch.bincount(y)[y], len(y))"),
    )


CAUSE = Cause(
    slug="class-imbalance",
    code="L005",
    title="Class imbalance",
    family="Labels and targets",
    harm=Harm.DISTRUST,
    symptoms=(Symptom.METRIC, Symptom.SAME),
    often=Often.COMMON,
    words=Words(
        symptom="The loss is low, and the accuracy is about the share of the largest class. Some "
        "classes are never predicted.",
        consequence="The accuracy looks good, but the network is useless for the rare classes, "
        "which are often the ones that matter.",
        why="The loss is an average over samples, so a class counts in proportion to its "
        "frequency. Unless a rare class is easy to recognise, predicting a frequent class costs "
        "less. The few gradients that disagree are outvoted.",
        detection="Unequal class sizes alone are not a fault. unstuck counts the last "
        "predictions for the kept samples per class, with a binomial confidence interval. It "
        "reports rare classes that are nearly always missed while the frequent ones are found, or "
        "mostly missed although the network clearly ranks them above others. It counts held-out "
        "samples if there are more of these classes than come late in training. There must also "
        "be something to learn: the network or a baseline model must rank samples of the rare "
        "classes above others. unstuck also reports a rare class that is missed in held-out data "
        "although training memorised it, or although it is far more frequent there. In that case "
        "the network must rank it above others, or the held-out labels must clearly depend on "
        "their inputs. A network that answers for each pixel or time step is judged by the last "
        "training batches.",
        limitations=f"At most {LIMITS.kept_samples:,} training samples are kept, "
        "so classes rarer than one in 200 are seldom judged. "
        "If nothing distinguishes a rare class from the others, only a trial "
        "shows whether class weights would help. Regression is not judged because it has no "
        "classes.",
        references=(
            "He and Garcia 2009: Learning from imbalanced data",
            "Johnson and Khoshgoftaar 2019: Survey on deep learning with class imbalance",
        ),
    ),
    needs=(),
    uses=(
        CLASS_SAMPLES, CLASSES_JUDGED, CLASS_RECALL, HELD_OUT_CLASSES_JUDGED,
        HELD_OUT_CLASS_RECALL, HELD_OUT_CLASS_RANKING, CLASS_RANKING, CLASS_SEPARABILITY,
        DENSE_CLASS_COUNT, DENSE_CLASS_RECALL, DENSE_CLASS_RANKING, LABEL_DEPENDENCE, BATCH_SIZE,
        TRAIN_LOSS),
    thresholds=(RATIO, LOST, HALF_LOST, RANKED, OUTSIDE, KNOWN, DISTINCT, OFTENER, LEARNABLE,
                SHOWN, BRIEF),
    shows=Effect.CLASSES_RARE,
    effects=(Effect.LABELS_WRONG, Effect.SAMPLES_FEW),
    detect=_detect,
    needs_trend=True,
)
