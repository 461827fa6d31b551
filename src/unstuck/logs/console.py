"""Reads what a program printed: Keras's progress, tqdm, `epoch 3/50 loss: 0.42`, printed tables.

Programs print the same few sentences over and over. So the second line of a kind, that is, of the
same text but for its digits, is made into a pattern, and all others of the kind are read by it.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from unstuck.logs import commas, grids, phrases
from unstuck.logs.grids import Heading
from unstuck.logs.names import Kind, Part, name_of, with_role
from unstuck.logs.phrases import Said
from unstuck.logs.source import Source
from unstuck.logs.table import MOST_COLUMNS, Column, Table
from unstuck.reading import check_numbers
from unstuck.record.series import Floats, Integers

Flags = NDArray[np.bool_]

FEWEST = 3  # finished lines with a quantity, from which passing states of a bar do not count
LONGEST = 4000  # bytes of a line that are looked at
MOST_KINDS = 20_000  # of lines that are remembered
MOST_PATTERNS = 1_000
MOST_CONTEXTS = 200

_DIGITS = b"0123456789"
_ESCAPE = re.compile(
    rb"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[@-Z\\-_])")
_ODD = re.compile(rb"1\.#(INF|IND|QNAN|SNAN)\d{0,4}")
# "Result for train_9c2a1_00001:" above what the trial of that name reports, "Trial train_9c2a1
# reported loss=0.5" and "[run-3] epoch 7".
_TRIAL = re.compile(
    rb"(?m)^[ \t]{0,9}(?:(?:Results?|Metrics) (?:for|of)(?: trial)? (?=[^\s:]{0,99}\d)"
    rb"([^\s:]{1,200}):?[ \t]{0,9}\r?$|Trial (\S{1,200}) reported |"
    rb"\[((?:trial|run|fold|seed|model)[_#-]\d{1,6})\](?= ))")
_TORN = re.compile(rb"[\w.+-]{1,40}$")  # the last word of a text that does not end its last line
_ABLE = re.compile(r"\d|nan|NaN|NAN|inf|Inf|INF")
_BOX = re.compile(r"\s*[|│].*[|│]\s*")


def read(source: Source) -> Table:
    """The quantities that the lines name, a row for each line or block that names any."""
    head = source.text().splitlines()
    lines = _Lines(source.name, phrases.has_sections(head),
                   any(map(phrases.summed_up, head)))
    written = commas.without(source.text())
    trials: dict[bytes, int] = {}
    several = len(set(_TRIAL.findall("\n".join(head).encode(errors="replace")))) > 1
    for chunk in source.chunks():
        if several:  # a name is numbered, as all that is read is numbers
            chunk = _TRIAL.sub(lambda found: b"trial %d: " % trials.setdefault(
                found[found.lastindex or 1], len(trials)), chunk)
        lines.take(written[0].sub(written[1], chunk) if written else chunk)
    columns = lines.columns()
    labels = {"trial": tuple(name.decode(errors="replace") for name in trials)} if trials else {}
    return Table("console text", columns, lines.row + 1, labels=labels)


@dataclass(slots=True)
class _Store:
    """The numbers of all lines that name the same quantities, one line after another."""

    names: tuple[str, ...]
    rows: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    passing: bytearray = field(default_factory=bytearray)  # 1 for states that were overwritten


@dataclass(frozen=True, slots=True)
class _Context:
    """What lines before say of the next: the part of the data, the names above a table."""

    heading: str = ""
    grid: Heading = ()
    above: Heading = ()  # the heading that stands directly above
    section: str = ""  # the part of the data, up to the next section
    last: str = ""  # the held-out data of the line before, where others sum up


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the lines of one kind say. Without a pattern they are all the same, without a store they
    name no quantity."""

    pattern: re.Pattern[bytes] | None
    store: _Store | None
    joins: str  # what each number does to the one before, " " for none; "" if none does anything
    after: _Context
    block: bool | None  # whether the line stands in a box of one quantity a line; None: it may


