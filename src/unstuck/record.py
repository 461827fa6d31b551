"""Reads a record, which `recording` writes. Nothing else is ever judged."""

from __future__ import annotations

import json
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unstuck import facts
from unstuck.facts import End, EndKind, Fact
from unstuck.plain import from_json
from unstuck.recording import EVENTS, SCHEMA, RecordWriter, Rows
from unstuck.signals import BY_NAME, PlaceSignal, Signal, StepSignal

__all__ = [
    "ATTRIBUTES", "EVENTS", "FACT_TYPES", "SCHEMA", "NotMeasured", "Oddity", "PlaceSeries",
    "Record", "RecordWriter", "Series", "UnusableRecord", "main_track", "read_record",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FACT_TYPES: dict[str, type] = {kind.__name__.lower(): kind for kind in typing.get_args(Fact)}


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
    log: facts.Log | None = None  # in place of a program: its curves were read from a file
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
    pasted: tuple[facts.Pasted, ...] = ()
    fetches: tuple[facts.Fetch, ...] = ()
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


def _attributes() -> dict[type, str]:
    found = {}
    for name, hint in typing.get_type_hints(Record).items():
        for kind in (hint, *typing.get_args(hint)):
            if kind in FACT_TYPES.values():
                found[kind] = name
    return found


ATTRIBUTES: dict[type, str] = _attributes()  # where a record has its facts, by their kind


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
    for kind, attribute in ATTRIBUTES.items():
        found = tuple(named[kind.__name__.lower()].values())
        if isinstance(getattr(record, attribute), tuple):
            setattr(record, attribute, found)
        elif found:
            setattr(record, attribute, found[0])
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
