"""Our own output, which may be impossible to write: a full disk, a closed stream, a closed pipe."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import IO

from unstuck.clean import put


class ClosedStream(io.TextIOBase):
    """Stands for a standard stream that is closed: nothing can be written there."""

    def write(self, text: str, /) -> int:
        """Fails as the system would."""
        raise OSError(errno.EBADF, "it is closed")


class UnwritableError(Exception):
    """Standard output could not be written; the message is one sentence for the user."""


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Around whatever a command prints on standard output.

    A reader that has seen enough (`| head`) ends it without a word.

    Raises:
        UnwritableError: it could not be written.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
    except OSError as error:
        silence(sys.stdout)
        raise UnwritableError(f"standard output could not be written: {error.strerror}") from None


def prepare() -> None:
    """Makes standard streams that every command can print to, whatever has become of them."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, ClosedStream())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what it cannot hold is spelled out


def complain(text: str) -> None:
    """Prints lines of ours on standard error, if that can be done; raises nothing."""
    try:
        put(f"unstuck: {text}", sys.stderr)
        sys.stderr.flush()
    except (OSError, ValueError):
        silence(sys.stderr)


def settle() -> None:
    """Writes what still waits, so that the interpreter's end has nothing to fail at."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            silence(stream)


def silence(stream: IO[str]) -> None:
    """Sends a stream that cannot be written, and all that waits in it, nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()
