"""Whether a model that predicts the next values of a series is given them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from unstuck.observe.later import Number
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.leaks import ELEMENT_LIMIT, MOST_INPUTS, STEPS, ahead
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import is_plain, observable, tensors_in
from unstuck.schema.facts.sequences import LooksAhead
from unstuck.schema.signals.sequences import LOOKS_AHEAD
from unstuck.torch_api import REGRESSION, target_among

SHIFTED = 0.95  # of the targets must be the next value, and
SAME = 0.5  # of them at most that of the same step
NEAR = 1e-4  # of the deviation of all values
NOTHING = 1e-6  # of the attention
BOTH_WAYS = 0.5  # of what a layer that runs in both directions sees is later


class NextValuesProbe(Probe):
    """Compares numbers that a loss wants with those of the next steps of the inputs."""

    signals = (LOOKS_AHEAD,)
    facts = (LooksAhead,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._losses = context.probe(LossProbe)
        self._finite = context.probe(FiniteProbe)
        self._inputs: list[torch.Tensor] = []
        self._both_ways: list[tuple[str, Site | None, int]] = []  # with their steps
        self._maps: dict[int, list[tuple[Any, Number]]] = {}  # of attention, by their steps
        self._next: dict[str, tuple[int, Number, Number]] = {}  # by loss
        self._written: set[str] = set()

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Notes recurrent layers that run in both directions."""
        if self._moment.learns and isinstance(module, nn.RNNBase) and module.bidirectional and (
                args and is_plain(args[0]) and args[0].ndim == 3):
            self._both_ways.append((
                type(module).__name__, self._names.built_at(module) or self._sites.here(),
                int(args[0].shape[1 if module.batch_first else 0])))

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Keeps what the model was given until the loss."""
        if self._moment.sampled:
            self._inputs += [t.detach() for t in tensors_in(*args, *kwargs.values())[:MOST_INPUTS]
                             if t.is_floating_point() and t.ndim in (2, 3) and observable(t)
                             and t.numel() <= ELEMENT_LIMIT]
            del self._inputs[:-MOST_INPUTS]

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Compares the targets of a loss function, at a sampled step and with gradients on."""
        if self._moment.sampled and loss.requires_grad and function in REGRESSION:
            known = self._losses.known.get((function, self._sites.here()))
            if known is not None:
                self._compare(known.name, target_among(function, args))

    def loss_differentiated(self, loss: torch.Tensor) -> None:
        """Compares the targets of a loss that is written by hand."""
        known = self._losses.known.get(("", self._sites.here()))
        formula = known.by_hand if known is not None and self._moment.sampled else None
        if known is not None and formula is not None and formula.function in REGRESSION:
            self._compare(known.name, formula.target)

    def _compare(self, name: str, target: Any) -> None:
        if not is_plain(target) or not observable(target) or target.ndim not in (2, 3) or (
                not target.is_floating_point() or target.numel() > ELEMENT_LIMIT):
            return
        wanted = target.detach()
        for given in self._inputs:
            if given.shape[:2] == wanted.shape[:2] and given.shape[1] >= STEPS:
                with torch.no_grad():
                    self._next[name] = given.shape[1], *_shares(_wide(given), _wide(wanted))

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Keeps how much of each map of attention goes to later steps."""
        for steps in {int(given.shape[1]) for given in self._inputs}:
            self._maps[steps] = [
                (node, share) for node in nodes if (share := ahead(node, steps)) is not None]

    def look_ended(self, step: int) -> None:
        """Writes what the step showed."""
        for name, (steps, following, same) in self._next.items():
            both = next((each for each in self._both_ways if each[2] == steps), None)
            maps = self._maps.get(steps, [])
            if both is not None:
                fact = LooksAhead(name, both[0], self._sites.location(both[1]), steps)
            elif maps:
                node = maps[0][0]
                line, fused = self._finite.line_of(node), node.name().startswith("Scaled")
                fact = LooksAhead(
                    name, "scaled_dot_product_attention" if fused else "softmax",
                    self._sites.operation(*line, node.name()) if line else None, steps)
            else:
                continue
            shares = [BOTH_WAYS] if both is not None else [share for _, share in maps]
            self._later.values([following, same, *shares], self._write(fact, step))
        self.left_halfway()

    def _write(self, fact: LooksAhead, step: int) -> Any:
        def write(found: list[float]) -> None:
            following, same, *shares = found
            if following < SHIFTED or same > SAME:
                return
            self._writer.sample(LOOKS_AHEAD, step, {fact.name: min(shares)})
            if min(shares) > NOTHING and fact.location is not None and (
                    fact.name not in self._written):
                self._written.add(fact.name)
                self._writer.fact(fact, step)

        return write

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._inputs, self._both_ways, self._maps, self._next = [], [], {}, {}


def _wide(values: torch.Tensor) -> torch.Tensor:
    """Of shape (samples, steps, numbers)."""
    return values if values.ndim == 3 else values[..., None]


def _shares(given: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How many targets are the next value of one of the inputs' features, and the same value.

    Of several targets a step, all must be features in their order, or the only one any of them.
    """
    near = NEAR * given.std()
    if given.shape == wanted.shape:
        following = ((wanted[:, :-1] - given[:, 1:]).abs() <= near).float().mean()
        return following, ((wanted - given).abs() <= near).float().mean()
    if wanted.shape[2] != 1:
        return given.new_zeros(()), given.new_zeros(())
    following = ((wanted[:, :-1] - given[:, 1:]).abs() <= near).float().mean((0, 1))
    same = ((wanted - given).abs() <= near).float().mean((0, 1))
    return following.max(), same.max()
