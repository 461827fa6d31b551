"""One object where several were meant: layers, state dicts, optimizers, networks."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.edits.edit import Edit
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class BuildEach(Edit):
    """A layer of its own for each place. `at` is the expression that repeats one layer."""

    at: SourceLocation | None

    def words(self) -> str:
        return "build a new layer for each place"

    def code(self) -> str:
        return "nn.ModuleList([nn.Linear(64, 64) for _ in range(4)])"
