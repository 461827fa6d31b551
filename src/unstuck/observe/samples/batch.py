"""What a model was called with, as far as it is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from unstuck.observe.samples.reservoir import Chunk
from unstuck.observe.tensors import is_plain


class Role(StrEnum):
    """What a forward pass from which nothing is learned runs over."""

    HELD_OUT = "held-out"
    SEEN = "seen"


@dataclass(slots=True, weakref_slot=True)
class Batch:
    """What a model was called with: hashes of its samples, and the role if none learns from it."""

    hashes: tuple[float, ...]
    role: Role
    module: int = 0  # the model that met it, by its id
    chunk: Chunk | None = None  # copies of its samples, if they are kept
    scored: bool = False  # a loss was computed of it


def samples_of(args: Any) -> int:
    """How many samples a loss is about that was called with these arguments."""
    target = args[1] if len(args) > 1 else None
    return target.shape[0] if is_plain(target) and target.ndim else 1
