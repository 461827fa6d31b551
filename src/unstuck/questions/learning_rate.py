"""Does the loss fall at the program's learning rate?"""

from __future__ import annotations

import math

import numpy as np

from unstuck.questions.question import Answer, Bench, Question
from unstuck.words import number, times

FACTORS = (1.0, 0.1, 0.01, 10.0)  # of the program's learning rate
REPLICATES, STEPS, SECONDS = 2, 40, 1.5
RISEN = 1.5  # times the first loss
FALLEN = 0.8  # of the first loss, at a lower rate on every replicate
FALLS = 0.98  # of the first loss


class LearningRate(Question):
    """Trains with the program's own optimizer from the first weights, at several rates.

    Each rate is tried on the batches in order and in reverse; only what holds for both counts.
    """

    slug = "learning-rate"
    title = "the loss does not explode at the program's learning rate"
    why = ("A learning rate that is too high throws the weights further with each step. If a tenth "
           "or a hundredth of it makes the loss fall on the same batches, it is to blame. "
           "Whether it is too low is not judged, because many schedules begin low.")
    sources = ("CS231n, Neural networks 3: learning rates on a log scale",
               "Smith 2017, Cyclical learning rates: the range test",
               "Holden 2017, My neural network isn't working! What should I do?: 6")
    place_in_order = 7
    causes = ("learning-rate-too-high", "momentum-too-high", "exploding-gradients")

    def ask(self, bench: Bench, before: object) -> Answer:
        """See the class."""
        rate = bench.rate()
        first, own = _levels(bench, 1.0)
        if all(end < FALLS * first for end in own):
            says = f"at its learning rate of {number(rate)} the loss falls from {number(first)}"
            return self.passed(f"{says} to {number(max(own))} in {STEPS} steps", max(own), first)
        if all(end > RISEN * first for end in own):
            for factor in FACTORS[1:3]:
                start, ends = _levels(bench, factor)
                if all(end < FALLEN * start for end in ends):
                    rises = ("explodes" if math.isinf(max(own))
                             else f"rises {times(min(own) / first)}")
                    return self.failed(
                        f"at its learning rate of {number(rate)} the loss {rises}, and at "
                        f"{number(rate * factor)} it falls from {number(start)} to "
                        f"{number(max(ends))}", rate, rate * factor, bench.rate_place())
        start, ends = _levels(bench, FACTORS[3])
        more = f"; at 10 times that it falls to {number(max(ends))}" if (
            max(ends) < FALLEN * start) else ""
        return self.unknown(
            f"{STEPS} steps at its learning rate of {number(rate)} take the loss from "
            f"{number(first)} to {number(max(own))} only{more}", max(own))


def _levels(bench: Bench, factor: float) -> tuple[float, list[float]]:
    """The first loss, and that at the end of each replicate; infinite where it is not finite."""
    runs = [bench.at_rate(factor, STEPS, SECONDS, bool(number)) for number in range(REPLICATES)]
    ends = [float(np.mean(run[-5:])) if run else math.inf for run in runs]
    return float(np.mean([run[0] for run in runs])), [
        end if math.isfinite(end) else math.inf for end in ends]
