"""Writes a record: a folder with events.jsonl, one typed line per event.

A record holds statistics only: no sample and no weight.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from unstuck.record.plain import plain, to_json
from unstuck.record.schedule import LIMITS
from unstuck.record.thinning import EXACT, Rows, Thinner
from unstuck.schema.facts.fact import Fact
from unstuck.schema.facts.run import End
from unstuck.schema.quantities import PlaceSignal, StepSignal

SCHEMA = 1
EVENTS = "events.jsonl"
FLUSH_SECONDS = 0.25
MOST_PENDING = 1_000  # events that wait for a flush
HEAD = 200  # bytes of the header that distinguish a record from another
HIGH = 200  # a descriptor beyond those that a program usually has


class RecordWriter:
    """Appends events to a record. Rows are buffered and written by time, facts at once.

    All methods may be called from any thread of the process that made the writer. After `close`
    they do nothing.
    """

    def __init__(self, folder: Path, version: str, record: str | None = None) -> None:
        """Starts a record in `folder`, which is made if it is missing; `record` is its id.

        Raises:
            FileExistsError: the folder holds a record already.
            OSError: it cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._file: _File | None = _File(folder / EVENTS)
        self._unwritten = b""
        self._training = 0  # that what comes is about
        self._rows: dict[tuple[str, str], Rows] = {}
        self._thinners: dict[tuple[str, str], Thinner] = {}
        self._others: dict[int, tuple[dict[tuple[str, str], Rows],
                                      dict[tuple[str, str], Thinner]]] = {}
        self._pending: list[str] = []
        self.due = 0.0  # the time of the next flush
        self._write({"type": "header", "schema": SCHEMA, "version": version,
                     "record": record or uuid.uuid4().hex, "exact": EXACT,
                     "limits": to_json(LIMITS)})
        self.flush()

    def fact(self, fact: Fact, step: int) -> None:
        """Writes a fact. A later fact of the same kind and name replaces an earlier one."""
        self._write({"type": "fact", "fact": type(fact).__name__.lower(), "step": step,
                     "data": to_json(fact)})

    def row(self, signal: StepSignal, step: int, value: float, track: str = "") -> None:
        """Adds one number of a signal that is known at every step.

        `track` keeps apart what must not be joined into one curve: the losses of two phases, or of
        a generator and its discriminator.
        """
        self.rows(signal, track).append((step, value))

    def rows(self, signal: StepSignal, track: str = "") -> Rows:
        """Where the rows of a signal wait for the next flush: appending a pair adds a row."""
        return self._rows.setdefault((signal.name, track), [])

    def sample(self, signal: PlaceSignal, step: int, places: Mapping[str, float]) -> None:
        """Adds the numbers of a sampled step, a place each."""
        if places:
            self._write({"type": "sample", "signal": signal.name, "step": step,
                         "places": {place: plain(value) for place, value in places.items()}})

    def training(self, number: int, begun: int) -> None:
        """What comes from now on is about the training of this number, in steps of its own.

        A process begins with training 0. `begun` is the number of steps before the training.
        """
        if number != self._training:
            with self._lock:
                self.flush()
                self._others[self._training] = self._rows, self._thinners
                self._rows, self._thinners = self._others.pop(number, ({}, {}))
                self._training = number
                self._write({"type": "training", "number": number, "begun": begun})

    def training_over(self) -> None:
        """Nothing more comes about this training."""
        with self._lock:
            self.flush()
            self._write_last_rows()
            self._rows, self._thinners = {}, {}

    def no_training(self, *numbers: int) -> None:
        """What came, or will come, about these trainings is to be left out: they are none."""
        self._write({"type": "no-training", "numbers": numbers})
        for number in numbers:
            self._others.pop(number, None)

    def odd(self, what: str, step: int, says: str) -> None:
        """Notes something that limits what can be known, in one sentence, and flushes."""
        self._write({"type": "odd", "what": what, "step": step, "says": says})
        self.flush()

    def end(self, end: End, step: int) -> None:
        """Writes how the run ended and flushes."""
        self.fact(end, step)
        self.flush()

    def tick(self) -> None:
        """Flushes if the last flush is long enough ago."""
        if time.monotonic() > self.due:
            self.flush()

    def flush(self) -> None:
        """Hands everything to the operating system."""
        with self._lock:
            if self._file is None:
                return
            for (name, track), waiting in list(self._rows.items()):
                values = waiting[:]
                del waiting[:len(values)]  # another thread may have added some by now
                thinner = self._thinners.setdefault((name, track), Thinner())
                self._write_rows(name, track, thinner.take(values))
            pending, self._pending = self._pending, []
            # A file name that is not UTF-8 comes as lone surrogates, which must not stop a record.
            self._unwritten += "".join(pending).encode(errors="backslashreplace")
            # What a signal handler of the program interrupts here is written the next time.
            while self._unwritten:
                self._unwritten = self._unwritten[self._file.write(self._unwritten):]
            self.due = time.monotonic() + FLUSH_SECONDS

    def _write_rows(self, name: str, track: str, values: Rows) -> None:
        if values:
            self._pending.append(_line({
                "type": "step", "signal": name, "track": track,
                "rows": [(step, plain(value)) for step, value in values]}))

    def _write_last_rows(self) -> None:
        for (name, track), thinner in self._thinners.items():
            self._write_rows(name, track, thinner.rest())

    def close(self) -> None:
        """Flushes and closes; safe to call twice."""
        with self._lock:
            try:
                self.flush()
                self._write_last_rows()
                self.flush()
            finally:
                if self._file is not None:
                    self._file.close()
                    self._file = None

    def abandon(self) -> None:
        """Forgets what is held back and closes the file: for a forked child."""
        self._pending, self._rows, self._unwritten = [], {}, b""
        self._thinners, self._others = {}, {}
        self._lock = threading.RLock()  # another thread may have held it at the fork
        self.close()

    def _write(self, event: dict[str, Any]) -> None:
        with self._lock:
            if self._file is not None:
                self._pending.append(_line(event))
                if len(self._pending) >= MOST_PENDING:
                    self.flush()


