"""Keras 3 on torch: `model.fit(..., callbacks=[unstuck.adapters.keras.Watch()])`."""

from __future__ import annotations

from typing import Any

from keras.callbacks import Callback

from unstuck.fitting import Fit


class Watch(Callback):
    """Watches `Model.fit`; the arguments are `Fit`'s."""

    def __init__(self, out: str | None = None, *, overhead: float = 0.03) -> None:
        super().__init__()
        self._fit = Fit(out, overhead=overhead)

    def on_train_begin(self, logs: Any = None) -> None:
        """The fit begins."""
        self._fit.begin()

    def on_train_end(self, logs: Any = None) -> None:
        """The fit has ended."""
        self._fit.end()
