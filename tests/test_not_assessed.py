"""What is said to be unknown: only what could not be looked at, with what would settle it."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

import corpus
import unstuck
from harness.records import record_of
from unstuck.judge import catalogue
from unstuck.judge.engine import diagnose
from unstuck.measures.basics import unwatched
from unstuck.record.reader import EVENTS, RecordWriter, read_record
from unstuck.schema.findings import Absent, Diagnosis, OutcomeKind, Unknown, Verdict
from unstuck.schema.signals.losses import TRAIN_LOSS

HANDFUL = 8  # verdicts, for a loss and layers that are the program's own
# Further ones for the same reasons: labels of such a loss, gradients of such layers, and whether
# they are deep enough.
MORE = 6
APPLIES_TO_SOME = ("training-in-eval-mode", "validation-in-train-mode", "targets-not-normalised",
                   "not-shuffled", "labels-out-of-range", "accumulation-not-averaged",
                   "retained-graph")


def verdict(diagnosis: Diagnosis, slug: str) -> Verdict:
    return dict(diagnosis.verdicts)[slug]


def train(
    folder: Path, model: nn.Module, steps: int = 40, ending: type[BaseException] | None = None
) -> Path:
    """A classifier of points, trained under watch; returns its record."""
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(400, 4, generator=generator)
    labels = (points[:, 0] > 0).long()
    with unstuck.watch(out=folder / "record", overhead=1.0):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(steps):
            chosen = torch.randint(300, (16,), generator=generator)
            loss = functional.cross_entropy(model(points[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if ending is not None:
            raise ending
    return folder / "record"


# Programs that were watched whole ----------------------------------------------------------------
@pytest.mark.all_records
def test_little_is_unknown_of_healthy_programs() -> None:
    counts = []
    for program in corpus.HEALTHY:
        record = read_record(record_of(program))
        if unwatched(record) is not None:
            continue
        told = diagnose(record)
        # Of a loss that measures nothing no trend says anything.
        unknown = [(slug, why) for slug, why in told.not_assessed()
                   if told.outcome.kind is not OutcomeKind.NOT_TOLD
                   or not catalogue.find(slug).needs_trend]
        assert len(unknown) <= HANDFUL + MORE, (program.stem, [slug for slug, _ in unknown])
        for slug, why in unknown:
            assert why.needs, (program.stem, slug, why.reason)
        counts.append(len(unknown))
    assert len(counts) >= 0.9 * len(corpus.HEALTHY)
    assert statistics.median(counts) <= 1


def test_what_does_not_apply_is_absent(tmp_path: Path) -> None:
    found = diagnose(train(tmp_path, nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))))
    for slug in APPLIES_TO_SOME:
        assert isinstance(verdict(found, slug), Absent), (slug, verdict(found, slug))


def test_a_model_with_dropout_and_no_validation(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
    absent = verdict(diagnose(train(tmp_path, model)), "validation-in-train-mode")
    assert isinstance(absent, Absent)
    assert "never validates" in absent.reason


def test_dropout_of_probability_0_does_nothing(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.0), nn.Linear(8, 2))
    assert isinstance(verdict(diagnose(train(tmp_path, model)), "training-in-eval-mode"), Absent)


# Records that could not show it ------------------------------------------------------------------
def unknown(folder: Path) -> None:
    found = diagnose(folder)
    for slug in APPLIES_TO_SOME:
        assert isinstance(verdict(found, slug), Unknown), (slug, verdict(found, slug))


def test_curves_alone_leave_it_unknown(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path / "record", "0")
    for step in range(300):
        writer.row(TRAIN_LOSS, step, 2.0 + 0.01 * (step % 7))
    writer.close()
    unknown(tmp_path / "record")
    loss_sign = verdict(diagnose(tmp_path / "record"), "loss-sign")
    assert isinstance(loss_sign, Unknown)


def test_a_curve_that_ends_in_nan_does_not_clear_the_data(tmp_path: Path) -> None:
    writer = RecordWriter(tmp_path / "record", "0")
    for step in range(300):
        writer.row(TRAIN_LOSS, step, 2.0 if step < 50 else float("nan"))
    writer.close()
    assert isinstance(verdict(diagnose(tmp_path / "record"), "non-finite-data"), Unknown)


def test_a_run_without_a_step_leaves_it_unknown(tmp_path: Path) -> None:
    unknown(train(tmp_path, nn.Linear(4, 2), steps=0))


def test_a_torn_record_leaves_modes_unknown(tmp_path: Path) -> None:
    file = train(tmp_path, nn.Linear(4, 2)) / EVENTS
    file.write_text(file.read_text() + '{"type": "sam')
    found = diagnose(file)
    for slug in ("training-in-eval-mode", "validation-in-train-mode"):
        assert isinstance(verdict(found, slug), Unknown)


def test_a_loss_of_ones_own_leaves_its_targets_unknown(tmp_path: Path) -> None:
    model = nn.Linear(4, 2)
    with unstuck.watch(out=tmp_path / "record", overhead=1.0):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(10):
            optimizer.zero_grad()
            model(torch.ones(8, 4)).cosh().log().sum().backward()
            optimizer.step()
    found = diagnose(tmp_path / "record")
    for slug in ("targets-not-normalised", "labels-out-of-range", "not-shuffled"):
        assert isinstance(verdict(found, slug), Unknown), slug


@pytest.mark.parametrize("ending", [KeyboardInterrupt, ValueError])
def test_a_run_that_ends_early_may_have_had_a_validation(
    tmp_path: Path, ending: type[BaseException]
) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
    with pytest.raises(ending):
        train(tmp_path, model, ending=ending)
    early = verdict(diagnose(tmp_path / "record"), "validation-in-train-mode")
    assert isinstance(early, Unknown)
    assert early.needs == ("a run that reaches a validation",)
