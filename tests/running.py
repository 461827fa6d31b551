"""Runs cases and zoo programs under watch, each once a session, and hands out their records.

A program runs in a process forked from one that has torch loaded (a forkserver: a fork of pytest
itself would inherit its threads). Records are shared by the workers of pytest-xdist. Set
UNSTUCK_TEST_RECORDS to a folder to keep them between sessions; they are made anew when a program
or the watcher changes.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from benchmarks import apart

ROOT = Path(__file__).resolve().parent.parent
CASES = tuple(sorted((ROOT / "cases").glob("[!_]*.py")))
VARIANTS = tuple(sorted((ROOT / "variants").glob("[!_]*.py")))
ZOO = tuple(sorted((ROOT / "zoo").glob("[!_]*.py")))
TIMEOUT = 240.0  # seconds; the slowest program takes a tenth on a free machine
STALE = 24 * 3600.0  # seconds after which another session's records are leftovers


class ProgramFailed(Exception):
    """A program under watch left no record in time."""


def record_of(program: Path, function: str = "main", **options: float) -> Path:
    """The folder of the record of `function` in `program`, which is run if it has not been yet.

    `options` are those of `unstuck.watch`: `max_steps`, `overhead`.

    An exception of the program's own is part of its record and raises nothing here.

    Raises:
        ProgramFailed: the watcher failed, or the program did not end in time.
    """
    how = "".join(f"-{name}-{value}" for name, value in options.items())
    name = f"{program.parent.name}-{program.stem}-{function}{how}-{_mark(program)}"
    folder = _session() / name
    with _locked(folder.with_suffix(".lock")):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            _run_apart(program, function, folder, options)
            (folder / "done").touch()
    return folder / "record"


def output_of(program: Path, function: str = "main") -> str:
    """What the program printed."""
    return (record_of(program, function).parent / "output.txt").read_text(errors="replace")


# In this process ---------------------------------------------------------------------------------
@cache
def _session() -> Path:
    kept = os.environ.get("UNSTUCK_TEST_RECORDS")
    if kept:
        folder = Path(kept)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    base = Path(tempfile.gettempdir())
    for old in base.glob("unstuck-tests-*"):
        if time.time() - old.stat().st_mtime > STALE:
            shutil.rmtree(old, ignore_errors=True)
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    folder = base / f"unstuck-tests-{run or os.getpid()}"
    folder.mkdir(exist_ok=True)
    if run is None:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _mark(program: Path) -> str:
    return hashlib.sha256(program.read_bytes() + apart.watcher().encode()).hexdigest()[:12]


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield  # closing the file releases the lock


def _run_apart(program: Path, function: str, folder: Path, options: dict[str, float]) -> None:
    process = apart.context().Process(
        target=run_here, args=(str(program), function, str(folder), options), name=program.stem)
    assert isinstance(process, ForkServerProcess)
    process.start()
    process.join(TIMEOUT)
    if process.is_alive():
        process.kill()
        process.join()
        raise ProgramFailed(f"{program.name}:{function} did not end in {TIMEOUT:.0f} s")
    if not (folder / "record" / "events.jsonl").exists():
        said = (folder / "output.txt").read_text(errors="replace")[-3000:]
        raise ProgramFailed(f"{program.name}:{function} left no record:\n{said}")


# In the child ------------------------------------------------------------------------------------
def run_here(
    program: str, function: str, folder: str, options: Mapping[str, float] | None = None
) -> None:
    """Runs a program under watch in this process; for the child only."""
    apart.settle(folder, program)
    import torch

    import unstuck

    torch.set_num_threads(1)
    try:
        with unstuck.watch(out=Path(folder) / "record", **(options or {})):  # type: ignore[arg-type]
            spec = importlib.util.spec_from_file_location(f"program_{Path(program).stem}", program)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = module
            spec.loader.exec_module(module)
            getattr(module, function)()
    except Exception:
        traceback.print_exc()
