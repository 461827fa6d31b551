"""Find out why a PyTorch network is not learning: the cause, the line and the fix.

Names are loaded when first used: importing `unstuck` costs next to nothing and never loads torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unstuck.diagnosis import diagnose as diagnose
    from unstuck.observe.session import watch as watch
    from unstuck.record import read_record as read_record
    from unstuck.report.terminal import explain as explain
    from unstuck.report.terminal import render as render

__version__ = "0.1.0"
__all__ = ["__version__", "diagnose", "explain", "read_record", "render", "watch"]

_HOMES = {
    "diagnose": "unstuck.diagnosis",
    "explain": "unstuck.report.terminal",
    "read_record": "unstuck.record",
    "render": "unstuck.report.terminal",
    "watch": "unstuck.observe.session",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
