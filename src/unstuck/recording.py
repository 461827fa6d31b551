"""Writes a record: a folder with events.jsonl, one typed line per event.

A record holds statistics only: no sample and no weight.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from unstuck.facts import End, Fact
from unstuck.plain import plain, to_json
from unstuck.signals import PlaceSignal, StepSignal

SCHEMA = 1
EVENTS = "events.jsonl"
FLUSH_SECONDS = 0.25

Rows = dict[tuple[str, str], list[tuple[int, float]]]


class RecordWriter:
    """Appends events to a record. Rows are buffered and written by time, facts at once.

    All methods may be called from any thread of the process that made the writer. After `close`
    they do nothing.
    """

    def __init__(self, folder: Path, version: str) -> None:
        """Starts a record in `folder`, which is made if it is missing.

        Raises:
            FileExistsError: the folder holds a record already.
            OSError: it cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        # A file name that is no UTF-8 comes as lone surrogates, which must not stop a record.
        self._file: IO[str] | None = (folder / EVENTS).open(
            "x", encoding="utf-8", errors="backslashreplace")
        self._rows: Rows = {}
        self._pending: list[str] = []
        self._flushed = 0.0
        self._write({"type": "header", "schema": SCHEMA, "version": version,
                     "record": uuid.uuid4().hex})
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
        self._rows.setdefault((signal.name, track), []).append((step, value))

    def sample(self, signal: PlaceSignal, step: int, places: Mapping[str, float]) -> None:
        """Adds the numbers of a sampled step, a place each."""
        if places:
            self._write({"type": "sample", "signal": signal.name, "step": step,
                         "places": {place: plain(value) for place, value in places.items()}})

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
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Hands everything to the operating system."""
        with self._lock:
            if self._file is None:
                return
            rows, self._rows = self._rows, {}
            for (name, track), values in rows.items():
                event = {"type": "step", "signal": name, "track": track,
                         "rows": [(step, plain(value)) for step, value in values]}
                self._pending.append(_line(event))
            pending, self._pending = self._pending, []
            if pending:
                self._file.write("".join(pending))
                self._file.flush()
            self._flushed = time.monotonic()

    def close(self) -> None:
        """Flushes and closes; safe to call twice."""
        with self._lock:
            self.flush()
            if self._file is not None:
                self._file.close()
                self._file = None

    def abandon(self) -> None:
        """Forgets what is held back and closes the file: for a forked child."""
        self._pending, self._rows = [], {}
        self._lock = threading.RLock()  # another thread may have held it at the fork
        self.close()

    def _write(self, event: dict[str, Any]) -> None:
        with self._lock:
            if self._file is not None:
                self._pending.append(_line(event))


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def _line(event: dict[str, Any]) -> str:
    return _encode(event) + "\n"
