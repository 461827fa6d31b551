"""Can the outputs reach the targets?"""

from __future__ import annotations

from unstuck.questions.question import Answer, Bench, CannotAsk, Question
from unstuck.torch_api import REGRESSION
from unstuck.words import number

MARGIN = 0.05  # of the targets' range


class TargetsInRange(Question):
    """Compares the targets with what the network's last operation can give."""

    slug = "targets-in-range"
    title = "the outputs can reach every target"
    why = ("A network that ends with a sigmoid, a tanh or a ReLU cannot give what lies outside of "
           "that function's range.")
    sources = ("Holden 2017, My neural network isn't working! What should I do?: 7",
               "CS231n, Neural networks 2")
    place_in_order = 6
    causes = ("wrong-output-activation", "targets-not-normalised")
    names_place = True

    def ask(self, bench: Bench, before: object) -> Answer:
        """See the class."""
        if bench.loss not in REGRESSION:
            raise CannotAsk("the loss does not compare outputs with numbers")
        low, high, least, most, name, place = bench.ranges()
        room = MARGIN * (most - least)
        if not name:
            return self.passed("the network's last operation is not bounded", most, high)
        if least < low - room or most > high + room:
            outside = least if least < low - room else most
            return self.failed(
                f"targets go from {number(least)} to {number(most)}, and {name} gives "
                f"{number(low)} to {number(high)}", outside, low if outside == least else high,
                place)
        return self.passed(f"{name} reaches all targets, from {number(least)} to {number(most)}",
                           most, high)
