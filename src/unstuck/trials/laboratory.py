"""Runs trials: starts the server, asks for trials, hands back how they ended.

Used as a context manager; on every way out no process, mount or scratch folder is left.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from unstuck.folders import EVENTS, holds
from unstuck.questions import catalogue
from unstuck.questions.question import Answer
from unstuck.supervise import interpreter_flags
from unstuck.trials import server, view
from unstuck.trials.child import ANSWERS, QUIET

_LAST = 4_000  # bytes of a program's output that are kept


class LostServer(Exception):
    """The process that trials are forked from has ended; the message is a clause for a user."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The program that is tried: how it is started, where, and what it is told on its input.

    `folder` is that of its script or top package. `libraries` are modules to load beforehand, none
    of them the user's.
    """

    target: tuple[str, ...]
    working_folder: str
    folder: str
    answers: tuple[str, ...] | None = None
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a trial may use: seconds, bytes, the network, a terminal.

    `copy` does without the kernel's view.
    """

    seconds: float = 600.0
    memory: int | None = None
    network: bool = False
    copy: bool = False
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of the program: with these texts over its own, all seeds moved by `shift`.

    It is ended after so many `seconds`, those of the laboratory's limits if None. With `ask` it is
    not watched, but asked questions at its first steps, where it ends: no more after `budget`
    seconds.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    shift: int = 0
    max_steps: int | None = None
    seconds: float | None = None
    ask: bool = False
    budget: float = 60.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a trial ended: the program's status or signal, or that it was ended for taking too long.

    `record` is the folder of what was watched, None if nothing was. `no_view` says why nothing was
    run. `processor` are the seconds of processor time.
    """

    trial: Trial
    status: int | None
    signal: int | None
    hung: bool
    record: Path | None
    output: str
    seconds: float
    processor: float
    no_view: str | None = None
    copied: bool = False
    answers: tuple[Answer, ...] = ()

    @property
    def crashed(self) -> bool:
        """Whether it ended in any other way than by itself, with status 0."""
        return self.hung or self.signal is not None or bool(self.status)


class Laboratory:
    """The server and what is running. `close` ends all of it.

    Another program of the same libraries may become the `subject` while nothing runs.
    """

    def __init__(self, subject: Subject, limits: Limits | None = None) -> None:
        self.subject = subject
        self.limits = limits or Limits()
        self.scratch = view.scratch_folder(_covered(subject))
        self._running: dict[str, tuple[Trial, Path]] = {}
        self._buffer = b""
        flags = interpreter_flags()
        self._errors = self.scratch / "errors"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, *flags, server.__file__], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
                env={**os.environ, **QUIET, "UNSTUCK_DEBUG": ""})
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        try:
            self._send({"preload": list(subject.libraries)})
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def running(self) -> int:
        """How many trials have been asked for and have not ended."""
        return len(self._running)

    def submit(self, trial: Trial) -> None:
        """Starts a trial."""
        identity = uuid.uuid4().hex
        scratch = self.scratch / identity
        scratch.mkdir(mode=0o700)
        self._running[identity] = trial, scratch
        subject, limits = self.subject, self.limits
        self._send({
            "id": identity, "record": identity, "scratch": str(scratch),
            "covered": _covered(subject), "folder": os.path.realpath(subject.folder),
            "texts": dict(trial.texts), "working_folder": subject.working_folder,
            "network": limits.network, "copy": limits.copy,
            "terminal": limits.terminal,
            "target": list(subject.target), "answers": subject.answers, "shift": trial.shift,
            "max_steps": trial.max_steps, "ask": trial.ask, "budget": trial.budget,
            "memory": limits.memory, "environment": dict(QUIET),
            "timeout": limits.seconds if trial.seconds is None else trial.seconds,
        })

    def next(self, timeout: float | None = None) -> Ended | None:
        """The next trial that ends; None if none did in so many seconds.

        Raises:
            LostServer: none ever will.
        """
        while True:
            answer = self._receive(timeout)
            if answer is None:
                return None
            if "ready" not in answer:
                return self._ended(answer)

    def run(self, trials: Sequence[Trial], jobs: int = 1) -> list[Ended]:
        """Runs trials, so many at a time; in their order."""
        waiting, found = list(trials), {}
        while waiting or self._running:
            while waiting and len(self._running) < jobs:
                self.submit(waiting.pop(0))
            ended = self.next()
            assert ended is not None
            found[id(ended.trial)] = ended
        return [found[id(trial)] for trial in trials]

    def close(self) -> None:
        """Ends everything; safe to call twice."""
        with contextlib.suppress(OSError):
            self._process.kill()  # whose end the kernel makes the end of all trials
        self._process.wait()
        for stream in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                stream.close()
        _await_processes(self.scratch)
        with contextlib.suppress(OSError):
            view.remove(self.scratch)

    # The pipes -----------------------------------------------------------------------------------
    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._requests.write(json.dumps(message).encode() + b"\n")
            self._requests.flush()
        except OSError:
            raise LostServer("the process that trials start from has ended") from None

    def _receive(self, timeout: float | None) -> dict[str, Any] | None:
        descriptor = self._answers.fileno()
        while b"\n" not in self._buffer:
            if not select.select([descriptor], [], [], timeout)[0]:
                return None
            more = os.read(descriptor, 1 << 16)
            if not more:
                said = self._errors.read_text(errors="replace").strip().rpartition("\n")[2]
                raise LostServer("the process that trials start from has ended"
                                 + (f" ({said})" if said else ""))
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ended(self, answer: dict[str, Any]) -> Ended:
        trial, scratch = self._running.pop(answer["id"])
        record = scratch / "record"
        output = ""
        with contextlib.suppress(OSError), (scratch / "output").open("rb") as file:
            file.seek(max(os.path.getsize(scratch / "output") - _LAST, 0))
            output = file.read().decode("utf-8", "replace")
        answers = _answers(scratch / ANSWERS)
        if answer["copied"]:  # the places in it are to be those of the user's own files
            _moved_back(record, scratch / "copy", os.path.realpath(self.subject.folder))
        for layer in scratch.iterdir():  # checkpoints may be large
            if layer != record:
                view.remove(layer) if layer.is_dir() else layer.unlink()
        return Ended(
            trial, answer["status"], answer["signal"], answer["hung"],
            record if holds(record, answer["id"]) else None, output, answer["seconds"],
            answer["processor"], answer["no_view"], answer["copied"], answers)


def _answers(file: Path) -> tuple[Answer, ...]:
    """The answers that were written before the trial ended."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return tuple(catalogue.answer_of(json.loads(line)) for line in lines)
    except (OSError, ValueError):
        return ()


def _covered(subject: Subject) -> tuple[str, ...]:
    return view.to_cover(os.path.realpath(subject.folder), subject.working_folder)


def _moved_back(record: Path, copy: Path, folder: str) -> None:
    with contextlib.suppress(OSError):
        events = record / EVENTS
        text = events.read_bytes()
        old, new = (json.dumps(str(each))[1:-1].encode() for each in (copy, folder))
        events.write_bytes(text.replace(old, new))


def _await_processes(scratch: Path) -> None:
    """Removes the folder again until the kernel has ended all processes that wrote into it."""
    end = time.monotonic() + 5.0
    while time.monotonic() < end:
        try:
            view.remove(scratch)
        except OSError:
            time.sleep(0.01)
            continue
        if not scratch.exists():
            return
