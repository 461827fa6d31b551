"""How good a trained program is, from what its record measures; nothing is run here.

A pair: on the data that it learns from, and on those that it holds out. Each is the share of the
way from a constant prediction to no loss at all, so that programs with other losses can be
compared. Where no constant is known, the untrained model stands in for it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from unstuck.record.reader import Record
from unstuck.record.series import Series
from unstuck.schema.findings import Outcome, OutcomeKind
from unstuck.schema.signals import CONSTANT_LOSS, HELD_OUT_LOSS, TRAIN_LOSS, StepSignal

CONSTANT = "a constant prediction"
_LAST = 3  # held-out passes whose median is the last level
_PART = 10  # of the training losses the last tenth is the last level
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]*\w)"
                     r"|(?<!\w)[-+]?(?:nan|inf)(?!\w)", re.IGNORECASE)
_MEANT = (re.compile(r"acc|r2|r²|f1|auc|score|correct|iou|dice|bleu", re.IGNORECASE),
          re.compile(r"loss|err|mse|mae|nll|perplexity|ppl", re.IGNORECASE))
_HELD = re.compile(r"test|val|held|eval|dev", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Skill in training and on held-out data: 1 is no loss, 0 a constant prediction.

    `against` says what 0 stands for. `untrained` is the skill in training with the untrained model
    for the constant. None is unknown. Never above 1; -1 is the worst that counts, and what a run
    that diverged has.
    """

    training: float | None
    held_out: float | None
    against: str
    untrained: float | None = None

    @property
    def value(self) -> float | None:
        """The one number to compare by: held-out where there is one."""
        return self.training if self.held_out is None else self.held_out


@np.errstate(all="ignore")
def measure(record: Record, outcome: Outcome) -> Yardstick:
    """The yardstick of a record with this outcome."""
    constant = _last(record, CONSTANT_LOSS, 1)
    against = CONSTANT
    if not constant or constant <= 0:
        constant, against = _first(record), "the untrained model"
    if outcome.kind is OutcomeKind.DIVERGED:
        return Yardstick(-1.0, -1.0 if record.measured(HELD_OUT_LOSS) else None, against, -1.0)
    train = _level(record)
    held = _last(record, HELD_OUT_LOSS, _LAST)
    return Yardstick(_skill(train, constant), _skill(held, constant), against,
                     _skill(train, _first(record)))


def _skill(level: float | None, constant: float | None) -> float | None:
    if level is None or constant is None or not constant > 0 or level < 0:
        return None  # a loss that can be negative has no zero to be measured by
    return -1.0 if not math.isfinite(level) else min(max(1 - level / constant, -1.0), 1.0)


def _series(record: Record, signal: StepSignal) -> Series | None:
    return record.series(signal) if record.measured(signal) else None


def _last(record: Record, signal: StepSignal, amount: int) -> float | None:
    series = _series(record, signal)
    return None if series is None else float(np.median(series.values[-amount:]))


def _first(record: Record) -> float | None:
    series = _series(record, TRAIN_LOSS)
    if series is None:
        return None
    finite = series.values[np.isfinite(series.values)]
    return float(np.median(finite[:3])) if len(finite) else None


def _level(record: Record) -> float | None:
    series = _series(record, TRAIN_LOSS)
    if series is None:
        return None
    return float(np.mean(series.values[-max(len(series.values) // _PART, 1):]))


# What the program itself prints ------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Printed:
    """The number that a user looks at: what the program printed last under the same words."""

    name: str
    control: str
    treated: str

    @property
    def numbers(self) -> tuple[float, float]:
        """Both as numbers."""
        before, after = (float(each.replace(",", "")) for each in (self.control, self.treated))
        return before, after


def printed(control: str, treated: str) -> Printed | None:
    """The most telling number that both outputs end with; None without lines of the same form."""
    before, after = _lines(control), _lines(treated)
    best: tuple[tuple[bool, int, bool], Printed] | None = None
    for form in before:
        if form not in after:
            continue
        words = form.split("\0")
        for index, (old, new) in enumerate(zip(before[form], after[form], strict=True)):
            name = " ".join(re.findall(r"[^\W\d]\w*", words[index])[-2:])
            kind = next((rank for rank, meant in enumerate(_MEANT) if meant.search(name)), None)
            if kind is None:
                continue
            found = (not _HELD.search(name), kind, old == new)
            if best is None or found < best[0]:
                best = found, Printed(name, old, new)
    return best[1] if best else None


def _lines(output: str) -> dict[str, list[str]]:
    """The numbers of the last line of each form; words alone make the form."""
    found: dict[str, list[str]] = {}
    for line in output.splitlines()[-200:]:
        numbers = [match.group() for match in _NUMBER.finditer(line)]
        if numbers:
            form = re.sub(r"\s+", " ", _NUMBER.sub("\0", line)).strip()
            found[form] = numbers
    return found
