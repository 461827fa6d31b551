"""The options of an optimizer, as literals of Python."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch.optim.optimizer import Optimizer

from unstuck.observe.tensors import is_plain
from unstuck.schema.facts.optimizers import Group, Option

MOST_GROUPS = 64
MOST_OPTIONS = 64
LONGEST = 200  # characters of a value
_DERIVED = frozenset({"params", "initial_lr", "param_names", "decoupled_weight_decay"})


def options_of(optimizer: Optimizer) -> tuple[Option, ...]:
    """What an optimizer was constructed with, by the names of its arguments."""
    defaults = getattr(optimizer, "defaults", None)
    return _options(defaults) if isinstance(defaults, dict) else ()


def groups_of(optimizer: Optimizer) -> tuple[Group, ...]:
    """The parameter groups of an optimizer with their values as they are now."""
    return tuple(Group(len(group["params"]), _options(group))
                 for group in optimizer.param_groups[:MOST_GROUPS])


def _options(values: Mapping[str, Any]) -> tuple[Option, ...]:
    found = []
    for name, value in list(values.items())[:MOST_OPTIONS]:
        text = _literal(value) if isinstance(name, str) and name not in _DERIVED else None
        if text is not None and len(text) <= LONGEST:
            found.append(Option(name, text))
    return tuple(found)


def _literal(value: Any) -> str | None:
    """A value as one would type it; None for what is no number, text, or tuple of them."""
    if is_plain(value) and value.numel() == 1 and value.is_cpu:
        value = value.item()
    if value is None or type(value) in (bool, int, str):
        return repr(value)
    if isinstance(value, int | float):  # numbers of numpy too
        number = float(value)
        return repr(number) if math.isfinite(number) else f'float("{number}")'
    if type(value) in (tuple, list):
        parts = [_literal(part) for part in value[:MOST_OPTIONS]]
        if all(part is not None for part in parts):
            inside = ", ".join(part or "" for part in parts)
            return f"({inside},)" if len(parts) == 1 else f"({inside})"
    return None
