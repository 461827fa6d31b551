"""Whether graphs of losses and outputs stay in memory after the step that they were for."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from unstuck.observe.source.sites import Site, Sites
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.losses import RetainedGraph
from unstuck.schema.signals.parameters import LIVE_GRAPHS

FIRST_STEPS = 20  # in which every loss's graph is followed; later only at sampled steps
FOLLOWED = 512  # graphs that are followed at a time
RECENT = 2  # steps in which a graph is in use
_KEY = "unstuck"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a loss or an output is computed, and whether backward ever came to it."""

    site: Site | None
    trained: bool = True
    output: bool = False


class _Token:
    """Lives as long as the graph node that holds it."""

    __slots__ = ("__weakref__",)


class Lifetimes:
    """Puts a token into a node of each graph that it follows and sees which of them live on."""

    def __init__(self, writer: RecordWriter, sites: Sites) -> None:
        self._writer = writer
        self._sites = sites
        self._graphs: list[tuple[int, str, int, weakref.ref[_Token]]] = []
        self._most: dict[str, int] = {}
        self.trained: set[str] = set()  # names of graphs that a backward pass came to

    def follow(self, node: Any, name: str, step: int) -> None:
        """Follows the graph behind a tensor: what a node's metadata hold dies with the node."""
        # A model may return the loss that it computed, which is followed already.
        if len(self._graphs) < FOLLOWED and _KEY not in node.metadata:
            token = _Token()
            node.metadata[_KEY] = token
            self._graphs.append((step, name, node._sequence_nr(), weakref.ref(token)))

    def reached(self, nodes: Iterable[Any]) -> None:
        """Notes which graphs a backward pass comes to that goes through these nodes."""
        numbers = {node._sequence_nr() for node in nodes}
        self.trained |= {name for _, name, number, _ in self._graphs if number in numbers}

    def count(self, places: Mapping[str, Place], step: int) -> None:
        """Counts the graphs that are alive, at the end of a sampled step."""
        self._graphs = [entry for entry in self._graphs if entry[3]() is not None]
        alive: dict[str, int] = {}
        for born, name, _, _ in self._graphs:
            alive[name] = alive.get(name, 0) + (born < step - RECENT)
        self._writer.sample(LIVE_GRAPHS, step, {name: float(n) for name, n in alive.items()})
        for name, number in alive.items():
            if number > max(1, self._most.get(name, 0)):
                self._most[name] = number
                place = places.get(name, Place(None))
                self._writer.fact(RetainedGraph(
                    name, self._sites.location(place.site), place.trained, number, place.output),
                    step)
