"""What is to be known on the host of tensors on other devices, read in one go."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch

from unstuck.observe.tensors import Number as Number
from unstuck.observe.tensors import by_device, transfer
from unstuck.record.writer import RecordWriter
from unstuck.schema.quantities import PlaceSignal, StepSignal

MOST_BYTES = 32 * 2**20  # that wait

Then: TypeAlias = Callable[[list[torch.Tensor]], None]


class Later:
    """Hands tensors to those who need their numbers.

    What lies on the host is handed over at once, so that nothing is copied. Whoever reads from
    another device waits for all that this has still to do. So what lies there is handed over at the
    end of the sampled step, by one copy from each device for all that asked, and in the order in
    which they did.
    """

    def __init__(self, writer: RecordWriter) -> None:
        self._writer = writer
        self._waiting: deque[tuple[list[torch.Tensor], Then]] = deque()
        self._bytes = 0

    def read(self, tensors: Sequence[torch.Tensor], then: Then) -> None:
        """Calls `then` with tensors on the host, made from these, which nobody changes any more."""
        if not self._waiting and all(tensor.is_cpu for tensor in tensors):
            then(list(tensors))
            return
        self._waiting.append((list(tensors), then))
        self._bytes += sum(tensor.nbytes for tensor in tensors)
        if self._bytes > MOST_BYTES:
            self.settle()

    def read_now(self, tensors: Sequence[torch.Tensor], then: Then) -> None:
        """The same, with the values that tensors of the program's have now."""
        if self._waiting or not all(tensor.is_cpu for tensor in tensors):
            tensors = [tensor.detach().clone() for tensor in tensors]
        self.read(tensors, then)

    def numbers(
        self, scalars: Sequence[torch.Tensor], then: Callable[[list[float]], None]
    ) -> None:
        """Calls `then` with many scalars as numbers of single precision."""
        self.read(scalars, lambda found: then(transfer(found)))

    def values(self, numbers: Sequence[Number], then: Callable[[list[float]], None]) -> None:
        """Calls `then` with numbers, those that are scalars once they are read."""
        scalars = [number for number in numbers if isinstance(number, torch.Tensor)]

        def merged(found: list[torch.Tensor]) -> None:
            rest = iter(found)
            then([float(next(rest) if isinstance(number, torch.Tensor) else number)
                  for number in numbers])

        self.read(scalars, merged)

    def row(self, signal: StepSignal, step: int, value: Number, track: str = "") -> None:
        """Writes a number of a step once it is read."""
        self.values([value], lambda found: self._writer.row(signal, step, found[0], track))

    def sample(self, signal: PlaceSignal, step: int, places: Mapping[str, Number]) -> None:
        """Writes the numbers of a sampled step, a place each, once they are read."""
        names = list(places)
        self.values(list(places.values()), lambda found: self._writer.sample(
            signal, step, dict(zip(names, found, strict=True))))

    def settle(self) -> None:
        """Hands over all that waits.

        What an exception of the program's own leaves is handed over the next time.
        """
        while self._waiting:
            waiting, self._bytes = self._waiting, 0
            with torch.no_grad():
                found = iter(_on_host([t for tensors, _ in waiting for t in tensors]))
                self._waiting = deque(
                    ([next(found) for _ in tensors], then) for tensors, then in waiting)
                for _ in waiting:
                    if self._waiting:  # one of them may have asked for the others
                        tensors, then = self._waiting.popleft()
                        then(tensors)


def _on_host(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """Tensors of any devices on the host."""
    found = list(tensors)
    for indices in by_device(tensors):
        if tensors[indices[0]].is_cpu:
            continue
        # So each begins at a multiple of the size of its elements.
        indices.sort(key=lambda i: -tensors[i].itemsize)
        parts = [tensors[i].detach().reshape(-1).view(torch.uint8) for i in indices]
        copies = torch.cat(parts).cpu().split([part.numel() for part in parts])
        for i, copy in zip(indices, copies, strict=True):
            found[i] = copy.view(tensors[i].dtype).reshape(tensors[i].shape)
    return found


def value_of(loss: torch.Tensor) -> Number:
    """The value of a loss, without its graph: on the CPU a number at once."""
    return float(loss.item()) if loss.is_cpu and loss.numel() == 1 else loss.detach()
