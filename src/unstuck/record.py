"""Writes and reads a record: a folder with events.jsonl, one typed line per event.

Nothing else is ever judged. A record holds statistics only: no sample and no weight.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import typing
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from unstuck import facts
from unstuck.facts import End, EndKind, Fact
from unstuck.plain import from_json, plain, to_json
from unstuck.signals import BY_NAME, PlaceSignal, Signal, StepSignal

SCHEMA = 1
EVENTS = "events.jsonl"
FLUSH_SECONDS = 0.25

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Rows = dict[tuple[str, str], list[tuple[int, float]]]

FACT_TYPES: dict[str, type] = {
    kind.__name__.lower(): kind
    for kind in (
        facts.Program, facts.Model, facts.Optimizer, facts.Loss, facts.Backward,
        facts.Clipping, facts.Clearing, facts.RetainedGraph, facts.Ascent, facts.Loader,
        facts.ModeSwitch, facts.HeldOutPass, facts.Initialisation, facts.Activation,
        facts.Scheduler, facts.Unregistered, facts.Freezing, facts.Cut, facts.Fetch,
        facts.NonFinite, facts.End, facts.Kept,
    )
}


class UnusableRecord(Exception):
    """The record cannot be read; the message is one sentence for the user."""


class NotMeasured(Exception):
    """The record holds no such signal."""

    def __init__(self, signal: Signal) -> None:
        super().__init__(f"{signal.name} was not measured")
        self.signal = signal


@dataclass(frozen=True, slots=True)
class Series:
    """A signal over steps: `steps` and `values` have shape (n,). Values may be non-finite."""

    steps: Integers
    values: Floats

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def finite(self) -> Series:
        """The finite part; may be empty."""
        keep = np.isfinite(self.values)
        return Series(self.steps[keep], self.values[keep])

    def since(self, step: int) -> Series:
        """The part from `step` on; may be empty."""
        keep = self.steps >= step
        return Series(self.steps[keep], self.values[keep])


PlaceSeries = Mapping[str, Series]


# Writing -----------------------------------------------------------------------------------------
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


# Reading -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that limited the watching."""

    what: str
    step: int
    says: str


@dataclass(slots=True)
class Record:
    """What was seen of one run. Facts are attributes; signals are read with `series`."""

    id: str
    version: str
    program: facts.Program | None = None
    models: tuple[facts.Model, ...] = ()
    optimizers: tuple[facts.Optimizer, ...] = ()
    losses: tuple[facts.Loss, ...] = ()
    backwards: tuple[facts.Backward, ...] = ()
    clippings: tuple[facts.Clipping, ...] = ()
    clearings: tuple[facts.Clearing, ...] = ()
    retained_graphs: tuple[facts.RetainedGraph, ...] = ()
    ascents: tuple[facts.Ascent, ...] = ()
    loaders: tuple[facts.Loader, ...] = ()
    mode_switches: tuple[facts.ModeSwitch, ...] = ()
    held_out_passes: tuple[facts.HeldOutPass, ...] = ()
    initialisations: tuple[facts.Initialisation, ...] = ()
    activations: tuple[facts.Activation, ...] = ()
    schedulers: tuple[facts.Scheduler, ...] = ()
    unregistered: tuple[facts.Unregistered, ...] = ()
    freezings: tuple[facts.Freezing, ...] = ()
    cuts: tuple[facts.Cut, ...] = ()
    fetches: tuple[facts.Fetch, ...] = ()
    kept: tuple[facts.Kept, ...] = ()
    non_finite: facts.NonFinite | None = None
    end: End = field(default_factory=lambda: End(EndKind.KILLED))
    oddities: tuple[Oddity, ...] = ()
    steps: int = 0  # optimizer steps, or backward passes where no optimizer steps
    torn: bool = False  # the last line was incomplete
    tracks: Mapping[str, Series] = field(default_factory=dict)  # train loss of each loss
    _series: dict[str, Series | dict[str, Series]] = field(default_factory=dict)

    @typing.overload
    def series(self, signal: StepSignal) -> Series: ...
    @typing.overload
    def series(self, signal: PlaceSignal) -> PlaceSeries: ...
    @typing.overload
    def series(self, signal: Signal) -> Series | PlaceSeries: ...
    def series(self, signal: Signal) -> Series | PlaceSeries:
        """The series of a signal; NotMeasured if the record holds none."""
        found = self._series.get(signal.name)
        if not found:
            raise NotMeasured(signal)
        return found

    def measured(self, signal: Signal) -> bool:
        """Whether the record holds the signal."""
        return bool(self._series.get(signal.name))

    def parameters(self) -> Mapping[str, facts.Parameter]:
        """All parameters of all models by name."""
        return {p.name: p for model in self.models for p in model.parameters}

    def layers(self) -> Mapping[str, facts.Layer]:
        """All layers of all models by name."""
        return {layer.name: layer for model in self.models for layer in model.layers}


