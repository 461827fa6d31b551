"""What a probe is made of: what it writes, what it is given, and how it finds the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self, TypeVar

from unstuck.observe.events import Listener
from unstuck.observe.guard import Guard
from unstuck.observe.later import Later
from unstuck.observe.limits import Limits
from unstuck.observe.moment import Moment
from unstuck.observe.source.naming import Names
from unstuck.observe.source.sites import Sites
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.fact import Fact
from unstuck.schema.quantities import Signal


class Probe(Listener):
    """Measures something: is told of events, and writes signals and facts.

    A subclass in a file of `probes` overrides the events that it needs; no list names it. A
    probe that needs another asks the context for it when it is made, and is told of each event
    after it.

    `signals` and `facts` are all that it writes.
    """

    signals: ClassVar[tuple[Signal, ...]] = ()
    facts: ClassVar[tuple[type[Fact], ...]] = ()

    def __init__(self, context: Context) -> None:
        self._writer = context.writer
        self._names = context.names
        self._sites = context.sites
        self._guard = context.guard
        self._moment = context.moment
        self._later = context.later

    def follow(self, before: Self) -> None:
        """Takes over what the probe of the training before knows and this one must: of what was
        built then and is used now, and of what was trained.
        """


Kind = TypeVar("Kind", bound=Probe)


@dataclass(frozen=True, slots=True)
class Context:
    """What probes are given. `timed` says whether a clock limits what may be done.

    `later` reads what they need to know of tensors.
    """

    writer: RecordWriter
    names: Names
    sites: Sites
    guard: Guard
    moment: Moment
    limits: Limits
    timed: bool
    later: Later
    _probes: dict[type[Probe], Probe] = field(default_factory=dict)

    def probe(self, kind: type[Kind]) -> Kind:
        """The probe of a kind, made now if there is none yet: whoever asks for one needs it."""
        found = self._probes.get(kind)
        if found is None:
            found = kind(self)  # makes those that it needs, which so come before it
            self._probes[kind] = found
        assert isinstance(found, kind)
        return found

    def anew(self) -> Context:
        """What the probes of another training are given."""
        return replace(self, names=self.names.anew(), later=Later(self.writer), _probes={})

    def follow(self, before: Context) -> None:
        """Lets the probes know what those of the training before knew."""
        for kind, probe in self._probes.items():
            known = before._probes.get(kind)
            if known is not None:
                probe.follow(known)

    def probes(
        self, kinds: Iterable[type[Probe]], wanted: Collection[str] | None
    ) -> tuple[Probe, ...]:
        """The probes of which a signal is wanted, and those that they need, each after these.

        `wanted` are names of signals, None for all. A probe that writes facts alone is always on.
        """
        for kind in kinds:
            if wanted is None or not kind.signals or (
                any(signal.name in wanted for signal in kind.signals)
            ):
                self.probe(kind)
        return tuple(self._probes.values())
