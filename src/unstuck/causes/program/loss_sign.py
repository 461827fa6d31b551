"""Loss sign: the optimizer minimises something that should be as large as possible."""

from __future__ import annotations

import numpy as np

from unstuck.measures.basics import (
    backward_location,
    failed,
    loss_ends_at,
    loss_points,
    measured,
)
from unstuck.measures.view import Threshold, View
from unstuck.record.reader import main_track
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.edits import FlipSign, FlipTerm, Remedy, Safety, StepDown, SwapPairs
from unstuck.schema.facts.calls import WrittenUpdate
from unstuck.schema.facts.losses import (
    Ascent,
    Backward,
    Descent,
    Moving,
    PolicySign,
    UnboundedTerm,
    Yardstick,
)
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.pairs import Attraction
from unstuck.schema.findings import Absent, Evidence, Present, Unknown, Verdict
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import DESCENT
from unstuck.words import count, number, percent

UPHILL = Threshold(
    "uphill", 0.02,
    "A step against the gradient has a positive cosine with the direction against it, whatever the "
    "rule: -1 is straight up. Momentum or a weight decay can turn single steps.",
    "definition; first steps of SGD 1, of Adam and sign steps 0.1 to 0.9 in the corpus",
)
FEWEST = Threshold(
    "pairs-each-way", 40.0,
    "Counts the pairs that the loss pulls together, and those that it pushes apart.",
    "the mean rank of 40 distances is off by 0.05 standard deviations of all",
)
TURNED = Threshold(
    "pulled-farther", 5.0,
    "Pairs that belong together are closer in their inputs. Counted in standard deviations by "
    "which those that are pulled together are farther apart.",
    "rank statistic; by chance once in three million programs",
)
RUNAWAY = Threshold(
    "fell-below-zero", 100.0,
    "A loss that has a lowest value does not fall a hundred times as far below zero as it began "
    "above. The negative logarithm of a density goes below zero too, but slowly.",
    "a choice: two orders of magnitude",
)
FIRST = 3  # steps that have no past yet
NEARLY_ALL = 0.9
LIKE_OTHERS = 0.48  # how often pairs exceed samples that are no pair, where they are none either,
CLOSER = 0.42  # and where they are closer than these

_WORDS = {
    "NllLossBackward0": "the cross entropy", "NllLoss2DBackward0": "the cross entropy",
    "MseLossBackward0": "the squared error", "SmoothL1LossBackward0": "the smooth L1 error",
    "HuberLossBackward0": "the Huber error", "BinaryCrossEntropyBackward0": "the cross entropy",
    "BinaryCrossEntropyWithLogitsBackward0": "the cross entropy",
    "PowBackward0": "the squared error", "AbsBackward0": "the absolute error",
    "LogSoftmaxBackward0": "the negative log-likelihood",
    "LogSigmoidBackward0": "the negative log-likelihood",
    "LogBackward0": "the negative log-likelihood",
    "LogsumexpBackward0": "the negative log-likelihood",
}
OVERLAP = "DivBackward0"  # of which more is better


def _detect(view: View) -> Verdict:
    pairs = view.record.fact(Attraction)
    if pairs is not None and min(pairs.pulled, pairs.pushed) >= view.limit(FEWEST) and (
        pairs.sigmas >= view.limit(TURNED)
        and pairs.pushed_to_others <= CLOSER and pairs.pulled_to_others >= LIKE_OTHERS
    ):
        return _turned(view, pairs)
    policy = next(iter(view.record.facts(PolicySign)[-1:]), None)
    if policy is not None and policy.wrong:
        return _against(view, policy)
    if not view.record.facts(Ascent):
        if not view.record.facts(Backward):
            return Unknown("the graph of no loss was examined", ("a run that calls backward()",))
        if policy is not None:
            return Absent("minimising the loss makes the actions likelier that gain more, by the "
                          f"factors on their log-probabilities and {policy.gains}")
        if any(fact.why is Yardstick.SCORE for fact in view.record.facts(Moving)):
            return Unknown("the loss weights log-probabilities by factors of both signs, such as "
                           "advantages, and its graph does not show which sign is right",
                           ("a look at the returns, which rise with the right sign",))
        return _uphill(view) or _runs_away(view) or Absent(
            "no loss makes an error larger, as far as the signs in its graph show")
    ascent = view.record.facts(Ascent)[0]
    others = set(view.record.tracks) - {ascent.name}
    if others or len(view.record.facts(Optimizer)) > 1:
        # A generator drives up the error that its discriminator drives down.
        return Unknown(f"{ascent.name} makes an error larger, but something else is trained too, "
                       "and an adversary does so on purpose",
                       ("a look at what each loss is meant to do",))
    return _present(view, ascent)


