"""A diagnosis in a notebook: one output, as it stands in a terminal; and what a cell is called."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

WIDTH = 100  # columns of the output


def shell() -> Any:
    """The notebook's shell that this process belongs to, None outside of one."""
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)
    found = get() if get is not None else None
    return found if getattr(found, "kernel", None) is not None else None


def cell(file: str) -> str | None:
    """What a notebook calls the cell with the code of `file`: "Cell In[3]"; None if it has none."""
    compiler = getattr(shell(), "compile", None)
    names = getattr(compiler, "format_code_name", None)
    found = names(file) if names is not None else None
    return " ".join(found) if found else None


def display(draw: Callable[..., None]) -> None:
    """Shows what `draw` writes to a file as one output, with its colours."""
    from IPython.display import HTML
    from IPython.display import display as show

    file = io.StringIO()
    draw(file=file)
    show(HTML(as_html(file.getvalue())))


def as_html(text: str) -> str:
    """What a terminal would show, with the codes of its colours, as HTML of one piece."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=io.StringIO(), record=True, force_jupyter=False, width=10 * WIDTH,
                      highlight=False)
    console.print(Text.from_ansi(text), soft_wrap=True)
    return console.export_html(inline_styles=True, code_format=(
        '<pre style="white-space: pre; overflow-x: auto; font-family: monospace">{code}</pre>'))
