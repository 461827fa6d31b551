"""Losses that are no measure of learning: those of rivals, and of policies."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.optimizer import Optimizer

from unstuck.observe import graph
from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import held_by, is_plain, observable
from unstuck.schema.facts.losses import Moving, Yardstick

SEEN = 2  # times that one optimizer must have used another's parameters
PASSES = 12  # backward passes whose graphs are searched for weighted log-probabilities
FACTORS = 2_000  # constant factors of one graph that are looked at
DEPTH = 10  # operations behind such a factor
ELEMENT_LIMIT = 100_000
DISTINCT = 3  # different factors of several products: a coefficient of the program's has one

# Where products keep their weights.
_KEPT = {
    "AddmmBackward0": ("mat2",), "MmBackward0": ("mat2", "self"), "BmmBackward0": ("mat2",),
    "ConvolutionBackward0": ("weight",),
}
_LOGARITHMS = frozenset({
    "LogSoftmaxBackward0", "LogSigmoidBackward0", "LogsumexpBackward0", "NllLossBackward0",
    "BinaryCrossEntropyWithLogitsBackward0", "BinaryCrossEntropyBackward0",
})
_BETWEEN = graph.RESHAPES | {
    "NegBackward0", "GatherBackward0", "IndexBackward0", "IndexSelectBackward0", "SumBackward1",
    "SubBackward0", "AddBackward0", "DivBackward0", "ClampBackward1", "StackBackward0",
    "UnbindBackward0",
}


class YardstickProbe(Probe):
    """Looks, at sampled steps, for losses whose level does not fall as the network learns.

    The loss of a rival: a step moves some parameters down a loss that runs through others as well,
    which are moved by a loss of their own that the first ones have no part in. So does a
    generator against its discriminator, or an actor with its critic.

    The loss of a policy: log-probabilities, or ratios of probabilities, times factors of both
    signs, which no likelihood of data has (Williams 1992: REINFORCE).
    """

    facts = (Moving,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        self._reached: set[int] = set()
        self._place: Site | None = None
        self._used: ByIdentity[Optimizer, tuple[set[int], set[int]]] = ByIdentity()
        self._rivals = 0
        self._passes = 0
        self._ends: set[float] = set()  # the smallest and largest factors of products
        self._told: set[Yardstick] = set()

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Notes what the loss runs through, and whether it weighs log-probabilities."""
        if Yardstick.RIVAL not in self._told:
            self._reached |= leaves | self._frozen(nodes)
            self._place = self._sites.here()
        if Yardstick.SCORE not in self._told and self._passes < PASSES:
            self._passes += 1
            if self._weighted(nodes):
                self._tell(Yardstick.SCORE, self._sites.here())

    def before_step(self, optimizer: Optimizer | None, closure: bool) -> None:
        """Compares what the loss ran through with what is about to move, and with the others'."""
        reached, self._reached = self._reached, set()
        if optimizer is None or closure or not reached or Yardstick.RIVAL in self._told:
            return
        own = {id(p) for p in held_by(optimizer)}
        self._used[optimizer] = own, reached
        for other, _ in self._parameters.living():
            theirs = self._used.get(other)
            if other is not optimizer and theirs is not None and (
                (reached - own) & theirs[0] and not own & theirs[1]
                and own & reached and theirs[0] & theirs[1]
            ):
                self._rivals += 1
                if self._rivals >= SEEN:
                    self._tell(Yardstick.RIVAL, self._place)
                return

    def quiet_steps_begin(self) -> None:
        """What was reached before belongs to no later step."""
        self._reached = set()

    def _frozen(self, nodes: list[Any]) -> set[int]:
        """The parameters of optimizers without a gradient for now that the loss runs through.

        They are no leaves of the graph; its products have kept them.
        """
        frozen = {p.untyped_storage().data_ptr(): id(p) for p in self._parameters.held()
                  if not p.requires_grad and is_plain(p) and observable(p)}
        if not frozen:
            return set()
        return {
            frozen[tensor.untyped_storage().data_ptr()]
            for node in nodes for name in _KEPT.get(node.name(), ())
            if is_plain(tensor := graph.saved(node, name)) and observable(tensor)
            and tensor.untyped_storage().data_ptr() in frozen
        }

    def _tell(self, why: Yardstick, place: Site | None) -> None:
        self._told.add(why)
        self._writer.fact(Moving(why, self._sites.location(place)), self._moment.step)

    def _weighted(self, nodes: list[Any]) -> bool:
        """Whether log-probabilities have factors of both signs, which are the data's."""
        products = [node for node in nodes if node.name() == "MulBackward0"]
        for node in products[:FACTORS]:
            behind = [parent for parent in graph.parents(node) if graph.variable(parent) is None]
            if len(behind) != 1 or not _logarithm(behind[0]):
                continue
            factor = graph.factor(node)
            if not is_plain(factor) or not observable(factor) or (
                not 0 < factor.numel() <= ELEMENT_LIMIT
            ):
                continue
            with torch.no_grad():
                low, high = (float(v) for v in torch.aminmax(factor.double()))
            if low < 0 < high:
                return True
            self._ends |= {low, high} - {0.0}
        return len(self._ends) >= DISTINCT and min(self._ends) < 0 < max(self._ends)


def _logarithm(node: Any) -> bool:
    """Whether a node is a log-probability, or the exponential of a difference to a constant one."""
    level = [node]
    for _ in range(DEPTH):
        following = []
        for at in level:
            name, behind = at.name(), [p for p in graph.parents(at) if graph.variable(p) is None]
            if name in _LOGARITHMS or name == "LogBackward0":
                return True
            if name == "ExpBackward0":
                return any(p.name() == "SubBackward0" and len(graph.parents(p)) == 1
                           for p in behind)
            if name == "NegBackward0" and any(p.name() == "PowBackward0" for p in behind):
                return True  # the exponent of a normal distribution
            if name in _BETWEEN:
                following += behind
        level = following[:DEPTH]
        if not level:
            return False
    return False
