"""Held-out samples that no loss of torch scores: counted by hand, or by an error by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import unstuck
from tests.observe.sources import record_of
from unstuck.judge.engine import diagnose
from unstuck.record.reader import read_record
from unstuck.schema.facts.data import Kept
from unstuck.schema.findings import Absent, Present, Verdict
from unstuck.schema.signals.losses import HELD_OUT_AGAIN, HELD_OUT_LOSS, SEEN_LOSS, TRAIN_LOSS


def verdict_of(folder: Path, *, classified: bool, shared: int) -> Verdict:
    """Of the leak, in a training that shares so many of its 100 held-out samples."""
    torch.manual_seed(0)
    x = torch.randn(400, 6)
    y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).float() if classified else x[:, 0] * x[:, 1]
    test = torch.arange(300 - shared, 400 - shared)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss_of = nn.BCEWithLogitsLoss() if classified else nn.MSELoss()
    with unstuck.watch(folder, overhead=1.0):
        for _ in range(6):
            for rows in torch.randperm(300).split(30):
                optimizer.zero_grad()
                loss_of(model(x[rows]), y[rows]).backward()
                optimizer.step()
            with torch.no_grad():
                out = model(x[test])
                print(((out > 0) == y[test]).float().mean() if classified
                      else (out - y[test]).abs().max())
    found = diagnose(read_record(folder))
    return dict(found.verdicts)["train-validation-leak"]


@pytest.mark.parametrize(("classified", "shared", "expected"), [
    (True, 40, Present), (True, 0, Absent), (False, 40, Present), (False, 0, Absent)])
def test_a_leak_where_no_loss_scores(
    classified: bool, shared: int, expected: type[Verdict], tmp_path: Path
) -> None:
    assert isinstance(verdict_of(tmp_path / "r", classified=classified, shared=shared), expected)


@pytest.mark.parametrize("evaluated", [
    "loss_of(model(train), y[:240]), loss_of(model(test), y[240:])",
    "[loss_of(out, of) for out, of in ((model(train), y[:240]), (model(test), y[240:]))]",
], ids=["one after the other", "both before their losses"])
def test_columns_of_a_table_and_batches_of_their_rows_are_the_same_samples(
    evaluated: str, tmp_path: Path
) -> None:
    record = record_of(f"""
        x = torch.randn(13, 300).t()  # as pandas keeps a table: a column after the other
        y = (x[:, :4].sum(1) > 0).long()
        train, test = x[:240], x[240:]
        model = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 2))
        optimizer, loss_of = torch.optim.Adam(model.parameters(), lr=0.01), nn.CrossEntropyLoss()
        seen, kept = [], []
        for _ in range(8):
            for rows in torch.randperm(240).split(24):
                optimizer.zero_grad()
                loss_of(model(train[rows]), y[rows]).backward()
                optimizer.step()
            with torch.no_grad():
                of_both = {evaluated}
            seen.append(of_both[0].item())
            kept.append(of_both[1].item())
        torch.save((seen, kept), {str(tmp_path / "losses")!r})
        """, tmp_path)
    assert isinstance(dict(diagnose(record).verdicts)["train-validation-leak"], Absent)
    seen, kept = torch.load(tmp_path / "losses")
    assert record.series(SEEN_LOSS).values == pytest.approx(seen, rel=1e-6)
    assert record.series(HELD_OUT_LOSS).values == pytest.approx(kept, rel=1e-6)


def test_all_inputs_together_make_a_sample_where_the_first_ones_are_alike(tmp_path: Path) -> None:
    record = record_of("""
        class Rate(nn.Module):
            def __init__(self):
                super().__init__()
                self.users, self.rest = nn.Embedding(8, 4), nn.Linear(7, 1)
            def forward(self, user, item):
                return self.rest(torch.cat([self.users(user), item], 1))
        users, items = torch.randint(0, 8, (120,)), torch.randn(120, 3)
        y = items[:, :1] + users[:, None] / 8
        model = Rate()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for epoch in range(6):
            for rows in torch.arange(80).split(20):
                optimizer.zero_grad()
                F.mse_loss(model(users[rows], items[rows]), y[rows]).backward()
                optimizer.step()
            with torch.no_grad():
                F.mse_loss(model(users[80:], items[80:]), y[80:])
                F.mse_loss(model(users[:80], items[:80]), y[:80])
    """, tmp_path)
    kept = {each.name: each.samples for each in record.facts(Kept)}
    assert kept == {"train": 80, "held-out": 40}
    assert len(record.series(HELD_OUT_LOSS)) == len(record.series(SEEN_LOSS)) == 6


def test_a_loss_that_a_module_of_the_program_computes_is_heard_in_evaluations(
    tmp_path: Path,
) -> None:
    record = record_of("""
        class LogCosh(nn.Module):
            def forward(self, given, wanted):
                apart = given - wanted
                return (apart + F.softplus(-2 * apart) - 0.6931).mean()
        x, y = torch.randn(120, 4), torch.randn(120, 1)
        model, criterion, distance = nn.Linear(4, 1), LogCosh(), LogCosh()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for epoch in range(8):
            for rows in torch.arange(80).split(20):
                optimizer.zero_grad()
                criterion(model(x[rows]), y[rows]).backward()
                optimizer.step()
            with torch.no_grad():
                for rows in torch.arange(80, 120).split(10):
                    held_out = criterion(model(x[rows]), y[rows])
                    distance(model(x[rows]), y[rows])
    """, tmp_path, overhead=1e-4)
    assert len(record.series(HELD_OUT_LOSS)) == 8
    assert len(record.series(TRAIN_LOSS)) == 32


@pytest.mark.parametrize(("rows", "expected"), [
    ("range(200, 300)", [1.0, 1.0, 1.0]),
    ("torch.randperm(100) + 200", [1.0, 1.0, 1.0]),
    ("torch.randint(200, 300, (100,))", [0.0, 0.0, 0.0]),
], ids=["in order", "in any order", "drawn anew"])
def test_whether_evaluations_are_of_the_same_samples(
    rows: str, expected: list[float], tmp_path: Path
) -> None:
    record = record_of(f"""
        torch.manual_seed(0)
        x = torch.randn(300, 5)
        y = x.sum(1, keepdim=True)
        model = nn.Linear(5, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

        def evaluate():
            with torch.no_grad():
                for part in torch.as_tensor({rows}).split(40):
                    F.mse_loss(model(x[part]), y[part])

        for _ in range(4):
            for part in torch.randperm(200).split(20):
                optimizer.zero_grad()
                F.mse_loss(model(x[part]), y[part]).backward()
                optimizer.step()
            evaluate()
        if expected[0]:
            evaluate()  # a look at the end is none of another pass
    """.replace("expected[0]", str(expected[0])), tmp_path)
    assert record.series(HELD_OUT_AGAIN).values.tolist() == expected


@pytest.mark.parametrize(("anew", "expected"), [(True, Present), (False, Absent)],
                         ids=["in each epoch", "once"])
def test_a_split_of_a_data_set_that_is_made_anew(
    anew: bool, expected: type[Verdict], tmp_path: Path
) -> None:
    record = record_of(f"""
        from torch.utils.data import DataLoader, TensorDataset, random_split
        torch.manual_seed(0)
        x = torch.randn(200, 5)
        data = TensorDataset(x, x.sum(1, keepdim=True))
        model = nn.Linear(5, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        train, held_out = random_split(data, [150, 50])
        for _ in range(4):
            if {anew}:
                train, held_out = random_split(data, [150, 50])
            for rows, wanted in DataLoader(train, batch_size=15, shuffle=True):
                optimizer.zero_grad()
                F.mse_loss(model(rows), wanted).backward()
                optimizer.step()
            val_loader = DataLoader(held_out, batch_size=50)
            with torch.no_grad():
                for rows, wanted in val_loader:
                    val_loss = F.mse_loss(model(rows), wanted)
    """, tmp_path)
    verdicts = dict(diagnose(record).verdicts)
    assert isinstance(verdicts["train-validation-leak"], expected)
    assert not isinstance(verdicts["duplicate-samples"], Present)
