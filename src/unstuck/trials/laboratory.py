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
from pathlib import Path
from typing import Any

from unstuck.folders import EVENTS, holds
from unstuck.questions import catalogue
from unstuck.questions.question import Answer
from unstuck.supervise import interpreter_flags
from unstuck.trials import server, view
from unstuck.trials.child import ANSWERS, CANCEL, QUIET
from unstuck.trials.executor import Executor
from unstuck.trials.trial import Ended, Limits, Subject, Trial

_LAST = 4_000  # bytes of a program's output that are kept


class LostServer(Exception):
    """The process that trials are forked from has ended; the message is a clause for a user."""


class Laboratory(Executor):
    """The server and what is running. `close` ends all of it.

    Another program of the same libraries may become the `subject` while nothing runs.
    """

    def __init__(self, subject: Subject, limits: Limits | None = None) -> None:
        self.subject = subject
        self.limits = limits or Limits()
        self.scratch = view.scratch_folder(covered(subject))
        self._running: dict[str, tuple[Trial, Path]] = {}
        self._told: dict[str, int] = {}  # pipes of those that were cancelled
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

    @property
    def running(self) -> int:
        """How many trials have been asked for and have not ended."""
        return len(self._running)

    @property
    def processors(self) -> int:
        """How many this machine has."""
        return os.cpu_count() or 1

    def submit(self, trial: Trial) -> None:
        """Starts a trial."""
        identity = uuid.uuid4().hex
        scratch = self.scratch / identity
        scratch.mkdir(mode=0o700)
        os.mkfifo(scratch / CANCEL, 0o600)
        self._running[identity] = trial, scratch
        subject, limits = self.subject, self.limits
        self._send({
            "id": identity, "record": identity, "scratch": str(scratch),
            "covered": covered(subject), "folder": os.path.realpath(subject.folder),
            "texts": dict(trial.texts), "working_folder": subject.working_folder,
            "network": limits.network, "copy": limits.copy,
            "terminal": limits.terminal,
            "target": list(subject.target), "answers": subject.answers, "shift": trial.shift,
            "max_steps": trial.max_steps, "state": trial.state and str(trial.state),
            "ask": trial.ask, "budget": trial.budget, "memory": limits.memory,
            "environment": dict(QUIET),
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

    def cancel(self, trial: Trial) -> None:
        """Ends a trial that runs; `next` will tell of it, with `cancelled`, unless it has ended."""
        for identity, (each, scratch) in self._running.items():
            if each is trial and identity not in self._told:
                descriptor = os.open(scratch / CANCEL, os.O_RDWR)
                self._told[identity] = descriptor  # what is written stays there while it is open
                os.write(descriptor, b"x")

    def close(self) -> None:
        """Ends everything; safe to call twice."""
        with contextlib.suppress(OSError):
            self._process.kill()  # whose end the kernel makes the end of all trials
        self._process.wait()
        for stream in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                stream.close()
        while self._told:
            os.close(self._told.popitem()[1])
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
        if answer["id"] in self._told:
            os.close(self._told.pop(answer["id"]))
        record = scratch / "record"
        output = ""
        with contextlib.suppress(OSError), (scratch / "output").open("rb") as file:
            file.seek(max(os.path.getsize(scratch / "output") - _LAST, 0))
            output = file.read().decode("utf-8", "replace")
        if answer["copied"]:  # the places in them are to be those of the user's own files
            for told in (record / EVENTS, scratch / ANSWERS):
                _moved_back(told, scratch / "copy", os.path.realpath(self.subject.folder))
        answers = _answers(scratch / ANSWERS)
        for layer in scratch.iterdir():  # checkpoints may be large
            if layer != record:
                view.remove(layer) if layer.is_dir() else layer.unlink()
        return Ended(
            trial, answer["status"], answer["signal"], answer["hung"],
            record if holds(record, answer["id"]) else None, output, answer["seconds"],
            answer["processor"], answer["no_view"], answer["copied"], answers,
            answer["cancelled"])


def _answers(file: Path) -> tuple[Answer, ...]:
    """The answers that were written before the trial ended."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return tuple(catalogue.answer_of(json.loads(line)) for line in lines)
    except (OSError, ValueError):
        return ()


def covered(subject: Subject) -> tuple[str, ...]:
    """The folders that a program may seem to write to."""
    return view.to_cover(os.path.realpath(subject.folder), subject.working_folder)


def _moved_back(file: Path, copy: Path, folder: str) -> None:
    with contextlib.suppress(OSError):
        old, new = (json.dumps(str(each))[1:-1].encode() for each in (copy, folder))
        file.write_bytes(file.read_bytes().replace(old, new))


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
