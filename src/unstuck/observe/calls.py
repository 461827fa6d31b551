"""Which calls of torch's are under way, and in which thread the program trains."""

from __future__ import annotations

from threading import get_ident

import torch

tracing_state = torch._C._get_tracing_state  # of torch.jit.trace


class Calls:
    """What the hooks of one watching know of the call that they are in."""

    __slots__ = ("caller", "in_backward", "in_loss", "in_scheduler", "thread")

    def __init__(self) -> None:
        self.caller = 0  # the thread that calls a module; 0 outside of any call
        self.in_backward = False
        self.in_loss = False
        self.in_scheduler = False
        self.thread: int | None = None  # that trains; others are not watched once it is known

    def elsewhere(self) -> bool:
        """Whether a call is not to be watched: another thread's, or one of `torch.jit.trace`."""
        return (self.thread != get_ident() and self.thread is not None) or (
            tracing_state() is not None)
