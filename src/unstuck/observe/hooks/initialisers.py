"""The functions of `torch.nn.init`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from unstuck.observe.hooks.taps import Make, Taps
from unstuck.observe.swap import Original
from unstuck.torch_api import INITIALISERS


class InitialiserHooks:
    """Tells of tensors that are filled."""

    def __init__(self, taps: Taps) -> None:
        self._taps = taps

    def install(self) -> None:
        """Puts the hooks into torch."""
        for name in INITIALISERS:
            if hasattr(nn.init, name):
                self._taps.swap(getattr(nn.init, name), self._initialiser(name))

    def _initialiser(self, name: str) -> Make:
        tell, initialised = self._taps.tell, self._taps.steps.initialised

        def make(original: Original) -> Callable[..., Any]:
            def initialise(tensor: Any, *args: Any, **kwargs: Any) -> Any:
                result = original(tensor, *args, **kwargs)
                tell(initialised, name, tensor)
                return result

            return initialise

        return make
