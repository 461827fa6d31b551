"""How a curve is spoken of: of a loss less is better, of a score more."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.record.reader import Record
from unstuck.schema.facts.run import Log
from unstuck.words import number


@dataclass(frozen=True, slots=True)
class Wording:
    """The words for a curve whose levels are losses, or what is missing to the best score."""

    noun: str = "loss"
    higher: bool = False
    best: float = 0.0
    data: str = "train"  # what the curve is of

    @property
    def curve(self) -> str:
        """What is judged: the train loss, mostly."""
        return f"{self.data} {self.noun}"

    def number(self, level: float) -> str:
        """A level as the user knows it."""
        return number(self.best - level if self.higher else level)

    @property
    def fell(self) -> str:
        """What a curve did that got better."""
        return "rose" if self.higher else "fell"

    @property
    def rose(self) -> str:
        """What a curve did that got worse."""
        return "fell" if self.higher else "rose"

    @property
    def falling(self) -> str:
        """What a curve does that gets better."""
        return "rising" if self.higher else "falling"

    @property
    def rising(self) -> str:
        """What a curve does that gets worse."""
        return "falling" if self.higher else "rising"

    @property
    def above(self) -> str:
        """Where a level lies that is worse than another."""
        return "below" if self.higher else "above"

    @property
    def low(self) -> str:
        """What a good level is."""
        return "high" if self.higher else "low"


def wording(record: Record) -> Wording:
    """The words for the curves of a record."""
    log = record.fact(Log)
    if log is None or not log.higher_is_better:
        return Wording(data="held-out" if log and log.of_held_out else "train")
    return Wording("score", True, log.best or 0.0, "held-out" if log.of_held_out else "train")
