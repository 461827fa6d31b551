"""Does the output for a sample depend on that sample alone?"""

from __future__ import annotations

from unstuck.questions.question import Answer, Bench, CannotAsk, Question


class SamplesApart(Question):
    """Exchanges one sample of a batch, and looks whether the values of the others change."""

    slug = "samples-apart"
    title = "the output for a sample does not depend on the others of its batch"
    why = ("A view in place of a transpose, a softmax along the wrong axis or a recurrent layer "
           "that takes the batch for time mix the samples of a batch: the network then learns from "
           "what it will not have later.")
    sources = ("Karpathy 2019, A recipe for training neural networks: chart dependencies",)
    place_in_order = 4
    causes = ("batch-leak",)
    names_place = True

    def ask(self, bench: Bench, before: object) -> Answer:
        """See the class."""
        found = bench.mixed()
        if found is None:
            return self.passed("exchanging one sample changes its own output only", 0.0, 0.0)
        if found.known:
            raise CannotAsk(f"the model means to compare samples: at {found.name}, {found.known}")
        return self.failed(
            f"exchanging one sample changes the values of others at {found.name}", found.share, 0.0,
            found.location)
