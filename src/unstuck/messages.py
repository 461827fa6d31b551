"""What the watched child reports to its parent: short lines in a pipe, read when it has ended.

The child's side is in observe/program.py, which may import nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence

from unstuck.clean import clean
from unstuck.observe import program

KINDS = frozenset((program.WATCHING, program.REFUSED, program.UNWATCHED, program.FAILED,
                   program.DEBUG))
_MOST = 1 << 16  # bytes that are read; a pipe holds no more
_HIGHEST = 4096  # descriptors from here on would cost memory in the system

Messages = Mapping[str, Sequence[str]]


class Pipe:
    """The parent's half. `number` is the descriptor that the child writes to; None without one.

    It is high, so that files which the program opens have the numbers that they would have had.
    """

    def __init__(self) -> None:
        self._reading: int | None = None
        self.number: int | None = None
        if os.name != "posix":  # descriptors are not inherited there
            return
        import fcntl
        import resource

        with contextlib.suppress(OSError, ValueError):
            limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            high = _HIGHEST if limit < 0 else min(limit, _HIGHEST)
            self._reading, writing = os.pipe()
            try:
                os.set_blocking(self._reading, False)
                os.set_blocking(writing, False)
                # Unlike the original, the copy is inherited.
                self.number = fcntl.fcntl(writing, fcntl.F_DUPFD, max(high - 16, 0))
            finally:
                os.close(writing)

    def started(self) -> None:
        """The child has its copy of the writing end; ours is closed."""
        if self.number is not None:
            os.close(self.number)

    def read(self) -> Messages:
        """What the child has written; closes the pipe. Others may hold it open, and write junk."""
        found: dict[str, list[str]] = defaultdict(list)
        if self._reading is None:
            return found
        data = b""
        with contextlib.suppress(OSError):  # there is no more
            while len(data) < _MOST and (more := os.read(self._reading, _MOST - len(data))):
                data += more
        os.close(self._reading)
        self._reading = None
        for line in data.split(b"\n")[:-1]:
            kind, _, text = line.decode("utf-8", "replace").partition(" ")
            if kind in KINDS:
                found[kind].append(_plain(text, kind == program.DEBUG))
        return found


def _plain(text: str, several_lines: bool) -> str:
    """Text that cannot command a terminal."""
    lines = text.split("\v")  # which stands for the end of a line
    return ("\n" if several_lines else " ").join(clean(line, None) for line in lines)
