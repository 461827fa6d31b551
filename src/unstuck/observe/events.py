"""What happens in a training: one small vocabulary, and how those who listen are told."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.schema.facts.run import EndKind


class Events:
    """Everything that a listener can be told, each a method that does nothing here.

    Most are told at every step, but for those that are quiet; some only at sampled steps, where it
    says so. `Moment` says at which step, and what holds there.
    """

    # Construction -------------------------------------------------------------------------------
    def module_built(self, module: nn.Module) -> None:
        """A module is about to be constructed."""

    def optimizer_built(self, optimizer: Optimizer) -> None:
        """An optimizer was constructed."""

    def optimizer_refused(self) -> None:
        """An optimizer could not be constructed of what it was given."""

    def scheduler_built(self, scheduler: Any) -> None:
        """A learning rate scheduler was constructed."""

    def sampler_built(self, sampler: Any) -> None:
        """A sampler by weights was constructed."""

    def loader_built(self, loader: Any) -> None:
        """A data loader was constructed."""

    def initialised(self, function: str, tensor: Any) -> None:
        """A function of `torch.nn.init` has filled a tensor, for the program or for torch."""

    def frozen(self, module: nn.Module) -> None:
        """The program is about to call `requires_grad_(False)` on a module."""

    def evaluation_mode(self, module: nn.Module) -> None:
        """The program is about to put a module into evaluation mode."""

    def state_taken(self, module: nn.Module, state: Any) -> None:
        """The program has got a module's state dict."""

    def before_loading(self, module: nn.Module, state: Any) -> None:
        """The program is about to load a state dict into a module."""

    def weights_loaded(self, module: nn.Module, missing: Collection[str]) -> None:
        """The program has loaded a state dict into a module, in which some keys were missing."""

    def training_mode(self, module: nn.Module) -> None:
        """The program is about to put a module into train mode; if sampled, and the first times."""

    # Data ---------------------------------------------------------------------------------------
    def loader_iterated(self, loader: Any) -> None:
        """The program is about to iterate a data loader."""

    def batch_drawn(self, iterator: Any, indices: Any) -> None:
        """A data loader has drawn the indices of the samples that it fetches next."""

    # Forward ------------------------------------------------------------------------------------
    def before_call(self, module: nn.Module) -> None:
        """A module, a model or not, is about to be called from outside any other; if sampled."""

    def inputs_given(self, module: nn.Module, args: Any) -> None:
        """What that module is about to be given; told after `before_call`."""

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """A module within a model was called; if sampled."""

    def dropped(self, share: Any) -> None:
        """A model drops this share of a tensor; if sampled, and where gradients are off."""

    def model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """A model was called from outside any other module."""

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """The same, told after it, with gradients on; if sampled."""

    def model_evaluated(self, output: Any) -> None:
        """A model in evaluation mode was called with gradients on; unless sampled."""

    def criterion_called(self, module: nn.Module, args: Any, result: Any) -> None:
        """A module without parameters was called from outside any other; at sampled steps and
        where gradients are off."""

    def loss_called(
        self, function: str, original: Callable[..., Any], args: Any, kwargs: Any, result: Any
    ) -> None:
        """A loss function returned `result`, or raised (None); `original` computes it unseen."""

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """A loss function returned a plain tensor; told after its call."""

    def loss_scaled(self, unscaled: Any, scaled: Any) -> None:
        """A gradient scaler multiplied a loss."""

    # Backward -----------------------------------------------------------------------------------
    def evaluation_ended(self) -> None:
        """Training goes on with a backward pass, or has ended: no model is only looked at now."""

    def before_backward(self) -> None:
        """A backward pass is about to begin, and has been counted."""

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """A loss with this graph is about to be differentiated; if sampled.

        Args:
            nodes: all nodes of the graph, from the loss on.
            leaves: the identities of the leaves among them.
        """

    def no_graph(self) -> None:
        """A loss that no graph leads to is about to be differentiated."""

    def loss_differentiated(self, loss: torch.Tensor) -> None:
        """A loss is about to be differentiated; told after its graph."""

    def value_differentiated(self, value: torch.Tensor) -> None:
        """`torch.func` has computed gradients of a loss with this value, which make a step."""

    def backward_ended(self) -> None:
        """A backward pass has ended; if sampled, or within a step that is not quiet."""

    def gradients_computed(self) -> None:
        """The program is about to call `torch.autograd.grad`; if sampled."""

    def gradients_given(self, outputs: Any, inputs: Any, gradients: Any) -> None:
        """`torch.autograd.grad` has returned the gradients of outputs at inputs; if sampled."""

    def before_clearing(self, owner: Optimizer | nn.Module) -> None:
        """Gradients are about to be cleared, by nothing within a step; if sampled."""

    def clipped(self, function: str, limit: Any, norm: Any) -> None:
        """Gradients were clipped."""

    # Steps --------------------------------------------------------------------------------------
    def before_step(self, optimizer: Optimizer | None, closure: bool) -> None:
        """An optimizer is about to step; None stands for a program that updates by hand."""

    def after_step(self, optimizer: Optimizer | None) -> None:
        """An optimizer has stepped, or the program by hand."""

    def look_ended(self, step: int) -> None:
        """A sampled step has ended: what it showed is to be written."""

    def step_ended(self, step: int) -> None:
        """A step has ended; told after the end of its look."""

    def step_begins(self) -> None:
        """The next step begins."""

    def scheduler_steps(self, scheduler: Any) -> None:
        """The program is about to call the `step` of a learning rate scheduler."""

    def scheduler_watches(self, scheduler: Any, value: Any) -> None:
        """That call hands the scheduler a value to decide by; told after `scheduler_steps`."""

    # Quiet steps: those of which nothing is told but this ----------------------------------------
    def quiet_steps_begin(self) -> None:
        """Some steps follow that are quiet."""

    def quiet_call(self) -> None:
        """A model was called in training; told of the first of several."""

    def quiet_step(self, optimizer: Optimizer) -> None:
        """An optimizer has stepped whose learning rate may be another than before."""

    # The end ------------------------------------------------------------------------------------
    def left_halfway(self) -> None:
        """An exception of the program's own has left an event halfway: the step is let be."""

    def stopping(self) -> None:
        """The training is about to be stopped at --max-steps: all is still held."""

    def training_ended(self, whole: bool) -> None:
        """No step comes any more; `whole` says whether the program came to its end."""

    def finished(self, kind: EndKind) -> None:
        """The watching is over: what is still held back is to be written."""


