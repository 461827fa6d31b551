"""Starts processes for tests: each in a session of its own, with nothing to read, and with a limit.

When its time is up, or its test over, a process is killed together with all that it started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

LIMIT = 300.0  # seconds; on a free machine each takes a few


def run(
    command: Sequence[Any], *, timeout: float = LIMIT, input: str | bytes | None = None,
    capture_output: bool = False, check: bool = False, **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """subprocess.run, with a limit in any case, after which nothing that it started goes on."""
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input is not None:
        options["stdin"] = subprocess.PIPE
    with started(command, limit=2 * timeout, **options) as process:
        try:
            output, errors = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            kill(process)
            output, errors = process.communicate()  # what it printed so far comes with the error
            raise subprocess.TimeoutExpired(command, timeout, output, errors) from None
    done = subprocess.CompletedProcess(command, process.returncode, output, errors)
    if check:
        done.check_returncode()
    return done


@contextmanager
def started(
    command: Sequence[Any], *, limit: float = LIMIT, **options: Any
) -> Iterator[subprocess.Popen[Any]]:
    """A process that has started; waiting for what it prints ends when its time is up."""
    options = {"stdin": subprocess.DEVNULL, "start_new_session": True} | options
    with subprocess.Popen(command, **options) as process:
        watch = threading.Timer(limit, kill, [process])
        watch.daemon = True
        watch.start()
        try:
            yield process
        finally:
            watch.cancel()
            kill(process)


def kill(process: subprocess.Popen[Any]) -> None:
    """Kills a process that leads its session, and its group if it has ended already."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
