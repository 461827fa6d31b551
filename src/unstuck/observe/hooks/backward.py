"""Backward passes, and what is done to gradients: clearing and clipping."""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import get_ident
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.observe.hooks.taps import Make, Taps
from unstuck.observe.swap import Original


class BackwardHooks:
    """Tells of backward passes and gradients."""

    def __init__(self, taps: Taps) -> None:
        self._taps = taps

    def install(self) -> None:
        """Puts the hooks into torch."""
        taps = self._taps
        clears = [taps.swap(f, self._clear) for f in (Optimizer.zero_grad, nn.Module.zero_grad)]
        taps.switches.sampled += [swapped for swapped in clears if swapped is not None]
        taps.swap(torch.autograd.backward, self._backward, taps.fast_path.backward)
        taps.swap(torch.autograd.grad, self._grad)
        functions = sys.modules.get("torch._functorch.eager_transforms")
        if (differentiates := getattr(functions, "grad_and_value_impl", None)) is not None:
            taps.swap(differentiates, self._grad_and_value)
        for clip in (torch.nn.utils.clip_grad_norm_, torch.nn.utils.clip_grad_value_):
            taps.swap(getattr(clip, "__wrapped__", clip), self._clip(clip.__name__))

    def _backward(self, original: Original) -> Callable[..., Any]:
        calls, tell, steps = self._taps.calls, self._taps.tell, self._taps.steps
        moment, ended = self._taps.moment, self._backward_ended

        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if calls.in_backward or calls.elsewhere():
                return original(tensors, *args, **kwargs)
            calls.thread = get_ident()
            tell(steps.before_backward, tensors)
            calls.in_backward = True
            try:
                result = original(tensors, *args, **kwargs)
            finally:
                calls.in_backward = False
            if moment.sampled or moment.within_step or moment.pairs:
                tell(ended)
            return result

        return backward

    def _backward_ended(self) -> None:
        self._taps.events.backward_ended()

    def _grad(self, original: Original) -> Callable[..., Any]:
        calls, tell, steps = self._taps.calls, self._taps.tell, self._taps.steps
        moment, given = self._taps.moment, self._taps.event("gradients_given")

        def grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if (steps.has_optimizer and not moment.sampled) or (
                calls.in_backward or calls.elsewhere()
            ):
                return original(outputs, inputs, *args, **kwargs)
            tell(steps.before_gradients, outputs, inputs, kwargs.get("create_graph", False))
            result = original(outputs, inputs, *args, **kwargs)
            if moment.sampled or moment.pairs:
                tell(given, outputs, inputs, result)
            return result

        return grad

    def _grad_and_value(self, original: Original) -> Callable[..., Any]:
        calls, tell, steps = self._taps.calls, self._taps.tell, self._taps.steps

        def grad_and_value(function: Any, argnums: Any, has_aux: bool, *rest: Any) -> Any:
            result = original(function, argnums, has_aux, *rest)
            if not (calls.caller or calls.in_backward or calls.elsewhere()):
                value = result[1][0] if has_aux else result[1]
                tell(steps.value_differentiated, value)
            return result

        return grad_and_value

    def _clear(self, original: Original) -> Callable[..., Any]:
        calls, tell, steps = self._taps.calls, self._taps.tell, self._taps.steps

        def clear(owner: Any, *args: Any, **kwargs: Any) -> Any:
            if not (calls.in_backward or calls.elsewhere()):
                tell(steps.before_clearing, owner)
            return original(owner, *args, **kwargs)

        return clear

    def _clip(self, name: str) -> Make:
        tell, clipped = self._taps.tell, self._taps.event("clipped")

        def make(original: Original) -> Callable[..., Any]:
            def clip(parameters: Any, limit: Any, *args: Any, **kwargs: Any) -> Any:
                result = original(parameters, limit, *args, **kwargs)
                tell(clipped, name, limit, result)
                return result

            return clip

        return make
