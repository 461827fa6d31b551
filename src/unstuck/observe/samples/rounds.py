"""Whether evaluations are of the same samples, by hashes; keeps no data."""

from __future__ import annotations

MOST_HASHES = 20_000  # of a pass


class Rounds:
    """Compares each pass over held-out data with the one before it, in whatever order they come.

    Several passes, of which training learns nothing between, are one.
    """

    def __init__(self) -> None:
        self._now: set[float] = set()  # of the pass under way
        self._before: int | None = None

    def looked_at(self, hashes: tuple[float, ...]) -> None:
        """A batch of held-out samples was looked at."""
        if len(self._now) < MOST_HASHES:
            self._now.update(hashes)

    def ended(self) -> bool | None:
        """Whether the pass that has ended met the same samples; None where there is none to tell.
        """
        if not self._now:
            return None
        now, self._now = hash(frozenset(self._now)), set()
        before, self._before = self._before, now
        return None if before is None else now == before
