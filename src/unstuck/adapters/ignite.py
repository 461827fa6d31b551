"""PyTorch-Ignite: `unstuck.adapters.ignite.Watch().attach(trainer)`."""

from __future__ import annotations

from typing import Any

from ignite.engine import Events

from unstuck.fitting import Fit


class Watch:
    """Watches `trainer.run`; the arguments are `Fit`'s."""

    def __init__(self, out: str | None = None, *, overhead: float = 0.03) -> None:
        self._fit = Fit(out, overhead=overhead)

    def attach(self, engine: Any) -> Watch:
        """Lets an engine tell when it starts and when it is done.

        Nothing is attached to its exceptions: an engine with such a handler raises them no more.
        """
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.COMPLETED, self._end)
        engine.add_event_handler(Events.TERMINATE, self._end)
        return self

    def _begin(self, engine: Any) -> None:
        self._fit.begin()

    def _end(self, engine: Any) -> None:
        self._fit.end()