@dataclass(slots=True)
class _Lines:
    """The text so far; `name` is the file's, `sections` whether it has some of both parts,
    `sums` whether lines sum up others."""

    name: str
    sections: bool
    sums: bool
    row: int = -1
    context: _Context = _Context()
    stores: dict[tuple[str, ...], _Store] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    kinds: dict[_Context, dict[bytes, list[_Kind]]] = field(default_factory=dict)
    seen: int = 0  # kinds of lines
    patterns: int = 0
    across: set[str] = field(default_factory=set)  # names from tables with a column for each part
    block: set[str] = field(default_factory=set)  # the quantities of this row, within a block

    def take(self, chunk: bytes) -> None:
        """Whole lines, or the last one of the text, which may be torn."""
        if b"\x1b" in chunk:
            chunk = _ESCAPE.sub(b"", chunk)
        if b"\x08" in chunk:
            chunk = re.sub(b"\x08+\r*", b"\r", chunk)
        if b"1.#" in chunk:  # as old programs for Windows print it
            chunk = _ODD.sub(lambda found: b"inf" if found[1] == b"INF" else b"nan", chunk)
        kinds = self.kinds.setdefault(self.context, {})
        for line in chunk.splitlines(keepends=True):
            end = line[-1:]
            if end == b"\n":
                state, overwritten = line.rstrip(b"\r\n"), False
            elif end == b"\r":
                state, overwritten = line[:-1], True
            else:
                state, overwritten = _TORN.sub(b"", line), False
            for kind in kinds.get(state.translate(None, _DIGITS), ()):
                if kind.pattern is None:
                    break
                if (found := kind.pattern.fullmatch(state)) is None:
                    continue
                if (store := kind.store) is not None:
                    if kind.block or self.block:
                        self._begin(kind)
                    else:
                        self.row += 1
                    store.rows.append(self.row)
                    store.passing.append(overwritten)
                    store.values.extend(map(float, found.groups()) if not kind.joins
                                        else _joined(found.groups(), kind.joins))
                break
            else:
                kind = self._slowly(state[:LONGEST], overwritten)
            if kind.block is False and self.block:
                self.block = set()
            if kind.after is not self.context:
                self.context = kind.after
                kinds = self.kinds.setdefault(self.context, {})
        check_numbers(sum(len(store.values) for store in self.stores.values()), self.name)

    def _begin(self, kind: _Kind) -> None:
        """The next row, or the same one for the further lines of a block."""
        assert kind.store is not None
        names = set(kind.store.names)
        if kind.block and self.block and not self.block & names:
            self.block |= names
            return
        self.row += 1
        self.block = names if kind.block else set()

    def _slowly(self, state: bytes, overwritten: bool) -> _Kind:
        """Takes a line word by word; the second one of a kind gives the pattern for the others."""
        text = state.decode(errors="replace").replace("┃", "│")
        pairs, after = self._meaning(text)
        store = None
        if pairs:
            store = self.stores.setdefault(names := tuple(one.name for one in pairs), _Store(names))
        block = None
        if store is not None:
            block = len(pairs) == 1 and _BOX.fullmatch(text) is not None
        elif grids.is_rule(text):
            block = False
        numbers = [number for one in pairs for number in one.numbers]
        joins = "".join(join or " " for join, _ in numbers)
        kind = _Kind(None, store, joins if joins.strip() else "", after, block)
        if store is not None:
            self._begin(kind)
            store.rows.append(self.row)
            store.passing.append(overwritten)
            store.values.extend(_joined([text[a:b] for _, (a, b) in numbers], joins))
        self._remember(state, text, pairs, kind)
        return kind

    def _meaning(self, text: str) -> tuple[list[Said], _Context]:
        """The quantities of a line, and what holds after it."""
        heading, grid = self.context.heading, self.context.grid
        if not text.strip() or grids.is_rule(text):
            return [], self.context
        if self.sections and (section := phrases.section(text)) is not None:
            counted = [one for one in phrases.said(text, "")
                       if name_of(one.name).kind is Kind.EPOCH]
            self.names.update(one.name for one in counted)
            return counted, self._context("", grid, section=section)
        pairs = [replace(one, name=with_role(one.name, self.context.section))
                 for one in (grids.row(text, grid) if grid else ())]
        if pairs and grids.is_across(grid):  # what was printed as it happened is not told again
            pairs = [one for one in pairs
                     if one.name in self.across or one.name not in self.names]
            self.across.update(one.name for one in pairs)
            if not pairs:
                return [], self._context("", grid)
        if not pairs and (found := grids.heading(text, self.context.above)):
            return [], self._context("", found, found)
        if not pairs and _ABLE.search(text):
            part = heading or self.context.section or (
                self.context.last if phrases.summed_up(text) else "")
            pairs = sorted(phrases.said(text, part), key=lambda one: one.span) or [
                replace(one, name=with_role(one.name, part))
                for one in grids.below(text, self.context.above)]
        if not pairs:
            named = phrases.announced(text)
            return [], self._context(heading if named is None else named, grid, grids.above(text))
        if len(self.names) < MOST_COLUMNS:
            self.names.update(one.name for one in pairs)
        kept = [one for one in pairs if one.name in self.names]
        if all(name_of(one.name).kind is Kind.EPOCH for one in pairs):  # a new one begins
            return kept, self._context("", grid, section="")
        held = [name_of(one.name).test for one in pairs if name_of(one.name).part is Part.HELD_OUT]
        last = "test" if all(held) else "val"
        return kept, self._context("", grid, last=last if held and self.sums else "")

    def _context(self, heading: str, grid: Heading, above: Heading = (),
                 section: str | None = None, last: str = "") -> _Context:
        """The context of that content: always the same object."""
        context = _Context(heading, grid, above,
                           self.context.section if section is None else section, last)
        for known in (self.context, *self.kinds):
            if known == context:
                return known
        return context if len(self.kinds) < MOST_CONTEXTS else self.context

    def _remember(self, state: bytes, text: str, pairs: Sequence[Said], kind: _Kind) -> None:
        kinds = self.kinds.setdefault(self.context, {})
        key = state.translate(None, _DIGITS)
        known = kinds.get(key)
        if known is None:
            if self.seen < MOST_KINDS:
                self.seen += 1
                kinds[key] = [kind] if key == state else []
        elif (len(known) < 8 and self.patterns < MOST_PATTERNS and len(state) < LONGEST
              and text.encode(errors="replace") == state):  # else a pattern would not match
            self.patterns += 1
            known.append(replace(kind, pattern=_pattern(text, pairs)))

    def columns(self) -> dict[str, Column]:
        """What is left once overwritten states are dropped where the final ones suffice."""
        parts: dict[str, list[tuple[Integers, Floats, Flags]]] = {}
        for store in self.stores.values():
            rows = np.frombuffer(store.rows, dtype=np.int64)
            table = np.frombuffer(store.values).reshape(len(rows), len(store.names))
            passing = _passing(store.names, table, np.frombuffer(store.passing, dtype=np.bool_))
            for i, name in enumerate(store.names):
                parts.setdefault(name, []).append((rows, table[:, i], passing))
        return {name: _column(name, found) for name, found in parts.items()}


