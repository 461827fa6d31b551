"""Does every parameter of the optimizer get a gradient?"""

from __future__ import annotations

from unstuck.questions.question import Answer, Bench, CannotAsk, Question
from unstuck.words import count, joined


class GradientsReach(Question):
    """Looks for parameters that never got a gradient in the first steps."""

    slug = "gradients-reach"
    title = "gradients reach every parameter that the optimizer has"
    why = ("A parameter without a gradient never changes. Somewhere between it and the loss the "
           "graph is cut, or it takes no part in the loss.")
    sources = ("Karpathy 2019, A recipe for training neural networks",
               "Lightning issue 1237: verify that all layers train")
    place_in_order = 2
    causes = ("detached-graph", "frozen-parameters", "dead-relu", "vanishing-gradients",
              "saturated-activations")
    names_place = True

    def ask(self, bench: Bench, before: object) -> Answer:
        """See the class."""
        held = bench.held()
        if not held:
            raise CannotAsk("no optimizer of torch updates the weights")
        missing = bench.unreached()
        cut = [each for each in missing if each.operation]
        share = len(missing) / held
        if cut:
            return self.failed(
                f"no gradient reaches {joined(each.name for each in cut)}: "
                f"{cut[0].operation} cuts the graph", share, 0.0, cut[0].location)
        used = [each for each in missing if each.used]
        says = f"the gradient of {joined(each.name for each in used)} was zero in every step"
        if any(not each.alone for each in used):
            return self.failed(says, share, 0.0, used[0].location)
        if used:  # as that of a bias where outputs are subtracted from each other
            return self.unknown(f"{says}, but the rest of its layer got one", share)
        if missing:
            return self.unknown(
                f"the loss of the first batch does not use {joined(e.name for e in missing)}",
                share)
        return self.passed(f"each of {count(held, 'parameter')} got a gradient", 0.0, 0.0)
