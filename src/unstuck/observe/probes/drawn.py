"""How many different samples a loader draws, of those that it could."""

from __future__ import annotations

from typing import Any

from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.workers import WorkerProbe
from unstuck.schema.signals.drawing import DIFFERENT_SAMPLES, DRAWN_SAMPLES

MOST_LOADERS = 16
MOST_DIFFERENT = 200_000  # samples of a loader that are told apart


class _Drawn:
    """What was drawn of one loader's samples."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.different: set[int] = set()


class DrawnProbe(Probe):
    """Counts the indices that loaders draw at steps that are looked at."""

    signals = (DIFFERENT_SAMPLES, DRAWN_SAMPLES)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._workers = context.probe(WorkerProbe)
        self._drawn: ByIdentity[Any, _Drawn] = ByIdentity()  # of each loader's sampler
        self._loaders = 0

    def loader_iterated(self, loader: Any) -> None:
        """Notes whose sampler is asked next."""
        sampler, name = getattr(loader, "_index_sampler", None), self._workers.name(loader)
        if sampler is None or name is None or sampler in self._drawn:
            return
        if self._loaders < MOST_LOADERS:
            self._loaders += 1
            self._drawn[sampler] = _Drawn(name)

    def batch_drawn(self, iterator: Any, indices: Any) -> None:
        """Counts the indices of a batch."""
        drawn = self._drawn.get(getattr(iterator, "_index_sampler", None))
        if drawn is None or type(indices) is not list or len(drawn.different) > MOST_DIFFERENT:
            return
        drawn.count += len(indices)
        drawn.different.update(i for i in indices if type(i) is int)

    def look_ended(self, step: int) -> None:
        """Writes the counts so far."""
        living = {d.name: d for _, d in self._drawn.items() if d.count}
        self._writer.sample(DRAWN_SAMPLES, step, {n: float(d.count) for n, d in living.items()})
        self._writer.sample(DIFFERENT_SAMPLES, step, {
            n: float(len(d.different)) for n, d in living.items()})
