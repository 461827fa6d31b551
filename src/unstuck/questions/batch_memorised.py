"""Can the network memorise one batch?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from unstuck.questions.question import Answer, Bench, CannotAsk, Question
from unstuck.torch_api import BINARY, CLASSES
from unstuck.words import number, percent

RATES = (1e-2, 1e-3)  # of Adam
STEPS, SECONDS = 300, 5.0
ENOUGH = 0.5  # of the loss of guessing; a batch that is being memorised goes far below


class BatchMemorised(Question):
    """Trains on the first batch alone, with Adam, without dropout and weight decay."""

    slug = "batch-memorised"
    title = "the network can memorise one batch"
    why = ("A network that cannot fit a handful of samples has no chance with all. How it fails "
           "says where to look: a loss that rises points at its sign, one that explodes at numbers "
           "or learning rate, one that oscillates at labels that contradict each other, and one "
           "that stays flat at a graph that is cut or at values that were lost.")
    sources = ("Karpathy 2019, A recipe for training neural networks: overfit one batch",
               "CS231n, Neural networks 3: overfit a tiny subset of data",
               "Goodfellow, Bengio & Courville 2016, Deep learning, 11.5",
               "Tobin 2019, Troubleshooting deep neural networks")
    place_in_order = 5
    causes = ("detached-graph", "dead-relu", "vanishing-gradients", "loss-sign",
              "output-does-not-fit-loss", "noisy-labels", "too-narrow", "loss-broadcast")

    def ask(self, bench: Bench, before: object) -> Answer:
        """See the class."""
        guess = of_guessing(bench)
        best = best_of(bench, enough=ENOUGH * guess)
        start, end = best[0], end_of(best)
        low = min(guess, start)
        if end <= ENOUGH * guess:
            return self.passed(
                f"in {len(best)} steps the loss of one batch fell from {number(start)} to "
                f"{number(end)}", end, ENOUGH * guess)
        if end <= 0.9 * low:  # it learns; how far it could go is not known
            return self.unknown(
                f"the loss of one batch fell from {number(start)} to {number(end)} in "
                f"{len(best)} steps, which is neither memorised nor stuck", end)
        return self.failed(
            f"{_shape(best)}: {len(best)} steps on one batch took the loss from {number(start)} "
            f"to {number(end)}, {percent(end / guess)} of that of guessing", end,
            ENOUGH * guess, bench.place)


def of_guessing(bench: Bench) -> float:
    """The loss of guessing.

    Raises:
        CannotAsk: nobody knows it.
    """
    if bench.can_be_guessed() and bench.is_alone():
        if bench.loss in CLASSES | BINARY:
            return bench.expected_loss()
        if bench.loss in ("mse_loss", "l1_loss"):
            return bench.constant_loss()
    raise CannotAsk("it is not known how low this loss can become")


def best_of(bench: Bench, enough: float, shuffled: bool = False) -> Sequence[float]:
    """The losses of training on the first batch alone, at the better of two rates.

    `enough` is a loss with which it need not be tried at the other.

    Raises:
        CannotAsk: there was no time for so many steps that it means anything.
    """
    best: Sequence[float] = []
    for rate in RATES:
        losses = list(bench.memorise(rate, STEPS, SECONDS, shuffled, enough=enough / 5))
        if not best or end_of(losses) < end_of(best):
            best = losses
        if end_of(losses) <= enough:
            break
    if len(best) < STEPS // 6 and end_of(best) > enough:
        raise CannotAsk("its steps take too long")
    return best


def end_of(losses: Sequence[float]) -> float:
    """The mean of the last tenth; infinite if it is not a number."""
    tail = losses[-max(len(losses) // 10, 1):]
    return float(np.mean(tail)) if losses and all(map(math.isfinite, tail)) else math.inf


def _shape(losses: Sequence[float]) -> str:
    """What the failure looks like, and what that means."""
    if not math.isfinite(end_of(losses)):
        return "it explodes, which points at the numbers themselves"
    if end_of(losses) > 1.1 * losses[0]:
        return "it rises, which points at the sign of the loss"
    half = np.asarray(losses[len(losses) // 2:])
    if len(half) > 3 and float(half.std()) > 0.1 * abs(float(half.mean())):
        return "it oscillates, which points at labels that contradict each other"
    return "it stays flat, which points at a cut graph or at values that are lost on the way"
