"""The ways of counting right predictions, and what they come to over the batches of a pass."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from unstuck.record.series import Integers
from unstuck.schema.facts.scores import Counting

SAME = 1e-5  # relative
APART = 1e-3
DIGITS = (2, 3, 4)  # to which a program may round a share, or a percentage
FEWEST = 20  # samples that a score is of
FEWEST_CLASSES = 5  # for a count of classes to be no coincidence
# Counts of a batch, each with the share that it is.
Counts = dict[Counting, list[tuple[float, float]]]


@dataclass(slots=True)
class Tally:
    """The right predictions of a pass so far, by one way of counting."""

    count: float = 0.0
    means: float = 0.0
    last: tuple[float, float] = (0.0, 0.0)  # count and share of the last batch

    def add(self, count: float, mean: float) -> None:
        """Adds a batch."""
        self.count, self.means, self.last = self.count + count, self.means + mean, (count, mean)

    def forms(self, part: Part) -> tuple[float, ...]:
        """The forms in which a program may keep this."""
        return (self.count, self.means, self.count / part.samples, self.means / part.batches,
                *self.last)


@dataclass(slots=True)
class Part:
    """The samples of a pass, or some of them, counted in each way."""

    samples: int = 0
    batches: int = 0
    tallies: dict[Counting, list[Tally]] = field(default_factory=dict)

    def add(self, samples: int, found: Counts) -> None:
        """Adds a batch."""
        self.samples, self.batches = self.samples + samples, self.batches + 1
        for how, numbers in found.items():
            tallies = self.tallies.setdefault(how, [Tally() for _ in numbers])
            for tally, (count, mean) in zip(tallies, numbers, strict=True):
                tally.add(count, mean)

    def holding(self, value: float) -> dict[Counting, Tally]:
        """The ways of counting that come to a number."""
        if self.samples < FEWEST:
            return {}
        found = {how: tally for how, tallies in self.tallies.items() for tally in tallies
                 if _is_one_of(value, SAME, tally.forms(self))
                 or (how is Counting.RIGHT and _is_rounded(value, tally.forms(self)))}
        if found or self.batches < 2:
            return found
        for tally in self.tallies.get(Counting.RIGHT, ()):
            each = tally.count / self.batches
            if each > 1 and _is_one_of(value, SAME, (each,)):  # and so no share of anything
                found[Counting.BATCHES] = Tally(tally.count, tally.count)
            if _is_one_of(value, SAME, (tally.means / self.samples,)):
                found[Counting.SHARES] = Tally(
                    tally.count, tally.means * self.batches / self.samples)
        return found

    def has_right(self) -> bool:
        """Whether predictions are right, among enough."""
        return self.samples >= FEWEST and any(
            tally.count for tally in self.tallies.get(Counting.RIGHT, ()))

    def is_nearly_right(self, value: float) -> bool:
        """Whether a number is about that of the right predictions."""
        return any(_is_one_of(value, APART, tally.forms(self))
                   for tally in self.tallies.get(Counting.RIGHT, ()))


def _is_one_of(value: float, tolerance: float, forms: tuple[float, ...]) -> bool:
    """Whether a number is one of some, as it is or in per cent."""
    return any(math.isclose(value, by * form, rel_tol=tolerance)
               for form in forms for by in (1, 100))


def _is_rounded(value: float, forms: tuple[float, ...]) -> bool:
    """Whether a number is one of some, as it is or in per cent, in a few digits."""
    return any(value == round(by * form, digits)
               for form in forms for by in (1, 100) for digits in DIGITS)


def of_two_classes(
    output: torch.Tensor, labels: torch.Tensor, logits: bool, twice: bool = False
) -> Counts:
    """Counts by one output a sample, (N,) or (N, 1): a logit, or a probability.

    Args:
        output: on the host.
        labels: zeros and ones, of as many elements; on the host.
        logits: whether the outputs are logits.
        twice: whether the program compares a sigmoid of something with a half.
    """
    samples = len(output)
    given, flat = output.reshape(-1), labels.reshape(-1)
    ways = [given > 0.5, *([given > 0] if logits else [])]
    found: Counts = {Counting.RIGHT: [_share((way == (flat == 1)).sum(), samples) for way in ways]}
    if logits:
        found[Counting.ROUNDED] = [_share((given.round() == flat).sum(), samples)]
    elif twice:
        found[Counting.TWICE] = [_share((flat == 1).sum(), samples)]
    if output.ndim == 2:
        found[Counting.COLUMN] = [_share((flat == 0).sum(), samples)]
    if output.ndim == 2 and labels.ndim == 1:
        ones = float((flat == 1).sum())
        found[Counting.PAIRS] = [
            _share(each * ones + (samples - each) * (samples - ones), samples ** 2)
            for each in (float(way.sum()) for way in ways)]
    return found


def of_classes(
    told: Integers, labels: Integers, classes: int, output: torch.Tensor | None,
    across: Integers | None = None,
) -> Counts:
    """Counts by predicted classes and labels, both (N,).

    `output`, (N, classes), is given where each sample has one prediction. `across` are the places
    of the largest outputs along another axis of the same length.
    """
    samples = len(labels)
    found: Counts = {Counting.RIGHT: [_share(int(np.sum(told == labels)), samples)]}
    if across is not None:
        found[Counting.AXIS] = [_share(int(np.sum(across == labels)), samples)]
    if output is None:
        return found
    pairs = np.bincount(told, minlength=classes) @ np.bincount(
        labels[labels >= 0], minlength=classes)[:classes]
    found[Counting.PAIRS] = [_share(int(pairs), samples ** 2)]
    if samples == classes >= FEWEST_CLASSES:
        columns = output.argmax(0).numpy()
        found[Counting.AXIS] = [_share(int(np.sum(columns == labels)), samples)]
    return found


def _share(count: torch.Tensor | float, of: int) -> tuple[float, float]:
    return float(count), float(count) / of
