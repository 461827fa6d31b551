"""Label mapping mismatch: held-out classes have other numbers than training classes."""

from __future__ import annotations

from unstuck.measures.basics import final, last, learned_little, loss_points
from unstuck.measures.labels import interval
from unstuck.measures.samples import held_out, labelled
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import Remedy, Safety, SortClasses
from unstuck.schema.facts.calls import CallRole, LossCall
from unstuck.schema.facts.data import Feeding, Kept, Loader
from unstuck.schema.facts.losses import Numbering
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.mapping import (
    HELD_OUT_ACCURACY,
    LABELS_COMPARED,
    LABELS_KEPT,
    LABELS_RENUMBERED,
    PREDICTED_CLASS,
    RELABELLED_ACCURACY,
    RELABELLED_SAMPLES,
)
from unstuck.schema.signals.samples import CLASS_RECALL, CLASSES_JUDGED
from unstuck.words import count, joined, number, percent

RIGHT = Threshold(
    "relabelled-accuracy", 0.6,
    "Lower end of the 95 % confidence interval of the accuracy under the best other numbering. The "
    "network recognises the classes then, whatever their numbers are.",
    "a choice: clearly more than half, so that no two classes share a number",
)
GAIN = Threshold(
    "relabelling-gain", 0.25,
    "The other numbering must raise the accuracy by this much. The numbering is found on other "
    "samples than it is judged on, so chance gains nothing.",
    "a choice: two of eight classes that are exchanged cost a quarter",
)
KNOWN = Threshold(
    "training-accuracy", 0.7,
    "The network must have learned the training classes, as this shows or `relabelled-accuracy` "
    "does. Otherwise it may confuse classes for any reason.",
    "half-way between a fair and a perfect accuracy for few classes",
)
LIKE = Threshold(
    "relabelled-over-training-accuracy", 0.7,
    "Under the right numbers, held-out samples must be recognised nearly as well as training "
    "samples. Otherwise the two sets differ in more than the numbers.",
    "a choice: leaves room for overfitting",
)
SURE = Threshold(
    "renumbered-labels", 0.9,
    "Under one other numbering nearly all of the samples must have the labels of training. "
    "Otherwise their labels are not only numbered differently.",
    "a choice: leaves room for samples that stand for two classes",
)
FEWEST = Threshold(
    "relabelled-samples", 40.0,
    "Fewer samples do not show which class has which number.",
    "a choice: the interval of an accuracy of 0.9 is 0.2 wide then",
)

WITHIN = Threshold(
    "told-within-a-batch", 0.12,
    "The share of the labels' information that the answers of a network tell within a batch, "
    "whatever number each answer stands for. A network that tells nothing apart has none.",
    "labels at random: up to 0.07, the mean of ten batches of 40; untrained networks on episodes "
    "with the wrong numbers: 0.14 and 0.19",
)
ACROSS = 0.25  # of this at most is left over all batches, where the numbers differ


def _detect(view: View) -> Verdict:
    numbering = view.record.fact(Numbering)
    if numbering is not None and learned_little(view.outcome) and (
        numbering.each >= view.limit(WITHIN) and numbering.all <= numbering.each * ACROSS
    ):
        return _each_batch(view, numbering)
    seen = _seen(view)
    if seen is not None:
        return seen
    train, where = labelled(view), held_out(view)
    if not isinstance(train, Kept):
        return train
    if not isinstance(where, Kept):
        return where
    if train.targets != "classes":
        return Absent("the targets are numbers, not classes")
    plain, best = final(view, HELD_OUT_ACCURACY), final(view, RELABELLED_ACCURACY)
    number_of = final(view, RELABELLED_SAMPLES)
    if plain is None or best is None or number_of is None or number_of < view.limit(FEWEST):
        return Unknown("it is not known how the network classifies enough held-out samples",
                       ("a validation over at least 40 samples with class labels",))
    if best - plain < view.limit(GAIN):
        return Absent("no other numbering of the classes fits the held-out labels much better "
                      f"(accuracy {percent(best)} instead of {percent(plain)})")
    known = _accuracy(view)
    if known is None:
        return Unknown("it is not known how well the network classifies the training samples",
                       ("a run of several epochs",))
    least = interval(best, number_of)[0]
    if not known >= view.limit(KNOWN) and not least >= view.limit(RIGHT):
        return Absent("the network has not learned the training classes either (accuracy "
                      f"{percent(known)})")
    if not least >= view.limit(RIGHT) or not best >= view.limit(LIKE) * known:
        return Unknown(f"another numbering of the classes raises the held-out accuracy from "
                       f"{percent(plain)} to {percent(best)} only",
                       ("more held-out samples",))
    return _present(view, where, plain, best, known)


