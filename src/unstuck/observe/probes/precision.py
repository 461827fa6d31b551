"""Steps that are lost because weights of 16 bits cannot hold them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.optim.optimizer import Optimizer

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.tensors import held_by, is_plain, readable, spread
from unstuck.schema.facts.precision import NarrowWeights
from unstuck.schema.signals.parameters import BY_HAND
from unstuck.schema.signals.precision import LOST_UPDATES

NARROW = (torch.float16, torch.bfloat16)
NUMBERS = 100_000  # of a parameter that are looked at
WINDOW = 64  # steps over which updates by hand are compared
MOST = 64  # parameters of an optimizer that are looked at


class PrecisionProbe(Probe):
    """Compares parameters of 16 bits before and after a sampled step; others cost nothing."""

    signals = (LOST_UPDATES,)
    facts = (NarrowWeights,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        self._before: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        # Of a program without an optimizer: its weights at a step, and which had a gradient there.
        self._waiting: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._kept: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        self._since: int | None = None
        self._lost: dict[str, list[torch.Tensor]] = {}  # wanted and lost of each parameter
        self._known: set[str] = set()

    def before_step(self, optimizer: Optimizer | None, closure: bool) -> None:
        """Keeps the weights of a sampled step, and which of them have a gradient."""
        self._before = []
        if not self._moment.sampled or closure:
            return
        if optimizer is None:
            self._by_hand()
            return
        self._waiting, self._kept = [], []
        if not _moves(optimizer):
            return
        held = held_by(optimizer)
        narrow = [p for p in held if p.dtype in NARROW and readable(p)]
        if not narrow:
            return
        name = self._parameters.name(optimizer)
        if name not in self._known:
            self._known.add(name)
            self._writer.fact(_fact(name, optimizer, narrow, len(held)), self._moment.step)
        with torch.no_grad():
            self._before = [
                (p, _part(p).clone(), _part(p.grad) != 0) for p in narrow[:MOST]
                if is_plain(p.grad) and not p.grad.is_sparse]

    def _by_hand(self) -> None:
        """Compares the weights of a program that updates them itself with those some steps before.

        Over one step nobody can tell what is lost from what such a program keeps in a copy of more
        bits, or has yet to add up.
        """
        step = self._moment.step
        if self._since is not None and step - self._since < WINDOW:
            return
        with torch.no_grad():
            held = [p for _, p in self._names.parameters() if p.requires_grad]
            narrow = [p for p in held if p.dtype in NARROW and readable(p)]
            if self._kept:
                self._lost[BY_HAND] = _counts(self._kept)
                if BY_HAND not in self._known:
                    self._known.add(BY_HAND)
                    self._writer.fact(_fact(BY_HAND, None, narrow, len(held)), step)
            self._kept, self._since = [], step
            self._waiting = [(p, _part(p).clone()) for p in narrow[:MOST]]

    def backward_ended(self) -> None:
        """The gradients are there of a program that updates its weights itself."""
        waiting, self._waiting = self._waiting, []
        with torch.no_grad():
            self._kept += [(p, old, _part(p.grad) != 0) for p, old in waiting
                           if is_plain(p.grad) and not p.grad.is_sparse]

    def after_step(self, optimizer: Optimizer | None) -> None:
        """Counts the entries that a step should have changed, and has not."""
        before, self._before = self._before, []
        if optimizer is None or not before:
            return
        with torch.no_grad():
            self._lost[self._parameters.name(optimizer)] = _counts(before)

    def left_halfway(self) -> None:
        """Forgets a step that was left halfway."""
        self._before, self._waiting, self._lost = [], [], {}

    def look_ended(self, step: int) -> None:
        """Writes what a sampled step showed."""
        lost, self._lost = self._lost, {}
        self._later.numbers(
            [count for counts in lost.values() for count in counts],
            lambda numbers: self._write(lost, iter(numbers), step))

    def _write(
        self, lost: dict[str, list[torch.Tensor]], numbers: Iterator[float], step: int
    ) -> None:
        shares = {}
        for name, counts in lost.items():
            own = [next(numbers) for _ in counts]
            if wanted := sum(own[::2]):
                shares[name] = sum(own[1::2]) / wanted
        self._writer.sample(LOST_UPDATES, step, shares)


def _counts(
    before: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
) -> list[torch.Tensor]:
    """Of each parameter the entries that were to change, and those of them that have not."""
    return [count for p, old, moves in before
            for count in (moves.sum(), (moves & (_part(p) == old)).sum())]


def _part(tensor: torch.Tensor) -> torch.Tensor:
    return spread(tensor.detach(), NUMBERS)


def _moves(optimizer: Optimizer) -> bool:
    """Whether a step may change anything: not so where a warm-up begins at zero."""
    rates = [group.get("lr") for group in optimizer.param_groups]
    return any(not isinstance(rate, int | float) or rate > 0 for rate in rates)


def _fact(
    name: str, optimizer: Optimizer | None, narrow: list[torch.Tensor], held: int
) -> NarrowWeights:
    dtype = torch.float16 if any(p.dtype is torch.float16 for p in narrow) else torch.bfloat16
    info = torch.finfo(dtype)
    given: Any = optimizer.param_groups[0].get("eps") if optimizer is not None else None
    epsilon = float(given) if isinstance(given, int | float) else None
    return NarrowWeights(
        name, str(dtype).removeprefix("torch."), len(narrow), held, info.smallest_normal * info.eps,
        info.eps, epsilon,
        # Numbers below half of the smallest one are rounded to 0.
        epsilon is not None and epsilon <= info.smallest_normal * info.eps / 2)
