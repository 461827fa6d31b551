"""`%load_ext unstuck` and `%%unstuck`: watches a cell of a notebook."""

from __future__ import annotations

from typing import Any

from unstuck.fitting import Fit


def load_ipython_extension(shell: Any) -> None:
    """Gives a shell of IPython the magic."""

    def watched(line: str, cell: str) -> None:
        """Runs the cell watched, and shows why what it trains does not learn."""
        fit = Fit(line.strip() or None)
        fit.begin()
        error: BaseException | None = None
        try:
            done = _run(shell, cell)
            error = done.error_in_exec or done.error_before_exec
        except BaseException as raised:
            error = raised
            raise
        finally:
            fit.end(error)

    shell.register_magic_function(watched, "cell", "unstuck")


def _run(shell: Any, cell: str) -> Any:
    """Runs a cell as the part of the one on screen that it is: with its number and its lines."""
    first = "" if cell.lstrip().startswith("%%") else "# %%unstuck\n"
    number, shell.execution_count = shell.execution_count, len(shell.user_ns["In"]) - 1
    try:
        return shell.run_cell(first + cell, store_history=False)
    finally:
        shell.execution_count = number
