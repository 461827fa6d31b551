"""Dataclasses as plain JSON values, and back by their type hints."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin

NON_FINITE = ("nan", "inf", "-inf")
LARGEST_INTEGER = 2**63


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


def from_json(kind: Any, value: Any) -> Any:
    """The inverse of `to_json` for a type hint; raises ValueError or TypeError if it cannot be."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        options = [o for o in get_args(kind) if o is not type(None)]
        return None if value is None else from_json(options[0], value)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(f"expected a list for {kind}")
        (item, *_) = get_args(kind)
        return tuple(from_json(item, v) for v in value)
    if isinstance(kind, type) and is_dataclass(kind):
        if not isinstance(value, dict):
            raise TypeError(f"expected an object for {kind}")
        hints = _hints(kind)
        return kind(**{k: from_json(hints[k], v) for k, v in value.items() if k in hints})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if kind is float:
        return as_float(value)
    if kind in (int, str, bool) and type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, found {type(value).__name__}")
    if kind is int and not -LARGEST_INTEGER <= value < LARGEST_INTEGER:
        raise ValueError("an integer does not fit into 64 bits")
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    hints = typing.get_type_hints(kind)
    return {f.name: hints[f.name] for f in fields(kind)}


def as_float(value: Any) -> float:
    """The inverse of `plain`; raises TypeError, ValueError or OverflowError if it cannot be."""
    if type(value) is float:
        return value
    if isinstance(value, str) and value in NON_FINITE:
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, found {type(value).__name__}")
    return float(value)
