"""What all hooks share: whom they tell, what they know, how they are put into torch and removed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from types import FunctionType
from typing import Any

from torch import nn

from unstuck.observe.calls import Calls
from unstuck.observe.events import Dispatch
from unstuck.observe.fast_path import FastPath
from unstuck.observe.guard import Guard
from unstuck.observe.limits import Limits
from unstuck.observe.source.naming import Names
from unstuck.observe.steps import Steps
from unstuck.observe.swap import Original, Swap, key, swap
from unstuck.observe.switches import Short, Switches

Make = Callable[[Original], Callable[..., Any]]


def watching() -> bool:
    """Whether the hooks of a watching are installed in this process."""
    call = nn.Module._wrapped_call_impl
    return key(call) in call.__globals__


class Taps:
    """The hooks of one watching. While its guard is not active every hook is a pass-through."""

    def __init__(
        self, guard: Guard, steps: Steps, fast_path: FastPath, switches: Switches, calls: Calls,
        names: Names, limits: Limits,
    ) -> None:
        self.guard = guard
        self.tell = guard.tell
        self.steps = steps
        self.moment = steps.moment
        self.fast_path = fast_path
        self.switches = switches
        self.calls = calls
        self.names = names
        self._limits = limits
        self._undo: list[Callable[[], Any]] = []

    @property
    def events(self) -> Dispatch:
        """Who listens now: another training has listeners of its own."""
        return self.steps.events

    def swap(
        self, function: Any, make: Make,
        make_short: Callable[[Swap], Callable[..., Any]] | None = None,
    ) -> Swap | None:
        """Lets a function of torch behave as `make` says, and in quiet steps as `make_short` does.

        One that this torch does not allow is noted and left out: None.
        """
        name = getattr(function, "__qualname__", repr(function))
        if not isinstance(function, FunctionType):
            self._limits.note(f"this version of torch does not let unstuck watch {name}")
            return None
        try:
            swapped = swap(function, make)
        except (ValueError, TypeError, SyntaxError) as error:
            self._limits.note(f"this version of torch does not let unstuck watch {name} ({error})")
            return None
        self._undo.append(swapped.undo)
        if make_short is not None:
            self.switches.short.append(Short(swapped, swapped.behaviour, make_short))
        return swapped

    def undo_by(self, undo: Callable[[], Any]) -> None:
        """What takes a hook away that is no swap."""
        self._undo.append(undo)

    def event(self, name: str) -> Callable[..., None]:
        """A handler that tells whoever listens when it is called."""
        def handler(*arguments: Any) -> None:
            getattr(self.steps.events, name)(*arguments)

        return handler

    def after(self, handler: Callable[..., None], whole: bool = False) -> Make:
        """Tells of a method that has returned; with `whole` what it returned as well."""
        def make(original: Original) -> Callable[..., Any]:
            def method(owner: Any, *args: Any, **kwargs: Any) -> Any:
                result = original(owner, *args, **kwargs)
                self.tell(handler, owner, *(result,) * whole)
                return result

            return method

        return make

    def before(self, handler: Callable[..., None]) -> Make:
        """Tells of a call before it is made, by its first argument."""
        def make(original: Original) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                self.tell(handler, *args[:1])
                return original(*args, **kwargs)

            return call

        return make

    def remove(self) -> None:
        """Takes every hook away, in reverse order."""
        self.guard.active = False
        with suppress(Exception):
            self.switches.remove()
        while self._undo:
            with suppress(Exception):  # the others must go
                self._undo.pop()()
