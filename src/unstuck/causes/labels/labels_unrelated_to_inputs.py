"""Labels unrelated to inputs: shuffled or misaligned, so that there is nothing to learn."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.curves.stages import fits_a_rest
from unstuck.measures.basics import (
    failed,
    final,
    last,
    learned_little,
    measured,
    succeeded,
    weights,
)
from unstuck.measures.gap import carries_over, only_by_heart
from unstuck.measures.labels import above_chance, pairs_location
from unstuck.measures.origins import apart
from unstuck.measures.samples import labelled
from unstuck.measures.view import Threshold, View
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import OneLoader, OrderTogether, Remedy, Safety, SwapAxes
from unstuck.schema.facts.calls import CallRole
from unstuck.schema.facts.data import Feeding, Kept, Loader
from unstuck.schema.facts.losses import Loss, RowsApart
from unstuck.schema.facts.models import LayerRole
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.batches import BATCH_SIZE
from unstuck.schema.signals.drawing import CLASS_WEIGHT
from unstuck.schema.signals.losses import CONSTANT_LOSS, HELD_OUT_LOSS, TRAIN_LOSS
from unstuck.schema.signals.samples import (
    CLASS_SAMPLES,
    INPUT_KINDS,
    LABEL_CHANCE,
    LABEL_DEPENDENCE,
    LABELS_BY_CHANCE,
    LABELS_COUNTED,
    LABELS_FOUND,
    PAIRS_TESTED,
)
from unstuck.torch_api import SHUFFLES
from unstuck.words import count, joined, number, percent

DEPENDENT = Threshold(
    "target-dependence", 4.0,
    "Counted in standard deviations above permuted targets. In 99 of 100 permutations the largest "
    "of the statistics stays below 3.5. Real tasks reach 10 or more with a few hundred samples.",
    "permutation distribution of the maximum, computed",
)
PAIRS = Threshold(
    "pairs-for-dependence", 200.0,
    "With fewer samples, a weak relation cannot be distinguished from chance.",
    "a rank correlation of 0.2 is then 2.8 standard deviations",
)
FEW = Threshold(
    "pairs-apart", 60.0,
    "So many are enough where the program splits or orders inputs and targets in two calls of "
    "their own, and half of the limit of the relation is not reached.",
    "a rank correlation of 0.3 is then 2.3 standard deviations",
)
OTHERS = Threshold(
    "samples-of-other-classes", 30.0,
    "Counts the samples outside the largest class. With fewer of them the labels are nearly "
    "constant, and it does not show what they depend on.",
    "the mean of 30 numbers is off by 0.2 standard deviations",
)
FOUND = Threshold(
    "network-above-chance", 4.0,
    "Counted in standard deviations by which the network beats the most frequent class on samples "
    "that it was not trained on. From here on there is a relation, even if the baseline models "
    "miss it.",
    "binomial distribution; one in 30,000 by chance",
)
MEMORISED = Threshold(
    "memorised-above-new", 0.1,
    "If the network gets this much more of the training samples right than of new ones, it "
    "memorises the labels one by one.",
    "Zhang et al. 2017: networks fit random labels",
)
SYMBOLS = Threshold(
    "symbol-kinds", 4.0,
    "Inputs with so few different values are symbols or bits. No baseline model finds rules over "
    "symbols such as parity.",
    "parity has no correlation with any part of its bits",
)
RICHER = Threshold(
    "held-out-dependence", 8.0,
    "Counted in standard deviations that the training targets would reach if they depended on "
    "their inputs as the held-out targets do.",
    "twice the limit of target-dependence, because the extrapolation is rough",
)


NOTHING = 0.03  # of what there is to know of new samples
PART = 0.4  # how sure it is where only a part of what the models receive was tested

LOOK = "a look at a few inputs beside their targets"


@dataclass(frozen=True, slots=True)
class _Network:
    """What the network gets right of some samples."""

    share: float
    chance: float
    samples: float

    @property
    def score(self) -> float:
        return above_chance(self.share, self.chance, self.samples)


def _detect(view: View) -> Verdict:
    rows = view.record.facts(RowsApart)
    if rows and not succeeded(view.outcome):
        return _rows_apart(rows[0])
    train = labelled(view)
    if not isinstance(train, Kept):
        return train
    if not (view.has(LABEL_DEPENDENCE) and view.has(PAIRS_TESTED)):
        return Unknown(f"the targets of {count(train.samples, 'sample')} could not be tested",
                       ("a few hundred samples with a label or a few numbers each",))
    scores, pairs = last(view[LABEL_DEPENDENCE]), last(view[PAIRS_TESTED])
    if "train" not in scores or "train" not in pairs:
        return Unknown("the training inputs and targets were not tested",
                       ("one target for each sample",))
    score = scores["train"]
    if score >= view.limit(DEPENDENT):
        return Absent(f"the targets depend on the inputs ({number(round(score, 1))} standard "
                      "deviations more than permuted targets)")
    if fits_a_rest(view.record):
        return Unknown("the targets are what an earlier training left over, and may hold nothing "
                       "more to learn", (LOOK,))
    network = _network(view)
    held_out = scores.get("held-out", 0.0)
    richer = held_out >= view.limit(DEPENDENT) and (
        held_out * pairs["train"] / max(pairs.get("held-out", 1.0), 1.0) >= view.limit(RICHER))
    # Among many labels out of order a few are right, and a network may find the relation by these.
    by_few = richer and failed(view.outcome)
    for place in ("held-out", "new"):
        if not by_few and place in network and network[place].score >= view.limit(FOUND):
            return Absent(f"the network predicts {place} samples better than chance")
    if not by_few and carries_over(view):
        return Absent("the held-out loss is well below that of a constant prediction")
    if not pairs["train"] >= view.limit(PAIRS):
        if pairs["train"] >= view.limit(FEW) and score <= view.limit(DEPENDENT) / 2 and (
            any(apart(view))
        ):
            return _present(view, network, 0.85, scores)
        return Unknown(f"{count(round(pairs['train']), 'pair')} of input and target are too few", (
            f"at least {count(round(view.limit(PAIRS)), 'sample')}",))
    counts = last(view[CLASS_SAMPLES]) if view.has(CLASS_SAMPLES) else {}
    if counts and not sum(counts.values()) - max(counts.values()) >= view.limit(OTHERS):
        return Unknown("nearly all labels are the same", ("more samples of the other classes",))
    if richer:
        return _present(view, network, 0.95, scores)
    every = view.record.parameters().values()
    if not 2 * weights(p for p in every if p.trainable) > weights(every):
        return Unknown("the baseline models found no relation, and most weights of the network are "
                       "frozen", (LOOK, "a run that trains all weights"))
    if train.composed:
        return _of_a_part(view, network, scores)
    if not _kinds(view) > view.limit(SYMBOLS):
        return Unknown("the baseline models found no relation, but they cannot find rules over "
                       "symbols", (LOOK,))
    fresh = network.get("held-out", network.get("new"))
    trained = network.get("trained")
    if fresh is None or trained is None:
        return Unknown("the baseline models found no relation, but how well the network predicts "
                       "new samples is not known", ("a held-out loss",))
    if train.discrete and "held-out" not in network:  # new samples come in the first epoch alone
        return Unknown("the baseline models found no relation, but to them identifiers are numbers",
                       ("a held-out loss on pairs that training has not met",))
    if trained.score >= view.limit(FOUND) and (
        trained.share - fresh.share >= view.limit(MEMORISED)
    ):
        return _present(view, network, 0.85, scores)
    if any(loss.reduction == "none" for loss in view.record.facts(Loss)):
        return Unknown("the targets are weighted one by one and may be actions of an agent, which "
                       "depend on the inputs only as far as they succeed", (LOOK,))
    if not learned_little(view.outcome) or any(
        layer.role in (LayerRole.RECURRENT, LayerRole.ATTENTION, LayerRole.EMBEDDING)
        for layer in view.record.layers().values()
    ):
        return Unknown("the baseline models found no relation, and the network did not memorise "
                       "the targets", (LOOK, "a run that overfits a small part of the data"))
    return _present(view, network, 0.6, scores)


def _rows_apart(rows: RowsApart) -> Present:
    orders = ("step by step", "sample by sample")
    outputs, targets = orders[rows.whole], orders[not rows.whole]
    order = (1, 0, *range(2, len(rows.given)))
    return Present(
        strength=0.95, certain=True,
        title=f"the loss compares outputs with targets of other samples: the outputs are laid out "
        f"{outputs}, the targets {targets}",
        since_step=0,
        location=rows.location,
        label=f"these rows go {outputs}",
        evidence=(Evidence(
            LABEL_DEPENDENCE.name, "", (0,), (0.0,), None,
            f"the samples of a batch of {number(rows.samples)} were followed from the model's "
            "input to the rows that the loss receives, and the targets are a view of a batch "
            "whose shape tells the samples"),),
        remedies=(Remedy("put the rows into the order of the targets", Safety.SAFE, (
            SwapAxes(rows.location, order),)),) if len(rows.given) > 2 else (),
    )


def _of_a_part(
    view: View, network: dict[str, _Network], scores: dict[str, float]
) -> Present | Unknown:
    """Where the models receive more than the inputs that show no relation to the targets.

    Of a run that learned, the rest tells the targets. In one that failed, or learned what holds for
    no new sample, it may tell nothing.
    """
    weighted = any(loss.reduction == "none" for loss in view.record.facts(Loss))
    fresh = network.get("held-out", network.get("new"))
    # Where classes are weighted, few are right who get the rare ones.
    new = learned_little(view.outcome) and fresh is not None and not view.has(CLASS_WEIGHT) and (
        fresh.samples >= view.limit(PAIRS) and fresh.share - fresh.chance < NOTHING)
    if (failed(view.outcome) or only_by_heart(view) or new) and network and not weighted and (
            _kinds(view) > view.limit(SYMBOLS)):
        return _present(view, network, PART, scores, part=True)
    return Unknown("the models receive more than the inputs that were kept, and these tell "
                   "nothing of the targets by themselves", ("a model with one input",))


def _kinds(view: View) -> float:
    """How many different values the inputs have; 0 if that is unknown."""
    return final(view, INPUT_KINDS) or 0.0


def _network(view: View) -> dict[str, _Network]:
    if not all(view.has(s) for s in (LABELS_FOUND, LABELS_BY_CHANCE, LABELS_COUNTED)):
        return {}
    shares, chances, numbers = (
        last(view[s]) for s in (LABELS_FOUND, LABELS_BY_CHANCE, LABELS_COUNTED))
    return {place: _Network(shares[place], chances[place], numbers[place])
            for place in shares if place in chances and place in numbers}


def _present(
    view: View, network: dict[str, _Network], strength: float, scores: dict[str, float],
    part: bool = False,
) -> Present:
    """The finding; with `part`, the models receive more than was tested."""
    inputs_alone, targets_alone = apart(view)
    samples = round(last(view[PAIRS_TESTED])["train"])
    inputs = "the first input of the models" if part else "the inputs"
    untested = "; what else they receive, such as lengths, was not tested" if part else ""
    chance = last(view[LABEL_CHANCE]).get("train", 1.0) if view.has(LABEL_CHANCE) else 1.0
    evidence: list[Evidence] = [
        measured(view, LABEL_DEPENDENCE, "train", view.limit(DEPENDENT),
                 "baseline models find no relation between inputs and targets "
                 f"({number(round(scores['train'], 1))} standard deviations above permuted "
                 f"targets, of which {percent(chance)} score as high; usual: 10 or more)"
                 f"{untested}"),
    ]
    said = []
    for place, words in (("trained", "training samples"), ("held-out", "held-out samples"),
                         ("new", "new samples")):
        if place in network and (place != "new" or "held-out" not in network):
            found = network[place]
            tested = f"by chance: {percent(found.chance)}; {number(round(found.samples))} tested"
            if found.chance:
                said.append(f"{percent(found.share)} of the {words}")
                what = f"the network gets {said[-1]} right ({tested})"
            else:  # targets are numbers
                said.append(f"{number(round(found.share, 2))} on the {words}")
                what = f"the network reaches a rank correlation of {said[-1]} ({tested})"
            evidence.append(measured(view, LABELS_FOUND, place, found.chance, what))
    if scores.get("held-out", 0.0) >= view.limit(DEPENDENT):
        evidence.append(measured(
            view, LABEL_DEPENDENCE, "held-out", view.limit(DEPENDENT),
            "the held-out targets do depend on their inputs "
            f"({number(round(scores['held-out'], 1))} standard deviations above permuted targets)"))
    ranked = all(found.chance == 0 for found in network.values())
    predicts = "" if not said else (
        f"; the network reaches a rank correlation of {joined(said)}" if ranked else
        f"; the network gets {joined(said)} right")
    return Present(
        strength=strength,
        title=f"the targets of {count(samples, 'training sample')} do not depend on {inputs}"
        f"{predicts}",
        since_step=0,
        location=next(iter((*targets_alone, *inputs_alone)), None) or pairs_location(view),
        label="these inputs and targets do not belong together",
        evidence=tuple(evidence),
        remedies=(
            *((Remedy("put them into one order", Safety.SAFE, (
                OrderTogether(inputs_alone, targets_alone),)),)
              if inputs_alone or targets_alone else ()),
            *_one_loader(view),
            Remedy("check the pairs of inputs and targets", Safety.ADVICE,
                   advice="Show some inputs beside their targets. Shuffle, sort, filter and split "
                   "both with the same indices.",
                   code_text="order = torch.randperm(len(x)); x, y = x[order], y[order]"),
        ),
    )


def _one_loader(view: View) -> tuple[Remedy, ...]:
    """Where two loaders of as many samples each draw an order for the training."""
    fed = {f.loader for f in view.record.facts(Feeding) if f.role is not CallRole.HELD_OUT}
    shuffled = [x.samples for x in view.record.facts(Loader)
                if x.name in fed and x.sampler == SHUFFLES]
    if len(shuffled) == len(set(shuffled)):
        return ()
    return (Remedy("take inputs and targets from one loader", Safety.SAFE, (OneLoader(),)),)


CAUSE = Cause(
    slug="labels-unrelated-to-inputs",
    code="L001",
    title="Labels unrelated to inputs",
    family="Labels and targets",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.CHANCE, Symptom.FLAT, Symptom.OVERFITS, Symptom.SAME),
    words=Words(
        symptom="The loss stays at that of a constant prediction. Or it falls slowly, while "
        "held-out samples are predicted no better than by guessing.",
        consequence="There is nothing to learn. A large network memorises the labels one by one, "
        "which looks like overfitting. A small network learns nothing.",
        why="Inputs and labels are in different orders: one of them was shuffled, sorted or "
        "filtered without the other, or the indices are shifted.",
        detection="Baseline models (nearest neighbours, linear and kernel regression, single "
        "features) predict the target of each kept sample from the other samples. They do the same "
        "with permuted targets. If they do equally well on both, the network itself decides: if it "
        "predicts new samples better than chance, there is a relation, and nothing is reported. "
        "Where a sample has a target at each time step, its rows are followed from the model's "
        "input to the loss: outputs that are laid out step by step do not fit targets laid out "
        "sample by sample.",
        limitations="Baseline models can miss rules over symbols, such as parity, and patterns in "
        "long sequences or of identifiers, so the verdict is unknown there. Of models that receive "
        "more than one input only the first is tested. If it tells nothing of the targets, and the "
        "run failed, unrelated labels are a possible cause. Targets that are whole images or "
        "sequences are not judged. Targets with a very weak relation to the inputs look "
        "unrelated.",
        references=(
            "Good 2005: Permutation, parametric and bootstrap tests of hypotheses",
            "Zhang et al. 2017: Understanding deep learning requires rethinking generalization",
        ),
    ),
    needs=(),
    uses=(
        LABEL_DEPENDENCE, PAIRS_TESTED,
        LABEL_CHANCE, LABELS_FOUND, LABELS_BY_CHANCE, LABELS_COUNTED, INPUT_KINDS, BATCH_SIZE,
        CLASS_SAMPLES, CLASS_WEIGHT, CONSTANT_LOSS, HELD_OUT_LOSS, TRAIN_LOSS,
    ),
    thresholds=(DEPENDENT, PAIRS, FEW, OTHERS, FOUND, MEMORISED, SYMBOLS, RICHER),
    shows=Effect.LABELS_UNPREDICTABLE,
    effects=(
        Effect.LABELS_WRONG, Effect.SAMPLES_FEW, Effect.WEIGHTS_SHRINK,
        Effect.UPDATES_TOO_SMALL,
        Effect.CANNOT_FIT, Effect.TOO_SLOW,
    ),
    detect=_detect,
)
