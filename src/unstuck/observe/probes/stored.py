"""Whether fetching a sample changes what the data set holds.

Nothing of the data set's is called: its attributes are read past its class, and a few numbers of
the rows that are fetched are compared before and after.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import torch
from torch import nn

from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.workers import WorkerProbe
from unstuck.observe.source.altering import altering
from unstuck.observe.source.datasets import innermost, stores
from unstuck.observe.source.variables import own_attributes
from unstuck.observe.tensors import evenly, observable
from unstuck.schema.facts.stored import Altered
from unstuck.schema.signals.stored import CHANGED_BY_FETCH, FETCH_CHANGE, ROWS

WINDOW = 4  # numbers of a series of which samples are parts
ELEMENTS = 128  # of a row that are compared
MOST_STORES = 4  # of them that hold samples

Numbers = np.ndarray[Any, np.dtype[Any]]


class _Passes:
    """The passes over a data set, and the loader of the first."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.passes = 0
        self.samples = 0  # by the largest index that was drawn
        self.written = False


class StoredProbe(Probe):
    """Compares stored rows before they are fetched and after, at steps that are looked at."""

    signals = (CHANGED_BY_FETCH, FETCH_CHANGE)
    facts = (Altered,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._workers = context.probe(WorkerProbe)
        self._loaders: ByIdentity[Any, _Passes] = ByIdentity()  # by their data sets
        self._before: list[tuple[str, Numbers]] = []  # of the batch that is fetched now
        self._rows: list[int] = []
        self._samples: int | None = None  # of the data set, as far as drawn; None of a part of one
        self._data: weakref.ref[Any] | None = None
        self._loader: _Passes | None = None

    def loader_iterated(self, loader: Any) -> None:
        """Counts the passes over each data set; a loader may be made anew for each of them."""
        data, name = getattr(loader, "dataset", None), self._workers.name(loader)
        if name is None or getattr(type(data), "__weakrefoffset__", 0) == 0:
            return
        known = self._loaders.get(data)
        if known is None:
            known = self._loaders[data] = _Passes(name)
        known.passes += 1

    def batch_drawn(self, iterator: Any, indices: Any) -> None:
        """Takes some numbers of the rows that are fetched next, in the second pass and later."""
        self._compare()
        data = getattr(iterator, "_dataset", None)
        known = self._loaders.get(data)
        if known is None or type(indices) is not list or not all(type(i) is int for i in indices):
            return
        known.samples = max(known.samples, max(indices, default=-1) + 1)
        if known.passes < 2 or getattr(iterator, "_num_workers", None) != 0:
            return
        whole, (data, rows) = data, innermost(data, indices[:ROWS])
        self._samples = known.samples if data is whole else None
        try:
            self._data = weakref.ref(data)
        except TypeError:
            return
        self._loader, self._rows = known, list(dict.fromkeys(rows))
        self._before = [(name, taken) for name, held in stores(data)
                        if (taken := _taken(held, self._rows, self._samples)) is not None
                        ][:MOST_STORES]

    def model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """The batch has been fetched."""
        self._compare()

    def quiet_steps_begin(self) -> None:
        """Nothing waits to be compared in quiet steps."""
        self._before = []

    def _compare(self) -> None:
        before, self._before = self._before, []
        data = self._data() if self._data is not None else None
        if not before or data is None or self._loader is None:
            return
        now = dict(stores(data))
        changes: list[tuple[float, float, str]] = []
        for name, taken in before:
            after = _taken(now.get(name), self._rows, self._samples)
            if after is None or after.shape != taken.shape:
                continue
            moved = ~((after == taken) | ((after != after) & (taken != taken)))
            moved &= ~((taken == taken[:, :1]) | np.isnan(taken)).all(1)[:, None]  # cached only now
            with np.errstate(all="ignore"):
                size = float(np.linalg.norm(np.nan_to_num(taken)))
                change = float(np.linalg.norm(np.nan_to_num(after - taken)))
            changes.append((float(moved.any(1).mean()), change / max(size, 1e-12), name))
        if not changes:
            return
        share, size, name = max(changes)
        step, loader = self._moment.step, self._loader
        self._writer.sample(CHANGED_BY_FETCH, step, {loader.name: share})
        self._writer.sample(FETCH_CHANGE, step, {loader.name: size})
        if share and not loader.written:
            loader.written = True
            place, read = altering(type(data), own_attributes(data), name, self._sites)
            tensors = isinstance(dict(stores(data)).get(name), torch.Tensor) or isinstance(
                _first(now.get(name)), torch.Tensor)
            self._writer.fact(Altered(
                loader.name, name, place, read, "clone" if tensors else "copy"), step)


def _first(held: Any) -> Any:
    """The first sample of a list."""
    found = held[0] if type(held) is list and held else None
    return found[0] if type(found) is tuple and found else found


def _taken(held: Any, rows: list[int], samples: int | None) -> Numbers | None:
    """Some numbers of some rows: (rows, numbers); None where there are none of several numbers.

    Of a series that is longer than the data set has samples, these are windows. Whole numbers may
    count how often each sample was fetched.
    """
    found = []
    if held is None or (type(held) is not list and not held.ndim) or (
        isinstance(held, torch.Tensor) and not (observable(held) and held.is_cpu)
    ):
        return None
    if type(held) is not list and held.ndim > 1 and _contiguous(held):
        return _of_rows(held, rows)
    series = samples is not None and type(held) is not list and held.ndim == 1 and (
        len(held) >= samples + WINDOW and "float" in str(held.dtype))
    with torch.no_grad():
        for row in rows:
            if not -len(held) <= row < len(held):
                return None
            sample = held[row:row + WINDOW] if series and row >= 0 else held[row]
            sample = sample[0] if type(sample) is tuple and sample else sample
            numbers = _numbers(sample)
            if numbers is None:
                return None
            found.append(numbers)
    if not found or len({len(numbers) for numbers in found}) > 1:
        return None
    return np.stack(found)


def _contiguous(held: Any) -> bool:
    if isinstance(held, torch.Tensor):
        return bool(held.is_contiguous())
    return bool(held.flags.c_contiguous)


def _of_rows(held: Any, rows: list[int]) -> Numbers | None:
    """A copy of some numbers of rows, in one go; of what lies in pieces all is copied first."""
    if not rows or not -len(held) <= min(rows) <= max(rows) < len(held):
        return None
    if isinstance(held, torch.Tensor):
        numbers = held.detach().reshape(len(held), -1)
        if numbers.shape[1] < 2:
            return None
        keep, taken = evenly(numbers.shape[1], ELEMENTS, held.device), torch.tensor(
            rows, device=held.device)
        picked = numbers[taken] if keep is None else numbers[taken[:, None], keep]
        return np.asarray(picked.double().numpy())
    width = held.size // len(held)
    if held.dtype.kind not in "fiu" or width < 2:
        return None
    columns = np.unique(np.linspace(0, width - 1, min(ELEMENTS, width)).astype(int))
    return np.asarray(
        held.reshape(len(held), width)[np.array(rows)[:, None], columns], dtype=np.float64)


def _numbers(sample: Any) -> Numbers | None:
    """A copy of some numbers of a sample."""
    if isinstance(sample, torch.Tensor) and not (observable(sample) and sample.is_cpu):
        return None
    if not isinstance(sample, torch.Tensor | np.ndarray):
        return None
    found = _of_rows(sample[None], [0])
    return None if found is None else np.asarray(found[0])
