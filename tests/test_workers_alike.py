"""What is said of loaders whose workers are seeded by a function of the program's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from unstuck.judge.engine import diagnose
from unstuck.record.reader import RecordWriter
from unstuck.schema.facts.calls import CallRole
from unstuck.schema.facts.data import Feeding, Loader
from unstuck.schema.findings import Absent, Present, Unknown, Verdict
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.batches import COPIED_GENERATORS, SAME_BATCH
from unstuck.schema.signals.losses import TRAIN_LOSS

PLACE = SourceLocation("train.py", 3, 5, 3, 25, None)
PLAIN = Loader("loader at line 9", None, 8, "RandomSampler", 100, 2)
ALIKE = replace(PLAIN, generators=("numpy.random",), seeded=PLACE)


def judged(folder: Path, loader: Loader, role: CallRole = CallRole.TRAIN,
           same: Mapping[int, float] | None = None) -> Verdict:
    writer = RecordWriter(folder / "record", "0")
    writer.fact(loader, 0)
    writer.fact(Feeding("1", loader.name, role, None), 0)
    if loader.workers >= 2 and not loader.unread:
        writer.sample(COPIED_GENERATORS, 0, {loader.name: float(len(loader.generators))})
    for step in range(50):
        writer.row(TRAIN_LOSS, step, 1.0 / (1 + step))
        if same and step in same:
            writer.row(SAME_BATCH, step, same[step])
    writer.close()
    return dict(diagnose(folder / "record").verdicts)["identical-worker-randomness"]


def test_one_seed_for_all_workers(tmp_path: Path) -> None:
    found = judged(tmp_path, ALIKE)
    assert isinstance(found, Present)
    assert found.location == PLACE
    assert "the 2 workers of a loader draw the same" in found.title


@pytest.mark.parametrize(("loader", "said"), [
    (replace(PLAIN, unread=True), "not known whether the workers"),
    (replace(ALIKE, workers=1), "the only worker"),
    (replace(PLAIN, workers=1, unread=True), "not known whether the workers"),
])
def test_what_is_in_doubt_is_unknown(tmp_path: Path, loader: Loader, said: str) -> None:
    found = judged(tmp_path, loader)
    assert isinstance(found, Unknown)
    assert said in found.reason
    assert found.needs


def test_a_single_worker_repeats_no_other(tmp_path: Path) -> None:
    loader = replace(ALIKE, workers=1, unread=True)
    assert isinstance(judged(tmp_path, loader, same=dict.fromkeys(range(1, 40), 0.0)), Unknown)


@pytest.mark.parametrize(("turn", "expected"), [
    ((1.0, 0.0), Present), ((1.0, 0.0, 0.0), Unknown), ((0.0,), Unknown)])
def test_batches_tell_what_the_code_does_not(
    turn: tuple[float, ...], expected: type[Verdict], tmp_path: Path
) -> None:
    rows = dict(enumerate(30 * turn, 1))
    found = judged(tmp_path, replace(ALIKE, unread=True), same=rows)
    assert isinstance(found, expected)
    assert not isinstance(found, Present) or found.location == PLACE


@pytest.mark.parametrize(("loader", "role"), [
    (ALIKE, CallRole.HELD_OUT),  # held-out samples that stay the same from epoch to epoch
    (replace(PLAIN, unread=True), CallRole.HELD_OUT),
    (PLAIN, CallRole.TRAIN),
    (replace(PLAIN, workers=0), CallRole.TRAIN),
])
def test_loaders_that_do_no_harm(tmp_path: Path, loader: Loader, role: CallRole) -> None:
    assert isinstance(judged(tmp_path, loader, role), Absent)
