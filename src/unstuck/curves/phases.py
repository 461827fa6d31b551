"""The phases of a curve, in order. No outcome is decided here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np

from unstuck.curves.loss_curve import MATERIAL, SURE, halving, read
from unstuck.curves.statistics import (
    BLOCKS,
    Floats,
    block_levels,
    oscillation,
    point_noise,
    ratio,
    tidy,
    trend,
)
from unstuck.curves.wording import wording
from unstuck.record.reader import Record
from unstuck.record.series import Series
from unstuck.schema.facts.run import Log
from unstuck.schema.signals.losses import CONSTANT_LOSS, TRAIN_LOSS
from unstuck.words import count, joined, number, percent

SHORTEST = 4  # blocks of a phase
PENALTY = 6.0  # for one more phase, times the logarithm of the number of blocks
SPIKE = 12.0  # standard deviations above its surroundings


class Course(StrEnum):
    """Where a phase of a curve goes."""

    FALLING = "falling"
    FLAT = "flat"
    RISING = "rising"


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a curve with one course, from `start` at step `first` to `end` at `last`."""

    course: Course
    first: int
    last: int
    start: float
    end: float


@np.errstate(all="ignore")
def phases(series: Series) -> tuple[Phase, ...]:
    """The phases of a curve; none with fewer than 8 finite points. Linear time, deterministic.

    Straight lines are fitted piecewise to at most 60 levels, in logarithms where the curve is
    positive; the number of pieces minimises the squared error plus a penalty for each (optimal
    partitioning, Jackson et al., 2005). Neighbours with the same course are one phase.
    """
    series = tidy(series)
    if len(series) < 8:
        return ()
    _, y = block_levels(series, BLOCKS)
    heights = np.log(y + 0.01 * np.max(y)) if np.min(y) >= 0 and np.max(y) > 0 else y
    bounds = np.round(np.array(_cuts(heights)) * len(series) / len(y)).astype(int)
    found: list[Phase] = []
    for a, b in pairwise(bounds.tolist()):
        phase = _phase(Series(series.steps[a:b], series.values[a:b]), float(np.ptp(y)))
        if found and found[-1].course is phase.course:
            before = found.pop()
            phase = Phase(phase.course, before.first, phase.last, before.start, phase.end)
        found.append(phase)
    return tuple(found)


def _cuts(y: Floats) -> list[int]:
    """The bounds of the pieces, the ends included."""
    n = len(y)
    noise = max(point_noise(y), 0.01 * float(np.ptp(y)), 1e-12)
    at = np.arange(n, dtype=np.float64)
    sums = [np.r_[0.0, np.cumsum(v)] for v in (at, y, at * at, at * y, y * y)]

    def error(first: int, last: int) -> float:
        """The squared error of the best line through blocks first to last - 1, in noises."""
        m = last - first
        sx, sy, sxx, sxy, syy = (float(s[last] - s[first]) for s in sums)
        spread = sxx - sx * sx / m
        slope = (sxy - sx * sy / m) / spread if spread > 0 else 0.0
        return max(syy - sy * sy / m - slope * (sxy - sx * sy / m), 0.0) / noise**2

    cost, back = [0.0] + [np.inf] * n, [0] * (n + 1)
    for last in range(SHORTEST, n + 1):
        for first in (0, *range(SHORTEST, last - SHORTEST + 1)):
            total = cost[first] + error(first, last) + PENALTY * np.log(n)
            if total < cost[last]:
                cost[last], back[last] = total, first
    bounds = [n]
    while bounds[-1]:
        bounds.append(back[bounds[-1]])
    return bounds[::-1]


def _phase(part: Series, height: float) -> Phase:
    """A piece with its course: flat unless it surely changes by a material amount."""
    line = trend(part)
    k = max(1, len(part) // 5)
    start, end = float(np.median(part.values[:k])), float(np.median(part.values[-k:]))
    sure = abs(line.score) > SURE if line is not None else True
    large = abs(end - start) > MATERIAL * max(height, abs(start), abs(end))
    course = Course.FLAT
    if sure and large:
        course = Course.FALLING if end < start else Course.RISING
    return Phase(course, int(part.steps[0]), int(part.steps[-1]), start, end)


@np.errstate(all="ignore")
def spikes(series: Series) -> tuple[int, ...]:
    """Steps at which a positive curve shot up for a moment, at most 100. Linear time."""
    series = tidy(series)
    if len(series) < 16 or np.min(series.values) < 0:
        return ()
    found: list[int] = []
    edges = np.linspace(0, len(series), max(min(BLOCKS, len(series) // 16), 1) + 1).astype(int)
    for a, b in pairwise(edges[1:].tolist()):  # the first stretch is the way down
        part = series.values[a:b]
        middle = float(np.median(part))
        above = part > max(middle + SPIKE * point_noise(part), 2 * middle)
        if middle > 0 and np.count_nonzero(above) <= max(1, len(part) // 8):
            found += series.steps[a:b][above].tolist()
    return tuple(int(step) for step in found[:100])


def remarks(record: Record) -> list[str]:
    """What the train loss of a log shows besides its outcome, a sentence each."""
    train = read(record, TRAIN_LOSS) if record.fact(Log) is not None else None
    if train is None:
        return []
    said = []
    w = wording(record)
    curve = f"The {w.curve}"
    ways = {Course.FALLING: w.falling, Course.FLAT: "flat", Course.RISING: w.rising}
    course = phases(train)
    if len(course) > 1 and not halving(tidy(train)):  # whose pieces look flat, but are not
        said.append(f"{curve} was " + ", then ".join(
            f"{ways[p.course]} from {w.number(p.start)} to {w.number(p.end)} (steps {p.first:,} to "
            f"{p.last:,})"
            for p in course) + ".")
    if shot := spikes(train):
        steps = joined(f"{step:,}" for step in shot)
        said.append(f"{curve} has {count(len(shot), 'spike')}, at "
                    f"{'step' if len(shot) == 1 else 'steps'} {steps}.")
    swings = oscillation(train, amplitude=False)
    if swings is not None and swings.alternates:
        said.append(f"{curve} alternates from point to point, so its column may mix two curves.")
    constant = read(record, CONSTANT_LOSS)
    if course and course[-1].course is Course.FLAT and constant is not None and (
        constant.values[-1] > 0
    ):
        best = float(np.min(block_levels(tidy(train), BLOCKS)[1]))
        said.append(
            f"The plateau at {number(course[-1].end)} is "
            f"{percent(ratio(course[-1].end, float(constant.values[-1])))} of the loss of the best "
            f"constant prediction. The lowest level in the run was {number(best)}.")
    return said
