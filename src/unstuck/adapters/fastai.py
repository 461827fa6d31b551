"""fastai: `Learner(..., cbs=[unstuck.adapters.fastai.Watch()])`."""

from __future__ import annotations

from fastai.callback.core import Callback

from unstuck.fitting import Fit


class Watch(Callback):
    """Watches `learner.fit` and its kin; the arguments are `Fit`'s."""

    def __init__(self, out: str | None = None, *, overhead: float = 0.03) -> None:
        super().__init__()
        self._watching = Fit(out, overhead=overhead)

    def before_fit(self) -> None:
        """The fit begins."""
        self._watching.begin()

    def after_fit(self) -> None:
        """The fit has ended."""
        self._watching.end()
