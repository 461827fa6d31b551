"""Labelled curves of real runs: what came after a cut is the truth. No detector has a say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import corpus
from harness.records import record_of
from unstuck.curves.statistics import middle_mean
from unstuck.record.reader import Record, UnusableRecord, read_record
from unstuck.schema.facts.losses import Backward
from unstuck.schema.signals.losses import CONSTANT_LOSS, HELD_OUT_LOSS, LEARNING_RATE, TRAIN_LOSS

Floats = NDArray[np.float64]
Curve = dict[str, Any]
AHEAD = 0.5  # a forecast looks half of the run ahead
SEEN = 4.0  # standard errors that a fall within the run must have to be asked for

# What the faulty programs are made to show, where their own words say it.
WRITTEN = {
    "accumulation-not-averaged": "diverged", "exploding-gradients": "diverged",
    "non-finite-data": "diverged", "non-finite-loss": "diverged", "loss-sign": "diverged",
    "gradients-not-zeroed": "diverged", "dead-relu": "not-learning",
    "detached-graph": "not-learning", "inputs-not-normalised": "not-learning",
    "learning-rate-too-low": "not-learning", "missing-nonlinearity": "not-learning",
    "saturated-activations": "not-learning", "schedule-mistake": "not-learning",
    "step-never-called": "not-learning", "step-without-gradient": "not-learning",
    "vanishing-gradients": "not-learning", "loss-broadcast": "not-learning",
    "same-batch-every-step": "overfitting",
}


def numbers(values: Floats) -> list[float | str]:
    """Four digits are enough; non-finite numbers are strings."""
    return [float(f"{v:.4g}") if np.isfinite(v) else str(float(v)) for v in values]


def row(name: str, truth: tuple[str, ...], steps: Floats, values: Floats, **more: Any) -> Curve:
    made = {"name": name, "truth": list(truth), "steps": [int(s) for s in steps],
            "train": numbers(values)}
    return made | {key: value for key, value in more.items() if value is not None}


def recorded(long: Path) -> Iterator[Curve]:
    """Curves of the healthy programs and pairs, and of the records in a folder."""
    runs: list[tuple[str, Record]] = []
    for folder in sorted(p for p in long.iterdir() if p.is_dir()):
        try:
            runs.append((f"{folder.name} long", read_record(folder)))
        except UnusableRecord:
            continue
    runs += [(z.stem, read_record(record_of(z))) for z in (*corpus.HEALTHY, *corpus.LONG)]
    runs += [(f"{corpus.cause_of(c)} well", read_record(record_of(c, "well")))
             for c in corpus.PAIRS]
    for name, record in runs:
        if record.measured(TRAIN_LOSS) and len(record.facts(Backward)) == 1:
            yield from _cuts(name, record)
    for case in corpus.PAIRS:
        slug = corpus.cause_of(case)
        if slug in WRITTEN:
            record = read_record(record_of(case, "sick"))
            train = record.series(TRAIN_LOSS)
            yield row(f"{slug} sick", (WRITTEN[slug],), train.steps[:600],
                       train.values[:600], constant=_constant(record), held=_held(record, 0, 600))


def _constant(record: Record) -> float | None:
    if not record.measured(CONSTANT_LOSS):
        return None
    value = float(record.series(CONSTANT_LOSS).values[-1])
    return float(f"{value:.4g}") if np.isfinite(value) else None


def _held(record: Record, first: int, last: int) -> list[Any] | None:
    if not record.measured(HELD_OUT_LOSS):
        return None
    held = record.series(HELD_OUT_LOSS)
    keep = (held.steps >= first) & (held.steps <= last)
    if not keep.any():
        return None
    return [[int(s) for s in held.steps[keep]], numbers(held.values[keep])]


def _cuts(name: str, record: Record) -> Iterator[Curve]:
    """One or two cuts of a run, as single steps or as means of what would be epochs."""
    train = record.series(TRAIN_LOSS)
    g = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
    whole = len(train)
    for cut in sorted(g.uniform(0.08, 0.65, size=2)):
        n = int(cut * whole)
        values, steps = train.values, train.steps.astype(float)
        if n < 60 or not np.all(np.isfinite(values)):
            continue
        if n * (1 + AHEAD) > whole:
            continue
        truth = _truth(values, n, _constant(record)) or ()
        last = int(min(n * (1 + AHEAD), whole))
        places = np.linspace(n, last, 7).astype(int)
        at = [float(np.mean(steps[a:b])) for a, b in pairwise(places)]
        if g.random() < 0.4:  # means of as many steps as an epoch may have
            each = max(n // int(g.integers(12, 50)), 2)
            count = n // each
            first = n - count * each
            shown = values[first:n].reshape(count, each).mean(axis=1)
            shown_at, how = steps[first:n].reshape(count, each)[:, -1], f"means of {each}"
            logged, level = True, np.mean
        else:
            stride = max(1, n // int(g.integers(80, 250)))
            shown, shown_at, how = values[:n:stride], steps[:n:stride], f"every {stride}"
            logged, level = False, middle_mean
        later = [float(level(values[a:b])) for a, b in pairwise(places)]
        foreseeable = _steady(record, int(0.8 * steps[n - 1]), int(steps[last - 1]))
        if not truth and not foreseeable:
            continue
        held = _held(record, 0, int(steps[n - 1]))
        truth = (_held_out_truth(held, truth) or ()) if truth else ()
        yield row(f"{name}, first {n}, {how}", truth, shown_at, shown, held=held,
                   constant=_constant(record), logged=logged or None,
                   later=[[int(a) for a in at], numbers(np.array(later))] if foreseeable else None)


def _steady(record: Record, first: int, last: int) -> bool:
    """Whether the rate hardly changes: no curve tells of a schedule that is still to come."""
    if not record.measured(LEARNING_RATE):
        return True
    for rate in record.series(LEARNING_RATE).values():
        before = rate.values[rate.steps <= first][-1:]
        during = np.r_[before, rate.values[(rate.steps > first) & (rate.steps <= last)]]
        if len(during) and not np.max(during) <= 1.5 * np.min(during):
            return False
    return True


def _truth(values: Floats, n: int, constant: float | None) -> tuple[str, ...] | None:
    """What came after a cut; None where it is no clear case."""
    if np.min(values) < 0:
        return None
    def level(a: float, b: float) -> tuple[float, float]:
        part = values[int(a * n): max(int(b * n), int(a * n) + 3)]
        part = np.minimum(part, 8 * np.median(part) + 1e-12)
        return float(np.mean(part)), float(np.std(part) / np.sqrt(len(part)) * 1.6)
    (before, before_error), (now, error) = level(0.5, 0.75), level(0.8, 1.0)
    later, later_error = level(1.3, 1.5)
    start = float(np.median(values[: max(3, n // 50)]))
    fell, was = 1 - later / now, 1 - now / before
    if (now <= 0.02 * (constant or start)) and later < now * 1.5:
        return ("converged",)
    unsure = (error + later_error) / now
    if fell > max(0.08, SEEN * unsure) and was > max(0.05, SEEN * (error + before_error) / before):
        return ("learning",)
    if abs(fell) < 0.03 and abs(was) < 0.03 and unsure < 0.03:
        if constant is None:
            return ("plateau", "converged") if now < 0.8 * start else None
        skill = 1 - now / constant
        return (("converged",) if skill > 0.92 else ("plateau",) if 0.1 < skill < 0.88
                else ("not-learning",) if skill < 0.02 else None)
    return None


def _held_out_truth(held: list[Any] | None, truth: tuple[str, ...]) -> tuple[str, ...] | None:
    """The truth with the held-out curve looked at: overfitting if it clearly turned up."""
    if held is None:
        return truth
    values = np.array([float(v) for v in held[1]])
    if len(values) < 6:
        return truth
    low, end = float(np.min(values)), float(np.median(values[-3:]))
    if end > 1.25 * low and int(np.argmin(values)) < len(values) * 0.7:
        return ("overfitting",) if truth != ("not-learning",) else None
    return truth if end < 1.08 * low else None
