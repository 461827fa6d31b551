"""Reads a record, which `writer` writes. Nothing else is ever judged."""

from __future__ import annotations

import math
import os
from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from unstuck import reading
from unstuck.folders import spawned
from unstuck.reading import Unusable
from unstuck.record.record import Kind, NotMeasured, Oddity, Record, main_track
from unstuck.record.schedule import limits_of
from unstuck.record.series import Series, evened, in_order
from unstuck.record.writer import EVENTS, SCHEMA, RecordWriter
from unstuck.schema.facts import kinds
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.run import Duration, End, EndKind, NonFinite, Program
from unstuck.schema.quantities import PlaceSignal, StepSignal
from unstuck.schema.signals import BY_NAME
from unstuck.schema.signals.layers import OUTPUT_MEAN
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import GRADIENT_NORM, WEIGHT_NORM

__all__ = [
    "EVENTS", "SCHEMA", "NotMeasured", "Oddity",
    "Record", "RecordWriter", "UnusableRecord", "main_track", "read_record",
]

# One of them is written whenever a step is looked at closely.
LOOKED = (WEIGHT_NORM, GRADIENT_NORM, OUTPUT_MEAN)

# How numbers are written: see `plain`.
_Number = float | Literal["nan", "inf", "-inf"]
_Rows = list[tuple[Any, _Number]]
_Places = dict[str, _Number]

LARGEST_STEP = 10**12
LARGEST_INTEGER = 2**63
MOST_FACTS = 200_000  # and oddities
MOST_SERIES = 500_000


class UnusableRecord(Unusable):
    """The record cannot be read; the message is one sentence for the user."""


def read_record(path: str | Path) -> Record:
    """Reads a record's folder, or its events.jsonl.

    A torn last line is dropped. Unknown event types and signals are skipped, so that an older
    reader can read what a newer writer of the same schema wrote.

    Raises:
        UnusableRecord: there is no record, the file is something else, its schema is unknown, or it
            is far larger than any record of ours.
    """
    path = Path(path)
    file = path / EVENTS if os.path.isdir(path) else path
    if not os.path.exists(file):
        raise UnusableRecord(f"there is no record at {file}")
    try:
        return _read(file)
    except UnusableRecord:
        raise
    except Unusable as error:
        raise UnusableRecord(str(error)) from None


def trained_in(folder: Path) -> Path:
    """The record of a run: its own, or that of the first spawned process that trained instead."""
    parts = spawned(folder)
    if not parts or _steps(folder):
        return folder
    return next((part for part in parts if _steps(part)), folder)


def _steps(folder: Path) -> int:
    try:
        return sum(training.steps for training in read_record(folder).trainings)
    except UnusableRecord:
        return 0


def _read(file: Path) -> Record:
    events = _events(file)
    try:
        header, _ = next(events)
    except StopIteration:
        raise UnusableRecord(f"{file} is empty: nothing was recorded") from None
    if header.get("type") != "header" or not isinstance(header.get("record"), str):
        raise UnusableRecord(f"{file} is not an unstuck record")
    schema, version = header.get("schema"), header.get("version")
    if type(schema) is not int or schema != SCHEMA:
        raise UnusableRecord(
            f"{file} has schema {repr(schema)[:40]}, but this version of unstuck reads only "
            f"schema {SCHEMA}")
    found = _Found(str(file))
    damaged = False
    for event, torn in events:
        damaged = damaged or torn
        try:
            found.take(event)
        except (msgspec.ValidationError, KeyError, TypeError, ValueError, OverflowError):
            damaged = True
    exact = header.get("exact")
    trainings = [
        _training(
            Record(
                header["record"], version if isinstance(version, str) else "", part.begun,
                oddities=tuple(found.oddities), torn=damaged,
                limits=limits_of(header.get("limits"))),
            part, exact if type(exact) is int and exact > 1 else None)
        for part in found.trainings()]
    first = trainings[0]
    first.later = tuple(trainings[1:])
    for training in trainings:
        training.siblings = first.trainings
    return first


