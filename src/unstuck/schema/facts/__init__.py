"""Facts of a training program: what exists, not how it behaves. Numbers over time are signals.

One file a subject. A new fact is a dataclass in one of them that derives from `Fact`.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from unstuck.schema.facts.fact import Fact


@cache
def kinds() -> dict[str, type[Fact]]:
    """Every kind of fact, by the name under which it is written."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {
        kind.__name__.lower(): kind
        for module in modules for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Fact) and kind is not Fact
        and kind.__module__ == module.__name__
    }
