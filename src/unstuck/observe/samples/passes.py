"""How often samples come in one pass over a loader, where it does not say which it draws."""

from __future__ import annotations

from collections import Counter

FEWEST = 3  # times that each sample comes: two are as likely two views of it
LEAST = 30  # samples of a pass


class Passes:
    """Counts the samples of the passes of training over a loader, until one tells.

    `repeated` is then how many samples came, how many different ones, and the share of these that
    did not come as often as most do.
    """

    def __init__(self) -> None:
        self.repeated: tuple[int, int, float] | None = None
        self._loader = 0
        self._counts: dict[int, Counter[float]] = {}  # of the pass under way over each loader

    def begins(self, loader: int) -> None:
        """The program begins to iterate a loader, given by its identity."""
        self._loader = loader
        counts = self._counts.pop(loader, Counter())
        total = counts.total()
        if self.repeated is None and total >= LEAST and min(counts.values()) >= FEWEST:
            (usual, _), = Counter(counts.values()).most_common(1)
            uneven = sum(times != usual for times in counts.values()) / len(counts)
            self.repeated = total, len(counts), uneven

    def trained(self, hashes: tuple[float, ...]) -> None:
        """A batch has been trained on."""
        if self._loader and self.repeated is None:
            self._counts.setdefault(self._loader, Counter()).update(hashes)

    def end(self) -> None:
        """From now on not all batches are known."""
        self._counts, self._loader = {}, 0
