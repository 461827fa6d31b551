"""What is kept of the samples of a run, and what becomes of it when the program ends."""

from __future__ import annotations

import gc
import math
import os
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import unstuck
from unstuck.observe.samples import ending
from unstuck.observe.samples.extremes import robust_distance
from unstuck.observe.samples.kept import Contents, Samples
from unstuck.observe.samples.near import near_copies
from unstuck.observe.samples.reservoir import FEATURE_LIMIT, Reservoir
from unstuck.observe.samples.samplewise import sample_losses, sample_slopes
from unstuck.observe.samples.shift import distance
from unstuck.observe.samples.store import MOST_SAMPLES, VISITS
from unstuck.record.reader import Record, read_record
from unstuck.schema.facts.data import Kept
from unstuck.schema.facts.run import EndKind
from unstuck.schema.signals.samples import (
    DISTINCT_SAMPLES,
    DUPLICATE_SHARE,
    FEATURE_SCALE,
    HELD_OUT_OVERLAP,
    NEAR_COPIES,
    TARGET_DISTANCE,
)

pytestmark = pytest.mark.usefixtures("seeded")


def watched(
    program: Callable[[], Any], folder: Path, monkeypatch: pytest.MonkeyPatch,
    overhead: float = 1e9,
) -> tuple[Contents, Record]:
    """What was kept of a program, and its record."""
    kept: list[Contents] = []
    reductions = ending._reductions

    def note(left: ending.Left, *rest: Any) -> Any:
        kept.append(left.contents)
        return reductions(left, *rest)

    monkeypatch.setattr(ending, "_reductions", note)
    with unstuck.watch(folder, overhead=overhead):
        program()
    return kept[0], read_record(folder)


def last(record: Record, signal: Any) -> float:
    return float(record.series(signal).values[-1])


class Lesson:
    """A small classification by loaders."""

    def __init__(self, samples: int = 120, **options: Any) -> None:
        self.x = torch.randn(samples, 6)
        self.y = (self.x[:, 0] > 0).long()
        self.held = torch.randn(40, 6), torch.arange(40) % 2
        self.options = {"batch_size": 16, "shuffle": True, **options}
        self.epochs = 4
        self.gradients_in_validation = False

    def __call__(self) -> None:
        model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        train = DataLoader(TensorDataset(self.x, self.y), **self.options)
        val = DataLoader(TensorDataset(*self.held), batch_size=20)
        for _ in range(self.epochs):
            for x, y in train:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
            with torch.set_grad_enabled(self.gradients_in_validation):
                for x, y in val:
                    F.cross_entropy(model(x), y)


