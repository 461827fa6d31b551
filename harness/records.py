"""Runs programs of the corpus under watch, each once a session, and hands out their records.

They are watched by the whole schedule, which no clock thins: what is recorded depends on the
program alone. A program runs in a process forked from one that has torch loaded (a forkserver: a
fork of pytest itself would inherit its threads). Records are shared by the workers of pytest-xdist
and appear whole or not at all. Set UNSTUCK_TEST_RECORDS to a folder to keep them between sessions;
they are made anew when a program, the watcher, Python or torch changes.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from harness import apart, thinning

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 400.0  # seconds; the slowest program takes a twentieth on a free machine
STALE = 24 * 3600.0  # seconds after which another session's records are leftovers
SESSION = "UNSTUCK_TEST_SESSION"  # the folder that the workers of a session share


class ProgramFailed(Exception):
    """A program under watch left no record in time."""


def record_of(program: Path, function: str = "main", **options: Any) -> Path:
    """The folder of the record of `function` in `program`, which is run if it has not been yet.

    A program that trains at its top level has the function "".

    `options` are those of `unstuck.watch`: `max_steps`, `overhead`; and `keep`, which thins the
    looking (harness/thinning.py).

    An exception of the program's own is part of its record and raises nothing here.

    Raises:
        ProgramFailed: the watcher failed, or the program did not end in time.
    """
    found = _record_of(program, function, tuple(options.items()))
    if isinstance(found, str):
        raise ProgramFailed(found)
    return found


@cache  # a program that failed is not tried again for every test that asks
def _record_of(program: Path, function: str, options: tuple[tuple[str, Any], ...]) -> Path | str:
    how = "".join(f"-{name}-{value}" for name, value in options)
    name = f"{program.parent.name}-{program.stem}-{function}{how}-{_mark(program)}"
    folder = session() / name
    with _locked(folder.with_suffix(".lock")):
        if folder.exists():
            return folder / "record"
        # What a killed session left half done, or is still doing, is in nobody's way.
        making = Path(tempfile.mkdtemp(prefix="making-", dir=session()))
        failure = _run_apart(program, function, making, dict(options))
        if failure:
            shutil.rmtree(making, ignore_errors=True)
            return failure
        making.rename(folder)
    return folder / "record"


def masked(events: str) -> str:
    """The text of a record without what distinguishes one run, or one machine, from another."""
    events = re.sub(r'("record":")[0-9a-f]+"', rf'\g<1>{"0" * 32}"', events, count=1)
    for folder in (sys.prefix, str(ROOT)):
        events = events.replace(f"{folder}/", "")
    return events


def contents(events: str) -> tuple[list[Any], dict[str, list[Any]]]:
    """The events of a record, without the program's, and the rows of each curve together.

    At what times rows were written makes no difference, nor do the command line and the machine.
    """
    rows: dict[str, list[Any]] = {}
    others: list[Any] = []
    for line in events.splitlines():
        event = json.loads(line)
        if event["type"] == "step":
            rows.setdefault(f"{event['signal']} {event['track']}", []).extend(event["rows"])
        elif event.get("fact") != "program":
            others.append(event)
    return others, rows


# In this process ---------------------------------------------------------------------------------
@cache
def session() -> Path:
    """The folder of records, which outlives the session if UNSTUCK_TEST_RECORDS says so."""
    kept = os.environ.get("UNSTUCK_TEST_RECORDS")
    if kept:
        folder = Path(kept).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    if SESSION not in os.environ:
        _remove_leftovers()
        os.environ[SESSION] = tempfile.mkdtemp(prefix="unstuck-tests-")
        atexit.register(_remove, os.environ[SESSION], os.getpid())
    return Path(os.environ[SESSION])


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:  # in a forked child the session goes on
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers() -> None:
    """Removes what sessions left that were killed."""
    for old in Path(tempfile.gettempdir()).glob("unstuck-tests-*"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > STALE:
                shutil.rmtree(old, ignore_errors=True)


def _mark(program: Path) -> str:
    made_by = f"{apart.watcher()}{platform.python_version()}{version('torch')}"
    return hashlib.sha256(program.read_bytes() + made_by.encode()).hexdigest()[:12]


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # the system releases that of a process that was killed
        yield  # closing the file releases the lock


def _run_apart(program: Path, function: str, folder: Path, options: dict[str, Any]) -> str | None:
    """Runs a program in a process of its own; what went wrong."""
    process = apart.context().Process(
        target=run_here, args=(str(program), function, str(folder), options), name=program.stem)
    assert isinstance(process, ForkServerProcess)
    process.start()
    process.join(TIMEOUT)
    if process.is_alive():
        process.kill()
        process.join()
        return f"{program.name}:{function} did not end in {TIMEOUT:.0f} s"
    if not (folder / "record" / "events.jsonl").exists():
        output = folder / "output.txt"
        said = output.read_text(errors="replace")[-3000:] if output.exists() else "nothing"
        return f"{program.name}:{function} left no record; it said:\n{said}"
    return None


# In the child ------------------------------------------------------------------------------------
def run_here(
    program: str, function: str, folder: str, options: Mapping[str, Any] | None = None
) -> None:
    """Runs a program under watch in this process; for the child only."""
    apart.settle(folder, program)
    import torch

    import unstuck

    torch.set_num_threads(1)
    options = {"overhead": 1.0, **(options or {})}
    thinning.thin_looks(options.pop("keep", None))
    try:
        with unstuck.watch(out=Path(folder) / "record", **options):
            module = apart.loaded(Path(program))
            if function:
                getattr(module, function)()
    except Exception:
        traceback.print_exc()
