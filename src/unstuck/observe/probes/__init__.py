"""What is measured: a file for each probe, or for what probes share. No list names them."""

from __future__ import annotations

import importlib
import pkgutil

from unstuck.observe.probe import Probe


def kinds() -> tuple[type[Probe], ...]:
    """Every probe of this package, in the order of the files' names."""
    modules = [importlib.import_module(f"{__name__}.{found.name}")
               for found in pkgutil.iter_modules(__path__)]
    return tuple(
        thing for module in modules for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Probe)
        and thing.__module__ == module.__name__)
