"""A report on logs of other tools for a terminal: one run in detail, several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np

from unstuck.curves.forecast import COVERED, Abstained, outlook
from unstuck.curves.loss_curve import MATERIAL, SURE
from unstuck.curves.statistics import end_level, trend
from unstuck.curves.wording import wording
from unstuck.judge.advice import advice
from unstuck.logs.names import name_of
from unstuck.record.reader import Record
from unstuck.record.series import Series
from unstuck.report import summary, terminal
from unstuck.report.canvas import TEXT_WIDTH, Canvas
from unstuck.report.chart import draw_curves
from unstuck.schema.facts.run import Log
from unstuck.schema.findings import Diagnosis, OutcomeKind
from unstuck.schema.signals.losses import HELD_OUT_LOSS, LEARNING_RATE, METRIC, TRAIN_LOSS
from unstuck.words import count, joined, lowered, number, percent

_FAILED = (OutcomeKind.DIVERGED, OutcomeKind.BROKEN, OutcomeKind.NOT_LEARNING)
_GO_ON = (OutcomeKind.LEARNING, OutcomeKind.OVERFITTING, OutcomeKind.PLATEAU,
          OutcomeKind.CONVERGED)
_METRICS = 4  # that are shown, at most


@dataclass(frozen=True, slots=True)
class Reading:
    """A log that was read, and what is said of it."""

    record: Record
    diagnosis: Diagnosis

    @property
    def log(self) -> Log:
        """Where the curves come from."""
        log = self.record.fact(Log)
        assert log is not None
        return log

    @property
    def held_out(self) -> Series | None:
        """The held-out curve, if there is one with finite points."""
        if not self.record.measured(HELD_OUT_LOSS):
            return None
        finite = self.record.series(HELD_OUT_LOSS).finite
        return finite if len(finite) else None

    @property
    def course(self) -> str:
        """Where the held-out curve has been going in the last half; "" if that is not known."""
        held = self.held_out
        line = trend(held.since(int(held.steps[len(held) // 2]))) if held is not None else None
        if line is None:
            return ""
        if abs(line.score) <= SURE or abs(line.fall) <= MATERIAL:
            return "flat"
        return "falling" if line.falling else "rising"

    @property
    def level(self) -> float:
        """The level at which the train loss ends; not finite, if its last value is not."""
        series = self.record.series(TRAIN_LOSS)
        last = float(series.values[-1])
        return end_level(series.finite.values)[0] if np.isfinite(last) else last


@np.errstate(all="ignore")
def render(readings: Sequence[Reading], *, notes: bool, quiet: bool, file: IO[str],
           width: int | None = None) -> None:
    """Prints one run with its chart and what to do next, or several runs and a comparison."""
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
        terminal.render(reading.diagnosis, notes=notes, quiet=quiet, width=width, file=file,
                        advise=False)
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
        best = "" if log.best is None else f", {number(log.best)} is the best"
        what = f"train score (higher is better{best})"
    if log.of_held_out:
        what = what.replace("train", "held-out")
    parts = [f"{what} = column {log.train!r}"]
    parts.append(f"held-out = {log.held_out!r}" if log.held_out else
                 f"no {'train' if log.of_held_out else 'held-out'} column")
    parts.append(f"x = {log.axis!r}" if log.unit != "row" else "x = row")
    if reading.record.measured(LEARNING_RATE):
        columns = reading.record.series(LEARNING_RATE)
        parts.append(f"learning rate = {joined(map(repr, columns), most=1)}")
    return f"{', '.join(parts)}; {count(log.rows, 'row')} of {log.format}"


def _draw_chart(canvas: Canvas, reading: Reading) -> None:
    words = wording(reading.record)
    curves = [(words.data, reading.record.series(TRAIN_LOSS))]
    if reading.record.measured(HELD_OUT_LOSS):
        curves.append(("held-out", reading.record.series(HELD_OUT_LOSS)))
    if words.higher:
        curves = [(name, Series(one.steps, words.best - one.values)) for name, one in curves]
    draw_curves(canvas, curves, reading.log.unit)
    if reading.record.measured(METRIC):
        for name, series in list(reading.record.series(METRIC).items())[:_METRICS]:
            finite = series.finite
            if len(finite):
                if name_of(name).length:  # whether longer is better depends on the task
                    _prose(canvas, "also: ", f"{name!r} began at {number(finite.values[0])} and "
                           f"ended at {number(finite.values[-1])}")
                    continue
                best = np.argmax if name in reading.log.metrics_higher else np.argmin
                at = int(best(finite.values))
                _prose(canvas, "also: ", f"{name!r} was best at {number(finite.values[at])} "
                       f"({reading.log.unit} {finite.steps[at]:,}) and ended at "
                       f"{number(finite.values[-1])}")


def _draw_forecast(canvas: Canvas, reading: Reading) -> None:
    """What half as many more steps would bring, if the run has a course that can go on."""
    if reading.diagnosis.outcome.kind not in _GO_ON:
        return
    found = outlook(reading.record.series(TRAIN_LOSS))
    if isinstance(found, Abstained):
        _prose(canvas, "forecast: ", f"none is possible because {found.reason}")
        return
    # Gains are shown as levels, so the interval's ends change places, those of a score do not.
    words = wording(reading.record)
    what = f"the {words.curve}"
    ends = (found.low, found.high) if words.higher else (found.high, found.low)
    now, then, low, high = (words.number(found.level - gain)
                            for gain in (0.0, found.gain, *ends))
    change = f"leave {what} at {now}" if now == then else f"take {what} from {now} to {then}"
    unit = f"more {reading.log.unit}"
    more = count(round(found.more), unit, unit + "s")
    _prose(canvas, "forecast: ", f"if the run goes on as before, {more} would {change} "
           f"({percent(COVERED)} interval: {low} to {high})")


def _draw_advice(canvas: Canvas, reading: Reading) -> None:
    held, words = reading.held_out, wording(reading.record)
    best = ""
    if held is not None:
        at = int(np.argmin(held.values))
        best = f"{words.number(held.values[at])} at {reading.log.unit} {held.steps[at]:,}"
    outcome = reading.diagnosis.outcome
    found = advice(outcome.kind, held is not None, best, course=reading.course, words=words)
    _prose(canvas, "meaning: ", ("If this is right: " if outcome.confidence < 0.5 else "")
           + found.meaning)
    for place, step in enumerate(found.steps, 1):
        _prose(canvas, "next: " if place == 1 else "      ", f"{place}. {step.text}")


# Several runs ------------------------------------------------------------------------------------
def _draw_comparison(canvas: Canvas, readings: Sequence[Reading]) -> None:
    """A table, and which run is best and worst, if they measure the same."""
    rows = [("run", "outcome", "confidence", "train ends at", "best held-out")]
    for reading in readings:
        outcome, held = reading.diagnosis.outcome, reading.held_out
        words = wording(reading.record)
        best = "none"
        if held is not None:
            at = int(np.argmin(held.values))
            best = f"{words.number(held.values[at])} ({reading.log.unit} {held.steps[at]:,})"
        rows.append((canvas.clean(reading.log.file), summary.in_short(outcome),
                     percent(outcome.confidence), words.number(reading.level), best))
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
        _prose(canvas, "note: ", "the runs were judged by different columns, so their values may "
               "not be comparable")
    by_held = all(r.held_out is not None for r in readings)
    order = sorted(readings, key=lambda r: _rank(r, by_held))
    _prose(canvas, "best: ", f"{order[0].log.file} ({_because(order[0], by_held, True)})")
    _prose(canvas, "worst: ", f"{order[-1].log.file} ({_because(order[-1], by_held, False)})")


def _rank(reading: Reading, by_held: bool) -> tuple[bool, float]:
    """Runs that failed come last; the others by the loss that counts."""
    failed = reading.diagnosis.outcome.kind in _FAILED
    level = _counts(reading, by_held)
    return failed or not np.isfinite(level), level if np.isfinite(level) else np.inf


def _counts(reading: Reading, by_held: bool) -> float:
    held = reading.held_out if by_held else None
    return float(np.min(held.values)) if held is not None else reading.level


def _because(reading: Reading, by_held: bool, best: bool) -> str:
    kind = reading.diagnosis.outcome.kind
    if kind in _FAILED:
        return lowered(summary.IN_WORDS[kind])
    words = wording(reading.record)
    what = f"best held-out {words.noun}" if by_held else f"final train {words.noun}"
    which = "lowest" if best is not words.higher else "highest"
    return f"its {what}, {words.number(_counts(reading, by_held))}, is the {which}"
