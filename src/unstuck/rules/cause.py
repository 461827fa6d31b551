"""What a cause file must fill in, and what its detector gets to see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from unstuck.curves.outcome import judge
from unstuck.measures.view import Threshold, View
from unstuck.record.reader import Record
from unstuck.rules.effects import Effect, comes_before, following
from unstuck.rules.symptoms import Often, Symptom
from unstuck.schema.findings import Verdict
from unstuck.schema.quantities import Signal


class Harm(StrEnum):
    """What a cause does to a run; the diagnosis derives the severity from it and the outcome."""

    MISTAKE = "mistake"  # wrong in itself: a finding even if the run survives it
    CONDITION = "condition"  # a finding only where the run suffers, else a note
    DISTRUST = "distrust"  # the run's results cannot be trusted
    OVERFIT = "overfit"  # the training goes well, and data that it has not seen pay for it
    LEAK = "leak"  # memory grows until the run dies


@dataclass(frozen=True, slots=True)
class Words:
    """One text for terminal, page and editor. Sentences with full stops; no markup."""

    symptom: str  # what the user sees
    consequence: str  # what happens if nothing is done
    why: str  # the mechanism
    detection: str  # what distinguishes it from its look-alikes
    limitations: str  # where the detector is wrong or abstains
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why a network does not learn.

    `needs` are signals without which the verdict is unknown; `uses` are read where present.
    `effects` are what else can be seen of a run because of it; what follows from them is implied.
    `shows` is the effect that a finding of it is, where other causes can have that effect: it may
    then be their symptom. Its own effects come later in the order of `Effect`.
    `alike` are slugs of causes that predict the same record; said on one side of a pair only.
    `needs_trend` marks a cause that cannot be judged while the run is too short for a trend, but
    for what it finds `without_trend`.
    `by_trial` marks one that no record can distinguish from others: it is named as one of a set,
    together with the trial that separates them.
    `formerly` are slugs that it had before; they are still accepted.
    `symptoms` are what users see of it, and `often` says how often they meet it.
    """

    slug: str
    code: str
    title: str
    family: str
    harm: Harm
    words: Words
    needs: tuple[Signal, ...]
    detect: Callable[[View], Verdict]
    uses: tuple[Signal, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    shows: Effect | None = None
    effects: tuple[Effect, ...] = ()
    alike: tuple[str, ...] = ()
    needs_trend: bool = False
    without_trend: Callable[[View], Verdict | None] | None = None
    by_trial: bool = False
    formerly: tuple[str, ...] = ()
    symptoms: tuple[Symptom, ...] = ()
    often: Often = Often.SOMETIMES

    def __post_init__(self) -> None:
        if self.shows is not None:
            for effect in self.effects:
                if not comes_before(self.shows, effect):
                    raise ValueError(
                        f"{self.slug} shows {self.shows.name} and lists {effect.name}, but a cause "
                        "can have only effects that come after the one that it shows")

    def can_explain(self, other: Cause) -> bool:
        """Whether another cause can be a symptom of this one. No chain of these is a circle."""
        return other.shows is not None and other.shows in following(self.effects)


def view(record: Record, cause: Cause, overrides: Mapping[str, float] | None = None) -> View:
    """The record as `cause` sees it."""
    return View(record, cause, judge(record), overrides or {})
