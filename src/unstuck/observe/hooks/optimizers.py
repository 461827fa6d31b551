"""Optimizers and learning rate schedulers: their construction and their steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.optim import lr_scheduler
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from unstuck.observe.hooks.taps import Taps
from unstuck.observe.swap import Original, uncompiled
from unstuck.observe.switches import Toggle
from unstuck.torch_api import SCHEDULERS


class OptimizerHooks:
    """Tells of optimizers and schedulers."""

    def __init__(self, taps: Taps) -> None:
        self._taps = taps
        self._guard = taps.guard
        self._calls = taps.calls
        self._tell = taps.tell

    def install(self) -> None:
        """Puts the hooks into torch."""
        taps = self._taps
        taps.swap(Optimizer.__init__, self._optimizer_init)
        taps.swap(lr_scheduler.LRScheduler.__init__, self._scheduler_init)
        # It has a beginning of its own.
        taps.swap(lr_scheduler.ReduceLROnPlateau.__init__, self._scheduler_init)
        for name in SCHEDULERS:
            if "step" in vars(getattr(lr_scheduler, name, object)):
                taps.swap(getattr(lr_scheduler, name).step, self._scheduler_step)
        taps.undo_by(register_optimizer_step_post_hook(taps.fast_path.step_hook()).remove)
        taps.switches.beginnings = Toggle(
            lambda: register_optimizer_step_pre_hook(uncompiled(self._before_step)))
        taps.switches.beginnings.turn(True)

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if not self._calls.elsewhere():
            # The first argument is the optimizer itself.
            closure = args[1] if len(args) > 1 else kwargs.get("closure")
            self._tell(self._taps.steps.before_step, optimizer, closure is not None)

    def _optimizer_init(self, original: Original) -> Callable[..., Any]:
        built, refused = self._taps.steps.optimizer_built, self._taps.event("optimizer_refused")

        def init(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            try:
                original(optimizer, *args, **kwargs)
            except ValueError:  # it has no parameters, or no such value is possible
                self._tell(refused)
                raise
            self._tell(built, optimizer)

        return init

    def _scheduler_init(self, original: Original) -> Callable[..., Any]:
        calls, built = self._calls, self._taps.event("scheduler_built")

        def init(scheduler: Any, *args: Any, **kwargs: Any) -> None:
            outside, calls.in_scheduler = calls.in_scheduler, True  # it makes a step of its own
            try:
                original(scheduler, *args, **kwargs)
            finally:
                calls.in_scheduler = outside
            self._tell(built, scheduler)

        return init

    def _scheduler_step(self, original: Original) -> Callable[..., Any]:
        calls, steps = self._calls, self._taps.event("scheduler_steps")
        watches = self._taps.event("scheduler_watches")

        def step(scheduler: Any, *args: Any, **kwargs: Any) -> Any:
            if calls.in_scheduler or not self._guard.active:
                return original(scheduler, *args, **kwargs)
            calls.in_scheduler = True  # some schedulers step others
            try:
                self._tell(steps, scheduler)
                if hasattr(scheduler, "num_bad_epochs"):  # it compares what it is given
                    self._tell(watches, scheduler, args[0] if args else kwargs.get("metrics"))
                return original(scheduler, *args, **kwargs)
            finally:
                calls.in_scheduler = False

        return step
