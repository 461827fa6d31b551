"""Reads what a program printed: Keras's progress, tqdm, `epoch 3/50 loss: 0.42`, printed dicts."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from unstuck.logs.names import Kind, Part, name_of
from unstuck.logs.source import Source
from unstuck.logs.table import MOST_COLUMNS, Column, Table
from unstuck.reading import check_numbers

FEWEST = 3  # finished lines with a quantity, from which passing states of a bar do not count
LONGEST = 4000  # characters of a line that are looked at

_NUMBER = (r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
           r"|(?:nan|NaN|NAN|inf|Inf|INF)(?![A-Za-z]))")
_WORD = r"[A-Za-z_@][\w@./-]{0,40}"
# A name of up to four words, then a colon, an equals sign or a space, then its number.
_PAIR = re.compile(
    rf"(?<![\w.])(?P<name>{_WORD}(?: {_WORD}){{0,3}})['\"]?\]?"
    rf"(?:\s{{0,4}}[:=]\s{{0,8}}|\s{{1,40}}[|│]\s{{0,8}}|\s{{1,8}})(?:tensor)?[\[('\"#]{{0,2}}\s{{0,3}}"
    rf"(?P<number>{_NUMBER})(?:\s?/\s?(?P<of>\d{{1,12}}))?")
# "Cost after iteration 100: 0.69" names a counter between the quantity and its number.
_THEN = re.compile(rf"\s{{0,2}}[)\]]?\s{{0,4}}(?:[:=-]|is)\s{{0,8}}(?P<number>{_NUMBER})")
_BARE = re.compile(
    rf"\s*(?P<step>\d{{1,12}})(?:\s?/\s{{0,8}}\d{{1,12}})?\s?:\s{{1,8}}(?P<number>{_NUMBER})\s*")
_COUNTER = re.compile(r"(?:^\s*|\|\s*)(?P<number>\d{1,12})/\d{1,12}[ \[]")
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[@-Z\\-_])")
_TORN = re.compile(r"[\w.+-]{1,40}$")  # the last word of a text that does not end its last line
_ROLE = re.compile(
    r"(?<![A-Za-z_])(?:(?P<train>train(?:ing)?)|(?P<held>val(?:id(?:ation)?)?|test(?:ing)?|"
    r"eval(?:uation)?|dev))(?![A-Za-z_/])", re.IGNORECASE)


def read(source: Source) -> Table:
    """The quantities that the lines name, a row for each line that names any."""
    lines = _Lines(source.name)
    for line in source.lines():
        lines.take(line)
    return Table("console text", lines.columns(), lines.rows)


@dataclass(slots=True)
class _Quantity:
    """One name's numbers: of finished lines, and of states that were overwritten."""

    rows: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    passing: array[int] = field(default_factory=lambda: array("b"))


@dataclass(slots=True)
class _Lines:
    """The text so far; `name` is the file's."""

    name: str
    rows: int = 0
    numbers: int = 0
    quantities: dict[str, _Quantity] = field(default_factory=dict)
    heading: str = ""  # the part of the data that the line before announced

    def take(self, line: str) -> None:
        """A line, or one state of a line that a carriage return overwrites."""
        overwritten = line.endswith("\r")
        if not line.endswith(("\n", "\r")):
            line = _TORN.sub("", line)
        *before, last = re.split("\x08+", line) if "\x08" in line else (line,)
        for state in before:
            self._state(state, True)
        self._state(last, overwritten)

    def _state(self, state: str, passing: bool) -> None:
        text = state[:LONGEST]
        if "\x1b" in text:
            text = _ESCAPE.sub("", text)
        if not any(map(str.isdigit, text)) and "nan" not in text.lower() and "inf" not in text:
            announced = _ROLE.search(text) if text.rstrip().endswith(":") else None
            if announced:
                self.heading = _part(announced)
            return
        pairs = list(_pairs(text, self.heading))
        if text.strip():
            self.heading = ""
        for name, value in pairs:
            quantity = self.quantities.get(name)
            if quantity is None:
                if len(self.quantities) >= MOST_COLUMNS:
                    continue
                quantity = self.quantities[name] = _Quantity()
            elif quantity.rows and quantity.rows[-1] == self.rows:
                continue
            quantity.rows.append(self.rows)
            quantity.values.append(value)
            quantity.passing.append(passing)
            self.numbers += 1
        self.rows += bool(pairs)
        check_numbers(self.numbers, self.name)

    def columns(self) -> dict[str, Column]:
        """What is left once overwritten states are dropped where the final ones suffice."""
        made = {}
        for name, quantity in self.quantities.items():
            rows, values = np.array(quantity.rows), np.array(quantity.values)
            final = np.array(quantity.passing) == 0
            if np.count_nonzero(final) >= FEWEST:
                rows, values = rows[final], values[final]
            made[name] = Column(name, rows.astype(np.int64), values.astype(np.float64))
        return made


def _part(found: re.Match[str]) -> str:
    return "train" if found["train"] else "val" if found["held"].lower() != "test" else "test"


def _pairs(text: str, heading: str) -> Iterator[tuple[str, float]]:
    """Names with their numbers. A name takes on the part of the data that stands before it.

    "val Loss: 0.5 Acc: 0.8" and "Test set: loss: 0.5" speak of held-out data throughout, and
    "{'val': {'loss': 0.5}}" from there on.
    """
    if counter := _COUNTER.search(text):
        yield "batch", float(counter["number"])
    if bare := _BARE.fullmatch(text):
        yield "step", float(bare["step"])
        yield "value", float(bare["number"])
        return
    part = heading
    roles = [(found.start(), found.end(), _part(found)) for found in _ROLE.finditer(text)]
    alone = len({role for _, _, role in roles}) == 1
    end = 0
    for pair in _PAIR.finditer(text):
        begin = pair.start("name")
        for start, stop, role in roles:
            if (end <= start and stop <= begin) or (alone and not end and start == begin):
                part = role
        end = pair.end()
        label = pair["name"].strip()
        known = name_of(label)
        value = float(pair["number"])
        before, _, counter_name = label.rpartition(" ")
        if (known.kind in (Kind.LOSS, Kind.SCORE)
                and name_of(counter_name).kind in (Kind.STEP, Kind.EPOCH)):
            yield counter_name, value
            if not (then := _THEN.match(text, end)):
                continue
            label, value, known = before, float(then["number"]), name_of(before)
        if known.kind in (Kind.LOSS, Kind.SCORE, Kind.OTHER):
            if part and known.part is Part.UNSAID:
                label = f"{part} {label}"
            if pair["of"] and known.kind is Kind.SCORE and float(pair["of"]):
                value /= float(pair["of"])
        yield label, value
