"""Layers that one model holds at several places."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


class Repeating(StrEnum):
    """How the program's text puts one layer into several places."""

    TIMES = "times"  # [layer] * n
    COMPREHENSION = "comprehension"  # [layer for _ in range(n)]
    KEYS = "keys"  # dict.fromkeys(names, layer)
    REPEAT = "repeat"  # itertools.repeat(layer, n)
    APPEND = "append"  # layers.append(layer), in a loop
    CHAIN = "chain"  # self.fc1 = self.fc2 = nn.Linear(...)
    CALL = "call"  # {name: build(kind) for name, kind in ...}, and the call returns the same one
    WRITTEN = "written"  # its name is written at each place
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RepeatedLayer(Fact):
    """One layer with weights that a module holds at several places, numbered or made in one go.

    `places` are the names under which `holder` holds it, `elements` is the number of its weights.
    `location` is the expression that repeats it, else the construction of what holds it.
    `intended` says that names or comments there speak of sharing. `idle` says that the places got
    one and the same input, and so gave the same.
    """

    name: str  # of the layer, by its first place
    kind: str
    holder: str
    holder_kind: str
    places: tuple[str, ...]
    elements: int
    location: SourceLocation | None
    how: Repeating = Repeating.UNKNOWN
    intended: bool = False
    idle: bool = False
