"""Optimizers that a program builds again over the same parameters: their moments begin anew."""

from __future__ import annotations

import ast
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.optim.optimizer import Optimizer

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.loops import around
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.nodes import nodes_of
from unstuck.observe.source.sites import Site, expression_at, syntax_tree
from unstuck.observe.tensors import held_by, is_plain
from unstuck.schema.facts.optimizers import Rebuilt
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.rebuilt import OPTIMIZER_LIFE

MOST_PLACES = 32
WRITTEN = 32  # lives of a place that are all written; later every so many
SETTLED = 2  # constructions until the loops around one are sure
MOST_FACTORIES = 4  # that return what another returns
STEADY = 0.5  # a learning rate within this factor and its inverse is the one that was set


@dataclass(slots=True)
class _Place:
    """A line that builds optimizers of the same parameters."""

    name: str
    kind: str
    location: SourceLocation | None
    parameters: list[weakref.ref[torch.Tensor]]
    latest: weakref.ref[Optimizer]
    rate: float
    step: int
    changes: int
    memory: int
    loops: tuple[SourceLocation, ...]
    lives: list[int] = field(default_factory=list)
    annealed: bool = False


class RebuiltProbe(Probe):
    """Counts the steps between constructions of an optimizer at the same line."""

    signals = (OPTIMIZER_LIFE,)
    facts = (Rebuilt,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        self._places: dict[Site, _Place] = {}

    def optimizer_built(self, optimizer: Optimizer) -> None:
        """Compares it with the one that was built at this line before."""
        site = self._sites.here(optimizer)
        held = [p for p in held_by(optimizer) if is_plain(p)]
        if site is None or not held:
            return
        known = self._places.get(site)
        step, changes = self._moment.step, self._names.changes
        if known is None or not _are(known.parameters, held) or any(
            # Loaded or built anew in between: another task, fold or round.
            self._names.was_loaded(p, known.changes) for p in held
        ):
            if len(self._places) < MOST_PLACES or known is not None:
                self._places[site] = self._new(optimizer, site, held)
            return
        life = step - known.step
        if life > 0:
            before = known.latest()
            known.annealed |= before is not None and not _is_steady(_rate(before), known.rate)
            known.lives.append(life)
            if len(known.lives) <= SETTLED:  # the first one may be built before the loop
                known.loops, known.location = self._loops(), self._asked_for(site)
            self._write(known, step)
        known.latest, known.rate = weakref.ref(optimizer), _rate(optimizer)
        known.step, known.changes = step, changes

    def _new(self, optimizer: Optimizer, site: Site, held: list[torch.Tensor]) -> _Place:
        return _Place(
            self._parameters.name(optimizer), type(optimizer).__name__,
            self._sites.location(site), [weakref.ref(p) for p in held], weakref.ref(optimizer),
            _rate(optimizer), self._moment.step, self._names.changes,
            memory_of(optimizer.defaults), self._loops())

    def _asked_for(self, built: Site) -> SourceLocation | None:
        """The construction under way, or the call of the factory that returns it."""
        place = None
        sites = self._sites.stack()
        for site in sites[sites.index(built):][:MOST_FACTORIES]:
            place = self._sites.location(site)
            tree = syntax_tree(place.file) if place is not None else None
            if place is None or tree is None or not any(
                isinstance(node, ast.Return) and node.value is not None
                and expression_at(place.file, node.value, self._sites.keeps_text) == place
                for node in nodes_of(tree)
            ):
                break
        return place

    def _loops(self) -> tuple[SourceLocation, ...]:
        """The loops that the construction under way is in."""
        found = []
        for site in self._sites.stack():
            place = self._sites.location(site)
            if place is not None:
                found += [expression_at(place.file, loop, self._sites.keeps_text)
                          for loop in around(self._sites.code(site), place)]
        return tuple(found)

    def _write(self, place: _Place, step: int) -> None:
        count = len(place.lives)
        if count <= WRITTEN or count % WRITTEN == 0:
            self._writer.sample(OPTIMIZER_LIFE, step, {place.name: float(place.lives[-1])})
            self._fact(place, step)

    def look_ended(self, step: int) -> None:
        """Writes once that places are watched, though nothing was built again."""
        self._writer.sample(OPTIMIZER_LIFE, step, {
            place.name: 0.0 for place in self._places.values() if not place.lives and not step})

    def training_ended(self, whole: bool) -> None:
        """Writes the last count of each place."""
        for place in self._places.values():
            if len(place.lives) > WRITTEN:
                self._fact(place, self._moment.step)

    def _fact(self, place: _Place, step: int) -> None:
        lives = sorted(place.lives)
        self._writer.fact(Rebuilt(
            place.name, place.kind, place.location, len(lives) + 1, lives[len(lives) // 2],
            place.memory, place.annealed, place.loops), step)


def memory_of(defaults: Mapping[str, Any]) -> int:
    """The number of steps over which an optimizer averages, 0 if it keeps nothing from a step.

    An average with factor b has a memory of 1 / (1 - b) steps.
    """
    factors: list[float] = []
    for name in ("momentum", "betas", "alpha", "rho"):
        value = defaults.get(name)
        factors += [v for v in (value if isinstance(value, tuple | list) else [value])
                    if isinstance(v, int | float)]
    largest = max((f for f in factors if 0 < f < 1), default=0.0)
    return round(1 / (1 - largest)) if largest else 0


def _are(known: list[weakref.ref[torch.Tensor]], held: list[torch.Tensor]) -> bool:
    return len(known) == len(held) and all(
        ref() is p for ref, p in zip(known, held, strict=True))


def _rate(optimizer: Optimizer) -> float:
    rate = optimizer.param_groups[0].get("lr")
    return float(rate) if isinstance(rate, int | float) else 0.0


def _is_steady(now: float, before: float) -> bool:
    return STEADY * before <= now <= before / STEADY
