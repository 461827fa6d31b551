"""Where the samples of a batch lie in the input of a model."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from unstuck.observe.axes import Axes

FEWEST = 3  # samples of a batch


@dataclass(frozen=True, slots=True)
class Entry:
    """The model's input: its samples lie along `axis`. `memory` is where it is, if contiguous.

    Not `rowed` are samples that may be the time steps of one sequence, or the nodes of a graph.
    """

    shape: tuple[int, ...]
    axis: int
    memory: int | None
    rowed: bool = False

    @property
    def samples(self) -> int:
        """The number of samples of the batch."""
        return self.shape[self.axis]

    @property
    def axes(self) -> Axes:
        """Its own axes."""
        return tuple(((size, 1 if i == self.axis else 0),) for i, size in enumerate(self.shape))


def memory(tensor: torch.Tensor) -> int | None:
    """Where the numbers of a tensor lie, if they lie there in their order."""
    try:
        return tensor.data_ptr() if tensor.is_contiguous() else None
    except (RuntimeError, NotImplementedError):  # without storage, or with several
        return None


def entry_of(given: torch.Tensor, output: torch.Tensor) -> Entry | None:
    """Where the samples lie in a model's input, told by the rows of its output."""
    if not given.ndim or not output.ndim:
        return None
    shape = tuple(given.shape)
    rows = [axis for axis in (0, 1) if shape[axis:axis + 1] == tuple(output.shape[:1])]
    axis = rows[0] if rows else 0
    if shape[axis] < FEWEST or not has_rows(output, shape[axis]):
        return None
    rowed = given.ndim > (2 if given.is_floating_point() else 1)
    return Entry(shape, axis, memory(given), rowed)


def has_rows(output: torch.Tensor, samples: int) -> bool:
    """Whether an output can hold something for each sample."""
    return output.ndim > 0 and (samples in output.shape or output.shape[0] % samples == 0)
