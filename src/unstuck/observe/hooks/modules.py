"""Modules: their construction, their modes, and the calls of models and layers."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import Any

import torch
from torch import nn

from unstuck.observe.hooks.taps import Taps
from unstuck.observe.recursion import Headroom
from unstuck.observe.swap import Original, Swap, uncompiled
from unstuck.observe.switches import Toggle
from unstuck.observe.untraced import any_compiled, spare_compiler

MOST_TRAININGS = 128  # times that all calls of `train` are told of; further places are unlikely


class ModuleHooks:
    """Tells of modules."""

    def __init__(self, taps: Taps) -> None:
        self._taps = taps
        self._guard = taps.guard
        self._tell = taps.tell
        self._steps = taps.steps
        self._calls = taps.calls
        self._moment = taps.moment
        self._call: Swap | None = None
        self._mode: Swap | None = None
        self._headroom = Headroom()
        self._trainings = 0  # times that a module was put into train mode

    def install(self) -> None:
        """Puts the hooks into torch."""
        taps = self._taps
        taps.swap(nn.Module.__init__, self._init)
        self._call = taps.swap(
            nn.Module._wrapped_call_impl, self._module_call, taps.fast_path.module_call)
        taps.swap(nn.Module.__setstate__, taps.after(taps.names.copied))
        taps.swap(nn.Module.state_dict, self._state)
        taps.swap(nn.Module.load_state_dict, self._load)
        self._mode = taps.swap(nn.Module.train, self._train)
        taps.swap(nn.Module.requires_grad_, self._requires_grad)
        taps.swap(torch.compile, taps.after(self._compiling))
        taps.switches.layers = Toggle(
            lambda: nn.modules.module.register_module_forward_hook(uncompiled(self._layer)))
        if any_compiled():  # before the watching began
            self._compiling()

    # Construction -------------------------------------------------------------------------------
    def _init(self, original: Original) -> Callable[..., Any]:
        def init(module: nn.Module, *args: Any, **kwargs: Any) -> None:
            if self._guard.active:
                self._tell(self._built, module)
            original(module, *args, **kwargs)

        return init

    def _built(self, module: nn.Module) -> None:
        self._taps.names.built(module)
        if type(module).__name__ == "OptimizedModule":
            self._compiling()
        self._taps.events.module_built(module)

    def _load(self, original: Original) -> Callable[..., Any]:
        before_loading = self._taps.event("before_loading")

        def load_state_dict(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            self._tell(before_loading, module, args[0] if args else kwargs.get("state_dict"))
            result = original(module, *args, **kwargs)
            self._tell(self._loaded, module, result)
            return result

        return load_state_dict

    def _loaded(self, module: nn.Module, result: Any) -> None:
        missing = frozenset(getattr(result, "missing_keys", ()))
        self._taps.names.loaded(module, missing)
        self._taps.events.weights_loaded(module, missing)

    def _state(self, original: Original) -> Callable[..., Any]:
        taken = self._taps.event("state_taken")

        def state_dict(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            result = original(module, *args, **kwargs)
            if not args and kwargs.get("destination") is None:  # else a part adds what is its own
                self._tell(taken, module, result)
            return result

        return state_dict

    def _compiling(self, function: Any = None) -> None:
        self._steps.compiling(self._spare)

    def _spare(self) -> None:
        self._guard.set_tracer = spare_compiler()

    # Modes --------------------------------------------------------------------------------------
    def _train(self, original: Original) -> Callable[..., Any]:
        evaluates = self._taps.event("evaluation_mode")
        trains = self._taps.event("training_mode")

        def train(module: nn.Module, mode: bool = True) -> Any:
            swapped = self._mode
            if swapped is None or not self._guard.active:
                return original(module, mode)
            if not mode:
                self._tell(evaluates, module)
            elif self._moment.sampled or self._trainings < MOST_TRAININGS:
                self._trainings += 1
                self._tell(trains, module)
            # It calls itself for every part of the module: that costs nothing.
            swapped.function.__code__ = swapped.old
            try:
                return original(module, mode)
            finally:
                if self._guard.active:
                    swapped.function.__code__ = swapped.new

        return train

    def _requires_grad(self, original: Original) -> Callable[..., Any]:
        frozen = self._taps.event("frozen")

        def requires_grad_(module: nn.Module, requires_grad: bool = True) -> Any:
            if not requires_grad:
                self._tell(frozen, module)
            return original(module, requires_grad)

        return requires_grad_

    # Calls --------------------------------------------------------------------------------------
    def _module_call(self, original: Original) -> Callable[..., Any]:
        calls = self._calls

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if calls.caller or calls.in_backward or calls.elsewhere():
                return original(module, *args, **kwargs)
            swapped = self._call
            try:
                calls.caller = get_ident()
                if self._moment.sampled:
                    self._tell(self._sampled_call, module, args)
                # What the model calls inside runs torch's own code: it costs nothing.
                if swapped is not None:
                    swapped.function.__code__ = swapped.old
                output = original(module, *args, **kwargs)
            finally:
                calls.caller = 0
                if swapped is not None and self._guard.active:
                    swapped.function.__code__ = swapped.new
                if self._headroom.limit:
                    self._headroom.take_back()
            self._tell(self._steps.after_call, module, args, kwargs, output)
            return output

        return call

    def _sampled_call(self, module: nn.Module, args: Any) -> None:
        """Prepares a module's call from outside at a sampled step.

        A nested call takes more frames under the hook on layers: the program gets as many more.
        """
        if not self._moment.compiled and (
            module._compiled_call_impl is not None
            or type(module).__name__ == "OptimizedModule"
        ):
            self._compiling()
        self._steps.before_call(module, args)
        self._headroom.give()

    def _layer(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._calls.caller == get_ident() and not self._calls.in_backward:
            self._tell(self._steps.layer_called, module, args, output)
