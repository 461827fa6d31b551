"""Where on its way through the network is the label lost?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from unstuck.questions.question import (
    LEAST_SPREAD,
    Answer,
    Bench,
    CannotAsk,
    Question,
    Reading,
)
from unstuck.words import percent

READABLE = 0.25  # of the targets' variance: so much can be read somewhere on the way
LOST = 0.05  # so little can be read behind
SHARE = 0.2  # of what could be read before


class LabelReadable(Question):
    """Reads the targets from each value on the way from the inputs to the output.

    Before and after the laboratory's own training: what a fresh layer happens to lose a training
    brings back, and what an operation throws away it does not.
    """

    slug = "label-readable"
    title = "the label can be read from the values all the way to the output"
    why = ("If a simple model reads the label from the inputs but no longer from what an operation "
           "makes of them, that operation throws it away: it reads the padding, its mask is "
           "inverted, it picks the wrong axis, or its values have collapsed.")
    sources = ("Alain & Bengio 2017, Understanding intermediate layers with linear probes",
               "Golub, Heath & Wahba 1979, Generalized cross-validation")
    after = True
    place_in_order = 1
    causes = ("reads-padding", "constant-output", "dead-relu", "saturated-activations",
              "vanishing-gradients", "bad-initialisation")
    names_place = True
    needs = ("samples-apart",)

    def prepare(self, bench: Bench) -> object:
        """What can be read before the training."""
        return [each.skill for each in bench.readings()]

    def ask(self, bench: Bench, before: object) -> Answer:
        """See the class."""
        assert isinstance(before, list)
        after = list(bench.readings())
        if len(before) != len(after):
            raise CannotAsk("the network computes something else after a training")
        skills = [_most(old, new.skill) for old, new in zip(before, after, strict=True)]
        known = [(place, each) for place, each in enumerate(skills) if not math.isnan(each)]
        if len(known) < 2 or known[-1][0] < len(skills) - 1:
            raise CannotAsk("the network's values have no axis of samples")
        most = max(each for _, each in known)
        if most < READABLE:
            raise CannotAsk("a simple model cannot read the label from any value, not even from "
                            "the inputs")
        end = known[-1][1]
        if end > max(LOST, SHARE * most):
            return self.passed(
                f"a simple model reads {percent(end)} of the label's variance from the output",
                end, max(LOST, SHARE * most))
        lost = _lost_at(skills, after, max(LOST, SHARE * most))
        place = after[lost]
        says = (f"the label is lost at {place.name}: {percent(most)} of its variance could be read "
                f"before, {percent(_real(skills[lost]))} behind it")
        if place.trained and place.spread >= LEAST_SPREAD:
            return self.unknown(f"{says}, but its weights may only need a longer training",
                                _real(skills[lost]))
        return self.failed(says, _real(skills[lost]), max(LOST, SHARE * most), place.location)


def _most(one: float | None, other: float) -> float:
    found = [each for each in (one, other) if each is not None and not math.isnan(each)]
    return max(found, default=math.nan)


def _real(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _lost_at(skills: Sequence[float], readings: Sequence[Reading], limit: float) -> int:
    """The first value made of the last readable one, from which the label cannot be read."""
    last = max(place for place, each in enumerate(skills) if _real(each) > limit)
    lost = next((place for place in range(last + 1, len(skills))
                 if last in readings[place].parents), last + 1)
    if readings[lost].trained:  # which a training would have mended, but for what comes behind
        return next((place for place in range(lost + 1, len(skills))
                     if readings[place].spread < LEAST_SPREAD), lost)
    return lost
