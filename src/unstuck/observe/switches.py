"""Hooks that come and go: some are there at sampled steps only, some are not in quiet ones."""

from __future__ import annotations

from collections.abc import Callable
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


class Switches:
    """Exchanges what hooks do as steps are sampled, or quiet; the hooks put themselves here."""

    def __init__(self, guard: Guard, moment: Moment) -> None:
        self._guard = guard
        self._moment = moment
        self.is_quiet = False
        self.sampled: list[Swap] = []  # functions that behave otherwise at sampled steps only,
        self.loud: list[Swap] = []  # at all but quiet steps only,
        # and at quiet steps: with their usual behaviour and the short one.
        self.short: list[tuple[Swap, Callable[..., Any], Callable[..., Any]]] = []
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
            for swapped, usual, short in self.short:
                swapped.behave(short if quiet else usual)
            for swapped in self.loud:
                swapped.function.__code__ = swapped.old if quiet else swapped.new
            if self.beginnings is not None:
                self.beginnings.turn(not quiet)

    def remove(self) -> None:
        """Takes away what is only there at some steps."""
        self.sample(False)
        if self.beginnings is not None:
            self.beginnings.turn(False)
