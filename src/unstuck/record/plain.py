"""Dataclasses as plain JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any


def plain(number: float) -> float | str:
    """A number as JSON knows it: one that is not finite is spelled out."""
    return number if math.isfinite(number) else repr(number)


def to_json(value: Any) -> Any:
    """Dataclasses, enums, tuples and non-finite numbers as plain JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return plain(value)
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(v) for v in value]
    return value
