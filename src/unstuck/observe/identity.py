"""Things by their identity, as long as they live: tensors and some modules cannot be keys."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

FEW = 64  # entries that are never looked through

Thing = TypeVar("Thing")
Value = TypeVar("Value")


class ByIdentity(Generic[Thing, Value]):
    """A value for each of some things. It holds none of them, and forgets those that are gone.

    No callback runs when a thing goes: what a signal handler of the program raised there would be
    lost. What is gone is looked for each time that the number of entries has doubled.
    """

    def __init__(self) -> None:
        self._entries: dict[int, tuple[weakref.ref[Any], Value]] = {}
        self._most = FEW

    def __setitem__(self, thing: Thing, value: Value) -> None:
        self._entries[id(thing)] = weakref.ref(thing), value
        if len(self._entries) > self._most:
            for key, (ref, _) in list(self._entries.items()):
                if ref() is None:
                    del self._entries[key]
            self._most = max(FEW, 2 * len(self._entries))

    def __contains__(self, thing: Thing) -> bool:
        known = self._entries.get(id(thing))
        return known is not None and known[0]() is thing

    def get(self, thing: Thing) -> Value | None:
        """The value of a thing, None if it has none."""
        known = self._entries.get(id(thing))
        return known[1] if known is not None and known[0]() is thing else None

    def clear(self) -> None:
        """Forgets everything."""
        self._entries.clear()

    def items(self) -> Iterator[tuple[Thing, Value]]:
        """All living things with their values, in the order in which they came."""
        for ref, value in list(self._entries.values()):
            if (thing := ref()) is not None:
                yield thing, value
