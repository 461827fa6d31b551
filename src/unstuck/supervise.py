"""The parent: starts the program as a child, passes signals on, and hands back what it left.

Knows nothing of torch. Judging and printing live in `cli`; the child's side is observe/program.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from unstuck.observe import program

EVENTS = "events.jsonl"  # record.EVENTS, without its import of numpy before the program starts
KEPT = 50
_RECENT_SECONDS = 3600.0
_RUN_NAME = re.compile(r"\d{8}T\d{6}Z-.*-\d+(\.\d+)?")
_FROM_TERMINAL = ("SIGINT", "SIGQUIT")  # the terminal sends them to the child as well
_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", *_FROM_TERMINAL)


class UnusableFolderError(Exception):
    """The folder cannot take a record; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to watch a run. `overhead` is the share of time that watching may cost."""

    folder: Path
    max_steps: int | None = None
    overhead: float = 0.03
    program_text: bool = True


@dataclass(frozen=True, slots=True)
class RunResult:
    """How the child ended, and where its record is (None if it wrote none).

    `refused` says why the program was not started, `unwatched` why it ran unwatched.
    """

    status: int
    signal: int | None = None
    record: Path | None = None
    refused: str | None = None
    unwatched: str | None = None


# Where records go --------------------------------------------------------------------------------
def runs_folder() -> Path:
    """Where records go if nobody says otherwise."""
    import platformdirs

    return Path(platformdirs.user_state_dir("unstuck", appauthor=False)) / "runs"


def asked_folder(folder: Path) -> Path:
    """Makes the folder that the user asked for.

    Raises:
        UnusableFolderError: it holds a record already, or cannot be made or written.
    """
    if (folder / EVENTS).exists():
        raise UnusableFolderError(f"{folder} holds a record already: choose a new folder for --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if folder.is_file() else error.strerror
        raise UnusableFolderError(f"--out {folder} cannot be used: {reason}") from None
    if not os.access(folder, os.W_OK):
        raise UnusableFolderError(f"--out {folder} cannot be used: it is not writable")
    return folder


def new_folder(script: str, runs: Path | None = None, keep: int = KEPT) -> Path:
    """Makes a folder for one run and removes the oldest records beyond `keep`.

    Raises:
        UnusableFolderError: it cannot be made.
    """
    runs = runs_folder() if runs is None else runs
    stem = re.sub(r"[^\w.-]", "_", Path(script).stem if script.endswith(".py") else script)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"{stamp}-{Path(stem).name[:60]}-{os.getpid()}"
    try:
        runs.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_old(runs, keep - 1)
        for number in range(1000):
            folder = runs / (f"{name}.{number}" if number else name)
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                return folder
    except OSError as error:
        raise UnusableFolderError(
            f"no record can be kept in {runs} ({error.strerror}): name a folder with --out"
        ) from None
    raise UnusableFolderError(f"no record can be kept in {runs}: name a folder with --out")


def past_runs(runs: Path | None = None) -> list[Path]:
    """Folders of runs in the state folder, oldest first."""
    runs = runs_folder() if runs is None else runs
    if not runs.is_dir():
        return []
    return sorted(p for p in runs.iterdir() if _RUN_NAME.fullmatch(p.name) and p.is_dir())


def _forget_old(runs: Path, keep: int) -> None:
    folders = past_runs(runs)
    for folder in folders[: max(len(folders) - keep, 0)]:
        with contextlib.suppress(OSError):
            # One that was written a while ago may still belong to a long run.
            if time.time() - _last_write(folder) > _RECENT_SECONDS:
                shutil.rmtree(folder)


def _last_write(folder: Path) -> float:
    file = folder / EVENTS
    return (file if file.exists() else folder).stat().st_mtime


# The child ---------------------------------------------------------------------------------------
def interpreter_flags() -> list[str]:
    """The flags that this interpreter was started with, for the child."""
    flags: list[str] = list(subprocess._args_from_interpreter_flags())  # type: ignore[attr-defined]
    # The helper leaves out -u, which no entry of sys.flags tells.
    if getattr(sys.__stdout__, "write_through", False) and "PYTHONUNBUFFERED" not in os.environ:
        flags.append("-u")
    return flags


def supervise(target: Sequence[str], options: RunOptions) -> RunResult:
    """Runs a program to its end in a watched child that shares our terminal.

    Args:
        target: a script and its arguments, or "-m", a module and its arguments.
        options: where the record goes, and how it is made. The folder exists.
    """
    config = json.dumps({
        "folder": str(options.folder.resolve()),
        "max_steps": options.max_steps,
        "overhead": options.overhead,
        "program_text": options.program_text,
    })
    command = [sys.executable, *interpreter_flags(), program.__file__, config, *target]
    status = _run(command)
    result = RunResult(
        status=max(status, 0),
        signal=-status if status < 0 else None,
        record=options.folder if (options.folder / EVENTS).exists() else None,
        refused=_taken(options.folder / program.REFUSED),
        unwatched=_taken(options.folder / program.UNWATCHED),
    )
    if result.record is None:
        with contextlib.suppress(OSError):  # it may have been there before, with other files
            options.folder.rmdir()
    return result


def die_of(number: int) -> NoReturn:
    """Ends this process by the signal that ended the child, without a core of our own."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):  # SIGKILL's handler cannot be set
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    raise SystemExit(128 + number)  # a signal whose default is to be ignored


