"""The parent: starts the program as a child, passes signals on, and hands back what it left.

Knows nothing of torch. Judging and printing live in `cli`; the child's side is observe/program.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from unstuck.folders import Folder, holds
from unstuck.messages import Pipe
from unstuck.observe import program

_PR_SET_PDEATHSIG = 1
_FROM_TERMINAL = ("SIGINT", "SIGQUIT")  # the terminal sends them to the child as well
_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", *_FROM_TERMINAL)


class StartError(Exception):
    """The program could not be started; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to watch a run. `overhead` is the share of time that watching may cost.

    With `keep_state` the state of the training is kept beside the record now and then.
    """

    folder: Folder
    max_steps: int | None = None
    overhead: float = 0.03
    program_text: bool = True
    keep_state: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """How the child ended, and where its record is (None if there is none).

    `refused` says why the program was not started, `unwatched` why it ran unwatched; `failures` are
    sentences about what went wrong with the watching. `lost`: a record was begun, but is no more.
    """

    status: int
    signal: int | None = None
    record: Path | None = None
    refused: str | None = None
    unwatched: str | None = None
    failures: tuple[str, ...] = ()
    lost: bool = False
    debug: tuple[str, ...] = ()


# The child ---------------------------------------------------------------------------------------
def interpreter_flags() -> list[str]:
    """The flags that this interpreter was started with, for the child."""
    flags: list[str] = list(subprocess._args_from_interpreter_flags())  # type: ignore[attr-defined]
    # The helper leaves out -u, which no entry of sys.flags shows.
    if getattr(sys.__stdout__, "write_through", False) and "PYTHONUNBUFFERED" not in os.environ:
        flags.append("-u")
    return flags


def supervise(target: Sequence[str], options: RunOptions) -> RunResult:
    """Runs a program to its end in a watched child that shares our terminal.

    Args:
        target: a script and its arguments, or "-m", a module and its arguments.
        options: where the record goes, and how it is made.

    Raises:
        StartError: there is no child.
    """
    folder = options.folder
    token = uuid.uuid4().hex  # by which we know the record
    config = json.dumps({
        "record": token,
        "folder": os.path.abspath(folder.path),
        "max_steps": options.max_steps,
        "overhead": options.overhead,
        "program_text": options.program_text,
        "keep_state": options.keep_state,
    })
    pipe = Pipe()
    number = "" if pipe.number is None else str(pipe.number)
    command = [sys.executable, *interpreter_flags(), program.__file__, f"{number} {config}"]
    try:
        status = _run([*command, *target], pipe.started)
    except OSError as error:
        folder.discard()
        raise StartError(f"the program could not be started: {error.strerror}") from None
    told = pipe.read()
    there = holds(folder.path, token)
    if not there:
        folder.discard()
    folder.close()
    return RunResult(
        status=max(status, 0),
        signal=-status if status < 0 else None,
        record=folder.path if there else None,
        refused=next(iter(told.get(program.REFUSED, ())), None),
        unwatched=next(iter(told.get(program.UNWATCHED, ())), None),
        failures=tuple(told.get(program.FAILED, ())),
        lost=program.WATCHING in told and not there,
        debug=tuple(told.get(program.DEBUG, ())),
    )


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


def _run(command: list[str], started: Callable[[], None]) -> int:
    """Runs a command, passes signals on to it, and returns its status, -N for signal N."""
    noted: list[int] = []
    with _handlers(lambda number, _: noted.append(number)) as numbers:
        try:
            # Descriptors that we were given are the program's, as if it had been started alone.
            process = subprocess.Popen(command, close_fds=False, preexec_fn=_die_with_us())
        finally:
            started()
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


def _die_with_us() -> Callable[[], None] | None:
    """What lets the child be killed when we are, as a program alone would have been (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        if len(os.listdir("/proc/self/task")) > 1:  # who forks must be alone
            return None
        prctl, parent = ctypes.CDLL(None).prctl, os.getpid()
        # All that the child calls is made here: it must not fail, nor wait for anything.
        arguments = [ctypes.c_ulong(n) for n in (_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)]

        def ask() -> None:
            prctl(*arguments)
            if os.getppid() != parent:  # we have ended in the meantime
                os.kill(os.getpid(), signal.SIGKILL)

        return ask
    return None


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
    """The same where a signal's sender is unknown: for its keys, the terminal is assumed."""
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
        return f"nothing was recorded because the program ran unwatched ({result.unwatched})"
    if result.lost:
        return ("the record was removed or replaced while the program ran, so there is nothing to "
                "diagnose")
    if result.signal is not None:
        name = signal_name(result.signal)
        return f"the program was ended by {name} before it imported torch, so nothing was recorded"
    if result.status:
        return (
            f"the program exited with status {result.status} before it imported torch, so nothing "
            "was recorded; its own output above may say why"
        )
    return (
        "the program ended without importing torch, so there was nothing to watch (in processes "
        "that it starts, put `with unstuck.watch():` around the training)"
    )


def signal_name(number: int) -> str:
    """A signal's name, with what it often means."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name} (often because memory ran out)" if name == "SIGKILL" else name