class Listener(Events):
    """Who listens to some of the events; overrides those."""

    def quiet_until(self, step: int) -> float:
        """From which step on all events must be told again, if none of `step` need be; else `step`.

        Asked when a step begins that is not sampled.
        """
        return math.inf

    def is_at_rest(self) -> bool:
        """Whether no loss and no forward pass waits for what comes next."""
        return True


class Dispatch(Events):
    """Tells its listeners of each event, in the order in which they subscribed.

    Each event is the very method of the only listener that overrides it, or a loop over a tuple of
    such methods: telling allocates nothing.
    """

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._limits: tuple[Callable[[int], float], ...] = ()
        self._rests: tuple[Callable[[], bool], ...] = ()

    def subscribe(self, *listeners: Listener) -> None:
        """Adds listeners."""
        self._listeners += listeners
        for event, parameters in EVENTS.items():
            setattr(self, event, _FANS[parameters](self._overriding(event)))
        self._limits = self._overriding("quiet_until")
        self._rests = self._overriding("is_at_rest")

    def _overriding(self, name: str) -> tuple[Callable[..., Any], ...]:
        plain = getattr(Listener, name)
        return tuple(getattr(listener, name) for listener in self._listeners
                     if getattr(type(listener), name) is not plain)

    def quiet_until(self, step: int) -> float:
        """The first step of which a listener wants to be told, from `step` on."""
        until = math.inf
        for limit in self._limits:
            found = limit(step)
            if found <= step:
                return found
            until = min(until, found)
        return until

    def is_at_rest(self) -> bool:
        """Whether no listener waits for anything."""
        for rests in self._rests:  # noqa: SIM110 - a generator is slower, and this comes often
            if not rests():
                return False
        return True


# The events, with the number of their parameters.
EVENTS = {
    name: method.__code__.co_argcount - 1
    for name, method in vars(Events).items() if not name.startswith("_")
}
Handlers = tuple[Callable[..., None], ...]


def _fan0(handlers: Handlers) -> Callable[..., None]:
    def tell() -> None:
        for handle in handlers:
            handle()

    return handlers[0] if len(handlers) == 1 else tell


def _fan1(handlers: Handlers) -> Callable[..., None]:
    def tell(a: Any) -> None:
        for handle in handlers:
            handle(a)

    return handlers[0] if len(handlers) == 1 else tell


def _fan2(handlers: Handlers) -> Callable[..., None]:
    def tell(a: Any, b: Any) -> None:
        for handle in handlers:
            handle(a, b)

    return handlers[0] if len(handlers) == 1 else tell


def _fan3(handlers: Handlers) -> Callable[..., None]:
    def tell(a: Any, b: Any, c: Any) -> None:
        for handle in handlers:
            handle(a, b, c)

    return handlers[0] if len(handlers) == 1 else tell


def _fan4(handlers: Handlers) -> Callable[..., None]:
    def tell(a: Any, b: Any, c: Any, d: Any) -> None:
        for handle in handlers:
            handle(a, b, c, d)

    return handlers[0] if len(handlers) == 1 else tell


def _fan5(handlers: Handlers) -> Callable[..., None]:
    def tell(a: Any, b: Any, c: Any, d: Any, e: Any) -> None:
        for handle in handlers:
            handle(a, b, c, d, e)

    return handlers[0] if len(handlers) == 1 else tell


_FANS = (_fan0, _fan1, _fan2, _fan3, _fan4, _fan5)  # by the number of parameters: no *arguments
