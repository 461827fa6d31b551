"""What a model was called with, as far as it is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unstuck.observe.samples.reservoir import Chunk


class Role(StrEnum):
    """What a forward pass from which nothing is learned runs over."""

    HELD_OUT = "held-out"
    SEEN = "seen"


@dataclass(slots=True)
class Batch:
    """What a model was called with: hashes of its samples, and the role if none learns from it."""

    hashes: tuple[float, ...]
    role: Role
    module: int = 0  # the model that met it, by its id
    chunk: Chunk | None = None  # copies of its samples, if they are kept
    scored: bool = False  # a loss was computed of it
