"""Whether samples that are trained on are evaluated under other labels than those of training."""

from __future__ import annotations

from collections import Counter

import numpy as np

from unstuck.observe.samples.mapping import MOST_CLASSES, one_to_one
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.mapping import LABELS_COMPARED, LABELS_KEPT, LABELS_RENUMBERED

MOST_KNOWN = 50_000  # training samples whose labels are remembered
SIGNALS = (LABELS_COMPARED, LABELS_KEPT, LABELS_RENUMBERED)


class Relabelled:
    """Labels by the hashes of their samples; keeps no data."""

    def __init__(self) -> None:
        self._labels: dict[float, int] = {}
        self._pairs: dict[float, tuple[int, int]] = {}  # of training and of evaluation

    def trained(self, hashes: tuple[float, ...], labels: list[int]) -> None:
        """These samples were trained on."""
        if len(self._labels) < MOST_KNOWN:
            self._labels.update(zip(hashes, labels, strict=False))

    def evaluated(self, hashes: tuple[float, ...], labels: list[int]) -> None:
        """Nothing is learned from these samples."""
        for key, label in zip(hashes, labels, strict=False):
            known = self._labels.get(key)
            if known is not None:
                self._pairs[key] = known, label

    def finish(self, writer: RecordWriter, step: int) -> None:
        """Writes how many labels are the same, and how many are under another numbering."""
        counts = Counter(self._pairs.values())
        classes = max((max(pair) for pair in counts), default=-1) + 1
        if not counts or classes > MOST_CLASSES or min(map(min, counts)) < 0:
            return
        total = counts.total()
        trained, evaluated = (np.repeat([pair[i] for pair in counts], list(counts.values()))
                              for i in (0, 1))
        numbering = one_to_one(evaluated, trained, classes)
        writer.row(LABELS_COMPARED, step, float(total))
        writer.row(LABELS_KEPT, step, float((trained == evaluated).mean()))
        writer.row(LABELS_RENUMBERED, step, float((numbering[trained] == evaluated).mean()))
