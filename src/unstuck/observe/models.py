"""Tells models from other modules that a program calls, and writes what they are made of."""

from __future__ import annotations

import gc
import sys
from typing import Any

from torch import nn

from unstuck.observe.identity import ByIdentity
from unstuck.observe.source.naming import Names, role, unwrapped
from unstuck.observe.source.sites import Sites, local_variables
from unstuck.observe.tensors import is_plain
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.models import LayerRole


class Models:
    """The modules that the program calls from outside any other module."""

    def __init__(self, writer: RecordWriter, names: Names, sites: Sites) -> None:
        self._writer = writer
        self._names = names
        self._sites = sites
        self._roots: ByIdentity[nn.Module, bool] = ByIdentity()
        self._described: set[tuple[str, int]] = set()
        self._states: ByIdentity[nn.Module, tuple[int, list[tuple[int, bool]]]] = ByIdentity()

    def meet(self, module: nn.Module) -> None:
        """Makes a model known before it is called."""
        if not self._names.knows(module):
            self._names.register(module, self._variable(module))

    def is_model(self, module: nn.Module) -> bool:
        """Whether a module called from outside is a model: it can learn, and is no loss."""
        found = self._roots.get(module)
        if found is None:
            inner = unwrapped(module)
            found = (role(inner) is not LayerRole.LOSS
                     and next(iter(nn.Module.parameters(inner)), None) is not None)
            self._roots[module] = found
        return found

    def _variable(self, module: nn.Module) -> str | None:
        """The user's own name for a module, from the frame that calls it."""
        frame = sys._getframe(1)
        while frame is not None and not self._sites.is_user(frame.f_code.co_filename):
            frame = frame.f_back  # type: ignore[assignment]
        if frame is None:
            return None
        local = local_variables(frame)
        for scope in (local, frame.f_globals):
            for name, value in list(scope.items()):
                if value is module and name != "self":
                    return name
        owner = local.get("self")
        attributes = getattr(owner, "__dict__", None)
        if isinstance(attributes, dict) and not isinstance(owner, nn.Module):
            return next((n for n, value in attributes.items() if value is module), None)
        return None

    def describe(
        self, called: nn.Module, args: Any, kwargs: Any, step: int, *, compiled: bool,
        first_layer: str | None,
    ) -> None:
        """Writes a model's facts at its first call, and again when parts are frozen or freed.

        The parts are named anew each time, since a program may have put others in their place.
        """
        state = (self._names.changes,
                 [(id(p), p.requires_grad) for p in nn.Module.parameters(called)])
        if self._states.get(called) == state:
            return
        known = self._names.register(called, None)
        if known is None:
            return
        self._states[called] = state
        model, name = known
        flags = name, hash(tuple(p.requires_grad for p in model.parameters()))
        if flags in self._described:
            return
        self._described.add(flags)
        first = next((v for v in (*args, *kwargs.values()) if is_plain(v)), None)
        self._writer.fact(self._names.model_fact(
            model, name, call_location=self._sites.location(self._sites.here()),
            compiled=compiled, first_layer=first_layer,
            input_shape=tuple(first.shape) if first is not None else (),
            input_dtype=str(first.dtype).removeprefix("torch.") if first is not None else "",
        ), step)


def any_compiled() -> bool:
    """Whether there is a compiled model already."""
    return "torch._dynamo" in sys.modules and any(
        type(thing).__name__ == "OptimizedModule" for thing in gc.get_objects())
