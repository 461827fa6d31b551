"""Do the outputs depend on the inputs?"""

from __future__ import annotations

from unstuck.questions.question import LEAST_SPREAD, Answer, Bench, Question
from unstuck.words import percent


class InputsMatter(Question):
    """Gives the samples of a batch each other's inputs, before and after the training."""

    slug = "inputs-matter"
    title = "the outputs depend on the inputs"
    why = ("A network whose outputs do not change with its inputs can only learn the mean of the "
           "targets. The place is the first operation behind which all samples are alike.")
    sources = ("Karpathy 2019, A recipe for training neural networks: input-independent baseline",
               "Slavv 2017, 37 reasons why your neural network is not working: 2")
    after = True
    place_in_order = 2
    causes = ("constant-output", "reads-padding", "dead-relu", "saturated-activations",
              "vanishing-gradients", "bad-initialisation")
    names_place = True

    def prepare(self, bench: Bench) -> object:
        """How far outputs change before the training."""
        return bench.outputs_change()

    def ask(self, bench: Bench, before: object) -> Answer:
        """See the class."""
        assert isinstance(before, float)
        change = bench.outputs_change()
        if max(change, before) >= LEAST_SPREAD:
            return self.passed(
                f"with the inputs of other samples the outputs change by {percent(change)}",
                change, LEAST_SPREAD)
        alike = (each for each in bench.spreads() if each.spread < LEAST_SPREAD)
        place = next((each.location for each in alike), None)
        return self.failed(
            "the outputs stay the same whatever the inputs are, before and after a training",
            max(change, before), LEAST_SPREAD, place or bench.place)
