"""What logs of other tools say, for a terminal: one run at length, several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np

from unstuck.facts import Log
from unstuck.findings import Diagnosis, OutcomeKind
from unstuck.forecast import COVERED, Abstained, outlook
from unstuck.logs.names import name_of
from unstuck.record import Record
from unstuck.report import terminal
from unstuck.report.advice import advice
from unstuck.report.canvas import TEXT_WIDTH, Canvas
from unstuck.report.chart import draw_curves
from unstuck.series import Series
from unstuck.signals import HELD_OUT_LOSS, LEARNING_RATE, METRIC, TRAIN_LOSS

_FAILED = (OutcomeKind.DIVERGED, OutcomeKind.BROKEN, OutcomeKind.NOT_LEARNING)
_GO_ON = (OutcomeKind.LEARNING, OutcomeKind.OVERFITTING, OutcomeKind.PLATEAU,
          OutcomeKind.CONVERGED)
_METRICS = 4  # that are told of, at most


@dataclass(frozen=True, slots=True)
class Reading:
    """A log that was read, and what is said of it."""

    record: Record
    diagnosis: Diagnosis

    @property
    def log(self) -> Log:
        """Where the curves come from."""
        assert self.record.log is not None
        return self.record.log

    @property
    def held_out(self) -> Series | None:
        """The held-out curve, if there is one with finite points."""
        if not self.record.measured(HELD_OUT_LOSS):
            return None
        finite = self.record.series(HELD_OUT_LOSS).finite
        return finite if len(finite) else None

    @property
    def level(self) -> float:
        """Where the train loss ends: the median of its last tenth."""
        values = self.record.series(TRAIN_LOSS).values
        return float(np.median(values[-max(len(values) // 10, 1):]))


def render(readings: Sequence[Reading], *, notes: bool, quiet: bool, file: IO[str],
           width: int | None = None) -> None:
    """Prints one run with its chart and what to do next, or several and how they compare."""
    canvas = Canvas.on(file, width)
    for index, reading in enumerate(readings):
        if not quiet:
            if index:
                canvas.draw(("", ""))
            if len(readings) > 1:
                canvas.draw((canvas.clean(reading.log.file), "bold"))
            _prose(canvas, "read as: ", _read_as(reading))
            if len(readings) == 1:
                _draw_chart(canvas, reading)
        terminal.render(reading.diagnosis, notes=notes, quiet=quiet, width=width, file=file)
        if not quiet and len(readings) == 1:
            _draw_forecast(canvas, reading)
            _draw_advice(canvas, reading)
    if len(readings) > 1 and not quiet:
        canvas.draw(("", ""))
        _draw_comparison(canvas, readings)


def _prose(canvas: Canvas, head: str, text: str) -> None:
    first, *more = canvas.wrap(head + text, min(canvas.width, TEXT_WIDTH) - 2)
    canvas.draw((first[: len(head)], "bold"), (first[len(head):], ""))
    for line in more:
        canvas.draw(("  " + line, ""))


# One run -----------------------------------------------------------------------------------------
def _read_as(reading: Reading) -> str:
    log = reading.log
    what = "train loss"
    if log.higher_is_better:
        what = "train (higher is better, judged by what is missing to the best)"
    parts = [f"{what} = column {log.train!r}"]
    parts.append(f"held-out = {log.held_out!r}" if log.held_out else "no held-out column")
    parts.append(f"x = {log.axis!r}" if log.unit != "row" else "x = row")
    if reading.record.measured(LEARNING_RATE):
        rates = list(reading.record.series(LEARNING_RATE))
        parts.append(f"learning rate = {rates[0]!r}" + (f" and {len(rates) - 1} more"
                                                        if len(rates) > 1 else ""))
    return f"{', '.join(parts)}; {log.rows:,} row{'' if log.rows == 1 else 's'} of {log.format}"


def _draw_chart(canvas: Canvas, reading: Reading) -> None:
    curves = [("train", reading.record.series(TRAIN_LOSS))]
    if reading.record.measured(HELD_OUT_LOSS):
        curves.append(("held-out", reading.record.series(HELD_OUT_LOSS)))
    draw_curves(canvas, curves, reading.log.unit)
    if reading.record.measured(METRIC):
        for name, series in list(reading.record.series(METRIC).items())[:_METRICS]:
            finite = series.finite
            if len(finite):
                best = np.argmax if name in reading.log.metrics_higher else np.argmin
                at = int(best(finite.values))
                _prose(canvas, "also: ", f"{name!r} is best at {finite.values[at]:.4g} "
                       f"({reading.log.unit} {finite.steps[at]}) and ends at "
                       f"{finite.values[-1]:.4g}")


def _draw_forecast(canvas: Canvas, reading: Reading) -> None:
    """What half as many steps more would bring, where the run has a course to go on with."""
    if reading.diagnosis.outcome.kind not in _GO_ON:
        return
    found = outlook(reading.record.series(TRAIN_LOSS))
    if isinstance(found, Abstained):
        _prose(canvas, "forecast: ", f"none can be made: {found.reason}")
        return
    # Gains are told as levels; the interval's ends change places.
    what = "what is missing to the best" if reading.log.higher_is_better else "the train loss"
    then, low, high = (found.level - gain for gain in (found.gain, found.high, found.low))
    _prose(canvas, "forecast: ", f"{found.more:,.0f} {reading.log.unit}s more, if all goes on as "
           f"it did, would take {what} from {found.level:.4g} to {then:.4g} ({COVERED:.0%}: "
           f"{low:.4g} to {high:.4g})")


def _draw_advice(canvas: Canvas, reading: Reading) -> None:
    held = reading.held_out
    best = ""
    if held is not None:
        at = int(np.argmin(held.values))
        best = f"{held.values[at]:.4g} at {reading.log.unit} {held.steps[at]}"
        if reading.log.higher_is_better:
            best = f"at {reading.log.unit} {held.steps[at]}"
    outcome = reading.diagnosis.outcome
    found = advice(outcome.kind, held is not None, best)
    _prose(canvas, "meaning: ", ("If that is so: " if outcome.confidence < 0.5 else "")
           + found.meaning)
    for number, step in enumerate(found.steps, 1):
        _prose(canvas, "next: " if number == 1 else "      ", f"{number}. {step}")


# Several runs ------------------------------------------------------------------------------------
def _draw_comparison(canvas: Canvas, readings: Sequence[Reading]) -> None:
    """A table, and which run is best and worst, if they measure the same."""
    rows = [("run", "outcome", "sure", "train ends at", "best held-out")]
    for reading in readings:
        outcome, held = reading.diagnosis.outcome, reading.held_out
        best = "none"
        if held is not None:
            at = int(np.argmin(held.values))
            best = f"{held.values[at]:.4g} ({reading.log.unit} {held.steps[at]})"
        rows.append((canvas.clean(reading.log.file), outcome.kind.value,
                     f"{outcome.confidence:.0%}", f"{reading.level:.4g}", best))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    widths[0] = max(min(widths[0], canvas.width - sum(widths[1:]) - 8), 8)
    for index, row in enumerate(rows):
        name = row[0]
        if len(name) > widths[0]:
            dots = canvas.glyphs.ellipsis
            name = dots + name[len(name) - widths[0] + len(dots):]
        cells = [name, *row[1:]]
        line = "  ".join(f"{cell:<{wide}}" for cell, wide in zip(cells, widths, strict=True))
        canvas.draw((line, "bold" if index == 0 else ""))
    if len({(name_of(r.log.train).measure, r.log.higher_is_better) for r in readings}) > 1:
        _prose(canvas, "note: ", "the runs were judged by different columns, so that their levels "
               "may not be comparable")
    by_held = all(r.held_out is not None for r in readings)
    order = sorted(readings, key=lambda r: _rank(r, by_held))
    _prose(canvas, "best: ", f"{order[0].log.file}, {_because(order[0], by_held, 'lowest')}")
    _prose(canvas, "worst: ", f"{order[-1].log.file}, {_because(order[-1], by_held, 'highest')}")


def _rank(reading: Reading, by_held: bool) -> tuple[bool, float]:
    """Runs that failed come last; the others by the loss that counts."""
    failed = reading.diagnosis.outcome.kind in _FAILED
    level = _counts(reading, by_held)
    return failed or not np.isfinite(level), level if np.isfinite(level) else np.inf


def _counts(reading: Reading, by_held: bool) -> float:
    held = reading.held_out if by_held else None
    return float(np.min(held.values)) if held is not None else reading.level


def _because(reading: Reading, by_held: bool, which: str) -> str:
    kind = reading.diagnosis.outcome.kind
    if kind in _FAILED:
        return f"whose outcome is {kind.value}"
    what = "best held-out loss" if by_held else "train loss at the end"
    return f"whose {what}, {_counts(reading, by_held):.4g}, is the {which}"
