"""State dicts that the program takes of its models and loads into them."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.facts.fact import Fact
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class Loading(Fact):
    """The last load of a state dict into a module.

    `given` and `held` count keys, of what was loaded and of the module; `matched` those of the
    module that got other tensors than its own. `numbers` is what the module holds, `brought` what
    it got. `own` says that the rest of what was loaded were the module's own tensors, `filtered`
    that the program chose the keys by a condition, which is written at `filter`.

    With `strip` off the keys and `add` in front of them, within the value of the key `item`,
    `would` more numbers would match.
    """

    name: str
    kind: str
    location: SourceLocation | None
    given: int
    held: int
    matched: int
    numbers: int
    brought: int
    own: bool = False
    filtered: bool = False
    strip: str = ""
    add: str = ""
    item: str | None = None
    would: int = 0
    filter: SourceLocation | None = None


@dataclass(frozen=True, slots=True)
class LiveState(Fact):
    """A state dict of a trained module that was loaded back, and holds the module's own tensors.

    `location` is where it was taken, before step `taken`, else where it was loaded.
    """

    name: str
    kind: str
    location: SourceLocation | None
    loaded: SourceLocation | None
    taken: int | None
    step: int
    tensors: int
