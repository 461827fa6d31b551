"""Transformers: `Trainer(..., callbacks=[unstuck.adapters.transformers.Watch()])`."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from unstuck.fitting import Fit


class Watch(TrainerCallback):
    """Watches `Trainer.train`; the arguments are `Fit`'s."""

    def __init__(self, out: str | None = None, *, overhead: float = 0.03) -> None:
        self._fit = Fit(out, overhead=overhead)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The trainer has built its optimizer, and begins."""
        self._fit.begin()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The training has ended."""
        self._fit.end()
