"""Room for the frames that hooks on layers need, beyond the program's own recursion limit."""

from __future__ import annotations

import sys
from contextlib import suppress

LARGEST = 2**31 - 1  # limit that the interpreter takes


class Headroom:
    """Doubles the recursion limit while a model is called at a sampled step."""

    def __init__(self) -> None:
        self.limit = 0  # the program's own while it is doubled, else 0

    def give(self) -> None:
        """Doubles the limit; called again, or where there is none, it does nothing."""
        limit = sys.getrecursionlimit()
        if not self.limit and limit <= LARGEST // 2:
            self.limit = limit
            sys.setrecursionlimit(2 * limit)

    def take_back(self) -> None:
        """Restores the limit, unless the program has set one itself meanwhile."""
        limit, self.limit = self.limit, 0
        if sys.getrecursionlimit() == 2 * limit:
            with suppress(RecursionError):  # deeper than that at the moment
                sys.setrecursionlimit(limit)