class _File:
    """A new file that only its owner may read; its descriptor is distinguished from a later one.

    A program that becomes a daemon closes every descriptor, ours as well. The next file that it
    opens may get the same number, and must not be written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()  # the program may change its folder
        self._descriptor = _opened(path, os.O_CREAT | os.O_EXCL)
        self._identity = self._now()
        self._head = b""  # of what was written
        self._size = 0

    def _now(self) -> tuple[int, int]:
        status = os.fstat(self._descriptor)
        return status.st_dev, status.st_ino

    def write(self, data: bytes) -> int:
        """Writes and says how many bytes; raises OSError."""
        if not self._is_ours():
            self._reopen()
        written = os.write(self._descriptor, data)
        self._head = self._head or data[:HEAD]
        self._size += written
        return written

    def _reopen(self) -> None:
        descriptor = _opened(self._path)
        # A new file may have got the identity of one that was removed.
        if os.fstat(descriptor).st_size != self._size or (
            os.pread(descriptor, len(self._head), 0) != self._head
        ):
            os.close(descriptor)
            raise OSError("the program closed or replaced the file of the record")
        self._descriptor = descriptor
        self._identity = self._now()

    def close(self) -> None:
        """Closes the file unless the program has done so."""
        with suppress(OSError):
            if self._is_ours():
                os.close(self._descriptor)

    def _is_ours(self) -> bool:
        try:
            return self._now() == self._identity
        except OSError:  # nothing has the number at the moment
            return False


def _opened(path: Path, more: int = 0) -> int:
    """A descriptor to append to a file by; OSError if there is none or it is a link."""
    flags = os.O_RDWR | os.O_APPEND | more
    for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY", "O_NONBLOCK"):
        flags |= getattr(os, name, 0)
    return _out_of_the_way(os.open(path, flags, 0o600))


def _out_of_the_way(descriptor: int) -> int:
    """The same file under a high number, so that the program's own get theirs as ever."""
    try:
        import fcntl

        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, HIGH)
    except (ImportError, OSError):
        return descriptor
    os.close(descriptor)
    return high


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def _line(event: dict[str, Any]) -> str:
    return _encode(event) + "\n"
