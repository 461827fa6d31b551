"""How good a trained program is, from what its record measures; nothing is run here.

A pair: on the data that it learns from, and on those that it holds out. Each is the share of the
way from a constant prediction to no loss at all, so that programs with other losses can be
compared. Where no constant is known, the untrained model stands in for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unstuck.curves.statistics import end_level, end_median, ending
from unstuck.measures.basics import last
from unstuck.record.reader import Record
from unstuck.schema.facts.losses import Loss
from unstuck.schema.findings import Outcome, OutcomeKind
from unstuck.schema.quantities import PlaceSignal, StepSignal
from unstuck.schema.signals.losses import CONSTANT_LOSS, HELD_OUT_LOSS, TRAIN_LOSS
from unstuck.schema.signals.samples import (
    CLASS_RECALL,
    CLASS_SAMPLES,
    HELD_OUT_CLASS_RECALL,
    LABELS_BY_CHANCE,
    LABELS_FOUND,
)

CONSTANT = "a constant prediction"
RARE = 4.0  # a class is rare if another one has so many times its samples
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]*\w)"
                     r"|(?<!\w)[-+]?(?:nan|inf)(?!\w)", re.IGNORECASE)
_MEANT = (re.compile(r"acc|r2|r²|f1|auc|score|correct|iou|dice|bleu|reward|return", re.IGNORECASE),
          re.compile(r"loss|err|mse|mae|nll|perplexity|ppl", re.IGNORECASE))
_NOTICE = re.compile(r"^\[?[IWEF]\d{4} |Warning: ")  # of a library: "[W1127 05:09:33 a.cpp:7]"
_HELD = re.compile(r"test|val|held|eval|dev", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Skill in training and on held-out data: 1 is no loss, 0 a constant prediction.

    `against` says what 0 stands for. `untrained` is the skill in training with the untrained model
    for the constant. `classes` is the mean share of each class that is found, `targets` the share
    of all targets, both less what chance finds; the rank correlation where targets are numbers.
    `losses` are the functions that make the losses, `uneven` says that a class is rare. None is
    unknown. Never above 1; -1 is the worst that counts, and what a run that diverged has.
    """

    training: float | None
    held_out: float | None
    against: str
    untrained: float | None = None
    classes: float | None = None
    targets: float | None = None
    losses: frozenset[str] = frozenset()
    uneven: bool = False

    @property
    def value(self) -> float | None:
        """The one number to compare by: held-out where there is one."""
        return self.training if self.held_out is None else self.held_out


@np.errstate(all="ignore")
def measure(record: Record, outcome: Outcome) -> Yardstick:
    """The yardstick of a record with this outcome."""
    constant, against = _constant(record), CONSTANT
    if constant is None:
        constant, against = _first(record), "the untrained model"
    losses = frozenset(each.function for each in record.facts(Loss))
    sizes = _last(record, CLASS_SAMPLES)
    uneven = len(sizes) > 1 and max(sizes.values()) >= RARE * min(sizes.values())
    if outcome.kind is OutcomeKind.DIVERGED:
        return Yardstick(-1.0, -1.0 if record.measured(HELD_OUT_LOSS) else None, against, -1.0,
                         0.0 if sizes else None, 0.0, losses, uneven)
    train, held = _end(record, TRAIN_LOSS), _end(record, HELD_OUT_LOSS)
    return Yardstick(
        _skill(train, constant), _skill(held, constant), against, _skill(train, _first(record)),
        _of_classes(record), _of_targets(record), losses, uneven)


def _skill(level: float | None, constant: float | None) -> float | None:
    if level is None or constant is None or not constant > 0 or level < 0:
        return None  # a loss that can be negative has no zero to be measured by
    return -1.0 if not math.isfinite(level) else min(max(1 - level / constant, -1.0), 1.0)


def _end(record: Record, signal: StepSignal) -> float | None:
    """The level at which a loss ends; of held-out passes, of which one may be odd, the median."""
    if not record.measured(signal):
        return None
    values = record.series(signal).values
    if not np.isfinite(ending(values)).all():
        return math.nan
    return end_level(values)[0] if signal is TRAIN_LOSS else end_median(values)


def _constant(record: Record) -> float | None:
    if not record.measured(CONSTANT_LOSS):
        return None
    last = float(record.series(CONSTANT_LOSS).values[-1])
    return last if last > 0 else None


def _first(record: Record) -> float | None:
    if not record.measured(TRAIN_LOSS):
        return None
    finite = record.series(TRAIN_LOSS).finite.values
    return float(np.median(finite[:3])) if len(finite) else None


def _last(record: Record, signal: PlaceSignal) -> dict[str, float]:
    return last(record.series(signal)) if record.measured(signal) else {}


def _of_classes(record: Record) -> float | None:
    found = _last(record, HELD_OUT_CLASS_RECALL) or _last(record, CLASS_RECALL)
    if len(found) < 2:
        return None
    chance = 1 / len(found)
    return (sum(found.values()) / len(found) - chance) / (1 - chance)


def _of_targets(record: Record) -> float | None:
    """By held-out samples where there are any."""
    found, chance = _last(record, LABELS_FOUND), _last(record, LABELS_BY_CHANCE)
    place = next((each for each in ("held-out", "trained") if each in found), None)
    if place is None or not chance.get(place, 1.0) < 1:
        return None
    return (found[place] - chance[place]) / (1 - chance[place])


# How far equal programs differ -------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Spread:
    """How far the skills of runs lie apart that differ in nothing but their seeds."""

    training: float = 0.0
    held_out: float = 0.0
    untrained: float = 0.0
    classes: float = 0.0
    targets: float = 0.0


def spread_of(runs: Sequence[Yardstick]) -> Spread:
    """The range of each skill; worse than a constant prediction is no worse than that."""
    def apart(values: list[float | None]) -> float:
        known = [max(value, 0.0) for value in values if value is not None]
        return max(known) - min(known) if len(known) > 1 else 0.0

    return Spread(*(apart([getattr(run, name) for run in runs]) for name in (
        "training", "held_out", "untrained", "classes", "targets")))


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

    @property
    def gains(self) -> bool:
        """Whether the second is better: more of a score, less of a loss."""
        before, after = self.numbers
        return after > before if _MEANT[0].search(self.name) else not after >= before

    @property
    def is_score(self) -> bool:
        """Whether it is no loss, which another loss function would count in other units."""
        return re.search("loss|nll", self.name, re.IGNORECASE) is None

    @property
    def halves(self) -> bool:
        """Whether a loss is at most half as high, or a score lacks at most half as much."""
        before, after = self.numbers
        if _MEANT[0].search(self.name):
            return before < after <= 1 and 1 - after <= (1 - before) / 2
        return 0 <= after <= before / 2


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
        if numbers and not _NOTICE.search(line):
            form = re.sub(r"\s+", " ", _NUMBER.sub("\0", line)).strip()
            found[form] = numbers
    return found
