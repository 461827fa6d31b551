"""Loss functions of torch, and the scaling of losses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn import functional

from unstuck.observe.hooks.taps import Make, Taps
from unstuck.observe.swap import Original
from unstuck.torch_api import LOSSES


class LossHooks:
    """Tells of losses."""

    def __init__(self, taps: Taps) -> None:
        self._taps = taps

    def install(self) -> None:
        """Puts the hooks into torch."""
        taps = self._taps
        for name in LOSSES:
            if hasattr(functional, name):
                taps.swap(getattr(functional, name), self._loss(name),
                          partial(taps.fast_path.loss, name))
        if hasattr(torch, "amp") and hasattr(torch.amp, "GradScaler"):
            taps.swap(torch.amp.GradScaler.scale, self._scale)

    def _loss(self, name: str) -> Make:
        calls, tell, computed = self._taps.calls, self._taps.tell, self._taps.steps.loss_called

        def make(original: Original) -> Callable[..., Any]:
            def loss(*args: Any, **kwargs: Any) -> Any:
                if calls.in_loss or calls.in_backward or calls.elsewhere():
                    return original(*args, **kwargs)
                calls.in_loss = True
                try:
                    result = original(*args, **kwargs)
                except BaseException:
                    # The call that raises is worth a record: a loss refuses what does not fit it.
                    tell(computed, name, original, args, kwargs, None)
                    raise
                finally:
                    calls.in_loss = False
                tell(computed, name, original, args, kwargs, result)
                return result

            return loss

        return make

    def _scale(self, original: Original) -> Callable[..., Any]:
        tell, scaled_by = self._taps.tell, self._taps.event("loss_scaled")

        def scale(scaler: Any, outputs: Any) -> Any:
            result = original(scaler, outputs)
            tell(scaled_by, outputs, result)
            return result

        return scale
