"""skorch: `NeuralNetClassifier(..., callbacks=[unstuck.adapters.skorch.Watch()])`."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import Callback

from unstuck.fitting import Fit


class Watch(Callback):
    """Watches `net.fit`; the arguments are `Fit`'s."""

    def __init__(self, out: str | None = None, *, overhead: float = 0.03) -> None:
        self.out = out  # skorch copies a callback by the arguments of its constructor
        self.overhead = overhead

    def initialize(self) -> Watch:
        """Called before each fit."""
        self._fit = Fit(self.out, overhead=self.overhead)
        return self

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:  # noqa: N803
        """The fit begins."""
        self._fit.begin()

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:  # noqa: N803
        """The fit has ended."""
        self._fit.end()
