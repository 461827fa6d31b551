"""Where torch's objects come into being and are called: installs the hooks, removes them again.

Nothing is judged or measured here. Every event goes to the watcher through one border that lets
no error of ours reach the program.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import get_ident
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional
from torch.optim import lr_scheduler
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils.data import DataLoader, dataloader

from unstuck.observe.guard import weakly
from unstuck.observe.quiet import tracing_state
from unstuck.observe.recursion import Headroom
from unstuck.observe.swap import Original, Swap, key, swap, uncompiled
from unstuck.torch_api import INITIALISERS, LOSSES, SCHEDULERS

if TYPE_CHECKING:
    from unstuck.observe.watcher import Watcher


def watching() -> bool:
    """Whether the hooks of a watching are installed in this process."""
    call = nn.Module._wrapped_call_impl
    return key(call) in call.__globals__


class Capture:
    """The hooks of one watching. While it is not `active` every hook is a plain pass-through."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self.guard = watcher.guard
        self.tell = watcher.guard.tell
        self._undo: list[Callable[[], Any]] = []
        self._leaf_hook: Any = None
        self._step_hook: Any = None
        self._call: Swap | None = None
        self._mode: Swap | None = None
        self._drawing: Swap | None = None  # of samples, by a loader; nobody asks in quiet steps
        # What has a short way in quiet steps: the usual behaviour and the short one.
        self._short: list[tuple[Swap, Callable[..., Any], Callable[..., Any]]] = []
        self.is_quiet = False
        self._when_sampled: list[Swap] = []  # exchanged at sampled steps only
        self.caller = 0  # the thread that calls a module; 0 outside of any call
        self.in_backward = False
        self.in_loss = False
        self._in_scheduler = False
        self.thread: int | None = None  # that trains; others are not watched once it is known
        self._headroom = Headroom()
        self.compiled = False

    # Installing ---------------------------------------------------------------------------------
    def install(self) -> None:
        """Installs every hook. One that this torch does not allow is noted and left out."""
        self.guard.active, quiet = True, self._watcher.quiet
        self._swap(nn.Module.__init__, self._module_init)
        self._call = self._swap(
            nn.Module._wrapped_call_impl, self._module_call, quiet.module_call)
        self._swap(nn.Module.load_state_dict, self._then(self._watcher.names.loaded))
        self._mode = self._swap(nn.Module.train, self._train)
        self._swap(nn.Module.requires_grad_, self._requires_grad)
        self._swap(Optimizer.__init__, self._then(self._watcher.optimizer_built))
        clears = [self._swap(f, self._clear) for f in (Optimizer.zero_grad, nn.Module.zero_grad)]
        self._when_sampled = [swapped for swapped in clears if swapped is not None]
        self._swap(DataLoader.__init__, self._then(self._watcher.loader_built))
        self._swap(DataLoader.__iter__, self._first(self._watcher.loader_iterated))
        draw = getattr(getattr(dataloader, "_BaseDataLoaderIter", None), "_next_index", None)
        self._drawing = draw and self._swap(draw, self._then(self._watcher.reservoir.drawn, True))
        self._swap(torch.autograd.backward, self._backward, quiet.backward)
        self._swap(torch.compile, self._then(self._watcher.compiling))
        for name in LOSSES:
            if hasattr(functional, name):
                self._swap(
                    getattr(functional, name), self._loss(name), partial(quiet.loss, name))
        for clip in (torch.nn.utils.clip_grad_norm_, torch.nn.utils.clip_grad_value_):
            self._swap(getattr(clip, "__wrapped__", clip), self._clip(clip.__name__))
        for name in INITIALISERS:
            if hasattr(nn.init, name):
                self._swap(getattr(nn.init, name), self._initialiser(name))
        self._swap(lr_scheduler.LRScheduler.__init__, self._scheduler_init)
        for name in SCHEDULERS:
            if "step" in vars(getattr(lr_scheduler, name, object)):
                self._swap(getattr(lr_scheduler, name).step, self._scheduler_step)
        if hasattr(torch, "amp") and hasattr(torch.amp, "GradScaler"):
            self._swap(torch.amp.GradScaler.scale, self._scale)
        hook = register_optimizer_step_post_hook(quiet.step_hook())
        self._undo.append(hook.remove)
        self._watch_beginnings(True)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=weakly(self._in_forked_child))

    def remove(self) -> None:
        """Takes every hook away, in reverse order."""
        self.guard.active = False
        with suppress(Exception):
            self.sample(False)
            self._watch_beginnings(False)
        while self._undo:
            with suppress(Exception):  # the others must go
                self._undo.pop()()

    def sample(self, on: bool) -> None:
        """Turns the hook on every layer's call on or off.

        The hook is global: hooks inside modules would be pickled and copied with them. It is never
        toggled around compiled code, which would be compiled again.
        """
        if self.guard.active:
            for swapped in self._when_sampled:
                swapped.function.__code__ = swapped.new if on else swapped.old
        if on and self._leaf_hook is None and not self.compiled and self.guard.active:
            self._leaf_hook = nn.modules.module.register_module_forward_hook(
                uncompiled(self._layer))
        elif not on and self._leaf_hook is not None:
            self._leaf_hook.remove()
            self._leaf_hook = None

    def be_quiet(self, quiet: bool) -> None:
        """Sets whether the steps that follow take the short way, if that is a change."""
        if quiet is not self.is_quiet and self.guard.active:
            self.is_quiet = quiet
            for swapped, usual, short in self._short:
                swapped.behave(short if quiet else usual)
            if (drawing := self._drawing) is not None:
                drawing.function.__code__ = drawing.old if quiet else drawing.new
            self._watch_beginnings(not quiet)

    def _watch_beginnings(self, on: bool) -> None:
        """Turns the hook on the beginning of an optimizer's step on or off."""
        if on and self._step_hook is None:
            self._step_hook = register_optimizer_step_pre_hook(uncompiled(self._before_step))
        elif not on and self._step_hook is not None:
            self._step_hook.remove()
            self._step_hook = None

    def _swap(
        self, function: Any, make: Callable[[Original], Callable[..., Any]],
        make_short: Callable[[Swap], Callable[..., Any]] | None = None,
    ) -> Swap | None:
        name = getattr(function, "__qualname__", repr(function))
        if not isinstance(function, FunctionType):
            self._watcher.limited(f"this version of torch does not let unstuck watch {name}")
            return None
        try:
            swapped = swap(function, make)
        except (ValueError, TypeError, SyntaxError) as error:
            self._watcher.limited(
                f"this version of torch does not let unstuck watch {name} ({error})")
            return None
        self._undo.append(swapped.undo)
        if make_short is not None:
            self._short.append((swapped, swapped.behaviour, make_short(swapped)))
        return swapped

    def _in_forked_child(self) -> None:
        """There nothing is watched and nothing written."""
        self.remove()
        self._watcher.writer.abandon()

    def elsewhere(self) -> bool:
        """Whether this call is not to be watched: another thread's, or one of `torch.jit.trace`."""
        return (self.thread != get_ident() and self.thread is not None) or (
            tracing_state() is not None)

    # Construction -------------------------------------------------------------------------------
    def _module_init(self, original: Original) -> Callable[..., Any]:
        def init(module: nn.Module, *args: Any, **kwargs: Any) -> None:
            if self.guard.active:
                self.tell(self._watcher.module_built, module)
            original(module, *args, **kwargs)

        return init

    def _train(self, original: Original) -> Callable[..., Any]:
        def train(module: nn.Module, mode: bool = True) -> Any:
            swapped = self._mode
            if swapped is None or not self.guard.active:
                return original(module, mode)
            if not mode:
                self.tell(self._watcher.modes.switched, module)
            # It calls itself for every part of the module: that costs nothing.
            swapped.function.__code__ = swapped.old
            try:
                return original(module, mode)
            finally:
                if self.guard.active:
                    swapped.function.__code__ = swapped.new

        return train

    def _then(
        self, handler: Callable[..., None], whole: bool = False
    ) -> Callable[[Original], Callable[..., Any]]:
        """Tells of a method that has returned; with `whole` what it returned as well."""
        def make(original: Original) -> Callable[..., Any]:
            def method(owner: Any, *args: Any, **kwargs: Any) -> Any:
                result = original(owner, *args, **kwargs)
                self.tell(handler, owner, *(result,) * whole)
                return result

            return method

        return make

    def _initialiser(self, name: str) -> Callable[[Original], Callable[..., Any]]:
        def make(original: Original) -> Callable[..., Any]:
            def initialise(tensor: Any, *args: Any, **kwargs: Any) -> Any:
                result = original(tensor, *args, **kwargs)
                self.tell(self._watcher.flow.initialised, name, tensor)
                return result

            return initialise

        return make

    def _scheduler_init(self, original: Original) -> Callable[..., Any]:
        def init(scheduler: Any, *args: Any, **kwargs: Any) -> None:
            outside, self._in_scheduler = self._in_scheduler, True  # it makes a step of its own
            try:
                original(scheduler, *args, **kwargs)
            finally:
                self._in_scheduler = outside
            self.tell(self._watcher.flow.scheduler_built, scheduler)

        return init

    def _scheduler_step(self, original: Original) -> Callable[..., Any]:
        def step(scheduler: Any, *args: Any, **kwargs: Any) -> Any:
            if self._in_scheduler or not self.guard.active:
                return original(scheduler, *args, **kwargs)
            self._in_scheduler = True  # some schedulers step others
            try:
                self.tell(self._scheduled, scheduler)
                return original(scheduler, *args, **kwargs)
            finally:
                self._in_scheduler = False

        return step

    def _scheduled(self, scheduler: Any) -> None:
        if not self._watcher.flow.knows_scheduler(scheduler):
            self._watcher.scheduled(scheduler)

    def _first(self, handler: Callable[..., None]) -> Callable[[Original], Callable[..., Any]]:
        """Tells of a call before it is made, by its first argument."""
        def make(original: Original) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                self.tell(handler, *args[:1])
                return original(*args, **kwargs)

            return call

        return make

    def _requires_grad(self, original: Original) -> Callable[..., Any]:
        def requires_grad_(module: nn.Module, requires_grad: bool = True) -> Any:
            if not requires_grad:
                self.tell(self._watcher.frozen.frozen, module)
            return original(module, requires_grad)

        return requires_grad_

    # Calls --------------------------------------------------------------------------------------
    def _module_call(self, original: Original) -> Callable[..., Any]:
        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if self.caller or self.in_backward or self.elsewhere():
                return original(module, *args, **kwargs)
            swapped = self._call
            try:
                self.caller = get_ident()
                if self._watcher.sampled:
                    self.tell(self._sampled_call, module)
                # What the model calls inside runs torch's own code: it costs nothing.
                if swapped is not None:
                    swapped.function.__code__ = swapped.old
                output = original(module, *args, **kwargs)
            finally:
                self.caller = 0
                if swapped is not None and self.guard.active:
                    swapped.function.__code__ = swapped.new
                if self._headroom.limit:
                    self._headroom.take_back()
            self.tell(self._watcher.after_forward, module, args, kwargs, output)
            return output

        return call

    def _sampled_call(self, module: nn.Module) -> None:
        """Prepares a module's call from outside at a sampled step.

        A nested call takes more frames under the hook on layers: the program gets as many more.
        """
        if not self.compiled and (
            module._compiled_call_impl is not None
            or type(module).__name__ == "OptimizedModule"
        ):
            self._watcher.compiling()
        self._watcher.before_forward(module)
        self._headroom.give()

    def _layer(self, module: nn.Module, args: Any, output: Any) -> None:
        if self.caller == get_ident() and not self.in_backward:
            self.tell(self._watcher.layer_called, module, args, output)

    def _loss(self, name: str) -> Callable[[Original], Callable[..., Any]]:
        def make(original: Original) -> Callable[..., Any]:
            def loss(*args: Any, **kwargs: Any) -> Any:
                if self.in_loss or self.in_backward or self.elsewhere():
                    return original(*args, **kwargs)
                self.in_loss = True
                try:
                    result = original(*args, **kwargs)
                except BaseException:
                    # The call that raises is worth a record: a loss refuses what does not fit it.
                    self.tell(self._watcher.loss_computed, name, original, args, kwargs, None)
                    raise
                finally:
                    self.in_loss = False
                self.tell(self._watcher.loss_computed, name, original, args, kwargs, result)
                return result

            return loss

        return make

    def _backward(self, original: Original) -> Callable[..., Any]:
        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if self.in_backward or self.elsewhere():
                return original(tensors, *args, **kwargs)
            self.thread = get_ident()
            self.tell(self._watcher.before_backward, tensors)
            self.in_backward = True
            try:
                return original(tensors, *args, **kwargs)
            finally:
                self.in_backward = False

        return backward

    def _scale(self, original: Original) -> Callable[..., Any]:
        def scale(scaler: Any, outputs: Any) -> Any:
            result = original(scaler, outputs)
            self.tell(self._watcher.losses.scaled, outputs, result)
            return result

        return scale

    def _clip(self, name: str) -> Callable[[Original], Callable[..., Any]]:
        def make(original: Original) -> Callable[..., Any]:
            def clip(parameters: Any, limit: Any, *args: Any, **kwargs: Any) -> Any:
                result = original(parameters, limit, *args, **kwargs)
                self.tell(self._watcher.clipped, name, limit, result)
                return result

            return clip

        return make

    def _clear(self, original: Original) -> Callable[..., Any]:
        def clear(owner: Any, *args: Any, **kwargs: Any) -> Any:
            if not (self.in_backward or self.elsewhere()):
                self.tell(self._watcher.clearing, owner)
            return original(owner, *args, **kwargs)

        return clear

    # Steps --------------------------------------------------------------------------------------
    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if not self.elsewhere():
            # The first argument is the optimizer itself.
            closure = args[1] if len(args) > 1 else kwargs.get("closure")
            self.tell(self._watcher.before_step, optimizer, closure is not None)