def _training(record: Record, found: _Part, exact: int | None) -> Record:
    """The record with what was found of one training; of the steps after `exact` only some are
    there.
    """
    record._facts = {
        kind: tuple(found.named[name].values())
        for name, kind in kinds().items() if found.named[name]}
    record.tracks = {
        track: points.series() for (name, track), points in found.rows.items()
        if name == TRAIN_LOSS.name
    }
    main = main_track(record.tracks)
    record._series = {
        name: points.series() for (name, track), points in found.rows.items() if track in ("", main)
    }
    if exact is not None:
        record.thinned = any(int(t.steps[-1]) >= exact for t in record.tracks.values())
        record.tracks = {name: evened(track, exact) for name, track in record.tracks.items()}
        record._series = {
            name: evened(series, exact) if isinstance(series, Series) else series
            for name, series in record._series.items()}
    for name, by_place in found.places.items():
        record._series[name] = {place: points.series() for place, points in by_place.items()}
    record.steps = max(record.steps, *(_after(s) for s in record._series.values()), 0)
    record.steps = max(record.steps, *(int(t.steps[-1]) + 1 for t in record.tracks.values()), 0)
    if record.facts(Optimizer) and record.end.kind in (EndKind.FINISHED, EndKind.STOPPED):
        # A backward pass or a look after the last step is no further step.
        record.steps = found.ended or record.steps
    record.looks = tuple(sorted({
        step for signal in LOOKED for points in found.places.get(signal.name, {}).values()
        for step in points.steps}))
    return record


def from_json(kind: type[Kind], value: Any) -> Kind:
    """The inverse of `to_json` for a fact; raises ValidationError or ValueError if there is none.

    A text counts as the number that it spells: so are those written that are not finite.
    """
    if not _fits(value):
        raise ValueError("an integer does not fit into 64 bits")
    return msgspec.convert(value, kind, strict=False)


