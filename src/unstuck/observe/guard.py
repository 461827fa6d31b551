"""The one border between the program and what of ours runs inside it.

Whatever torch or the interpreter calls of ours comes through here. The program cannot tell that
it does: its torch modes and tensor subclasses see no operation, and an error of ours never
reaches it. An exception that is the program's own passes at once.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from threading import RLock
from types import TracebackType
from typing import Any

import torch

from unstuck.observe.source.sites import OWN_FOLDER

unseen_by_functions = torch._C.DisableTorchFunction
unseen_by_dispatch = torch._C._DisableTorchDispatch
function_modes = torch._C._len_torch_function_stack
dispatch_modes = torch._C._len_torch_dispatch_stack


class Guard:
    """Calls what is ours, as long as it is `active`.

    Args:
        fail: told of an error of ours; it ends the watching.
        recover: called where an exception of the program's own left our code halfway.
    """

    def __init__(self, fail: Callable[[Exception], None], recover: Callable[[], None]) -> None:
        self._fail = fail
        self._recover = recover
        self._untold: Exception | None = None  # what could not be told of where it was raised
        self.set_tracer: Callable[[Any], Any] | None = None  # of a compiler, if there is one
        self.active = False
        # Until it is known which thread trains, two may call models at once; hooks in backward run
        # in threads of their own on other devices than the CPU.
        self._lock = RLock()

    def tell(self, handler: Callable[..., None], *arguments: Any) -> None:
        """Calls a handler of ours.

        Torch's modes are off meanwhile. A subclass of Tensor that handles its operations itself
        must not be used in one then: see `tensors.is_plain`.

        Raises:
            BaseException: what is the program's own, raised by its signal handler for instance.
        """
        if not self.active:
            if self._untold is not None:
                self._tell_now()
            return
        set_tracer = self.set_tracer
        tracer = set_tracer(None) if set_tracer is not None else None
        try:
            with self._lock, unseen_by_functions(), unseen_by_dispatch():
                handler(*arguments)
        except BaseException as error:
            try:
                ours = self.takes(error)
            except Exception as second:  # neither stack nor memory is left to do more here
                self.active, self._untold = False, second
                ours = isinstance(error, Exception)
            if not ours:
                raise
        finally:
            if set_tracer is not None:
                set_tracer(tracer)

    def takes(self, error: BaseException) -> bool:
        """Whether an exception is ours, which ends the watching; else it must be raised on."""
        if isinstance(error, Exception) and not is_of_the_program(error):
            self._fail(error)
            return True
        self._recover()
        return False

    def _tell_now(self) -> None:
        error, self._untold = self._untold, None
        with suppress(Exception):
            self._fail(error or RuntimeError())

    def guarded(self, handler: Callable[..., None]) -> Callable[..., None]:
        """A hook for torch that tells `handler`, whatever it is called with."""

        @wraps(handler)
        def hook(*arguments: Any) -> None:
            self.tell(handler, *arguments)

        return hook


def is_of_the_program(error: BaseException) -> bool:
    """Whether an exception that was raised while we ran is none of ours.

    Either a signal handler of the program raised it: the interpreter calls one between two
    instructions, and hands it the frame that it interrupts. Or another thread sent it, which
    leaves no frame at all: then it is of a class that nothing here raises.
    """
    trace: TracebackType | None = error.__traceback__
    before, ours = None, False
    while trace is not None:
        frame = trace.tb_frame
        ours = frame.f_code.co_filename.startswith(OWN_FOLDER)
        if before is not None and not ours and _receives(
            frame.f_code.co_varnames[:3], frame.f_locals, before
        ):
            return True
        before, trace = frame, trace.tb_next
    module = getattr(type(error), "__module__", "")
    return ours and module.partition(".")[0] not in _RAISING


_RAISING = frozenset({"builtins", "unstuck", "torch", "numpy", "json", "zipfile", "ast"})


def _receives(names: tuple[str, ...], values: dict[str, Any], frame: object) -> bool:
    """Whether one of a function's first arguments is a frame."""
    for name in names:
        value = values.get(name)
        if value is frame or (type(value) is tuple and any(one is frame for one in value)):
            return True
    return False


def weakly(method: Callable[[], None]) -> Callable[[], None]:
    """A function that calls a method as long as its object exists, and raises nothing.

    For what can never be taken back and has nobody to tell: a function to be called at each fork,
    whose errors the interpreter would print.
    """
    reference = weakref.WeakMethod(method)

    def call() -> None:
        found = reference()
        if found is not None:
            with suppress(Exception):
                found()

    return call