def _each_batch(view: View, found: Numbering) -> Present:
    """Classes that are numbered by each batch for itself."""
    calls = [each for each in view.record.facts(LossCall) if each.role is CallRole.TRAIN]
    made = next((step.location for each in calls for step in each.steps), None)
    steps, values = loss_points(view)
    return Present(
        strength=0.85,
        title=f"the classes have other numbers in each batch: the network's answers tell "
        f"{percent(found.each)} of the labels within a batch, and {percent(found.all)} over "
        f"{count(found.batches, 'batch', 'batches')}",
        since_step=0,
        location=made or next((each.location for each in calls), None),
        label="these labels are numbered differently from what the network's answers mean",
        evidence=(
            Evidence(TRAIN_LOSS.name, "", steps, values, None,
                     "within a batch samples of one class get one answer, and which one differs "
                     "from batch to batch"),),
        remedies=(Remedy(
            "number the classes of a batch once", Safety.SAFE, (SortClasses(),),
            advice="Number the classes of a batch in one place, and give these numbers to the "
            "labels and to what the outputs are made of, such as prototypes, in the same order.",
            code_text="classes = sorted(chosen)\nlabels = [classes.index(c) for c in owners]"),),
    )


def _seen(view: View) -> Present | None:
    """Samples that are trained on and evaluated under other labels, by one numbering for all."""
    compared, kept, other = (final(view, signal) for signal in (
        LABELS_COMPARED, LABELS_KEPT, LABELS_RENUMBERED))
    if compared is None or kept is None or other is None or compared < view.limit(FEWEST) or (
            other - kept < view.limit(GAIN) or other < view.limit(SURE)):
        return None
    step = int(view[LABELS_KEPT].steps[-1])
    calls = [c for c in view.record.facts(LossCall) if c.role is not CallRole.TRAIN]
    loaded = _loaded(view, CallRole.HELD_OUT, CallRole.OTHER)
    return Present(
        strength=0.9, certain=True, of_value=True,
        title=f"{percent(1 - kept)} of the samples that are both trained on and evaluated have "
        "another label in the evaluation",
        since_step=0,
        location=loaded or next((c.location for c in calls), None) or next(
            (c.location for c in view.record.facts(LossCall)), None),
        label="these labels are numbered differently from the training labels",
        evidence=(Evidence(
            LABELS_KEPT.name, "", (step,), (kept,), other,
            f"of {number(round(compared))} samples that were trained on and evaluated, "
            f"{percent(kept)} have the same label in both, and {percent(other)} would have under "
            "one other numbering of the classes"),),
        remedies=_one_list(),
    )


def _accuracy(view: View) -> float | None:
    """Of the training samples that were seen late."""
    if not view.has(CLASSES_JUDGED) or not view.has(CLASS_RECALL):
        return None
    judged, recall = last(view[CLASSES_JUDGED]), last(view[CLASS_RECALL])
    total = sum(judged[n] for n in recall if n in judged)
    return sum(judged[n] * r for n, r in recall.items() if n in judged) / total if total else None


