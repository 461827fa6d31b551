"""The vocabulary of measurements: every signal that a probe may write and a cause may read.

Each file of this package is a subject; no list names them.
"""

from __future__ import annotations

import importlib
import pkgutil

from unstuck.schema.quantities import Signal

ALL: tuple[Signal, ...] = tuple(
    value
    for module in sorted(found.name for found in pkgutil.iter_modules(__path__))
    for value in vars(importlib.import_module(f"{__name__}.{module}")).values()
    if isinstance(value, Signal)
)
BY_NAME: dict[str, Signal] = {signal.name: signal for signal in ALL}
