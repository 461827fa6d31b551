"""Loss terms out of balance: one summand of the loss silences another, which learns nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unstuck.measures.basics import (
    expression,
    loss_ends_at,
    loss_points,
    measured,
    typed,
    unwatched,
)
from unstuck.measures.looks import left_out
from unstuck.measures.view import Threshold, View
from unstuck.record.series import Floats, Series
from unstuck.rules.cause import Cause, Harm, Words
from unstuck.rules.effects import Effect
from unstuck.rules.symptoms import Symptom
from unstuck.schema.edits import Remedy, Safety, WeighTerm
from unstuck.schema.facts.sums import LossTerm
from unstuck.schema.findings import Absent, OutcomeKind, Present, Unknown, Verdict
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.sums import TERM_LOSS, TERM_SHARE, TERM_SKILL
from unstuck.words import number, percent, times

STARVED = Threshold(
    "starved-term", 0.05,
    "A term with a twentieth of the gradient hardly moves what it shares with the others.",
    "in healthy programs of the corpus a term that has learned nothing has a fifth or more",
)
NOTHING = Threshold(
    "starved-skill", 0.1,
    "The term has not come even a tenth of the way from a constant prediction to a perfect one.",
    "the outcome rules call a loss no better than a constant's from 0.96 of it on",
)
LEARNED = Threshold(
    "other-skill", 0.3,
    "Another term that compares predictions with targets has learned, so the steps are good for "
    "something. Where none has, the steps or the data may be to blame for all of them.",
    "three times what counts as nothing",
)
MEANT = Threshold(
    "chosen-weight", 0.5,
    "If the program itself multiplies the term by less than half of the other's factor, and the "
    "other has learned, the balance is a choice.",
    "auxiliary losses are usually weighted by 0.3 or less",
)
FIRST = Threshold(
    "starved-at-first", 0.2,
    "A term that starts with a fifth of the gradient and never gets further than a constant "
    "prediction was silenced at once by one that wants nothing of the data. Where that one has "
    "reached its goal, the gradients of both are alike and say nothing.",
    "in healthy autoencoders of the corpus the reconstruction starts with a third or more",
)
FALLEN = Threshold(
    "other-term-fallen", 0.1,
    "A term that silences the others reaches its goal, so a part of the loss goes. If less than a "
    "tenth of it does, what the network is or gets may stop all terms.",
    "a fifth and more in the corpus",
)
FEWEST = 6  # looks at a term
EARLY = 3  # looks before much has been learned
LONGEST = 40  # characters of a term that is quoted


@dataclass(frozen=True, slots=True)
class _Term:
    """A term, with what was measured of it."""

    fact: LossTerm
    share: Series
    skill: Series | None

    @property
    def start(self) -> float:
        """Its share of the gradient in the first half: at an equilibrium all are alike."""
        return float(np.median(self.share.values[:max(FEWEST // 2, len(self.share) // 2)]))

    @property
    def first(self) -> float:
        """Its share of the gradient at the first looks."""
        return float(np.median(self.share.values[:EARLY]))

    @property
    def late(self) -> Floats:
        """Its skill in the last third; nothing if it has no targets, or was seen too seldom."""
        if self.skill is None or len(self.skill) < FEWEST:
            return np.empty(0)
        return self.skill.values[-(len(self.skill) // 3):]

    @property
    def end(self) -> float | None:
        """The skill with which it ends, if that is known: the last looks lie far apart."""
        return float(np.median(self.late[-EARLY:])) if len(self.late) else None

    @property
    def words(self) -> str:
        """How the program writes it."""
        text = expression(self.fact.location)
        if text is not None and len(text) <= LONGEST:
            return f"the term `{text}`"
        return f"the term {self.fact.loss}" if self.fact.loss else "another term"


def _detect(view: View) -> Verdict:
    facts = view.record.facts(LossTerm)
    if not facts:
        unseen = unwatched(view.record)
        return Absent("the loss is not a sum of several terms") if unseen is None else Unknown(
            f"it is not known whether the loss is a sum: {unseen}", (TERM_SHARE.name,))
    if not any(fact.loss for fact in facts):
        return Unknown("none of the terms of the loss was seen to compare predictions with "
                       "targets", (TERM_SKILL.name,))
    if not (view.has(TERM_SHARE) and view.has(TERM_SKILL)):
        return Unknown("the gradients of the terms of the loss were not measured",
                       (TERM_SHARE.name,))
    if view.outcome.kind in (OutcomeKind.DIVERGED, OutcomeKind.BROKEN, OutcomeKind.CRASHED):
        return Unknown("the run did not get far enough to show what each term of the loss would "
                       "have learned", ("a run that does not diverge",))
    skills = view[TERM_SKILL]
    terms = [_Term(fact, view[TERM_SHARE][fact.name].finite,
                   skills[fact.name].finite if fact.name in skills else None)
             for fact in facts if fact.name in view[TERM_SHARE]]
    verdicts = [_judged(view, term, [x for x in terms if x.fact.of == term.fact.of])
                for term in terms if term.skill is not None and term.fact.loss is not None]
    for kind in (Present, Unknown):
        found = next((verdict for verdict in verdicts if isinstance(verdict, kind)), None)
        if found is not None:
            return found
    return verdicts[0] if verdicts else Unknown(
        "none of the terms of the loss could be judged", (TERM_SKILL.name,))


def _judged(view: View, term: _Term, group: list[_Term]) -> Verdict:
    if len(term.share) < FEWEST or term.end is None:
        return Unknown("too few steps were measured to judge the terms of the loss",
                       ("a longer run",))
    if not np.any(term.share.values):
        return Absent(f"{term.words} has no gradient at all, which no other term takes from it")
    if not term.start < view.limit(STARVED):
        silenced = _silenced(view, term, group)
        if silenced is None and left_out(view.record) and term.first < view.limit(FIRST) and (
            float(np.min(term.late)) < view.limit(NOTHING)
        ):
            return Unknown(f"too few steps were examined closely to know whether {term.words} has "
                           "learned anything", ("a run with --overhead 1",))
        return silenced or Absent(
            "each term of the loss that has targets gets its share of the gradient")
    if not term.end < view.limit(NOTHING):
        return Absent("the terms of the loss with a small share of the gradient have learned, too")
    main = max(group, key=lambda each: each.start)
    others = [each.end for each in group if each is not term and each.skill is not None]
    learned = any(end is not None and end >= view.limit(LEARNED) for end in others)
    if others and not learned:
        return Unknown("none of the terms of the loss has learned anything, so their balance need "
                       "not be what stops them", ("a run in which one of the terms improves",))
    if learned and _chosen(view, term.fact.factor, main.fact.factor):
        return Absent("the term that gets little of the gradient has a small weight in the program")
    return _present(view, term, main, term.start, main.start)


def _silenced(view: View, term: _Term, group: list[_Term]) -> Verdict | None:
    """What is said of a term that has learned nothing beside a larger one without targets.

    That one may be at its goal so early that the gradients are alike most of the time.
    """
    main = max(group, key=lambda each: each.first)
    if main is term or main.skill is not None or term.end is None or (
        not term.end < view.limit(NOTHING)
    ):
        return None
    first, last = loss_points(view)[1][0], loss_ends_at(view)
    if first > 0 and last > (1 - view.limit(FALLEN)) * first:
        return Unknown(f"{main.words} has hardly fallen either, so the balance need not be what "
                       "stops them", ("a run in which one of the terms improves",))
    if term.first < view.limit(FIRST):
        return _present(view, term, main, term.first, main.first)
    return Unknown(f"{term.words} ends no better than a constant guess and starts with "
                   f"{percent(term.first)} of the gradient, less than {main.words}",
                   (f"a run in which {main.words} has a smaller weight",))


def _chosen(view: View, own: float | None, others: float | None) -> bool:
    """Whether the program itself gives a term a smaller factor, or one that is not known."""
    if own is None or others is None:
        return True
    return abs(own) < view.limit(MEANT) * abs(others)


def _present(view: View, term: _Term, main: _Term, share: float, others: float) -> Present:
    """`share` is what the term had of the gradient early on, `others` what `main` had."""
    ratio = term.share.values / main.share.values
    early, typical = float(np.median(ratio[:EARLY])), share / others
    fold = 1 / typical if typical > 0 else math.inf
    factors = dict.fromkeys(typed(value) for value in (early, typical, early / 10) if value > 0)
    loss = view[TERM_LOSS][term.fact.name]
    fewer = main.words.removeprefix("the term ")
    weigh = Remedy(
        f"give {main.words} a smaller weight", Safety.CHANGES_EXPERIMENT,
        tuple(WeighTerm(main.fact.location, factor) for factor in factors
              ) if main.fact.location is not None else (),
        advice="Multiply the larger term by a factor that makes the gradients alike, or reduce "
        "both terms in the same way: both a mean, or both a sum.")
    return Present(
        strength=0.85 if share < view.limit(STARVED) / 2 else 0.7,
        title=f"{term.words} starts with {percent(share)} of the gradient and ends no better than "
        f"a constant guess: {main.words} has {times(fold)} its gradient",
        since_step=int(term.share.steps[0]),
        location=term.fact.sum_location,
        label=f"{fewer} silences the rest" if expression(main.fact.location) == fewer else
        "one term of this sum silences the other",
        evidence=(
            measured(view, TERM_SHARE, term.fact.name, view.limit(
                STARVED if share < view.limit(STARVED) else FIRST),
                     f"{term.words} had {percent(share)} of the gradient where the two meet, while "
                     "much was still to be learned"),
            measured(view, TERM_LOSS, term.fact.name, None,
                     f"its value ends at {number(float(np.median(loss.values[-EARLY:])))}, about "
                     "that of the best constant prediction"),
        ),
        remedies=(weigh,),
    )


CAUSE = Cause(
    slug="loss-terms-out-of-balance",
    code="O010",
    title="Loss terms out of balance",
    family="Optimisation",
    harm=Harm.MISTAKE,
    symptoms=(Symptom.PLATEAU, Symptom.SAME, Symptom.METRIC),
    words=Words(
        symptom="The total loss falls, but one of its terms stays where it is. A variational "
        "autoencoder, or VAE, draws the same picture for every code. A physics-informed network, "
        "or PINN, ignores the data. One task of a multi-task network is not learned.",
        consequence="The weights follow the large term alone. The other one would need steps a "
        "hundred or a million times as large.",
        why="The gradient of a sum is the sum of the gradients. A term that adds up over pixels, "
        "samples or large units has a far larger gradient than one that is a mean: a summed KL "
        "divergence beside a mean reconstruction error, or a regression in pascals beside a "
        "cross-entropy. Adam does not help because it scales the sum as a whole.",
        detection="On its way back, the gradient of each term meets that of the others. There "
        "unstuck compares their sizes. A term is starved if it has less than a twentieth of "
        "the gradient over the first half of the run, compares predictions with targets, and ends "
        "no better than a constant prediction. If another term with targets is there, it must have "
        "learned. Beside a larger term without targets, a tenth at the very first is enough.",
        limitations="A term that nothing could predict looks the same if its unit is small as "
        "well. Terms without targets, such as penalties, divergences and adversarial losses, are "
        "never called starved. A term that the program gives a smaller weight is taken as meant "
        "to be small if another one has learned. Terms with a backward pass of their own are not "
        "compared.",
        references=(
            "Chen et al. 2018: GradNorm, gradient normalization (arXiv 1711.02257)",
            "Wang, Teng, Perdikaris 2021: Gradient flow pathologies in PINNs (arXiv 2001.04536)",
        ),
    ),
    needs=(TRAIN_LOSS,),
    uses=(TERM_LOSS, TERM_SHARE, TERM_SKILL),
    thresholds=(STARVED, FIRST, FALLEN, NOTHING, LEARNED, MEANT),
    effects=(Effect.OUTPUT_CONSTANT, Effect.CANNOT_FIT),
    needs_trend=True,
    detect=_detect,
)