@np.errstate(invalid="ignore", over="ignore")  # of infinite counters
def _passing(names: Sequence[str], table: NDArray[np.float64], overwritten: Flags) -> Flags:
    """Which states of the lines only led to others. Where a counter rises through all of them each
    is a point of its own, but for those that were written again."""
    if not overwritten.any() or len(table) < FEWEST:
        return overwritten
    for i, name in enumerate(names):
        if name_of(name).kind not in (Kind.STEP, Kind.EPISODE, Kind.EPOCH):
            continue
        moves = np.diff(table[:, i])
        if np.all(moves >= 0) and np.mean(moves > 0) > 0.5:
            again: Flags = np.append(moves == 0, False)
            return again & overwritten
    return overwritten


def _column(name: str, parts: Sequence[tuple[Integers, Floats, Flags]]) -> Column:
    """One quantity, from all stores that have it. Of two numbers in a row the first counts."""
    rows, values, passing = parts[0]
    if len(parts) > 1:
        rows = np.concatenate([part[0] for part in parts])
        values = np.concatenate([part[1] for part in parts])
        passing = np.concatenate([part[2] for part in parts])
        order = np.argsort(rows, kind="stable")
        order = order[np.r_[True, np.diff(rows[order]) > 0]]
        rows, values, passing = rows[order], values[order], passing[order]
    if passing.any() and len(passing) - np.count_nonzero(passing) >= FEWEST:
        rows, values = rows[~passing], values[~passing]
    return Column(name, rows, values)


def _joined(found: Sequence[str | bytes], joins: str) -> list[float]:
    """The quantities: a number that joins the one before is added to it, or is what it is out of.
    """
    made: list[float] = []
    for join, number in zip(joins, map(float, found), strict=True):
        if join == "+":
            made[-1] += number
        elif join == "/":
            made[-1] /= number or 1.0
        else:
            made.append(number)
    return made


def _pattern(text: str, pairs: Sequence[Said]) -> re.Pattern[bytes]:
    """A pattern for the lines that differ from a text by their digits, but for those of names."""
    spans = sorted(span for one in pairs for _, span in one.numbers)
    names = [(one.begin, one.span[0]) for one in pairs if one.begin >= 0]
    made, place = "", 0
    for a, b in spans:
        made += _loose(text, place, a, names) + f"({_loose(text, a, b, ())})"
        place = b
    return re.compile((made + _loose(text, place, len(text), names)).encode())


def _loose(text: str, first: int, last: int, names: Sequence[tuple[int, int]]) -> str:
    """A stretch of a text as a pattern: digits are any digits, unless they belong to a name."""
    made = ""
    for found in re.finditer(r"[0-9]+|[^0-9]+", text[first:last]):
        at = first + found.start()
        fixed = not found[0][0].isdigit() or any(a <= at < b for a, b in names)
        made += re.escape(found[0]) if fixed else "[0-9]+"
    return made
