"""Whether a program goes back to earlier weights when it has trained."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import nn

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.tensors import mark, readable
from unstuck.schema.facts.models import Restored


class RestoredProbe(Probe):
    """Notes a state dict that is loaded after the last step and changes what was trained.

    Loading what the model holds already, such as a state dict kept by reference, restores nothing.
    """

    facts = (Restored,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        self._before: float | None = None
        self._restored = 0  # the step before which other weights were loaded; none before the first

    def before_loading(self, module: nn.Module, state: Any) -> None:
        """Notes what the module holds, if it is trained."""
        self._before = self._marks(module) if self._moment.step else None

    def weights_loaded(self, module: nn.Module, missing: Collection[str]) -> None:
        """Notes the step, if the weights are others now."""
        if self._before is not None and self._marks(module) != self._before:
            self._restored = self._moment.step

    def _marks(self, module: nn.Module) -> float | None:
        held = self._parameters.held_now()
        trained = [p for p in nn.Module.parameters(module) if id(p) in held and readable(p)]
        return sum(map(mark, trained)) if trained else None

    def training_ended(self, whole: bool) -> None:
        """Writes it, if no step came after."""
        if self._restored and self._restored == self._moment.step:
            self._writer.fact(Restored(), self._moment.step)
