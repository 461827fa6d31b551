"""A training that a framework carries out, watched from where its fit begins to where it ends.

The adapters tell `Fit` of both; who owns the watching shows the report, once.
"""

from __future__ import annotations

import atexit
import contextlib
import sys
from pathlib import Path

from unstuck import launch
from unstuck.observe.session import AlreadyWatching, check_alone
from unstuck.watching import Watch, watch


class Fit:
    """Watches from `begin` to `end`, and then shows what was found on standard error.

    In a process that is watched already, by `unstuck run` for instance, it does nothing: the report
    is that of whoever watches. Under a launcher the process of rank 0 shows it.

    Args:
        out: folder for the record, made if missing; a temporary one by default. It takes the record
            of one fit.
        overhead: share of the time that looking closely may cost.
    """

    def __init__(self, out: str | Path | None = None, *, overhead: float = 0.03) -> None:
        self._out = out
        self._overhead = overhead
        self._watch: Watch | None = None

    @property
    def watch(self) -> Watch | None:
        """The watching that is under way."""
        return self._watch

    def begin(self) -> None:
        """A fit begins; told before its optimizer is built, if the framework lets us."""
        self.end()
        try:
            check_alone()
        except AlreadyWatching:
            return
        self._watch = watch(self._out, overhead=self._overhead).__enter__()
        atexit.register(self.end)  # a fit that raises tells nobody

    def end(self, error: BaseException | None = None) -> None:
        """The fit has ended, by an exception or not; later calls do nothing."""
        watching, self._watch = self._watch, None
        if watching is None:
            return
        atexit.unregister(self.end)
        watching.__exit__(type(error) if error else None, error, None)
        if not launch.rank():
            _show(watching.folder)


def _show(folder: Path) -> None:
    from unstuck.clean import put
    from unstuck.commands.judging import judged_with_diffs, show, sorry
    from unstuck.report import notebook
    from unstuck.report.terminal import render
    from unstuck.schema.facts.losses import Loss
    from unstuck.settings import Settings

    # Standard error is the program's: closed, None, or full.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        try:
            record, diagnosis = judged_with_diffs(folder, Settings())
            if notebook.shell() is not None and record.facts(Loss):
                render(diagnosis, run=str(folder))
                return
            show(record, diagnosis, sys.stderr, notes=False, quiet=False, run=str(folder))
        except Exception as error:
            put(f"unstuck: {sorry(error, folder)}", sys.stderr)
