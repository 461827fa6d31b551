"""Hooks that come and go: some are there at sampled steps only, some are not in quiet ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unstuck.observe.guard import Guard
from unstuck.observe.moment import Moment
from unstuck.observe.swap import Swap


class Toggle:
    """A hook of torch's own, which can be registered again and again."""

    def __init__(self, register: Callable[[], Any]) -> None:
        self._register = register
        self._handle: Any = None

    def turn(self, on: bool) -> None:
        """Registers the hook or removes it, if that is a change."""
        if on and self._handle is None:
            self._handle = self._register()
        elif not on and self._handle is not None:
            self._handle.remove()
            self._handle = None


@dataclass(slots=True)
class Short:
    """A function that behaves otherwise in quiet steps, and how that behaviour is made."""

    swapped: Swap
    usual: Callable[..., Any]
    make: Callable[[Swap], Callable[..., Any]]
    quiet: Callable[..., Any] | None = None


class Switches:
    """Exchanges what hooks do as steps are sampled, or quiet; the hooks put themselves here."""

    def __init__(self, guard: Guard, moment: Moment) -> None:
        self._guard = guard
        self._moment = moment
        self.is_quiet = False
        self.sampled: list[Swap] = []  # functions that behave otherwise at sampled steps only,
        self.loud: list[Swap] = []  # at all but quiet steps only,
        self.short: list[Short] = []  # and at quiet steps
        self.layers: Toggle | None = None  # the hook on every layer's call, at sampled steps only
        self.beginnings: Toggle | None = None  # that on the beginning of an optimizer's step

    def sample(self, on: bool) -> None:
        """Turns on or off what is there at sampled steps only.

        The hook on layers is global: hooks inside modules would be pickled and copied with them.
        It is never toggled around compiled code, which would be compiled again.
        """
        if self._guard.active:
            for swapped in self.sampled:
                swapped.function.__code__ = swapped.new if on else swapped.old
        if self.layers is not None:
            if not on:
                self.layers.turn(False)
            elif self._guard.active and not self._moment.compiled:
                self.layers.turn(True)

    def be_quiet(self, quiet: bool) -> None:
        """Sets whether the steps that follow take the short way, if that is a change."""
        if quiet is not self.is_quiet and self._guard.active:
            self.is_quiet = quiet
            for short in self.short:
                if quiet and short.quiet is None:
                    short.quiet = short.make(short.swapped)
                short.swapped.behave(short.quiet if quiet and short.quiet else short.usual)
            for swapped in self.loud:
                swapped.function.__code__ = swapped.old if quiet else swapped.new
            if self.beginnings is not None:
                self.beginnings.turn(not quiet)

    def forget(self) -> None:
        """What is done in quiet steps is made anew when they come: others listen then."""
        self.be_quiet(False)
        for short in self.short:
            short.quiet = None

    def remove(self) -> None:
        """Takes away what is only there at some steps."""
        self.sample(False)
        if self.beginnings is not None:
            self.beginnings.turn(False)
