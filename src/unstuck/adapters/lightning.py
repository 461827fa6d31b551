"""Lightning: `Trainer(callbacks=[unstuck.adapters.lightning.Watch()])`."""

from __future__ import annotations

import sys
from typing import Any

from unstuck.fitting import Fit

if "pytorch_lightning" in sys.modules and "lightning" not in sys.modules:  # its older name
    from pytorch_lightning import Callback
else:
    from lightning.pytorch import Callback


class Watch(Callback):
    """Watches `Trainer.fit`, from before `configure_optimizers` on; the arguments are `Fit`'s."""

    def __init__(self, out: str | None = None, *, overhead: float = 0.03) -> None:
        self._fit = Fit(out, overhead=overhead)

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Called before the optimizers are configured."""
        if stage == "fit":
            self._fit.begin()

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """The fit has ended."""
        if stage == "fit":
            self._fit.end()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """The fit was left by an exception."""
        self._fit.end(exception)