def read_record(path: str | Path) -> Record:
    """Reads a record's folder, or its events.jsonl.

    A torn last line is dropped. Unknown event types and signals are passed over, so that an older
    reader copes with a newer writer of the same schema.

    Raises:
        UnusableRecord: there is no record, it is no record, or its schema is unknown.
    """
    path = Path(path)
    file = path / EVENTS if path.is_dir() else path
    events = _events(file)
    try:
        header, _ = next(events)
    except StopIteration:
        raise UnusableRecord(f"{file} is empty: nothing was recorded") from None
    if header.get("type") != "header" or not isinstance(header.get("record"), str):
        raise UnusableRecord(f"{file} is not a record of unstuck")
    if header.get("schema") != SCHEMA:
        raise UnusableRecord(
            f"{file} has schema {header.get('schema')!r}; this version of unstuck reads {SCHEMA}"
        )
    record = Record(header["record"], str(header.get("version")))
    named: dict[str, dict[Any, Any]] = {name: {} for name in FACT_TYPES}
    rows: Rows = {}
    places: dict[str, dict[str, list[tuple[int, float]]]] = {}
    oddities: list[Oddity] = []
    for event, torn in events:
        record.torn = record.torn or torn
        try:
            _take(event, named, rows, places, oddities)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            record.torn = True
    for name, attribute in (
        ("model", "models"), ("optimizer", "optimizers"), ("loss", "losses"),
        ("backward", "backwards"), ("clipping", "clippings"), ("loader", "loaders"),
        ("modeswitch", "mode_switches"), ("heldoutpass", "held_out_passes"),
        ("initialisation", "initialisations"), ("activation", "activations"),
        ("scheduler", "schedulers"),
        ("clearing", "clearings"), ("retainedgraph", "retained_graphs"), ("ascent", "ascents"),
        ("unregistered", "unregistered"), ("freezing", "freezings"), ("cut", "cuts"),
        ("fetch", "fetches"), ("kept", "kept"),
    ):
        setattr(record, attribute, tuple(named[name].values()))
    record.program = next(iter(named["program"].values()), None)
    record.non_finite = next(iter(named["nonfinite"].values()), None)
    record.end = next(iter(named["end"].values()), record.end)
    record.oddities = tuple(oddities)
    record.tracks = {
        track: _series(values) for (name, track), values in rows.items() if name == "train-loss"
    }
    main = main_track(record.tracks)
    record._series = {
        name: _series(values) for (name, track), values in rows.items() if track in ("", main)
    }
    for name, by_place in places.items():
        record._series[name] = {place: _series(values) for place, values in by_place.items()}
    record.steps = max(record.steps, *(_after(s) for s in record._series.values()), 0)
    record.steps = max(record.steps, *(int(t.steps[-1]) + 1 for t in record.tracks.values()), 0)
    return record


def main_track(tracks: Mapping[str, Series]) -> str:
    """The loss that a run is judged by: of those trained to the end, the one trained most often."""
    if not tracks:
        return ""
    last = max(int(track.steps[-1]) for track in tracks.values())
    lasting = {n: t for n, t in tracks.items() if int(t.steps[-1]) >= last - max(2, 0.05 * last)}
    return max(lasting, key=lambda name: len(lasting[name]))


def _take(
    event: dict[str, Any],
    named: dict[str, dict[Any, Any]],
    rows: Rows,
    places: dict[str, dict[str, list[tuple[int, float]]]],
    oddities: list[Oddity],
) -> None:
    kind = event["type"]
    if kind == "fact" and event["fact"] in FACT_TYPES:
        fact = from_json(FACT_TYPES[event["fact"]], event["data"])
        key = getattr(fact, "name", None) or getattr(fact, "location", None)
        if isinstance(fact, facts.NonFinite | facts.End | facts.Program):
            key = None
            if isinstance(fact, facts.NonFinite) and named["nonfinite"]:
                return  # the first one is the root
        named[event["fact"]][key] = fact
    elif kind == "step" and isinstance(BY_NAME.get(event["signal"]), StepSignal):
        pairs = [(_step(step), float(value)) for step, value in event["rows"]]
        if pairs:
            rows.setdefault((event["signal"], str(event.get("track", ""))), []).extend(pairs)
    elif kind == "sample" and isinstance(BY_NAME.get(event["signal"]), PlaceSignal):
        step = _step(event["step"])
        values = [(sys.intern(place), float(value)) for place, value in event["places"].items()]
        by_place = places.setdefault(event["signal"], {}) if values else {}
        for place, value in values:
            by_place.setdefault(place, []).append((step, value))
    elif kind == "odd":
        oddities.append(Oddity(str(event["what"]), _step(event["step"]), str(event["says"])))


def _step(value: Any) -> int:
    """A step number that fits; raises ValueError or OverflowError if it does not."""
    step = int(value)
    if not 0 <= step < 2**62:
        raise ValueError(f"{step} is no step")
    return step


def _after(series: Series | dict[str, Series]) -> int:
    """The number of steps that a series speaks of."""
    if isinstance(series, Series):
        return int(series.steps[-1])
    return max((int(s.steps[-1]) + 1 for s in series.values()), default=0)


def _series(values: Sequence[tuple[int, float]]) -> Series:
    steps, numbers = zip(*values, strict=True)
    return Series(np.asarray(steps, dtype=np.int64), np.asarray(numbers, dtype=np.float64))


def _events(file: Path) -> Iterator[tuple[dict[str, Any], bool]]:
    """The events of a file, each with whether lines before it were torn."""
    torn = False
    try:
        with file.open("rb") as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                except (ValueError, RecursionError):
                    torn = True
                    continue
                if isinstance(event, dict):
                    yield event, torn
                    torn = False
                else:
                    torn = True
    except FileNotFoundError:
        raise UnusableRecord(f"there is no record at {file}") from None
    except OSError as error:
        raise UnusableRecord(f"{file} cannot be read: {error.strerror}") from None
    if torn:
        yield {"type": "torn"}, True