def _fits(value: Any) -> bool:
    """Whether all integers in a JSON value fit into 64 bits."""
    if isinstance(value, dict | list):
        return all(map(_fits, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int) or -LARGEST_INTEGER <= value < LARGEST_INTEGER


@dataclass(slots=True)
class _Points:
    """A series on its way in."""

    steps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def series(self) -> Series:
        """The points, at least one, in the order of their steps."""
        return in_order(Series(np.frombuffer(self.steps, dtype=np.int64),
                               np.frombuffer(self.values, dtype=np.float64)))


class _Part:
    """What was found of one training. `ended` is its number of steps, if that is known."""

    def __init__(self, begun: int) -> None:
        self.begun = begun
        self.named: dict[str, dict[Any, Any]] = {name: {} for name in kinds()}
        self.rows: dict[tuple[str, str], _Points] = defaultdict(_Points)
        self.places: dict[str, dict[str, _Points]] = defaultdict(lambda: defaultdict(_Points))
        self.ended = 0

    @property
    def trained(self) -> bool:
        """Whether a loss was computed."""
        return bool(self.named["loss"]) or any(name == TRAIN_LOSS.name for name, _ in self.rows)


class _Found:
    """What the events so far hold."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._numbers = self._kept = self._places = 0
        self._now = _Part(0)
        self._parts: dict[int, _Part] = {0: self._now}
        self._none: set[int] = set()  # numbers of parts that are no trainings
        self._shared: dict[str, dict[Any, Any]] = defaultdict(dict)
        self.oddities: list[Oddity] = []

    def trainings(self) -> list[_Part]:
        """The parts that are trainings, at least one, each with the facts of the whole process."""
        last = self._parts[max(self._parts)]
        found = [part for number, part in sorted(self._parts.items()) if number not in self._none]
        found = found or [last]
        while len(found) > 1 and not found[-1].trained:
            found.pop()
        end = last.named["end"].get(None)
        if found[-1] is not last and end is not None and end.kind is not EndKind.FINISHED:
            found[-1].named["end"][None] = end  # what was to be the last never came to be
        for part, after in pairwise(found):
            if None not in part.named["end"]:
                part.named["end"][None] = End(EndKind.FINISHED)
                part.ended = max(after.begun - part.begun, 0)
        for part in found:
            for name, facts in self._shared.items():
                part.named[name] = facts
        return found

    def take(self, event: dict[str, Any]) -> None:
        """Adds an event, or nothing of it if it raises anything but UnusableRecord."""
        kind = event["type"]
        if kind == "fact" and event["fact"] in kinds():
            self._fact(event["fact"], from_json(kinds()[event["fact"]], event["data"]))
            if event["fact"] == "end":
                self._now.ended = self._step(event["step"])
        elif kind == "step" and isinstance(BY_NAME.get(event["signal"]), StepSignal):
            rows = msgspec.convert(event["rows"], _Rows)
            steps = [self._step(step) for step, _ in rows]
            if rows and isinstance(track := event.get("track", ""), str):
                self._count(numbers=len(rows))
                points = self._points(event["signal"], track)
                points.steps.extend(steps)
                points.values.extend(float(value) for _, value in rows)
        elif kind == "sample" and isinstance(BY_NAME.get(event["signal"]), PlaceSignal):
            step = self._step(event["step"])
            places = msgspec.convert(event["places"], _Places)
            self._count(numbers=len(places))
            by_place = self._now.places[event["signal"]]
            before = len(by_place)
            for place, value in places.items():
                points = by_place[place]
                points.steps.append(step)
                points.values.append(float(value))
            self._count(places=len(by_place) - before)
        elif kind == "odd":
            odd = msgspec.convert({**event, "step": self._step(event["step"])}, Oddity)
            self._count(kept=1)
            self.oddities.append(odd)
        elif kind == "training":
            number, begun = self._step(event["number"]), self._step(event["begun"])
            if number not in self._parts:
                self._count(places=1)
                self._parts[number] = _Part(begun)
            self._now = self._parts[number]
        elif kind == "no-training":
            self._none.update(msgspec.convert(event["numbers"], list[int]))

    def _points(self, signal: str, track: str) -> _Points:
        rows = self._now.rows
        self._count(places=(signal, track) not in rows)
        return rows[signal, track]

    def _fact(self, kind: str, fact: Any) -> None:
        known = self._shared[kind] if fact.of_process else self._now.named[kind]
        key = getattr(fact, "name", None) or getattr(fact, "location", None)
        if isinstance(fact, NonFinite | End | Program | Duration):
            key = None
            if isinstance(fact, NonFinite) and known and known[key].step != fact.step:
                return  # the first one is the root; what is said of it again has a place
        self._count(kept=key not in known)
        known[key] = fact

    def _count(self, *, numbers: int = 0, kept: int = 0, places: int = 0) -> None:
        """Refuses a record that holds more than any of ours."""
        self._numbers += numbers
        self._kept += kept
        self._places += places
        reading.check_numbers(self._numbers, self._file)
        for count, most, what in ((self._kept, MOST_FACTS, "facts"),
                                  (self._places, MOST_SERIES, "series")):
            if count > most:
                raise UnusableRecord(
                    f"{self._file} holds more than {most:,} {what}, the most that unstuck reads")

    def _step(self, value: Any) -> int:
        """A step number; raises ValueError if it is not one."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0 or (
            value == math.inf or int(value) != value
        ):
            raise ValueError(f"{value!r} is not a step number")
        if value > LARGEST_STEP:
            raise UnusableRecord(
                f"{self._file} contains step {str(value)[:24]}, but unstuck reads only steps up to "
                f"{LARGEST_STEP:,}")
        return int(value)


def _after(series: Series | dict[str, Series]) -> int:
    """The number of steps that a series covers."""
    if isinstance(series, Series):
        return int(series.steps[-1])
    return max((int(s.steps[-1]) + 1 for s in series.values()), default=0)


def _events(file: Path) -> Iterator[tuple[dict[str, Any], bool]]:
    """The events of a file, each with whether lines before it were torn."""
    torn = False
    with reading.opened(file) as content:
        for number, line in enumerate(reading.lines(content, str(file)), 1):
            try:
                event = reading.parsed(line, f"line {number:,} of {file}")
            except ValueError:
                torn = True
                continue
            if isinstance(event, dict):
                yield event, torn
                torn = False
            else:
                torn = True
    if torn:
        yield {"type": "torn"}, True
