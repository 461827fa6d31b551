"""What a record holds: facts by their kind, signals as series, training by training."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field

from unstuck.record.schedule import LIMITS, Limits
from unstuck.record.series import PlaceSeries, Series
from unstuck.schema.facts.fact import Fact
from unstuck.schema.facts.models import Layer, Model, Parameter
from unstuck.schema.facts.run import End, EndKind
from unstuck.schema.quantities import PlaceSignal, Signal, StepSignal

Kind = typing.TypeVar("Kind", bound=Fact)


class NotMeasured(Exception):
    """The record holds no such signal; the message says what a run must have for it."""

    def __init__(self, signal: Signal) -> None:
        super().__init__(f"the check needs {signal.requires}")
        self.signal = signal


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that limited the watching."""

    what: str
    step: int
    says: str


_Names = tuple[dict[str, Parameter], dict[str, Layer], tuple[Model, ...]]


@dataclass(slots=True)
class Record:
    """What was seen of one training: facts by their kind, signals as series.

    The first training of a process has the `later` ones, and each has all as its `siblings`.
    """

    id: str
    version: str
    begun: int = 0  # steps of the process before this training
    later: tuple[Record, ...] = ()  # the trainings after it, if it is the first of several
    siblings: tuple[Record, ...] = field(default=(), repr=False, compare=False)  # with itself
    oddities: tuple[Oddity, ...] = ()
    steps: int = 0  # optimizer steps, or backward passes where no optimizer steps
    looks: tuple[int, ...] = ()  # those that were looked at closely, in order
    torn: bool = False  # the last line was incomplete
    thinned: bool = False  # of later steps only some are here
    limits: Limits = LIMITS  # with which it was written
    tracks: Mapping[str, Series] = field(default_factory=dict)  # train loss of each loss
    _facts: dict[type[Fact], tuple[Fact, ...]] = field(default_factory=dict)
    _series: dict[str, Series | dict[str, Series]] = field(default_factory=dict)
    _by_name: _Names | None = field(default=None, repr=False, compare=False)

    def facts(self, kind: type[Kind]) -> tuple[Kind, ...]:
        """All facts of a kind, in the order in which they were first written."""
        return typing.cast("tuple[Kind, ...]", self._facts.get(kind, ()))

    def fact(self, kind: type[Kind]) -> Kind | None:
        """The only fact of a kind, if there is one."""
        return next(iter(self.facts(kind)), None)

    def hold(self, *found: Fact) -> Record:
        """Takes these facts in place of those of their kinds; returns the record itself."""
        for kind in {type(fact) for fact in found}:
            self._facts[kind] = tuple(fact for fact in found if type(fact) is kind)
        return self

    @property
    def trainings(self) -> tuple[Record, ...]:
        """All trainings of the process, each with steps counted from its own beginning."""
        return (self, *self.later)

    @property
    def last(self) -> Record:
        """The training that the process ended with."""
        return self.trainings[-1]

    @property
    def end(self) -> End:
        """How the run ended."""
        return self.fact(End) or End(EndKind.KILLED)

    @typing.overload
    def series(self, signal: StepSignal) -> Series: ...
    @typing.overload
    def series(self, signal: PlaceSignal) -> PlaceSeries: ...
    @typing.overload
    def series(self, signal: Signal) -> Series | PlaceSeries: ...
    def series(self, signal: Signal) -> Series | PlaceSeries:
        """The series of a signal; NotMeasured if the record holds none."""
        found = self._series.get(signal.name)
        if not found:
            raise NotMeasured(signal)
        return found

    def measured(self, signal: Signal) -> bool:
        """Whether the record holds the signal."""
        return bool(self._series.get(signal.name))

    def parameters(self) -> Mapping[str, Parameter]:
        """All parameters of all models by name."""
        return self._named()[0]

    def layers(self) -> Mapping[str, Layer]:
        """All layers of all models by name."""
        return self._named()[1]

    def _named(self) -> _Names:
        models = self.facts(Model)
        if self._by_name is None or self._by_name[2] is not models:  # causes ask at each place
            self._by_name = (
                {p.name: p for model in models for p in model.parameters},
                {layer.name: layer for model in models for layer in model.layers},
                models,
            )
        return self._by_name


def main_track(tracks: Mapping[str, Series]) -> str:
    """The loss that a run is judged by: of those trained to the end, the one trained most often."""
    if not tracks:
        return ""
    last = max(int(track.steps[-1]) for track in tracks.values())
    lasting = {n: t for n, t in tracks.items() if int(t.steps[-1]) >= last - max(2, 0.05 * last)}
    return max(lasting, key=lambda name: len(lasting[name]))