def _taken(file: Path) -> str | None:
    try:
        text = file.read_text(encoding="utf-8")
        file.unlink()
    except OSError:
        return None
    return text


def _run(command: list[str]) -> int:
    """Runs a command, passes signals on to it, and returns its status, -N for signal N."""
    noted: list[int] = []
    with _handlers(lambda number, _: noted.append(number)) as numbers:
        # Descriptors that we were given are the program's, as if it had been started alone.
        process = subprocess.Popen(command, close_fds=False)
        if hasattr(signal, "sigwaitinfo") and numbers:
            # Blocked only now: the child would inherit the block.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {*numbers, signal.SIGCHLD})
            try:
                _relay(process, numbers, noted)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        else:
            _poll(process, noted)
    return process.returncode


def _relay(process: subprocess.Popen[bytes], numbers: set[int], noted: list[int]) -> None:
    """Waits for the child and passes on each signal that was sent to us alone."""
    kernel = 0x80  # si_code SI_KERNEL: a key on the terminal, sent to our whole group
    for number in noted:
        if number != signal.SIGINT:
            _pass_on(process, number)
    while process.poll() is None:
        info = signal.sigwaitinfo({*numbers, signal.SIGCHLD})
        if info.si_signo == signal.SIGCHLD or info.si_code == kernel:
            continue
        _pass_on(process, info.si_signo)


def _poll(process: subprocess.Popen[bytes], noted: list[int]) -> None:
    """The same where a signal's sender cannot be told: the terminal is assumed for its keys."""
    keys = {getattr(signal, name, None) for name in _FROM_TERMINAL}
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(timeout=0.2)
        while noted:
            number = noted.pop(0)
            if number not in keys or not _at_terminal():
                _pass_on(process, number)


def _at_terminal() -> bool:
    if os.name == "nt":
        return True  # Ctrl-C goes to every process of the console
    try:
        with open("/dev/tty", "rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _pass_on(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(OSError):
        process.send_signal(number)


@contextlib.contextmanager
def _handlers(note: Callable[[int, FrameType | None], Any]) -> Iterator[set[int]]:
    """Has `note` called for each signal that we pass on; those ignored stay ignored (nohup)."""
    before: dict[int, Any] = {}
    try:
        for name in (*_PASSED_ON, "SIGCHLD"):
            number = getattr(signal, name, None)
            ours = name == "SIGCHLD"  # to be woken; where it is ignored, statuses are lost
            if number is None or (signal.getsignal(number) is signal.SIG_IGN and not ours):
                continue
            with contextlib.suppress(ValueError, OSError):  # not in the main thread
                before[number] = signal.signal(number, (lambda *_: None) if ours else note)
        yield set(before) - {getattr(signal, "SIGCHLD", None)}
    finally:
        for number, handler in before.items():
            with contextlib.suppress(ValueError, OSError, TypeError):
                signal.signal(number, handler)


# What to say --------------------------------------------------------------------------------------
def nothing_recorded(result: RunResult) -> str:
    """Why a program left no record, in a sentence."""
    if result.unwatched is not None:
        return f"nothing was recorded, for the program ran unwatched ({result.unwatched})"
    if result.signal is not None:
        name = signal_name(result.signal)
        return f"the program was ended by {name} before it imported torch: nothing was recorded"
    if result.status:
        return (
            f"the program ended with status {result.status} before it imported torch: nothing was "
            "recorded, and its own message above says why"
        )
    return (
        "the program ended without importing torch, so there was nothing to watch (processes that "
        "it starts are not watched)"
    )


def signal_name(number: int) -> str:
    """A signal's name, with what it often means."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name} (often: out of memory)" if name == "SIGKILL" else name