def _present(view: View, where: Kept, plain: float, best: float, known: float) -> Present:
    moved = {label: str(round(told)) for label, told in last(view[PREDICTED_CLASS]).items()
             if label != str(round(told))}
    said = joined([f"{label} is what training calls {told}" for label, told in
                   list(moved.items())[:3]]) + (", and so on" if len(moved) > 3 else "")
    step = int(view[RELABELLED_ACCURACY].steps[-1])
    classes = len(last(view[PREDICTED_CLASS]))
    return Present(
        strength=0.9 if classes > 2 else 0.7, of_value=True,
        title=f"the held-out labels have other numbers than the training labels: accuracy "
        f"{percent(plain)}, but {percent(best)} after renumbering {number(len(moved))} of "
        f"{number(classes)} classes",
        since_step=0,
        location=_location(view, where),
        label="these labels are numbered differently from the training labels",
        evidence=(
            Evidence(RELABELLED_ACCURACY.name, "", (step,), (best,), plain,
                     f"one other numbering of the classes, found on other samples, raises the "
                     f"held-out accuracy from {percent(plain)} to {percent(best)} (training: "
                     f"{percent(known)})"),
            *(Evidence(PREDICTED_CLASS.name, label, (step,), (float(told),), float(label),
                       f"held-out class {said}")
              for label, told in list(moved.items())[:1])),
        remedies=_one_list(),
    )


def _one_list() -> tuple[Remedy, ...]:
    return (Remedy(
        "number the classes of both sets by one list", Safety.SAFE, (SortClasses(),),
        advice="Make one sorted list of the class names from the training data, and look up "
        "the labels of both sets in it. Lists made from each set, sets in their own order and "
        "listings of folders number the classes differently.",
        code_text="classes = sorted(set(train_names))\n"
        "index = {name: i for i, name in enumerate(classes)}\n"
        "y_val = torch.tensor([index[name] for name in val_names])"),)


def _location(view: View, where: Kept) -> SourceLocation | None:
    """Where the labels of held-out data are made, as far as it is known."""
    calls = [c for c in view.record.facts(LossCall) if c.role is CallRole.HELD_OUT]
    made = next((c.made for c in calls if c.made is not None), None)
    return made or _loaded(view, CallRole.HELD_OUT) or where.location or next(
        (c.location for c in calls), None)


def _loaded(view: View, *roles: CallRole) -> SourceLocation | None:
    """Where the data of a loader that feeds such calls are made, else the loader."""
    fed = {f.loader for f in view.record.facts(Feeding) if f.role in roles}
    return next((x.made or x.location for x in view.record.facts(Loader) if x.name in fed), None)


CAUSE = Cause(
    slug="label-mapping-mismatch",
    code="L007",
    title="Label mapping mismatch",
    family="Labels and targets",
    harm=Harm.DISTRUST,
    symptoms=(Symptom.METRIC, Symptom.OVERFITS),
    words=Words(
        symptom="The training accuracy is high and the held-out accuracy is near zero, or far "
        "below what a guess would give. The held-out loss rises as training goes on.",
        consequence="The network is better than its score says, and whatever is chosen by that "
        "score is chosen wrongly. If the network is used with the wrong list of names, it is wrong "
        "nearly always.",
        why="Each set was numbered by itself: by the order in which the classes come, by a set of "
        "Python, whose order changes from run to run, or by another listing of folders. So the "
        "same class has two numbers.",
        detection="Here unstuck keeps predictions for held-out samples from late in the run. On "
        "one half of them it looks for the one-to-one renumbering that fits best, and judges it on "
        "the other half, where a chance fit gains nothing. It reports a renumbering that makes the "
        "held-out accuracy about as high as the training accuracy. Samples that are evaluated and "
        "were trained on as well, such as equal short texts, must have the same labels in both. "
        "Where the numbers differ from batch to batch, a network at its first steps tells the "
        "classes of each batch apart, and its answers tell next to nothing over several.",
        limitations="Where no loss is computed on held-out samples, the labels are those of the "
        "only tensor of whole numbers beside the call of the model that has one for each sample. "
        "With two classes, inputs with the wrong sign look the same. At most 100 classes are "
        "compared.",
        references=(
            "Northcutt et al. 2021: Confident learning (the table of labels and predictions)",
            "Python: set, whose order depends on the hash seed",
        ),
    ),
    needs=(),
    uses=(HELD_OUT_ACCURACY, RELABELLED_ACCURACY, RELABELLED_SAMPLES, PREDICTED_CLASS,
          CLASS_RECALL, CLASSES_JUDGED, LABELS_COMPARED, LABELS_KEPT, LABELS_RENUMBERED,
          TRAIN_LOSS),
    thresholds=(RIGHT, GAIN, KNOWN, LIKE, FEWEST, SURE, WITHIN),
    effects=(Effect.SAMPLES_FEW,),
    detect=_detect,
)
