"""Statistics of what models and losses receive in training, over sampled steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from unstuck.observe.later import Later
from unstuck.observe.tensors import counted, observable, spread
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.statistics import QUANTILES, ClassCount, Statistics, Subject
from unstuck.torch_api import CLASSES

MOST_SUBJECTS = 16
MOST_FEATURES = 4_096  # that have numbers of their own
ELEMENT_LIMIT = 262_144  # of a batch that are read
VALUES = 4_096  # of a batch that are kept for quantiles,
MOST_VALUES = 65_536  # and of all batches
MOST_CLASSES = 1_000
FIRST_LOOKS = 5  # batches after which statistics are written, before they are at the end
DIGITS = 7


@dataclass(slots=True)
class _Seen:
    """What was seen of one subject."""

    subject: Subject
    of: str
    axis: int | None
    shape: tuple[int, ...]
    dtype: str
    classes: torch.Tensor | None = None
    looks: int = 0
    samples: int = 0
    count: torch.Tensor | None = None  # of finite numbers, for each feature,
    mean: torch.Tensor | None = None
    squares: torch.Tensor | None = None  # and squared distances from the mean
    values: list[torch.Tensor] = field(default_factory=list)
    kept: int = 0

    def add(self, values: torch.Tensor, later: Later) -> None:
        """Merges a batch of shape (n, features), as Chan, Golub and LeVeque 1983 do."""
        finite = values.isfinite()
        count = finite.sum(0).double()
        mean = torch.where(finite, values, 0.0).sum(0) / count.clamp(min=1.0)
        squares = torch.where(finite, values - mean, 0.0).square().sum(0)
        if self.count is None or self.mean is None or self.squares is None:
            self.count, self.mean, self.squares = count, mean, squares
        else:
            whole = (self.count + count).clamp(min=1.0)
            apart = mean - self.mean
            self.squares = self.squares + squares + apart.square() * self.count * count / whole
            self.mean = self.mean + apart * count / whole
            self.count = self.count + count
        if self.kept < MOST_VALUES:
            later.read_now([spread(values.reshape(-1), VALUES).float()], self._keep)

    def _keep(self, found: list[torch.Tensor]) -> None:
        if self.kept < MOST_VALUES:
            self.values.append(found[0][found[0].isfinite()])
            self.kept += len(self.values[-1])

    def add_classes(self, labels: torch.Tensor) -> None:
        """Counts class indices."""
        counts = counted(labels, MOST_CLASSES)
        self.classes = counts if self.classes is None else self.classes + counts

    def write(self, writer: RecordWriter, later: Later, step: int) -> None:
        """Writes what was seen as a fact."""
        known: dict[str, torch.Tensor] = {}
        if self.count is not None and self.mean is not None and self.squares is not None:
            deviation = (self.squares / self.count.clamp(min=1.0)).sqrt()
            known = {"mean": self.mean, "deviation": deviation}
        if self.classes is not None:
            known["classes"] = self.classes
        samples = self.samples
        later.read(list(known.values()), lambda found: writer.fact(
            self._fact(samples, dict(zip(known, found, strict=True))), step))

    def _fact(self, samples: int, known: dict[str, torch.Tensor]) -> Statistics:
        numbers: dict[str, Any] = {
            name: _classes(values) if name == "classes" else _plain(values)
            for name, values in known.items()}
        if self.kept:
            ranks = torch.tensor(QUANTILES, dtype=torch.float32, device="cpu")
            numbers["quantiles"] = _plain(torch.quantile(torch.cat(self.values), ranks))
        return Statistics(
            f"{self.subject} of {self.of}", self.subject, self.of, samples, self.shape,
            self.dtype, self.axis, **numbers)


class DataStatistics:
    """Keeps sums and a bounded number of values; writes them early and at the end."""

    def __init__(self, writer: RecordWriter, later: Later) -> None:
        self._writer = writer
        self._later = later
        self._seen: dict[str, _Seen] = {}

    def inputs(self, call: str, model: nn.Module, given: torch.Tensor) -> None:
        """A call place of a model received data in training."""
        pixels = given.dtype is torch.uint8
        if observable(given) and given.ndim and (given.is_floating_point() or pixels):
            seen = self._subject(Subject.INPUTS, call, given, _axis(given, model))
            if seen is not None:
                self._add(seen, given)

    def targets(self, loss: Loss, given: torch.Tensor) -> None:
        """A loss received targets in training."""
        if not observable(given) or not given.ndim:
            return
        if loss.function in CLASSES and not given.is_floating_point():
            seen = self._subject(Subject.TARGETS, loss.name, given, None)
            if seen is not None:
                seen.add_classes(spread(given.detach(), ELEMENT_LIMIT))
                seen.samples, seen.looks = seen.samples + len(given), seen.looks + 1
        else:
            seen = self._subject(Subject.TARGETS, loss.name, given, _axis(given, None))
            if seen is not None:
                self._add(seen, given)

    def _subject(
        self, subject: Subject, of: str, given: torch.Tensor, axis: int | None
    ) -> _Seen | None:
        key = f"{subject} {of}"
        seen = self._seen.get(key)
        if seen is None and len(self._seen) < MOST_SUBJECTS:
            seen = self._seen[key] = _Seen(
                subject, of, axis, tuple(given.shape), str(given.dtype).removeprefix("torch."))
        fits = seen is not None and len(seen.shape) == given.ndim and (
            seen.axis is None or seen.shape[seen.axis] == given.shape[seen.axis])
        return seen if fits else None

    def _add(self, seen: _Seen, given: torch.Tensor) -> None:
        with torch.no_grad():
            part = spread(given.detach(), ELEMENT_LIMIT, keep=seen.axis)
            if part.numel() > 4 * ELEMENT_LIMIT:
                return
            rows = part.reshape(-1, 1) if seen.axis is None else (
                part.movedim(seen.axis, -1).reshape(-1, part.shape[seen.axis]))
            seen.add(rows.double(), self._later)
            seen.samples, seen.looks = seen.samples + len(given), seen.looks + 1

    def flush(self, step: int) -> None:
        """A sampled step has ended."""
        for seen in self._seen.values():
            if seen.looks == FIRST_LOOKS:
                seen.looks += 1  # once
                seen.write(self._writer, self._later, step)

    def finish(self, step: int) -> None:
        """The run has ended."""
        for seen in self._seen.values():
            seen.write(self._writer, self._later, step)
        self._seen.clear()


def _axis(given: torch.Tensor, model: nn.Module | None) -> int | None:
    """The axis of a batch along which features lie, None if they share their numbers."""
    if given.ndim < 2:
        return None
    # Past what a class of the program makes of these methods.
    first = next((m for m in nn.Module.modules(model)
                  if next(iter(nn.Module.parameters(m, recurse=False)), None) is not None
                  ), None) if model is not None else None
    channels = given.ndim > 3 or (
        given.ndim == 3 and isinstance(first, nn.modules.conv._ConvNd))
    axis = 1 if channels else given.ndim - 1
    return axis if given.shape[axis] <= MOST_FEATURES else None


def _classes(counts: torch.Tensor) -> tuple[ClassCount, ...]:
    return tuple(
        ClassCount(label, count) for label, count in enumerate(counts.tolist()) if count)


def _plain(values: torch.Tensor) -> tuple[float, ...]:
    return tuple(float(format(value, f".{DIGITS}g")) for value in values.tolist())
