"""Has the network room for labels that mean nothing?"""

from __future__ import annotations

from unstuck.questions.batch_memorised import best_of, end_of, of_guessing
from unstuck.questions.question import Answer, Bench, CannotAsk, Question
from unstuck.schema.findings import Severity
from unstuck.words import count, number

FITTED = 0.2  # of the loss of guessing; a batch of few classes of unlike size is far above as well
STUCK = 0.9  # of it: all that is learned is how common each label is
FEWEST = 8  # samples; fewer are told apart by any network
ROOM = 10  # numbers that are trained, for each label of the batch


class RandomLabels(Question):
    """Trains on the first batch alone, in which each sample has the target of another.

    Its samples are easy to tell apart if they have as many numbers as there are samples: a linear
    model can give each of them any label. A network with many more weights that cannot, though it
    memorises the batch as it is, makes nearly the same of all that belongs together.
    """

    slug = "random-labels"
    title = "the network has room for labels that mean nothing"
    why = ("Labels that were dealt out anew can only be memorised, so this measures the room that "
           "the network has, and whether its values still tell single samples apart. One that "
           "cannot fit them is narrow somewhere, or stops telling samples apart. Most networks "
           "can; then what keeps them from memorising all is only how they are trained.")
    sources = ("Zhang et al. 2017, Understanding deep learning requires rethinking generalization",
               "Arpit et al. 2017, A closer look at memorization in deep networks")
    place_in_order = 6
    causes = ("too-narrow", "dead-relu", "saturated-activations")

    def ask(self, bench: Bench, before: object) -> Answer:
        """See the class."""
        samples, values, trained = bench.sizes()
        if samples < FEWEST:
            raise CannotAsk(f"the first batch has fewer than {FEWEST} different samples")
        guess = of_guessing(bench)
        losses = best_of(bench, FITTED * guess, shuffled=True)
        start, end = losses[0], end_of(losses)
        says = (f"with the targets of other samples the loss of {count(samples, 'sample')} went "
                f"from {number(start)} to {number(end)} in {count(len(losses), 'step')}")
        if end <= FITTED * guess:
            return self.passed(says, end, FITTED * guess)
        if end <= STUCK * min(guess, start) or trained < ROOM * samples or values < samples:
            return self.unknown(f"{says}, and a network of this size need not get lower", end)
        own = end_of(best_of(bench, FITTED * guess))
        if own > FITTED * guess:
            return self.unknown(f"{says}, and with their own it ends no lower than {number(own)}",
                                end)
        return self.failed(
            f"{says}, which is that of guessing; with their own it falls to {number(own)}", end,
            FITTED * guess, bench.place, Severity.WARNING)
