"""Whether the sequences that a model is trained with are padded to a common length, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from unstuck.observe.probe import Context, Probe
from unstuck.observe.tensors import observable, tensors_in
from unstuck.schema.facts.sequences import Padding
from unstuck.schema.signals.sequences import PADDED_SHARE

ELEMENT_LIMIT = 4_000_000  # of a tensor; a larger one is not looked at
MOST_ARGUMENTS = 4  # of a model that are looked at
FEWEST_SAMPLES = 6  # of a batch, of which
MOST_OF_THEM = 0.5  # must be shorter than the longest, with
LENGTHS = 3  # different lengths at least
SHORTEST = 4  # steps in time
LOOKS = 8  # after which data without padding are looked at no more
WITHIN = 0.02  # of the steps before a padding may look like it


@dataclass(frozen=True, slots=True)
class Padded:
    """A padded batch: which of its places are padding, of shape (samples, time steps), on the CPU.

    `argument` counts the tensors that the model was called with, and so does `counted` for the one
    that holds the lengths.
    """

    mask: torch.Tensor
    value: float
    left: bool
    axis: int = 0  # of the samples
    features: bool = False  # whether a step has several numbers
    argument: int = 0
    counted: int | None = None

    @property
    def samples(self) -> int:
        """How many sequences."""
        return int(self.mask.shape[0])

    @property
    def steps(self) -> int:
        """How long the longest may be."""
        return int(self.mask.shape[1])

    @property
    def share(self) -> float:
        """How much of the batch is padding."""
        return float(self.mask.float().mean())

    def wide(self, shape: tuple[int, ...], time_first: bool = False) -> tuple[int, int] | None:
        """The axes of samples and of time in a tensor of this shape; None if it has not both."""
        if len(shape) != 3:
            return None
        for samples, time in ((1, 0), (0, 1), (0, 2)) if time_first else ((0, 1), (1, 0), (0, 2)):
            if shape[samples] == self.samples and shape[time] == self.steps:
                return samples, time
        return None


class PaddingProbe(Probe):
    """Looks for a constant tail, or head, of different length in most samples of a batch.

    A value that is met within the sequences too is not a padding.
    """

    signals = (PADDED_SHARE,)
    facts = (Padding,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.now: list[Padded] = []  # what the models were called with in this step
        self.looked = False  # whether sequences were looked at in this step
        self.ever = False  # whether any padding was found
        self._looks = 0
        self._refuted: set[tuple[int, bool, float]] = set()
        self._written: Padding | None = None

    @property
    def over(self) -> bool:
        """Whether the data have no padding, as far as is known for good."""
        return self._looks >= LOOKS and not self.ever

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Looks at what the model was given."""
        if self.over:
            return
        given = [
            tensor if 1 <= tensor.ndim <= 3 and tensor.numel() <= ELEMENT_LIMIT
            and observable(tensor) else None
            for tensor in tensors_in(*args, *kwargs.values())[:MOST_ARGUMENTS]]
        if not any(tensor is not None and _may_be_padded(tensor) for tensor in given):
            return
        self.looked = True
        there = [tensor is not None for tensor in given]  # the tensors must be able to go
        self._later.read_now([tensor for tensor in given if tensor is not None], lambda found: (
            self._look([found.pop(0) if is_there else None for is_there in there])))
        if self.ever:  # then more than this probe must know now what is padding
            self._later.settle()

    def _look(self, given: list[torch.Tensor | None]) -> None:
        """Looks at arguments that have come to the host."""
        for index, tensor in enumerate(given):
            if tensor is None or not _may_be_padded(tensor):
                continue
            # A table has no axis of time that could be the first one.
            table = tensor.ndim == 2 and tensor.is_floating_point()
            found = self._in(tensor, False, index, given) or (
                None if table else self._in(tensor, True, index, given))
            if found is not None:
                self.now.append(found)

    def _in(
        self, tensor: torch.Tensor, time_first: bool, index: int,
        given: list[torch.Tensor | None],
    ) -> Padded | None:
        found = padding_of(tensor, time_first)
        if found is None or (index, time_first, found.value) in self._refuted:
            return None
        if within(tensor, time_first, found) > WITHIN:
            self._refuted.add((index, time_first, found.value))
            return None
        lengths = (~found.mask).sum(1)
        counted = next((place for place, other in enumerate(given) if other is not None
                        and other.ndim == 1 and not other.is_floating_point()
                        and other.shape[0] == found.samples
                        and bool((other.detach() == lengths).all())), None)
        return replace(found, axis=int(time_first), argument=index, counted=counted)

    def look_ended(self, step: int) -> None:
        """Writes how much of the step's batch was padding."""
        self._later.read((), lambda _: self._write(step))

    def _write(self, step: int) -> None:
        if self.looked:
            self._looks += 1
            self.ever = self.ever or bool(self.now)
            share = self.now[0].share if self.now else 0.0
            self._writer.row(PADDED_SHARE, step, share)
        if self.now:
            first = self.now[0]
            fact = Padding("input", first.value, first.left, first.axis, first.features,
                           first.argument, first.counted)
            if fact != self._written:
                self._written = fact
                self._writer.fact(fact, step)
        self._forget()

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._forget()

    def _forget(self) -> None:
        self.now = []
        self.looked = False


def _may_be_padded(tensor: torch.Tensor) -> bool:
    return tensor.ndim > 1 and tensor.dtype is not torch.bool


def may_have_tail(batch: torch.Tensor) -> bool:
    """Whether a batch of shape (samples, time, ...) is large enough for a padding to be told."""
    return len(batch) >= FEWEST_SAMPLES and int(batch.shape[1]) >= SHORTEST


def padding_of(tensor: torch.Tensor, time_first: bool = False) -> Padded | None:
    """The padding of a batch of shape (samples, time) or (samples, time, features), if it has one.

    The batch lies on the host.

    With `time_first` the first two axes are exchanged.
    """
    with torch.no_grad():
        batch = tensor.detach()
        batch = batch.transpose(0, 1) if time_first else batch
        if not may_have_tail(batch):
            return None
        batch = batch.reshape(*batch.shape[:2], -1)
        for left in (False, True):
            edge = batch[:, 0 if left else -1, 0]
            value = edge.mode().values
            same = (batch == value).all(2)
            run = same if left else same.flip(1)
            mask = run.long().cumprod(1).bool()
            mask = mask if left else mask.flip(1)
            lengths = (~mask).sum(1)
            short = (lengths < batch.shape[1]).float().mean()
            if short >= MOST_OF_THEM and lengths.unique().numel() >= LENGTHS:
                return Padded(mask, float(value), left, features=tensor.ndim > 2)
    return None


def within(tensor: torch.Tensor, time_first: bool, found: Padded) -> float:
    """The share of steps outside of the padding that look like it, the outermost ones doubly."""
    with torch.no_grad():
        batch = tensor.detach()
        batch = batch.transpose(0, 1) if time_first else batch
        same = (batch.reshape(*batch.shape[:2], -1) == found.value).all(2)
        real = ~found.mask
        inner = float((same & real).sum() / real.sum().clamp(min=1))
        other_end = same[:, -1 if found.left else 0] & real[:, -1 if found.left else 0]
        return max(inner, float(other_end.float().mean()) / 2)
