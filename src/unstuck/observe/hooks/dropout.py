"""Dropout that is active, whoever asked for it: torch's layers call these functions too."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import Any

from torch import is_grad_enabled
from torch.nn import functional

from unstuck.observe.hooks.taps import Taps
from unstuck.observe.swap import Original
from unstuck.torch_api import DROPOUTS


class DropoutHooks:
    """Tells of dropout inside the call of a model: if sampled, and without gradients."""

    def __init__(self, taps: Taps) -> None:
        self._taps = taps

    def install(self) -> None:
        """Puts the hooks into torch."""
        for name in DROPOUTS:
            if hasattr(functional, name):
                self._taps.swap(getattr(functional, name), self._dropout)

    def _dropout(self, original: Original) -> Callable[..., Any]:
        calls, tell, moment = self._taps.calls, self._taps.tell, self._taps.moment
        dropped = self._taps.event("dropped")

        def dropout(given: Any, p: Any, training: Any, inplace: Any) -> Any:
            if training and (moment.sampled or not is_grad_enabled()) and (
                calls.caller == get_ident()
            ):
                tell(dropped, p)
            return original(given, p, training, inplace)

        return dropout
