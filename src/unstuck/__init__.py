"""Find out why a PyTorch network is not learning: the cause, the line and the fix.

Names are loaded when first used: importing `unstuck` costs next to nothing and never loads torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unstuck.schema.version import VERSION

if TYPE_CHECKING:
    from unstuck.judge.engine import diagnose as diagnose
    from unstuck.record.reader import read_record as read_record
    from unstuck.report.explanations import explain as explain
    from unstuck.report.terminal import render as render
    from unstuck.watching import watch as watch

__version__ = VERSION
__all__ = ["__version__", "diagnose", "explain", "read_record", "render", "watch"]

_HOMES = {
    "diagnose": "unstuck.judge.engine",
    "explain": "unstuck.report.explanations",
    "read_record": "unstuck.record.reader",
    "render": "unstuck.report.terminal",
    "watch": "unstuck.watching",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: Any) -> None:
    """For `%load_ext unstuck` in a notebook: from then on `%%unstuck` watches a cell."""
    from unstuck import notebook

    notebook.load_ipython_extension(shell)


def __dir__() -> list[str]:
    return __all__