def _runs_away(view: View) -> Present | None:
    """A loss that falls without end, by a term with a minus sign that has no bound."""
    steps, values = loss_points(view)
    end = loss_ends_at(view)
    term = view.record.fact(UnboundedTerm)
    if term is None or not end < -view.limit(RUNAWAY) * abs(values[0]) or (
            set(view.record.tracks) - {term.name}):
        return None
    went = f"went from {number(values[0])} to {number(end)}"
    if term.alone:
        title = (f"the loss has the wrong sign: the larger an exponential in it gets, the lower it "
                 f"is, as in a log-likelihood that is to be maximised (it {went})")
        seen = f"nothing in the loss holds this back: it {went}"
        flip = Remedy("flip the sign of the loss", Safety.SAFE,
                      (FlipSign(backward_location(view)),))
    else:
        title = (f"a term of the loss has the wrong sign: it is subtracted, and the larger it "
                 f"gets, the lower the loss (which {went})")
        seen = ("an error is to get small here, and a square, a modulus or an exponential to get "
                f"large: the loss {went}")
        flip = Remedy("flip the sign of the term", Safety.SAFE, (FlipTerm(term.location),))
    return Present(
        strength=0.9,
        title=title,
        since_step=0,
        location=term.location or backward_location(view),
        label="one of these two is without bound and has a minus sign in the loss",
        evidence=(Evidence(TRAIN_LOSS.name, term.name, steps, values, None, seen),),
        remedies=(flip,),
    )


def _uphill(view: View) -> Present | None:
    """Steps that go up the gradient of a loss which measures an error."""
    error = view.record.fact(Descent)
    if error is None or not view.has(DESCENT) or len(view[DESCENT]) > 1 or (
            set(view.record.tracks) - {error.name}):
        return None
    (name, series), = view[DESCENT].items()
    cosines, (steps, values) = series.finite.values, loss_points(view)
    if len(cosines) < FIRST or not (cosines[:FIRST] < -view.limit(UPHILL)).all() or (
            np.mean(cosines < 0) < NEARLY_ALL) or loss_ends_at(view) <= values[0]:
        return None
    written = [each.location for each in view.record.facts(WrittenUpdate)]
    built = [each.location for each in view.record.facts(Optimizer)]
    flip = Remedy("flip the sign of the loss", Safety.SAFE, (FlipSign(backward_location(view)),))
    down = Remedy("go down the gradient", Safety.SAFE, tuple(map(StepDown, written)))
    return Present(
        strength=0.95, certain=True,
        title=f"the steps go the wrong way: each moves the weights up the gradient, so "
        f"{_WORDS.get(error.of, 'the error')} grows (the loss went from {number(values[0])} to "
        f"{number(loss_ends_at(view))})",
        since_step=0,
        location=next(iter(written or built), None),
        label="adds what should be taken away",
        evidence=(
            measured(view, DESCENT, name, -view.limit(UPHILL),
                     f"the weights move along the gradient, not against it (cosine "
                     f"{number(float(np.median(cosines)))}, against it: above 0)"),
            Evidence(TRAIN_LOSS.name, error.name, steps, values, None,
                     f"the loss went from {number(values[0])} to {number(loss_ends_at(view))}"),
        ),
        remedies=(down, flip) if written else (flip,),
    )


def _against(view: View, policy: PolicySign) -> Present:
    """A policy whose loss lacks its minus sign."""
    steps, values = loss_points(view)
    name = main_track(view.record.tracks)
    return Present(
        strength=0.9,
        title="the loss of the policy has the wrong sign: minimising it makes the actions less "
        f"likely that gain more, by {policy.gains}",
        since_step=0,
        location=policy.location or backward_location(view),
        label="minimising this lowers the probability of what gains most",
        evidence=(
            Evidence(TRAIN_LOSS.name, name, steps, values, None,
                     f"in {count(policy.looks, 'backward pass', 'backward passes')} the "
                     f"log-probabilities stand in the loss with a factor that rises with "
                     f"{policy.gains}, and with no minus sign"),
        ),
        remedies=(
            Remedy("flip the sign of the loss", Safety.SAFE, (
                FlipSign(policy.location or backward_location(view)),)),
        ),
    )


