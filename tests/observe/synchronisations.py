"""Counts where the watching would wait for a device, without one.

A tensor on a device hands a number to Python by an operation that waits for all that the device has
still to do. Here tensors claim not to lie on the CPU, the operations of the watching are seen as
they are dispatched, and those that would wait are counted for each step.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from unstuck.observe import fast_path, guard

# Operations whose result, or its shape, must be known on the host.
WAITING = frozenset({"_local_scalar_dense", "nonzero", "masked_select", "unique_dim", "_unique2",
                     "equal", "is_nonzero"})
READING = ("tolist", "numpy", "cpu")  # copy to the host; on a CPU they dispatch nothing


@dataclass
class Waits:
    """How often was waited, by the step; `step` says which is under way."""

    step: Callable[[], int]
    counts: Counter[int] = field(default_factory=Counter)
    names: dict[int, list[str]] = field(default_factory=dict)
    ours: int = 0  # how deep within the border

    def note(self, name: str) -> None:
        """Something waits, if it is ours."""
        if self.ours:
            self.counts[self.step()] += 1
            place = next(f"{f.filename.rpartition('/')[2]}:{f.lineno}"
                         for f in reversed(traceback.extract_stack())
                         if "/unstuck/" in f.filename and "/tests/" not in f.filename)
            self.names.setdefault(self.step(), []).append(f"{name} at {place}")


class _Seen(TorchDispatchMode):
    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self._waits = waits

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function._schema.name.rpartition("::")[2]
        if name in WAITING:
            self._waits.note(name)
        return function(*args, **(kwargs or {}))


@contextmanager
def counted(step: Callable[[], int], patch: pytest.MonkeyPatch) -> Iterator[Waits]:
    """Counts, within the block, what of ours would wait for a device."""
    waits = Waits(step)
    tell = guard.Guard.tell

    def told(self: Any, handler: Any, *arguments: Any) -> None:
        waits.ours += 1
        try:
            tell(self, handler, *arguments)
        finally:
            waits.ours -= 1

    def reading(name: str) -> None:
        original = getattr(torch.Tensor, name)

        def read(tensor: Any, *args: Any, **kwargs: Any) -> Any:
            waits.note(name)
            before, waits.ours = waits.ours, 0  # one wait, whatever it is made of
            try:
                return original(tensor, *args, **kwargs)
            finally:
                waits.ours = before

        patch.setattr(torch.Tensor, name, read)

    patch.setattr(guard, "unseen_by_dispatch", nullcontext)
    patch.setattr(guard.Guard, "tell", told)
    patch.setattr(fast_path, "dispatch_modes", lambda: 0)
    patch.setattr(torch.Tensor, "is_cpu", property(lambda tensor: False), raising=False)
    for name in READING:
        reading(name)
    with _Seen(waits):
        yield waits
