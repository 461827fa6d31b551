"""Counts where the watching would wait for a device, without one.

A tensor on a device hands a number to Python by an operation that waits for all that the device has
still to do. Here every tensor that is not known to be a copy on the host, or made from such, claims
to lie on a device. The operations of the watching are seen as they are dispatched: those that would
wait are counted for each step, and those that would fail there fail here.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from unstuck.observe import fast_path, guard

# Operations whose result, or its shape, must be known on the host.
WAITING = frozenset({"_local_scalar_dense", "nonzero", "masked_select", "unique_dim", "_unique2",
                     "unique_consecutive", "equal", "is_nonzero", "bincount", "repeat_interleave"})
INDEXING = frozenset({"index", "index_put", "index_put_", "_index_put_impl_"})
ACROSS = frozenset({"copy_", "_to_copy", *INDEXING})  # take tensors of both sides
MAKING = frozenset({"lift_fresh", "lift_fresh_copy", "lift"})  # a tensor of Python's numbers
HOST, AWAY = torch.device("cpu"), torch.device("cpu", 0)  # by a name of its own


@dataclass
class Waits:
    """How often was waited, by the step; `step` says which is under way."""

    step: Callable[[], int]
    counts: Counter[int] = field(default_factory=Counter)
    names: dict[int, list[str]] = field(default_factory=dict)
    ours: int = 0  # how deep within the border
    # The memory on the host, kept so that no other tensor gets its address.
    _host: dict[int, torch.UntypedStorage] = field(default_factory=dict)

    def note(self, name: str) -> None:
        """Something waits, if it is ours."""
        if self.ours:
            self.counts[self.step()] += 1
            place = next(f"{f.filename.rpartition('/')[2]}:{f.lineno}"
                         for f in reversed(traceback.extract_stack())
                         if "/unstuck/" in f.filename and "/tests/" not in f.filename)
            self.names.setdefault(self.step(), []).append(f"{name} at {place}")

    def bring(self, tensor: torch.Tensor) -> torch.Tensor:
        """Takes a tensor as one on the host from now on."""
        storage = tensor.untyped_storage()
        self._host[storage.data_ptr()] = storage
        return tensor

    def is_away(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor lies on the device."""
        if tensor.layout is not torch.strided:
            return True
        try:
            return tensor.untyped_storage().data_ptr() not in self._host
        except (RuntimeError, NotImplementedError):
            return True

    @contextmanager
    def within(self) -> Iterator[None]:
        """What is done meanwhile is ours."""
        self.ours += 1
        try:
            yield
        finally:
            self.ours -= 1

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done meanwhile is no operation of the watching."""
        before, self.ours = self.ours, 0
        try:
            yield
        finally:
            self.ours = before


class _Seen(TorchDispatchMode):
    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self._waits = waits

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        waits, kwargs = self._waits, kwargs or {}
        if not waits.ours:
            return function(*args, **kwargs)
        name = function._schema.name.rpartition("::")[2]
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        away = [waits.is_away(tensor) for tensor in given]
        if any(away) and name not in MAKING:
            self._check(name, given, away)
        result = function(*args, **kwargs)
        if (not any(away) or name in MAKING) and kwargs.get("device") != AWAY:
            for leaf in tree_leaves(result):
                if isinstance(leaf, torch.Tensor):
                    waits.bring(leaf)
        return result

    def _check(self, name: str, given: list[torch.Tensor], away: list[bool]) -> None:
        if name in WAITING:
            self._waits.note(name)
        elif name in INDEXING and any(t.dtype in (torch.bool, torch.uint8) for t in given[1:]) and (
            name == "index" or given[-1].numel() > 1
        ):
            self._waits.note(f"{name} by a mask")
        if name not in ACROSS and any(
            t.ndim > 0 and not there for t, there in zip(given, away, strict=True)
        ):
            raise RuntimeError(f"{name}: tensors of the host and of the device")


@contextmanager
def counted(step: Callable[[], int], patch: pytest.MonkeyPatch) -> Iterator[Waits]:
    """Counts, within the block, what of ours would wait for a device."""
    waits = Waits(step)
    patch.setattr(guard, "unseen_by_dispatch", waits.within)  # else no mode would see ours
    patch.setattr(fast_path, "dispatch_modes", lambda: 0)
    patch.setattr(torch.Tensor, "is_cpu", property(lambda t: not waits.is_away(t)), raising=False)
    patch.setattr(torch.Tensor, "device", property(
        lambda t: AWAY if waits.is_away(t) else HOST), raising=False)
    _replace_transfers(waits, patch)
    with _Seen(waits):
        yield waits


def _replace_transfers(waits: Waits, patch: pytest.MonkeyPatch) -> None:
    """Copies between the sides, which on a CPU are none."""
    to, tolist, numpy = torch.Tensor.to, torch.Tensor.tolist, torch.Tensor.numpy

    def moved(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        target = next((d for d in map(_device, (*args, kwargs.get("device"))) if d), None)
        result = to(tensor, *args, **kwargs)
        if not waits.ours or target is None or (target == AWAY) is waits.is_away(tensor):
            return result
        if not (target == AWAY and kwargs.get("non_blocking")):
            waits.note("to the device" if target == AWAY else "to the host")
        with waits.paused():
            copy = result.clone()
        return copy if target == AWAY else waits.bring(copy)

    def listed(tensor: torch.Tensor) -> Any:
        if waits.is_away(tensor):
            waits.note("tolist")
        with waits.paused():
            return tolist(tensor)

    def as_array(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if waits.ours and waits.is_away(tensor):
            raise TypeError("a tensor on the device has no array")
        return numpy(tensor, *args, **kwargs)

    patch.setattr(torch.Tensor, "to", moved)
    patch.setattr(torch.Tensor, "cpu", lambda tensor: moved(tensor, HOST))
    patch.setattr(torch.Tensor, "tolist", listed)
    patch.setattr(torch.Tensor, "numpy", as_array)


def _device(value: Any) -> torch.device | None:
    """The device that an argument of `to` means."""
    if isinstance(value, torch.Tensor):
        return value.device
    return torch.device(value) if isinstance(value, str | torch.device) else None
