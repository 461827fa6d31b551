"""Which parameters were trained, and by which optimizers: where another training may begin."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.observe.identity import ByIdentity
from unstuck.observe.source.naming import Names
from unstuck.observe.tensors import held_by, is_plain, mark, readable, transfer

MOST_MARKED = 16  # parameters of an optimizer whose first values are compared
MOST_FILLED = 100_000


@dataclass(slots=True)
class _Known:
    """An optimizer: the training in which it was built, and whether it has stepped."""

    training: int
    stepped: bool = False


class Lineage:
    """The past of parameters, over all trainings of a process. Holds none of them.

    A parameter is fresh that no optimizer has stepped, unless the network that it is part of was
    trained already: then it was frozen so far. A network that was filled anew by functions of
    `torch.nn.init`, or has got back the values that it began with, is as fresh as a new one.
    """

    def __init__(self) -> None:
        self._optimizers: ByIdentity[Optimizer, _Known] = ByIdentity()
        self._trained: ByIdentity[torch.Tensor, bool] = ByIdentity()
        self._filled: set[int] = set()  # where values lie that were filled, and not trained since
        # A number for the first values of some parameters, on their devices; and when that was.
        self._first: ByIdentity[torch.Tensor, tuple[torch.Tensor, int]] = ByIdentity()

    # What the program does ----------------------------------------------------------------------
    def built(self, optimizer: Optimizer, training: int) -> None:
        """An optimizer was constructed in a training."""
        self._optimizers[optimizer] = _Known(training)

    def stepped(self, optimizer: Optimizer, training: int) -> int:
        """An optimizer steps in a training, for the first time there; returns to which it belongs.
        """
        known = self._optimizers.get(optimizer)
        if known is None:  # it was copied, or read from a file
            known = self._optimizers[optimizer] = _Known(training)
        known.stepped = True
        held = _held(optimizer)
        self._filled.difference_update(p.data_ptr() for p in held if readable(p))
        for parameter in held:
            self._trained[parameter] = True
        return known.training

    def joins(self, optimizer: Optimizer, training: int) -> None:
        """An optimizer of an earlier training, which has ended, is one of this training now."""
        self._optimizers[optimizer] = _Known(training, stepped=True)

    def filled(self, tensor: Any) -> None:
        """A function of `torch.nn.init` has filled a tensor."""
        if is_plain(tensor) and readable(tensor):
            if len(self._filled) >= MOST_FILLED:
                self._filled.clear()
            self._filled.add(tensor.data_ptr())

    def before_first_step(self, optimizer: Optimizer, names: Names) -> None:
        """An optimizer is about to step for the first time, in a training that begins."""
        held = _held(optimizer)
        self._filled.difference_update(p.data_ptr() for p in held if readable(p))
        with torch.no_grad():
            for parameter in _marked(held):
                self._first[parameter] = mark(parameter), names.changes

    # Questions ----------------------------------------------------------------------------------
    def may_step(self, trainings: Collection[int]) -> bool:
        """Whether an optimizer of these trainings still exists."""
        return any(known.training in trainings for _, known in self._optimizers.items())

    def waits(self) -> bool:
        """Whether an optimizer exists that has never stepped: the program is not done with it."""
        return any(not known.stepped for _, known in self._optimizers.items())

    def is_derived(self, optimizer: Optimizer, names: Names) -> bool:
        """Whether what an optimizer holds was copied, or loaded, from another network."""
        held = _held(optimizer)
        return any(names.was_loaded(p) for p in held) or names.are_copies(held)

    def is_fresh(self, optimizer: Optimizer, names: Names) -> bool:
        """Whether a new optimizer holds fresh parameters. May wait for the device.

        Args:
            optimizer: was just built.
            names: of what the training under way has called.
        """
        for other, known in self._optimizers.items():  # they may hold more by now
            if known.stepped:
                for parameter in _held(other):
                    self._trained[parameter] = True
        held = _held(optimizer)
        untouched = [p for p in held if not self._trained.get(p)]
        if not untouched:
            return bool(held) and self._begins_again(held, names)
        unknown = any(names.parameter(p) is None for p in untouched)
        if unknown or len(untouched) < len(held):
            return unknown
        return not any(self._is_trained(model) for model, _ in names.models()
                       if _shares(model, untouched))

    def _is_trained(self, model: nn.Module) -> bool:
        return any(self._trained.get(p) for p in nn.Module.parameters(model))

    def _begins_again(self, held: list[torch.Tensor], names: Names) -> bool:
        """Whether parameters that were trained have been reset since."""
        matrices = [p for p in held if p.ndim >= 2] or held
        if all(readable(p) and p.data_ptr() in self._filled for p in matrices):
            return True
        first = [(p, known) for p in _marked(held) if (known := self._first.get(p)) is not None]
        if not first or not all(names.was_loaded(p, after) for p, (_, after) in first):
            return False
        with torch.no_grad():
            found = transfer([m for p, (before, _) in first for m in (mark(p), before)])
        return found[::2] == found[1::2]


def _held(optimizer: Optimizer) -> list[torch.Tensor]:
    return [p for p in held_by(optimizer) if is_plain(p)]


def _marked(held: list[torch.Tensor]) -> list[torch.Tensor]:
    """The parameters whose values are compared: matrices, which hardly ever begin as constants."""
    return [p for p in held if p.ndim >= 2 and readable(p)][:MOST_MARKED]



def _shares(model: nn.Module, parameters: list[torch.Tensor]) -> bool:
    wanted = {id(p) for p in parameters}
    return any(id(p) in wanted for p in nn.Module.parameters(model))
