"""What a model was called with, as far as it is remembered."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import nn

from unstuck.observe.samples.store import Chunk
from unstuck.observe.tensors import is_leaf, is_plain, observable, tensors_in

MOST_TOGETHER = 5  # tensors that a model receives at a time


class Role(StrEnum):
    """What a forward pass from which nothing is learned runs over."""

    HELD_OUT = "held-out"
    SEEN = "seen"


class Hashes:
    """What the hashes of a batch's samples tell, as soon as they are read or asked for.

    Args:
        read: reads them now.
    """

    def __init__(self, read: Callable[[], None]) -> None:
        self._read = read
        self._known: tuple[tuple[float, ...], Role, bool] | None = None
        self.of_first: tuple[float, ...] = ()  # of the first tensor alone, once they are read

    def know(
        self, values: tuple[float, ...], role: Role, follows: bool, of_first: tuple[float, ...]
    ) -> None:
        """They are read."""
        self._known, self.of_first = (values, role, follows), of_first

    def _now(self) -> tuple[tuple[float, ...], Role, bool]:
        if self._known is None:
            self._read()
        assert self._known is not None
        return self._known

    @property
    def values(self) -> tuple[float, ...]:
        """A hash for each sample."""
        return self._now()[0]

    @property
    def role(self) -> Role:
        """The role of the pass if nothing learns from it."""
        return self._now()[1]

    @property
    def follows(self) -> bool:
        """Whether any batch was trained on before."""
        return self._now()[2]


@dataclass(slots=True)
class Batch:
    """What a model was called with."""

    hashes: Hashes
    module: int = 0  # the model that met it, by its id
    count: int = 0  # of its samples
    chunk: Chunk | None = None  # copies of its samples, if they are kept
    scored: bool = False  # a loss was computed of it
    labels: list[int] | None = None  # one for each sample that has a hash
    output: Any = None  # what the model made of it, until something becomes of that
    others: tuple[weakref.ref[torch.Tensor], ...] = ()  # that the model received beside the first
    carried: int = 0  # how many of these are the targets: a batch as a whole was handed on

    @property
    def role(self) -> Role:
        """The role of the pass if nothing learns from it."""
        return self.hashes.role


def beside(given: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """What a model receives of the same samples beside the first tensor."""
    first = given[0]
    return [each for each in given[1:MOST_TOGETHER] if each.ndim and len(each) == len(first)
            and each.device == first.device and each.numel() and observable(each)
            and not each.is_complex()]


def holds(model: weakref.ref[nn.Module] | None, module: nn.Module) -> bool:
    """Whether a module is a part of that model."""
    whole = model() if model is not None else None
    return whole is not None and whole is not module and any(
        part is module for part in whole.modules())


def is_one_sample(first: torch.Tensor, output: Any) -> bool:
    """Whether what a model receives are the features of a single sample, without a batch's axis.

    A row of numbers may as well be a batch of them; then the output has one for each, or is a
    single number that was made of all, such as a loss.
    """
    if first.ndim != 1 or not first.is_floating_point() or not is_leaf(first):
        return False
    made = next(iter(tensors_in(output)), None)
    return made is not None and made.ndim == 1 and made.shape != first.shape


def samples_of(args: Any) -> int:
    """How many samples a loss is about that was called with these arguments."""
    target = args[1] if len(args) > 1 else None
    return target.shape[0] if is_plain(target) and target.ndim else 1


@dataclass(frozen=True, slots=True)
class Made:
    """What a model has just made of a batch, in which step; `learns` says whether for training."""

    output: weakref.ref[torch.Tensor]
    batch: Batch
    step: int
    learns: bool

    def is_in(self, tensor: torch.Tensor) -> bool:
        """Whether an observable tensor lies in the memory of what was made."""
        made = self.output()
        return made is not None and observable(made) and made.device == tensor.device and (
            made.untyped_storage().data_ptr() == tensor.untyped_storage().data_ptr())
