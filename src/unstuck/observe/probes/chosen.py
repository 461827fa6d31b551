"""Losses that get the data only as rows of a table, chosen by numbers that a network has made."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.bare.places import Place, places
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.source.sites import only_call
from unstuck.observe.source.standins import Lookup
from unstuck.observe.tensors import observable, tensors_in
from unstuck.schema.facts.models import Chosen
from unstuck.schema.places import SourceLocation
from unstuck.torch_api import BINARY, CLASS_LIKELIHOODS

MOST_NODES = 5_000  # of a graph that is searched
MOST_INPUTS = 8
MOST_LOSSES = 8  # that are told of
LOOKS = 2  # that agree before it is said


class ChosenProbe(Probe):
    """Looks at the graph of each loss of labels for what meets the data.

    The numbers that choose rows were made by the network if no model was given them, and if they
    are no range of positions.
    """

    facts = (Chosen,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._losses = context.probe(LossProbe)
        self._finite = context.probe(FiniteProbe)
        self._given: set[int] = set()  # where what models were given lies
        self._looks: dict[str, int] = {}
        self._places: dict[str, SourceLocation | None] = {}  # torch notes the lines of one graph
        self._written: set[str] = set()

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Notes where what the model was given lies."""
        self._given.update(_storage(each) for each in tensors_in(
            *args, *kwargs.values())[:MOST_INPUTS] if observable(each))

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Looks at each loss of labels in a graph that meets data elsewhere."""
        if len(nodes) > MOST_NODES or len(self._written) >= MOST_LOSSES:
            return
        losses = [(node, self._losses.pending[number]) for node in nodes
                  if (number := graph.sequence(node)) in self._losses.pending]
        if len(losses) < 2 or not any(_is_data(place) for place in places(nodes)):
            return
        for node, pending in losses:
            fact = pending.known.fact
            if fact.function in CLASS_LIKELIHOODS | BINARY and fact.name not in self._written:
                met = [each for each in places(graph.walk(node)) if each.source is None]
                if met and all(each.kind is Lookup for each in met):
                    self._look(fact.name, [each for each in met
                                           if _storage(each.given) not in self._given])

    def _look(self, loss: str, met: list[Place]) -> None:
        step = self._moment.step
        line = self._finite.line_of(met[0].node) if met else None
        if line is not None:
            self._places[loss] = only_call(*line, self._sites.keeps_text) or (
                self._sites.operation(*line, met[0].node.name()))

        def looked(found: list[torch.Tensor]) -> None:
            if found and not any(bool(is_range) for is_range in found):
                self._looks[loss] = self._looks.get(loss, 0) + 1
                if self._looks[loss] >= LOOKS and loss in self._places:
                    self._written.add(loss)
                    self._writer.fact(Chosen(loss, self._places[loss]), step)

        self._later.read([_is_range(each.given) for each in met], looked)

    def look_ended(self, step: int) -> None:
        """Forgets the step."""
        self._given = set()

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._given = set()


def _is_data(place: Place) -> bool:
    return place.source is None and place.kind is not Lookup


def _is_range(numbers: torch.Tensor) -> torch.Tensor:
    """Whether these count on, along the last axis."""
    return (numbers.diff(dim=-1) == 1).all()


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage().data_ptr())
