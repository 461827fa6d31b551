"""A scoreboard's figures as JSON, as a page of the documentation, and on the terminal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from benchmarks.scoreboard.scores import GROWS, LEARNED, LOSES, Alarm, Row, Share

INTRODUCTION = """\
# Scoreboard

How often `unstuck` names the right cause: {programs} {half}, {date}, version {version}, by
`python -m benchmarks.scoreboard`.

The training programs are generated. There are six kinds: multilayer perceptrons for classes and for
numbers, a convolutional network, a GRU, a transformer and an autoencoder. Their data, width, depth,
optimizer, learning rate, batch size, coding style and seed are drawn at random, inside what works.
The generator puts in every fault of the catalogue at up to four strengths, and does not know the
detectors. The programs are split once into two halves, by their names. Detectors may be developed
on the open half only.

A healthy program counts if its skill on unseen samples is at least {learned:g}. For classes, skill
is the accuracy above that of the most frequent class, as a share of what is possible; for numbers,
it is 1 - error / error of the mean. A faulty program counts if it loses at least {loses:.0%} of its
healthy twin's skill, or ends in an error. If the harm is memory, it counts if it grows {grows:g} MB
more than its twin. A leak into validation and a validation in train mode always count. Intervals
are Wilson's, 95 %.
"""
CAUSE_BY_CAUSE = """\
## Cause by cause

A cause that the record of one run cannot decide (*trial*) counts as found if a finding is this
cause, or lists it as a candidate together with the trial that separates the candidates. Notes count
here, because such a finding is a note by design. *Steps* is the median number of steps after which
the cause is named first for good.

| cause | decided by | counted | first | among three | found | unknown | steps | instead |"""


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that a scoreboard says."""

    date: str
    version: str
    split: str
    quick: bool
    totals: dict[str, Share]
    healthy: int  # programs that count
    rows: tuple[Row, ...]
    alarms: tuple[Alarm, ...]
    pairs: tuple[dict[str, Any], ...]
    trouble: tuple[str, ...]


def to_json(board: Board) -> dict[str, Any]:
    """The board as plain JSON values."""
    return {
        "schema": 1, "date": board.date, "version": board.version, "split": board.split,
        "quick": board.quick, "healthy": board.healthy,
        "totals": {name: _share(share) for name, share in board.totals.items()},
        "causes": [
            {"cause": row.slug, "decided_by": "trial" if row.trial else "record",
             "programs": row.made, "counted": row.counted,
             "first": _share(row.first), "among_three": _share(row.among_three),
             "in_set": _share(row.set_), "unknown": _share(row.unknown),
             "silent": _share(row.silent), "steps": row.steps, "instead": dict(row.instead)}
            for row in board.rows],
        "alarms": [
            {"program": alarm.name, "severity": alarm.severity, "findings": list(alarm.slugs),
             "titles": list(alarm.titles)} for alarm in board.alarms],
        "pairs": list(board.pairs),
        "trouble": list(board.trouble),
    }


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval
    value = None if math.isnan(share.value) else round(share.value, 4)
    return {"value": value, "low": round(low, 4), "high": round(high, 4), "hits": share.hits,
            "of": share.of}


def to_markdown(board: Board) -> str:
    """The board as a page."""
    programs = "a few programs of" if board.quick else "all programs of"
    half = {"aside": "the half kept aside", "open": "the open half", "all": "both halves"}
    lines = [INTRODUCTION.format(
        programs=programs, half=half[board.split], date=board.date, version=board.version,
        learned=LEARNED, loses=LOSES, grows=GROWS)]
    lines += ["## Totals", "", "| figure | value | 95 % | of |", "|---|---|---|---|"]
    for name, share in board.totals.items():
        lines.append(f"| {name} | {_number(share.value)} | {_interval(share)} | {share.of} |")
    lines += ["", CAUSE_BY_CAUSE, "|---|---|---|---|---|---|---|---|---|"]
    for row in board.rows:
        told = row.set_ if row.trial else row.first
        instead = ", ".join(f"{slug} {number}" for slug, number in row.instead[:4])
        lines.append(
            f"| {row.slug} | {'trial' if row.trial else 'record'} | {row.counted} of {row.made} | "
            f"{_number(row.first.value)} | {_number(row.among_three.value)} | "
            f"{_number(told.value)} | {_number(row.unknown.value)} | {_whole(row.steps)} | "
            f"{instead} |")
    silent = Share(0, board.healthy)
    lines += ["", "## Healthy programs with an alarm", ""]
    lines.append(
        f"{board.healthy} healthy programs were checked. A detector that is not listed here was "
        "silent on all of them, so it raises an alarm on at most "
        f"{100 * silent.interval[1]:.1f} % of such programs (95 % interval).")
    if board.alarms:
        lines += ["", "| program | worst | findings |", "|---|---|---|"]
        lines += [f"| {alarm.name} | {alarm.severity} | {', '.join(alarm.slugs)} |"
                  for alarm in board.alarms]
    if board.trouble:
        lines += ["", "## Programs that could not be run", "",
                  *(f"- {trouble}" for trouble in board.trouble)]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}"


def _interval(share: Share) -> str:
    low, high = share.interval
    return f"{low:.2f} to {high:.2f}"


def _whole(number: float | None) -> str:
    return "" if number is None else f"{number:.0f}"


def show(board: Board, console: Any) -> None:
    """Prints the board."""
    from rich.table import Table

    title = f"{board.split}{', quick' if board.quick else ''}, version {board.version}"
    table = Table("cause", "counted", "first", "top 3", "found", "unknown", "silent", "steps",
                  "named first instead", title=title)
    for row in board.rows:
        told = row.set_ if row.trial else row.first
        table.add_row(
            row.slug + (" (trial)" if row.trial else ""),
            f"{row.counted}/{row.made}", *(_number(share.value) for share in (
                row.first, row.among_three, told, row.unknown, row.silent)),
            _whole(row.steps), ", ".join(f"{slug} {n}" for slug, n in row.instead[:3]))
    console.print(table)
    for alarm in board.alarms:
        console.print(f"alarm: {alarm.name}: {alarm.severity} {', '.join(alarm.slugs)}: "
                      f"{alarm.titles[0]}", highlight=False, markup=False)
    for pair in board.pairs:
        if set(pair["faults"]) != set(pair["roots"]):
            console.print(f"pair: {pair['program']}: roots {', '.join(pair['roots']) or 'none'}",
                          highlight=False, markup=False)
    for trouble in board.trouble:
        console.print(f"not run: {trouble}", highlight=False, markup=False)
    for name, share in board.totals.items():
        console.print(f"{name:<58} {share}", highlight=False, markup=False)
