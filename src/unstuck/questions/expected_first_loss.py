"""Is the first loss what a network must have that knows nothing yet?"""

from __future__ import annotations

import math

from unstuck.questions.question import Answer, Bench, CannotAsk, Question
from unstuck.torch_api import BINARY, CLASSES
from unstuck.words import number, times

MOST = 3.0  # times the expected loss; healthy networks begin with 0.5 to 1.5 times
MOST_ERROR = 30.0  # times the variance of the targets, whose scale the first outputs may not have


class ExpectedFirstLoss(Question):
    """Compares the first loss with that of guessing."""

    slug = "expected-first-loss"
    title = "the first loss is that of a network that knows nothing yet"
    why = ("A network that has not learned anything should guess all classes alike, so its first "
           "cross-entropy is the logarithm of the number of classes. A much larger loss is "
           "confidence in wrong answers: weights or inputs are too large, or the loss gets what "
           "it does not expect.")
    sources = ("CS231n, Neural networks 3: look for the correct loss at chance performance",
               "Karpathy 2019, A recipe for training neural networks: verify loss @ init")
    place_in_order = 1
    causes = ("bad-initialisation", "inputs-not-normalised", "output-does-not-fit-loss",
              "targets-not-normalised")

    def ask(self, bench: Bench, before: object) -> Answer:
        """See the class."""
        first = bench.first_loss()
        if not math.isfinite(first):
            return self.failed(f"the first loss is {number(first)}", first, None, bench.place)
        if not bench.can_be_guessed():
            raise CannotAsk("no first loss is expected of this loss function")
        if bench.loss in CLASSES | BINARY:
            expected, most = bench.expected_loss(), MOST
        elif bench.loss in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"):
            expected, most = bench.constant_loss(), MOST_ERROR
        else:
            raise CannotAsk("no first loss is expected of this loss function")
        if not expected > 0:
            raise CannotAsk("the targets are all the same")
        says = (f"the first loss is {number(first)}, and guessing would give {number(expected)}")
        if first > most * expected:
            return self.failed(f"the first loss is {times(first / expected)} that of guessing "
                               f"({number(first)} against {number(expected)})", first,
                               most * expected, bench.place)
        return self.passed(says, first, most * expected)
