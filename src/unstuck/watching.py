"""`with unstuck.watch()`: watches a block of code and judges what was seen."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from unstuck import folders
from unstuck.clean import clean, put
from unstuck.observe.failure import sentence
from unstuck.observe.session import AlreadyWatching, Options, Session, check_alone, end_of

if TYPE_CHECKING:
    from unstuck.schema.findings import Diagnosis


@dataclass
class Watch:
    """A watching around a block of code; `folder` holds its record.

    Example:
        with unstuck.watch() as watch:
            train(model)
        watch.diagnose()
    """

    folder: Path
    overhead: float = 0.03
    max_steps: int | None = None
    _session: Session | None = field(default=None, repr=False)
    _said: list[str] = field(default_factory=list, repr=False)

    def __enter__(self) -> Watch:
        # In a notebook there is no script, and what argv names is the kernel.
        script = getattr(sys.modules.get("__main__"), "__file__", None)
        program = os.path.dirname(os.path.abspath(script)) if script else None
        try:
            check_alone()
            claimed = folders.asked(self.folder)
            self.folder = claimed.path  # that of our rank, under a launcher
            try:
                self._session = Session.start(Options(
                    self.folder, self.max_steps, self.overhead, argv=tuple(sys.argv),
                    program_folder=program, say=self._said.append))
            finally:
                claimed.close()
                if self._session is None:
                    claimed.discard()
        except AlreadyWatching as error:
            self._said.append(f"{error}, so this block becomes part of that record")
            self._print()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        from unstuck.observe.stop import StopTraining

        if self._session is not None:
            try:
                self._session.finish(end_of(error, self._session.sites))
            except Exception as failure:
                self._said.append("how the block ended was not recorded because of an error in "
                                  f"unstuck ({sentence(failure)})")
        self._print()
        return isinstance(error, StopTraining)

    def _print(self) -> None:
        """Says on standard error what there is to say, if that can be written to."""
        said, self._said[:] = self._said[:], []
        try:
            for says in said:
                put(clean(f"unstuck: {says}"), sys.stderr)
        except Exception:  # it is the program's: closed, None, full, or an object of its own
            return

    def diagnose(self, **options: Any) -> Diagnosis:
        """Judges what was seen, during the block or after it.

        Keyword arguments are those of `unstuck.diagnose`.
        """
        from unstuck.judge.engine import diagnose

        if self._session is not None:
            self._session._watcher.writer.flush()
        return diagnose(self.folder, **options)


def watch(
    out: str | Path | None = None, *, overhead: float = 0.03, max_steps: int | None = None
) -> Watch:
    """Watches the training inside a `with` block.

    Args:
        out: folder for the record, made if missing; a temporary one by default. Under a launcher
            each rank has a folder of its own in it.
        overhead: share of the block's time that looking closely may cost.
        max_steps: leave the block after so many optimizer steps.
    """
    folder = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="unstuck-"))
    return Watch(folder, overhead, max_steps)
