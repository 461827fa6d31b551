"""What a cause file must fill in, and what its detector gets to see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import overload

from unstuck.curves import judge
from unstuck.findings import Outcome, Verdict
from unstuck.record import Record
from unstuck.series import PlaceSeries, Series
from unstuck.signals import PlaceSignal, Signal, StepSignal


class Harm(StrEnum):
    """What a cause does to a run; the diagnosis derives the severity from it and the outcome."""

    MISTAKE = "mistake"  # wrong in itself: a finding even if the run survives it
    CONDITION = "condition"  # a finding only where the run suffers, else a note
    DISTRUST = "distrust"  # the run's results cannot be trusted
    OVERFIT = "overfit"  # the training goes well, and data that it has not seen pay for it
    LEAK = "leak"  # memory grows until the run dies


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit that a detector compares with, why it is where it is, and where it comes from."""

    name: str
    value: float
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Words:
    """One text for terminal, page and editor. Sentences with full stops; no markup."""

    symptom: str  # what the user sees
    consequence: str  # what happens if nothing is done
    why: str  # the mechanism
    detection: str  # what distinguishes it from its look-alikes
    limitations: str  # where the detector is wrong or abstains
    references: tuple[str, ...]


class UndeclaredSignal(Exception):
    """A detector read a signal, or a threshold, that its cause does not declare."""


@dataclass(slots=True)
class View:
    """A record as one cause may see it: all facts, the signals that it declared, its thresholds."""

    facts: Record
    cause: Cause
    outcome: Outcome
    overrides: Mapping[str, float] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)

    @overload
    def __getitem__(self, signal: StepSignal) -> Series: ...
    @overload
    def __getitem__(self, signal: PlaceSignal) -> PlaceSeries: ...
    def __getitem__(self, signal: Signal) -> Series | PlaceSeries:
        """The series of a declared signal.

        Raises:
            NotMeasured: the record holds none.
            UndeclaredSignal: the cause did not declare it.
        """
        if signal not in self.cause.needs and signal not in self.cause.uses:
            raise UndeclaredSignal(f"{self.cause.slug} reads {signal.name} undeclared")
        self.read.add(signal.name)
        return self.facts.series(signal)

    def has(self, signal: Signal) -> bool:
        """Whether an optional signal was measured."""
        if signal not in self.cause.needs and signal not in self.cause.uses:
            raise UndeclaredSignal(f"{self.cause.slug} asks for {signal.name} undeclared")
        self.read.add(signal.name)
        return self.facts.measured(signal)

    def limit(self, threshold: Threshold) -> float:
        """A threshold's value: the user's, or else the default."""
        if threshold not in self.cause.thresholds:
            raise UndeclaredSignal(f"{self.cause.slug} uses {threshold.name} undeclared")
        return self.overrides.get(threshold.name, threshold.value)


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why a network does not learn.

    `needs` are signals without which the verdict is unknown; `uses` are read where present.
    `explains` are slugs of causes that this one can produce as symptoms.
    `alike` are slugs of causes that predict the same record; said on one side of a pair only.
    `needs_trend` marks a cause that cannot be judged while the run is too short for a trend.
    `by_trial` marks one that no record can distinguish from others: it is named as one of a set,
    together with the trial that separates them.
    `formerly` are slugs that it had before; they are still accepted.
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
    explains: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    needs_trend: bool = False
    by_trial: bool = False
    formerly: tuple[str, ...] = ()


def view(record: Record, cause: Cause, overrides: Mapping[str, float] | None = None) -> View:
    """The record as `cause` sees it."""
    return View(record, cause, judge(record), overrides or {})