def _turned(view: View, pairs: Attraction) -> Present:
    """A loss of pairs that brings together what differs."""
    return Present(
        strength=0.9,
        title="the loss of pairs works the wrong way round: it pushes apart the pairs whose "
        "inputs are alike, and pulls together those whose inputs differ",
        since_step=0,
        location=pairs.location or backward_location(view),
        label="minimising this pushes apart what is alike",
        evidence=(
            Evidence(TRAIN_LOSS.name, "", (0,), (0.0,), None,
                     f"by the gradient of the first steps {count(pairs.pulled, 'pair')} are "
                     f"pulled together and {number(pairs.pushed)} are pushed apart; one that is "
                     f"pulled together has the larger distance of its inputs in "
                     f"{percent(pairs.farther)} of comparisons "
                     f"({number(round(pairs.sigmas, 1))} standard deviations above one half)"),
            Evidence(TRAIN_LOSS.name, "", (0,), (0.0,), None,
                     "the pairs that are pushed apart are closer than two samples of different "
                     f"pairs (they are farther in {percent(pairs.pushed_to_others)} of "
                     "comparisons)"),
        ),
        remedies=(
            Remedy("swap the two kinds of pairs", Safety.SAFE, (
                SwapPairs(pairs.location, pairs.labels, pairs.values, pairs.triplets),)),
        ),
    )


def _present(view: View, ascent: Ascent) -> Verdict:
    what, worse, most, sign = (
        ("the overlap of predictions and targets", "smaller", "small", "without a minus sign")
        if ascent.of == OVERLAP else
        (_WORDS.get(ascent.of, "an error"), "larger", "large", "with a minus sign"))
    steps, values = loss_points(view)
    end = loss_ends_at(view)
    return Present(
        strength=0.95 if failed(view.outcome) or end < min(0.0, values[0]) else 0.85,
        certain=True,
        title=f"the loss has the wrong sign: minimising it makes {what} {worse} (the loss went "
        f"from {number(values[0])} to {number(end)})",
        since_step=0,
        location=ascent.location or backward_location(view),
        label=f"minimising this makes {what} as {most} as possible",
        evidence=(
            Evidence(TRAIN_LOSS.name, ascent.name, steps, values, None,
                     f"{what} enters the loss {sign} (the loss went from "
                     f"{number(values[0])} to {number(end)})"),
        ),
        remedies=(
            Remedy("flip the sign of the loss", Safety.SAFE, (
                FlipSign(ascent.location or backward_location(view)),)),
        ),
    )


CAUSE = Cause(
    slug="loss-sign",
    code="P016",
    title="Wrong sign of the loss",
    family="Program",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.RISES,),
    often=Often.SELDOM,
    words=Words(
        symptom="The loss falls below zero, faster and faster and without end, while the "
        "predictions get worse. Or an error rises from the first step on.",
        consequence="The optimizer works perfectly, but in the wrong direction. Nothing limits how "
        "wrong a prediction can get, so the weights and the loss run off to infinity.",
        why="An optimizer minimises. A log-likelihood, or any other score of which more is better, "
        "needs a minus sign before it. With one minus sign too many, an error is maximised.",
        detection="The detector follows the graph of the loss through sums and constant factors "
        "down to the operations that measure an error: a squared or absolute difference, a cross "
        "entropy, the logarithm of a probability, or the overlap of a mask and its prediction "
        "(Dice's coefficient, intersection over union). It multiplies the signs on the way. All of "
        "them must be wrong at two sampled steps. A factor that can have either sign, such as a "
        "reward, ends the search: there it is seen whether the factors on the log-probabilities "
        "rise with a variable that holds rewards or returns. Or the steps move the weights along "
        "the gradient of such an error, not against it, from the first step on. Or the loss has "
        "run off far below zero, while its graph adds an error with the right sign to a square, a "
        "modulus or an exponential with the wrong one. Of a loss of "
        "pairs, such as a contrastive or triplet loss, it is seen which pairs the gradient of the "
        "first steps brings together: the inputs of these are alike, and not those of the others.",
        limitations="The sign of a policy gradient is judged only where the factors follow a "
        "variable that is called a reward, a return or an advantage: others may be costs. "
        "A score without an error in it, such as a similarity, is not seen. Pairs are judged "
        "where both parts are numbers of the same shape and the loss of a pair is about nothing "
        "else. A program that "
        "confuses a network on purpose and trains nothing else would be reported.",
        references=(
            "Tobin 2019: Troubleshooting deep neural networks, flipped sign in the loss",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(DESCENT,),
    thresholds=(UPHILL, RUNAWAY, FEWEST, TURNED),
    effects=(Effect.TARGETS_OFF_SCALE, Effect.GRADIENTS_TOO_LARGE, Effect.GRADIENTS_VANISH,
             Effect.MEMORISES),
    detect=_detect,
)
