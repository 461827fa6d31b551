"""Is the network as good in evaluation as in training?"""

from __future__ import annotations

import math

from unstuck.questions.question import Answer, Bench, CannotAsk, Question
from unstuck.words import number

FACTOR = 3.0  # between the losses of the two modes, on the same samples with the same weights
LEARNED = 0.7  # of its first loss: before that there is nothing that a mode could spoil


class ModesAgree(Question):
    """Compares both modes on the batches that were just learned, without dropout."""

    slug = "modes-agree"
    title = "evaluation mode gives what train mode gives"
    why = ("Without dropout both modes should give nearly the same loss on the samples just "
           "learned. If not, the statistics that batch normalisation keeps are not those of the "
           "data: batches are too small or too unlike, or its momentum is wrong.")
    sources = ("Karpathy 2018, most common neural net mistakes: you forgot to toggle train/eval",
               "Slavv 2017, 37 reasons why your neural network is not working: 32")
    after = True
    place_in_order = 3
    causes = ("unstable-batch-norm", "validation-in-train-mode")

    def ask(self, bench: Bench, before: object) -> Answer:
        """See the class."""
        train, evaluated, knows = bench.modes()
        history = bench.training()
        if train <= 0 or evaluated <= 0 or not math.isfinite(train):
            raise CannotAsk("losses that can be negative have no ratio")
        if not knows:
            return self.passed("no layer of the network does anything else in evaluation",
                               evaluated / train, FACTOR)
        if train > LEARNED * history[0]:
            raise CannotAsk("a short training learned too little to compare")
        ratio = evaluated / train
        says = (f"the loss is {number(train)} in train mode and {number(evaluated)} in eval mode, "
                "on the same samples")
        worse = evaluated > LEARNED * history[0]
        if ratio > FACTOR and worse:
            return self.failed(says, ratio, FACTOR, bench.place)
        return self.passed(says, ratio, FACTOR)
