"""Samples whose axes change places by a view, between where the data are kept and the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unstuck.observe.axes import cuts_in_order
from unstuck.observe.probe import Context, Probe
from unstuck.observe.source.datasets import innermost, stores
from unstuck.observe.source.named import scopes
from unstuck.observe.tensors import is_plain, observable
from unstuck.schema.facts.models import Swapped

STEPS = 3  # first steps that are looked at
NEAR = 2  # of the user's frames that lie innermost
MOST_NUMBERS = 10_000_000  # of a variable
MOST_OF_A_SAMPLE = 1_000_000
AXES = 2  # of a sample at least
MOST_CHANNELS = 64
FEWEST = 8  # numbers of a channel: two always lie on a line
SAME = 1e-5  # relative: numbers that were converted to another type

Numbers = NDArray[np.float64]


class RecutProbe(Probe):
    """Compares the numbers of one sample with those of its row, in the order of each.

    A view leaves the numbers in their order. If its shape is that of the same axes in another
    order, what stood together no longer does.
    """

    facts = (Swapped,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._rows: list[tuple[tuple[int, ...], Numbers]] = []  # of the first sample of a batch
        self._found = False

    def batch_drawn(self, iterator: Any, indices: Any) -> None:
        """Takes the row of the first sample that is fetched next, as it is kept."""
        self._rows = []
        if self._found or self._moment.step >= STEPS or type(indices) is not list or not indices:
            return
        if type(indices[0]) is not int or getattr(iterator, "_num_workers", None) != 0:
            return
        data, rows = innermost(getattr(iterator, "_dataset", None), indices[:1])
        for _, held in stores(data):
            if isinstance(held, torch.Tensor | np.ndarray) and held.ndim > AXES and rows and (
                    -len(held) <= rows[0] < len(held)):
                row = _numbers(held[rows[0]])
                if row is not None:
                    self._rows.append((tuple(held.shape[1:]), row))

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Looks for the first sample of the batch among rows of another shape."""
        rows, self._rows = self._rows, []
        given = next((a for a in args if is_plain(a)), None)
        if self._found or self._moment.step >= STEPS or given is None or given.ndim <= AXES or (
                not given.is_cpu or not observable(given) or not len(given)):
            return
        sample = _numbers(given[0])
        if sample is None:
            return
        taken = tuple(given.shape)
        for shape, row in [*rows, *self._tables(taken[1:], sample)]:
            if _turned(shape, taken[1:]) and (
                    _same(row, sample) or _same_by_channel(row, sample, shape[-1])):
                self._found = True
                kept = taken[0], *shape
                self._writer.fact(Swapped(
                    kept, taken, _order(kept, taken), cuts_in_order(kept, taken), None,
                    in_data=True), self._moment.step)
                return

    def _tables(
        self, shape: tuple[int, ...], sample: Numbers
    ) -> Iterator[tuple[tuple[int, ...], Numbers]]:
        """The rows of variables that begin with the same number, of samples of another shape."""
        for scope in scopes(self._sites, 2)[0][:NEAR]:
            known = [table for _, table in scope.tensors(deep=False, least=sample.size)
                     if table.is_cpu and table.ndim == len(shape) + 1
                     and table.numel() <= MOST_NUMBERS]
            taken = next(((len(table), place) for table in known
                          if tuple(table.shape[1:]) == shape
                          for place in _begins_with(table, sample)), None)
            for table in known:
                if not _turned(tuple(table.shape[1:]), shape):
                    continue
                # The row beside the one that was taken may have had another scale.
                beside = [taken[1]] if taken is not None and taken[0] == len(table) else []
                for place in [*_begins_with(table, sample), *beside]:
                    row = _numbers(table[place])
                    if row is not None:
                        yield tuple(table.shape[1:]), row


def _begins_with(table: torch.Tensor, sample: Numbers) -> list[int]:
    """The first row of a table that begins with the same number as a sample, if there is one."""
    first = table.detach()[(slice(None), *[0] * (table.ndim - 1))].double().numpy()
    return [int(place) for place in np.flatnonzero(
        np.isclose(first, sample[0], rtol=SAME))[:1]]


def _turned(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two shapes have the same axes in another order, but for those of a single number."""
    kept, given = ([size for size in shape if size > 1] for shape in (one, other))
    return kept != given and sorted(kept) == sorted(given)


def _order(kept: tuple[int, ...], taken: tuple[int, ...]) -> tuple[int, ...]:
    """The axes by their sizes; those of the same size stay in their order."""
    left = list(range(len(kept)))
    order = []
    for size in taken:
        axis = next((i for i in left if kept[i] == size), left[0])
        left.remove(axis)
        order.append(axis)
    return tuple(order)


def _numbers(sample: Any) -> Numbers | None:
    """All numbers of a sample, in their order; None if there are too many, or none."""
    if isinstance(sample, torch.Tensor):
        if not is_plain(sample) or not observable(sample) or not sample.is_cpu:
            return None
        sample = sample.detach().double().numpy()
    if not isinstance(sample, np.ndarray) or sample.dtype.kind not in "fiu" or not (
            0 < sample.size <= MOST_OF_A_SAMPLE):
        return None
    return sample.reshape(-1).astype(np.float64)


@np.errstate(all="ignore")
def _same(row: Numbers, sample: Numbers) -> bool:
    """Whether these are the same numbers, or were all shifted and scaled alike."""
    if row.size != sample.size or not np.isfinite(row).all() or not np.isfinite(sample).all():
        return False
    row, sample = row - row.mean(), sample - sample.mean()
    scale = np.linalg.norm(row) * np.linalg.norm(sample)
    return bool(scale > 0 and float(row @ sample) >= (1 - SAME) * scale)


def _same_by_channel(row: Numbers, sample: Numbers, channels: int) -> bool:
    """Whether these are the same numbers, each channel of the row shifted and scaled alike."""
    return 1 < channels <= MOST_CHANNELS and row.size >= FEWEST * channels and all(
        _same(row[each::channels], sample[each::channels]) for each in range(channels))
