"""Class weights reversed: the loss weighs frequent classes more, and rare ones less."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from unstuck.measures.basics import last, unread_loss
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import ClassWeights, Edit, LossOption, Remedy, Safety, literal
from unstuck.schema.facts.losses import Loss
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.drawing import CLASS_SHARE, CLASS_WEIGHT
from unstuck.torch_api import BINARY
from unstuck.words import number, percent, times

UNEVEN = Threshold(
    "weighted-class-ratio", 2.0,
    "The largest class must be this many times as frequent as the smallest. Between classes that "
    "are nearly equally frequent, weights cannot be in the wrong order.",
    "a choice: weights are for classes that differ in size",
)
UNLIKE = Threshold(
    "class-weight-ratio", 1.5,
    "The largest weight must be this many times as large as the smallest. Milder weights change "
    "little.",
    "a choice",
)
RISE = Threshold(
    "weight-over-count-exponent", 0.4,
    "Exponent with which the weights grow with the class sizes. Inverse counts have -1, their "
    "square roots -0.5, equal weights 0. In the wrong order these become 1 and 0.5.",
    "slope of log weight over log count, by least squares",
)
TOGETHER = Threshold(
    "weight-and-count-correlation", 0.8,
    "Correlation of the logarithms of weights and counts. Weights that were chosen for other "
    "reasons follow the counts less closely.",
    "a choice: weights computed from the counts have 1 or -1",
)
EXACT = Threshold(
    "exact-exponent", 0.12,
    "This close to 1 or 0.5, the weights were computed from the counts: inverted in the wrong "
    "place, or given in the wrong order.",
    "a choice: counts of a part of the data differ a little from those of all",
)


@dataclass(slots=True)
class _Loss:
    """The classes of a loss; of several labels, a pair for each."""

    name: str
    rows: dict[str, list[tuple[str, float, float]]] = field(default_factory=dict)

    def points(self) -> list[tuple[float, float]]:
        """Logarithms of counts and weights, each row less its mean."""
        found = []
        for row in self.rows.values():
            logs = [(math.log(share), math.log(weight)) for _, share, weight in row if weight > 0]
            if len(logs) >= 2:
                mean = [sum(axis) / len(logs) for axis in zip(*logs, strict=True)]
                found += [(x - mean[0], y - mean[1]) for x, y in logs]
        return found


def _detect(view: View) -> Verdict:
    if not view.has(CLASS_WEIGHT) or not view.has(CLASS_SHARE):
        unread = unread_loss(view.record)
        if unread is not None:
            return Unknown(f"it is not known how the loss weighs the classes: {unread}",
                           ("a loss from torch.nn",))
        return Absent("no loss is given weights for its classes")
    verdicts = [_judged(view, loss) for loss in _losses(view)]
    if not verdicts:
        return Unknown("the weights of the classes are not finite numbers",
                       ("class weights that are finite",))
    found = next((v for v in verdicts if isinstance(v, Present)), None)
    return found or verdicts[0]


def _losses(view: View) -> list[_Loss]:
    weights = last(view[CLASS_WEIGHT])
    found: dict[str, _Loss] = {}
    for place, share in last(view[CLASS_SHARE]).items():
        name, _, rest = place.partition(": ")
        label, _, kind = rest.rpartition("class ")
        rows = found.setdefault(name, _Loss(name)).rows
        if place in weights:
            rows.setdefault(label, []).append((kind, share, weights[place]))
    return list(found.values())


def _judged(view: View, loss: _Loss) -> Verdict:
    points = loss.points()
    if len(points) < 2:
        return Absent("only one class has a weight")
    spans = [(max(axis) - min(axis)) for axis in zip(*points, strict=True)]
    if math.exp(spans[1]) < view.limit(UNLIKE):
        return Absent("the loss weighs all classes about equally")
    if math.exp(spans[0]) < view.limit(UNEVEN):
        return Absent("the loss meets all classes about equally often")
    both = sum(x * y for x, y in points)
    sizes = [sum(axis[i] ** 2 for axis in points) for i in (0, 1)]
    slope, together = both / sizes[0], both / math.sqrt(sizes[0] * sizes[1])
    if not slope >= view.limit(RISE) or not together >= view.limit(TOGETHER):
        return Absent("the weights do not grow with the size of the classes")
    return _present(view, loss, slope)


def _present(view: View, loss: _Loss, slope: float) -> Present:
    exact = min(abs(slope - 1), abs(slope - 0.5)) <= view.limit(EXACT)
    fact = next((x for x in view.record.facts(Loss) if x.name == loss.name), None)
    label, row = max(loss.rows.items(), key=lambda r: max(s for _, s, _ in r[1]))
    common, rare = (pick(row, key=lambda c: c[1]) for pick in (max, min))
    said = f"for {label.rstrip(', ')}, " if label else ""
    where = f"{loss.name}: {label}class "
    steps = view[CLASS_WEIGHT][where + common[0]]
    return Present(
        strength=0.95 if exact else 0.65, certain=exact, of_value=True,
        title=f"{said}class {common[0]} has {percent(common[1])} of the samples and "
        f"{times(common[2] / rare[2])} the weight of class {rare[0]}, which has "
        f"{percent(rare[1])}",
        since_step=0,
        location=(fact.built or fact.location) if fact is not None else None,
        label="these weights make the frequent class count even more",
        evidence=(
            Evidence(CLASS_WEIGHT.name, where + common[0],
                     tuple(int(s) for s in steps.steps), tuple(float(v) for v in steps.values),
                     rare[2], "weights grow with the class sizes (like counts to the power of "
                     f"{number(slope)}; inverse counts: -1)"),
            Evidence(CLASS_SHARE.name, where + rare[0], (int(steps.steps[-1]),), (rare[1],), None,
                     f"class {rare[0]} is rare and counts "
                     f"{times((common[1] * common[2]) / (rare[1] * rare[2]))} less than class "
                     f"{common[0]} in the whole loss")),
        remedies=(_remedy(loss, fact),),
    )


def _remedy(loss: _Loss, fact: Loss | None) -> Remedy:
    name = "weight each class by the inverse of its frequency"
    advice = ("Give the rare class the larger weight: the number of samples divided by the size of "
              "the class.")
    at = fact.location if fact is not None else None
    edit: Edit | None = None
    code = "weight = len(labels) / (classes * torch.bincount(labels))"
    rows = list(loss.rows.values())
    if fact is not None and fact.function in BINARY:
        code = "pos_weight = (labels == 0).sum() / (labels == 1).sum()"
        if len(rows) == 1 and len(rows[0]) == 2:
            edit = ClassWeights(at, (1.0, rows[0][0][1] / rows[0][1][1]), everywhere=True)
        elif 1 < len(rows) <= 10 and all(len(row) == 2 for row in rows):
            ratios = ", ".join(literal(row[0][1] / row[1][1]) for row in rows)
            edit = LossOption(at, "pos_weight", f"torch.tensor([{ratios}])", name)
    elif len(rows[0]) <= 10 and all(int(kind) < 10 for kind, _, _ in rows[0]):
        size = max(int(kind) for kind, _, _ in rows[0]) + 1
        shares = {int(kind): share for kind, share, _ in rows[0]}
        edit = ClassWeights(at, tuple(
            1 / (len(shares) * shares[i]) if i in shares else 1.0 for i in range(size)),
            everywhere=True)
    if edit is None or (fact is not None and fact.reduction == "none"):
        return Remedy(name, Safety.ADVICE, advice=advice, code_text=code)
    return Remedy(name, Safety.SAFE, (edit,), code_text=code)


CAUSE = Cause(
    slug="class-weights-reversed",
    code="L008",
    title="Class weights reversed",
    family="Labels and targets",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.METRIC, Symptom.SAME),
    often=Often.SELDOM,
    words=Words(
        symptom="A rare class is never predicted, although the loss has class weights. Without the "
        "weights the network does better.",
        consequence="The frequent class counts twice: by its number and by its weight. The rare "
        "class hardly counts at all.",
        why="Weights are to make up for unequal class sizes, so the rare class needs the larger "
        "one. Counts in the place of their inverse, a list in the wrong order, or pos_weight as "
        "positives over negatives do the opposite.",
        detection="Here unstuck reads the weights that each call of a classification loss "
        "receives, also those that the program multiplies the losses of single samples with. It "
        "counts the targets of each class, and compares the logarithms of both. Weights that grow "
        "with the counts are reported.",
        limitations="A frequent class may be given more weight on purpose, if an error on it is "
        "expensive. Then the finding is right about the numbers and wrong about the intent. "
        "Weights inside a hand-written loss are not read.",
        references=(
            "PyTorch: torch.nn.CrossEntropyLoss, torch.nn.BCEWithLogitsLoss (pos_weight)",
            "King and Zeng 2001: Logistic regression in rare events data",
        ),
    ),
    needs=(),
    uses=(CLASS_SHARE, CLASS_WEIGHT),
    thresholds=(UNEVEN, UNLIKE, RISE, TOGETHER, EXACT),
    effects=(Effect.CLASSES_RARE, Effect.OUTPUT_CONSTANT),
    detect=_detect,
)
