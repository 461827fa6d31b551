"""A record as one cause may see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, overload

from unstuck.record.reader import Record
from unstuck.record.series import PlaceSeries, Series
from unstuck.schema.findings import Outcome
from unstuck.schema.quantities import PlaceSignal, Signal, StepSignal


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit that a detector compares with, why it is where it is, and where it comes from."""

    name: str
    value: float
    reason: str
    source: str


class Declared(Protocol):
    """What a cause says that it will read."""

    @property
    def slug(self) -> str:
        """Its name."""

    @property
    def needs(self) -> tuple[Signal, ...]:
        """Signals that it cannot do without."""

    @property
    def uses(self) -> tuple[Signal, ...]:
        """Signals that it reads where they were measured."""

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """Its limits."""


class UndeclaredSignal(Exception):
    """A detector read a signal, or a threshold, that its cause does not declare."""


@dataclass(slots=True)
class View:
    """A record as one cause may see it: all facts, the signals that it declared, its thresholds."""

    record: Record
    cause: Declared
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
        return self.record.series(signal)

    def has(self, signal: Signal) -> bool:
        """Whether an optional signal was measured."""
        if signal not in self.cause.needs and signal not in self.cause.uses:
            raise UndeclaredSignal(f"{self.cause.slug} asks for {signal.name} undeclared")
        self.read.add(signal.name)
        return self.record.measured(signal)

    def limit(self, threshold: Threshold) -> float:
        """A threshold's value: the user's, or else the default."""
        if threshold not in self.cause.thresholds:
            raise UndeclaredSignal(f"{self.cause.slug} uses {threshold.name} undeclared")
        return self.overrides.get(threshold.name, threshold.value)
