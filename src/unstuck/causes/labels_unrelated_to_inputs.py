"""Labels unrelated to inputs: shuffled or misaligned, so that there is nothing to learn."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.cause import Cause, Harm, Threshold, View, Words
from unstuck.causes._labels import above_chance, pairs_location
from unstuck.causes._measures import final, last, learned_little, measured
from unstuck.causes._samples import labelled
from unstuck.edits import Remedy, Safety
from unstuck.facts import Kept, LayerRole
from unstuck.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.sample_signals import (
    CLASS_SAMPLES,
    INPUT_KINDS,
    LABEL_CHANCE,
    LABEL_DEPENDENCE,
    LABELS_BY_CHANCE,
    LABELS_COUNTED,
    LABELS_FOUND,
    PAIRS_TESTED,
)
from unstuck.signals import BATCH_SIZE
from unstuck.words import percent

DEPENDENT = Threshold(
    "target-dependence", 4.0,
    "Standard deviations above permuted targets. The largest of the several statistics stays "
    "below 3.5 in 99 of 100 permutations; real tasks reach tens with some hundred samples.",
    "permutation distribution of the maximum, computed",
)
PAIRS = Threshold(
    "pairs-for-dependence", 200.0,
    "With fewer samples a weak relation hides in chance.",
    "a rank correlation of 0.2 is 2.8 deviations then",
)
OTHERS = Threshold(
    "samples-of-other-classes", 30.0,
    "Samples outside the largest class. With fewer the labels are nearly constant, and what they "
    "depend on does not show.",
    "the mean of 30 numbers is off by 0.2 deviations",
)
FOUND = Threshold(
    "network-above-chance", 4.0,
    "Standard deviations by which the network beats the most frequent class on samples that it "
    "was not trained on: then there is a relation, whatever cheap learners miss.",
    "binomial distribution; one in 30,000 by chance",
)
MEMORISED = Threshold(
    "memorised-above-new", 0.1,
    "Share of right labels on samples that were trained on, above that on new ones: the network "
    "learns these labels one by one.",
    "Zhang et al. 2017: networks fit random labels",
)
SYMBOLS = Threshold(
    "symbol-kinds", 4.0,
    "Inputs of so few values are symbols or bits, over which rules such as parity exist that no "
    "cheap learner finds.",
    "parity has no correlation with any part of its bits",
)
RICHER = Threshold(
    "held-out-dependence", 8.0,
    "Standard deviations that the training pairs would reach if they depended on each other as the "
    "held-out pairs do.",
    "twice the limit of dependence, for the extrapolation is rough",
)


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
    train = labelled(view)
    if not isinstance(train, Kept):
        return train
    if train.composed:
        return Unknown("models receive more than the inputs that were kept",
                       ("a model of one input",))
    if not (view.has(LABEL_DEPENDENCE) and view.has(PAIRS_TESTED)):
        return Unknown(f"the targets of {train.samples} samples could not be tested",
                       ("some hundred samples, with a label or a few numbers each",))
    scores, pairs = last(view[LABEL_DEPENDENCE]), last(view[PAIRS_TESTED])
    if "train" not in scores or "train" not in pairs:
        return Unknown("the training pairs were not tested", ("targets of single samples",))
    score = scores["train"]
    if score >= view.limit(DEPENDENT):
        return Absent(f"targets depend on inputs: {score:.0f} standard deviations more than "
                      "permuted ones")
    network = _network(view)
    for place in ("held-out", "new"):
        if place in network and network[place].score >= view.limit(FOUND):
            return Absent(f"the network predicts {place} samples better than chance")
    if not pairs["train"] >= view.limit(PAIRS):
        return Unknown(f"{pairs['train']:.0f} pairs of input and target are too few", (
            "more samples",))
    counts = last(view[CLASS_SAMPLES]) if view.has(CLASS_SAMPLES) else {}
    if counts and not sum(counts.values()) - max(counts.values()) >= view.limit(OTHERS):
        return Unknown("nearly all labels are the same", ("more samples of the other classes",))
    kinds = _kinds(view)
    expected = scores.get("held-out", 0.0) * pairs["train"] / max(pairs.get("held-out", 1.0), 1.0)
    richer = expected >= view.limit(RICHER)
    if richer and scores.get("held-out", 0.0) >= view.limit(DEPENDENT):
        return _present(view, network, 0.95, scores)
    if not kinds > view.limit(SYMBOLS):
        return Unknown("no relation was found, but cheap learners find none of the rules over "
                       "symbols", ("a look at some pairs",))
    fresh = network.get("held-out", network.get("new"))
    trained = network.get("trained")
    if fresh is None or trained is None:
        return Unknown("no relation was found by cheap learners; what the network predicts of new "
                       "samples is not known", ("a held-out loss",))
    if trained.score >= view.limit(FOUND) and (
        trained.share - fresh.share >= view.limit(MEMORISED)
    ):
        return _present(view, network, 0.85, scores)
    if any(loss.reduction == "none" for loss in view.facts.losses):
        return Unknown("targets that are weighted one by one may be actions, which depend on "
                       "inputs only as far as they succeed", ("a look at some pairs",))
    if not learned_little(view.outcome) or any(
        layer.role in (LayerRole.RECURRENT, LayerRole.ATTENTION, LayerRole.EMBEDDING)
        for layer in view.facts.layers().values()
    ):
        return Unknown("no relation was found by cheap learners, and the network learned none "
                       "by heart", ("a look at some pairs", "a run that overfits a small part"))
    return _present(view, network, 0.6, scores)


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
    view: View, network: dict[str, _Network], strength: float, scores: dict[str, float]
) -> Present:
    number = last(view[PAIRS_TESTED])["train"]
    chance = last(view[LABEL_CHANCE]).get("train", 1.0) if view.has(LABEL_CHANCE) else 1.0
    evidence: list[Evidence] = [
        measured(view, LABEL_DEPENDENCE, "train", view.limit(DEPENDENT),
                 f"cheap learners predict {number:.0f} targets from the other samples "
                 f"{scores['train']:.1f} standard deviations better than permuted targets, of "
                 f"which {percent(chance)} do as well; related ones reach tens"),
    ]
    said = []
    for place, words in (("trained", "samples that it was trained on"),
                         ("held-out", "held-out samples"), ("new", "samples new to it")):
        if place in network and (place != "new" or "held-out" not in network):
            found = network[place]
            what = (f"{percent(found.share)} of {words} (chance: {percent(found.chance)})"
                    if found.chance else f"{found.share:.2f} as rank correlation of {words}")
            said.append(f"{percent(found.share)} of {words}" if found.chance else what)
            evidence.append(measured(view, LABELS_FOUND, place, found.chance,
                                     f"the network gets {what} right, of {found.samples:.0f}"))
    if scores.get("held-out", 0.0) >= view.limit(DEPENDENT):
        evidence.append(measured(
            view, LABEL_DEPENDENCE, "held-out", view.limit(DEPENDENT),
            "the held-out targets do depend on their inputs: "
            f"{scores['held-out']:.0f} standard deviations"))
    right = f", and the network gets {' and '.join(said)} right" if said else ""
    return Present(
        strength=strength,
        title=f"the targets of {number:.0f} training samples depend on the inputs no more than "
        f"permuted ones{right}",
        since_step=0,
        location=pairs_location(view),
        label="these inputs and targets do not belong together",
        evidence=tuple(evidence),
        remedies=(
            Remedy("check the pairs of inputs and targets", Safety.ADVICE,
                   advice="show some inputs beside their targets; shuffle, sort, filter and split "
                   "both with the same indices",
                   code_text="order = torch.randperm(len(x)); x, y = x[order], y[order]"),
        ),
    )


CAUSE = Cause(
    slug="labels-unrelated-to-inputs",
    code="L001",
    title="Labels unrelated to inputs",
    family="Labels and targets",
    harm=Harm.MISTAKE,
    words=Words(
        symptom="The loss stays where a constant prediction would put it, or falls slowly while "
        "held-out samples are predicted no better than by guessing.",
        consequence="There is nothing to learn. A large network learns the labels by heart, one by "
        "one, which looks like overfitting; a small one learns nothing.",
        why="Inputs and labels were put into different orders: one of them was shuffled, sorted or "
        "filtered without the other, or indices are off by some.",
        detection="Cheap learners (nearest neighbours, linear and kernel regression, single "
        "features) predict each kept sample's target from the other samples, and again after the "
        "targets were permuted. No difference counts only where the network, too, predicts new "
        "samples no better than chance: if it generalises, there is a relation.",
        limitations="Rules over symbols, such as parity, and long sequences can hide from cheap "
        "learners, so the verdict is unknown there. Models that receive more than one input are "
        "not judged, nor are targets of whole images or sequences. Targets with a very weak "
        "relation to the inputs look like unrelated ones.",
        references=(
            "Good 2005: Permutation, parametric and bootstrap tests of hypotheses",
            "Zhang et al. 2017: Understanding deep learning requires rethinking generalization",
        ),
    ),
    needs=(),
    uses=(
        LABEL_DEPENDENCE, PAIRS_TESTED,
        LABEL_CHANCE, LABELS_FOUND, LABELS_BY_CHANCE, LABELS_COUNTED, INPUT_KINDS, BATCH_SIZE,
        CLASS_SAMPLES,
    ),
    thresholds=(DEPENDENT, PAIRS, OTHERS, FOUND, MEMORISED, SYMBOLS, RICHER),
    explains=(
        "noisy-labels", "class-imbalance", "too-few-samples", "no-regularisation", "too-shallow",
        "too-narrow", "too-few-steps", "noise-floor", "learning-rate-too-low",
        "train-validation-mismatch", "too-much-regularisation",
    ),
    detect=_detect,
)
