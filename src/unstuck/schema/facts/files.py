"""The text of the program as it ran, and what it read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from unstuck.schema.facts.fact import Fact


@dataclass(frozen=True, slots=True)
class UserFile(Fact):
    """A file of the program's own code that ran: the script, and modules that it imported.

    `name` is its path. `module` is the name by which it was imported, "__main__" for the script.
    """

    of_process: ClassVar[bool] = True

    name: str
    module: str
    digest: str  # SHA-256 of its bytes, in hexadecimal digits
    size: int  # in bytes


@dataclass(frozen=True, slots=True)
class Answers(Fact):
    """What `input()` gave the program, in order. Left out if the program's text is not wanted."""

    of_process: ClassVar[bool] = True

    lines: tuple[str, ...]
    whole: bool = True  # these are all