# What is kept -------------------------------------------------------------------------------------
@pytest.mark.parametrize("gradients", [False, True])
def test_both_roles_are_kept_once_and_by_index(
    gradients: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson = Lesson()
    lesson.gradients_in_validation = gradients
    contents, record = watched(lesson, tmp_path / "r", monkeypatch)
    for samples, x, y in (
        (contents.train, lesson.x, lesson.y), (contents.held_out, *lesson.held)
    ):
        assert isinstance(samples, Samples)
        assert len(samples) == len(x)
        assert samples.class_indices
        assert samples.targets is not None
        if not (gradients and samples is contents.held_out):
            assert samples.indices is not None
            assert sorted(samples.indices) == list(range(len(x)))
            assert np.array_equal(samples.inputs, x.numpy()[samples.indices])
            assert np.array_equal(samples.targets[:, 0], y.numpy()[samples.indices])
    assert last(record, DISTINCT_SAMPLES) == 120
    assert last(record, DUPLICATE_SHARE) == 0
    assert last(record, HELD_OUT_OVERLAP) == 0
    assert {kept.name for kept in record.facts(Kept)} == {"train", "held-out"}


def test_outputs_and_losses_are_those_of_the_visits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = torch.randn(30, 4), torch.randn(30, 2)
    model, seen = nn.Linear(4, 2), []

    def program() -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            output = model(x)
            seen.append(output.detach().numpy().copy())
            F.mse_loss(output, y).backward()
            optimizer.step()

    train = watched(program, tmp_path / "r", monkeypatch)[0].train
    assert train is not None
    assert train.outputs is not None
    assert train.losses is not None
    assert train.outputs.shape == (30, VISITS, 2)
    for visit, output in enumerate(seen):
        assert np.array_equal(train.outputs[:, visit], output)
        assert np.allclose(train.losses[:, visit], ((output - y.numpy()) ** 2).mean(1))
    assert (train.steps[:, :3] == [0, 1, 2]).all()
    assert (train.steps[:, 3:] == -1).all()
    assert np.isnan(train.losses[:, 3:]).all()


def test_the_store_is_bounded_and_never_asks_for_more_than_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def program() -> None:
        model = nn.Linear(FEATURE_LIMIT + 50, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
        for _ in range(12):  # fresh noise in each step
            F.mse_loss(model(torch.randn(256, FEATURE_LIMIT + 50)), torch.zeros(256, 1)).backward()
            optimizer.step()

    contents, record = watched(program, tmp_path / "r", monkeypatch)
    assert contents.train is not None
    assert contents.train.inputs.shape == (MOST_SAMPLES, FEATURE_LIMIT)
    assert contents.train.features == FEATURE_LIMIT + 50
    assert contents.train.indices is None
    assert not contents.whole
    assert last(record, DUPLICATE_SHARE) == 0  # nothing comes twice


def test_later_windows_meet_the_samples_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson = Lesson(64)
    lesson.epochs = 100
    train = watched(lesson, tmp_path / "r", monkeypatch)[0].train
    assert train is not None
    assert (train.steps.max(1) > 0.3 * 400).all()


def test_copies_are_let_go_when_taken_in() -> None:
    reservoir, model, x = Reservoir(), nn.Linear(3, 1), torch.randn(8, 3)
    chunk = reservoir.forward(model, x, (), learns=True, sampled=True, step=0)
    assert chunk is not None
    reservoir.loss(chunk, "mse_loss", (torch.zeros(8, 1), torch.ones(8, 1)))
    reservoir.trained(chunk)
    reservoir.step_ended(0)
    assert not chunk.inputs
    assert chunk.target is None
    train = reservoir.contents().train
    assert train is not None
    assert np.array_equal(train.inputs, x.numpy())


def test_nothing_of_the_program_is_held(tmp_path: Path) -> None:
    x = torch.randn(20, 3)
    alive = weakref.ref(x)
    model = nn.Linear(3, 1)
    with unstuck.watch(tmp_path / "r"):
        loss = model(x).square().mean()
        loss.backward()
        graph = weakref.ref(loss)
        del x, loss
        gc.collect()
        assert alive() is None
        assert graph() is None


def test_a_recurrent_net_may_take_time_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = torch.randn(7, 12, 3), torch.arange(12) % 2

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.GRU(3, 4), nn.Linear(4, 2)

        def forward(self, given: torch.Tensor) -> Any:
            return self.head(self.body(given)[1][0])

    def program() -> None:
        net = Net()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        F.cross_entropy(net(x), y).backward()
        optimizer.step()

    train = watched(program, tmp_path / "r", monkeypatch)[0].train
    assert train is not None
    assert train.inputs.shape == (12, 21)
    assert train.targets is not None
    assert np.array_equal(train.targets[:, 0], y.numpy())


# What it says -------------------------------------------------------------------------------------
def test_drawing_again_makes_no_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = torch.utils.data.RandomSampler(range(120), replacement=True, num_samples=400)
    record = watched(
        Lesson(shuffle=None, sampler=sampler), tmp_path / "r", monkeypatch)[1]
    assert last(record, DUPLICATE_SHARE) == 0


def test_copies_are_told_by_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = Lesson()
    lesson.x[90:] = lesson.x[:30]
    record = watched(lesson, tmp_path / "r", monkeypatch)[1]
    assert last(record, DUPLICATE_SHARE) == pytest.approx(30 / 120)
    assert last(record, NEAR_COPIES) == 0


def test_copies_are_told_by_rounds_without_a_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.randn(60, 5)
    x[40:] = x[:20]

    def program() -> None:
        model = nn.Linear(5, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(4):
            for rows in torch.randperm(60).split(16):
                F.mse_loss(model(x[rows]), x[rows].sum(1, keepdim=True)).backward()
                optimizer.step()

    record = watched(program, tmp_path / "r", monkeypatch)[1]
    assert last(record, DUPLICATE_SHARE) == pytest.approx(20 / 60)


def test_a_shared_part_is_an_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = Lesson()
    lesson.held[0][::4] = lesson.x[:10]
    record = watched(lesson, tmp_path / "r", monkeypatch)[1]
    assert last(record, HELD_OUT_OVERLAP) == pytest.approx(10 / 40)


def test_a_validation_of_nothing_but_training_data_is_an_overlap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson = Lesson()
    lesson.held = lesson.x[:40], lesson.y[:40]
    record = watched(lesson, tmp_path / "r", monkeypatch)[1]
    assert last(record, HELD_OUT_OVERLAP) == 1


def test_the_training_data_looked_at_again_are_no_overlap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson = Lesson()

    def program() -> None:
        model = nn.Linear(6, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(4):
            for rows in torch.randperm(len(lesson.x)).split(20):
                optimizer.zero_grad()
                F.cross_entropy(model(lesson.x[rows]), lesson.y[rows]).backward()
                optimizer.step()
            with torch.no_grad():
                F.cross_entropy(model(lesson.x), lesson.y)

    assert not watched(program, tmp_path / "r", monkeypatch)[1].measured(HELD_OUT_OVERLAP)


def test_folds_are_no_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = torch.randn(90, 6), torch.arange(90) % 2

    def program() -> None:
        for fold in range(3):
            lesson, out = Lesson(), torch.arange(90) % 3 == fold
            lesson.x, lesson.y, lesson.held = x[~out], y[~out], (x[out], y[out])
            lesson()

    record = watched(program, tmp_path / "r", monkeypatch)[1]
    assert not record.measured(HELD_OUT_OVERLAP) or last(record, HELD_OUT_OVERLAP) == 0


def test_scales_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = Lesson()
    lesson.held[0].mul_(5)
    scales = watched(lesson, tmp_path / "r", monkeypatch)[1].series(FEATURE_SCALE)
    assert len(scales) == 6
    assert np.median([s.values[-1] for s in scales.values()]) == pytest.approx(5, rel=0.3)


def test_an_interrupted_program_ends_at_once(tmp_path: Path) -> None:
    def program() -> None:
        with unstuck.watch(tmp_path / "r"):
            Lesson()()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        program()
    assert not read_record(tmp_path / "r").facts(Kept)


def test_the_same_run_leaves_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = []
    for name in ("a", "b"):
        torch.manual_seed(8)
        x = torch.randn(80, 3)

        def program(x: torch.Tensor = x) -> None:
            model = nn.Linear(3, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
            for _ in range(10):
                F.mse_loss(model(x), x[:, :1]).backward()
                optimizer.step()

        records.append(watched(program, tmp_path / name, monkeypatch)[1])
    first, second = (r.series(TARGET_DISTANCE) for r in records)
    assert {p: s.values.tolist() for p, s in first.items()} == {
        p: s.values.tolist() for p, s in second.items()}


# The formulas -------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [
    "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss",
    "binary_cross_entropy", "binary_cross_entropy_with_logits",
])
def test_losses_and_slopes_per_sample_are_those_of_torch(name: str) -> None:
    output = torch.randn(9, 4, dtype=torch.float64)
    classes = name in ("cross_entropy", "nll_loss")
    target = torch.arange(9) % 4 if classes else torch.rand(9, 4, dtype=torch.float64)
    if name == "nll_loss":
        output = output.log_softmax(1)
    if name == "binary_cross_entropy":
        output = output.sigmoid()
    output.requires_grad_()
    each = getattr(F, name)(output, target, reduction="none").reshape(9, -1).mean(1)
    (slope,) = torch.autograd.grad(each.sum(), output)
    given = output.detach().numpy()[:, None].astype(np.float32)
    table = target.numpy().reshape(9, -1).astype(np.float64)
    losses, slopes = sample_losses(name, given, table), sample_slopes(name, given, table)
    assert losses is not None
    assert slopes is not None
    assert np.allclose(losses[:, 0], each.detach().numpy(), rtol=1e-4, atol=1e-5)
    if name != "nll_loss":  # its input is no free variable: a softmax made it
        assert np.allclose(slopes[:, 0], slope.norm(dim=1).numpy(), rtol=1e-3, atol=1e-5)


def test_statistics() -> None:
    rows = np.arange(40.0)[:, None] % 7
    assert distance(rows[:, 0], rows[:, 0]) == 0
    assert distance(rows[:, 0], rows[:, 0] + 100) == 1
    rows[3] = 1e4
    far = robust_distance(np.hstack([rows, np.full((40, 1), math.nan)]))
    assert far.argmax() == 3
    assert np.sort(far)[-2] < 3
    rare = np.zeros((40, 1))
    rare[5] = 1.0
    assert robust_distance(rare).max() < 1  # a rare value is not far off
    assert near_copies(np.eye(12, dtype=np.float32)) == 1
    generator = np.random.default_rng(0)
    assert near_copies(generator.normal(size=(30, 8)).astype(np.float32)) == 0


# When the program ends ---------------------------------------------------------------------------
def limits(record: Record) -> list[str]:
    return [odd.says for odd in record.oddities]


def test_time_that_runs_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "MOST_SECONDS", -1.0)
    monkeypatch.setattr(ending, "LEAST_SECONDS", -1.0)
    _, record = watched(Lesson(), tmp_path / "r", monkeypatch, overhead=0.99)
    assert limits(record) == [
        "the checks of data and labels ran out of time, so some were skipped"]
    assert record.end.kind is EndKind.FINISHED


def test_ctrl_c_skips_the_rest_and_keeps_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ending, "write_labels", interrupt)
    _, record = watched(Lesson(), tmp_path / "r", monkeypatch)
    assert limits(record) == [
        "the checks of data and labels were interrupted, so some were skipped"]
    assert record.facts(Kept)
    assert record.end.kind is EndKind.FINISHED


def test_only_a_terminal_is_told_what_takes_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ending, "PATIENCE", -1.0)
    monkeypatch.setattr(os, "isatty", lambda descriptor: descriptor == 2)
    watched(Lesson(), tmp_path / "a", monkeypatch)
    assert not capfd.readouterr().err  # what stands in for standard error is somebody else's
    monkeypatch.setattr("sys.stderr", sys.__stderr__)
    watched(Lesson(), tmp_path / "b", monkeypatch)
    assert capfd.readouterr().err == (  # and taken back
        f"{ending.WORDS.format(' (Ctrl-C to skip)')}\r\x1b[2K")
    monkeypatch.setattr(os, "isatty", lambda _: False)
    watched(Lesson(), tmp_path / "c", monkeypatch)
    assert not capfd.readouterr().err
