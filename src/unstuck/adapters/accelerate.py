"""Accelerate, whose loop is the program's own: `with unstuck.adapters.accelerate.Watch():`."""

from __future__ import annotations

from types import TracebackType

from unstuck.fitting import Fit


class Watch:
    """Watches a block, in every process; the arguments are `Fit`'s."""

    def __init__(self, out: str | None = None, *, overhead: float = 0.03) -> None:
        self._fit = Fit(out, overhead=overhead)

    def __enter__(self) -> Watch:
        self._fit.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._fit.end(error)
