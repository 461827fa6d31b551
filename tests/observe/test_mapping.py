"""The other numbering that fits held-out labels, judged on samples that it was not found on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unstuck.observe.samples.classes import Classes
from unstuck.observe.samples.mapping import one_to_one, write_mapping
from unstuck.record.reader import read_record
from unstuck.record.series import Integers
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.mapping import (
    HELD_OUT_ACCURACY,
    PREDICTED_CLASS,
    RELABELLED_ACCURACY,
)

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 5, 400)


def test_each_label_has_one_class() -> None:
    labels, told = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 0, 0, 0, 0])
    assert one_to_one(labels, told, 4).tolist() == [1, 0, -1, -1]


@pytest.mark.parametrize(("told", "plain", "best"), [
    ((LABELS + 1) % 5, 0.0, 1.0), (LABELS, 1.0, 1.0), (RNG.integers(0, 5, 400), 0.2, 0.2),
    (np.zeros_like(LABELS), 0.2, 0.2),
], ids=["renumbered", "right", "by chance", "one class"])
def test_chance_gains_nothing(told: Integers, plain: float, best: float, tmp_path: Path) -> None:
    scores = np.eye(5)[told][:, None]
    classes = Classes(np.arange(400), LABELS, 5, scores, np.full((400, 1), 90))
    writer = RecordWriter(tmp_path, "0.1.0")
    write_mapping(classes, writer, 100)
    writer.close()
    record = read_record(tmp_path)
    assert record.series(HELD_OUT_ACCURACY).values[-1] == pytest.approx(plain, abs=0.06)
    assert record.series(RELABELLED_ACCURACY).values[-1] == pytest.approx(best, abs=0.06)
    if best == 1.0:
        found = {label: series.values[-1] for label, series in record.series(
            PREDICTED_CLASS).items()}
        assert found == {str(label): told[label == LABELS][0] for label in range(5)}
