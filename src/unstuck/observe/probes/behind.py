"""How many earlier steps the graph of a backward pass still goes through."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.source.carrying import Carrier, carried_at, carriers
from unstuck.observe.tensors import mark, readable
from unstuck.schema.facts.losses import GraphOfEarlierSteps
from unstuck.schema.signals.parameters import STEPS_BEHIND

FOLLOWED = 32  # backward passes that are looked at: a graph that nothing ends shows early
NAMED = 4  # of them, before which it is noted what the program's names hold
MARKED = 4  # leaves by which it is seen whether weights have changed


@dataclass(frozen=True, slots=True)
class _Pass:
    """A backward pass: when its loss was made, and what its first leaves held."""

    root: int  # the creation number of the loss's node
    leaves: tuple[int, ...]  # their identities
    values: tuple[float, ...]


class BehindProbe(Probe):
    """Counts, at the looks, the earlier passes before which a part of this graph was made.

    Only passes count after which weights have changed: several losses along one chain belong to
    one step, however often they are differentiated.
    """

    signals = (STEPS_BEHIND,)
    facts = (GraphOfEarlierSteps,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._passes: list[_Pass] = []
        self._most = 0
        self._carriers: dict[int, Carrier] = {}  # at the pass before, by the numbers of nodes

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Looks at the graph of a loss before it is differentiated."""
        if len(self._passes) >= FOLLOWED:
            return
        root = graph.sequence(nodes[0])
        before = self._passes[-1].root if self._passes else -1
        if root <= before:  # of another thread, or the same loss again
            return
        weights = [leaf for node in nodes if (leaf := graph.variable(node)) is not None
                   and readable(leaf)][:MARKED]
        old = [node for node in nodes if graph.sequence(node) <= before]
        step, site = self._moment.step, self._sites.here() if old else None
        carried = max((node for node in map(graph.sequence, old) if node in self._carriers),
                      default=-1)  # what is left of a step: the newest of its nodes
        carrier = self._carriers.get(carried)
        self._carriers = carriers(self._sites) if len(self._passes) < NAMED else {}
        once = carrier is not None and carried in self._carriers
        place = carried_at(carrier, self._sites, once) if carrier is not None else None
        roots = [each.root for each in self._passes]
        reached = {bisect_left(roots, graph.sequence(node)) for node in old}
        with torch.no_grad():
            marks = [mark(leaf) for leaf in weights]
        identities = tuple(map(id, weights))

        def marked(values: list[float]) -> None:
            self._passes.append(_Pass(root, identities, tuple(values)))
            behind = sum(self._moved(place) for place in reached)
            self._writer.row(STEPS_BEHIND, step, float(behind))
            if behind > self._most:
                self._most = behind
                name, several = (carrier.name, carrier.several) if carrier else ("", False)
                self._writer.fact(GraphOfEarlierSteps(
                    self._sites.location(site), behind, name, several, place, once), step)

        self._later.values(marks, marked)

    def _moved(self, place: int) -> bool:
        """Whether the weights changed between a pass and the next one that was looked at."""
        one, other = self._passes[place], self._passes[place + 1]
        return one.leaves == other.leaves and one.values != other.values
