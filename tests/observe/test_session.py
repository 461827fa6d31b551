"""A watching around a block: its folder, what it says, and settings of the program's own."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import unstuck
from unstuck.record.reader import RecordWriter, read_record
from unstuck.schema.facts.run import EndKind


def _train(scale: float = 1.0) -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 4) * scale
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(8):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), x.sum(1, keepdim=True)).backward()
        optimizer.step()


@pytest.fixture
def _no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RecordWriter, "tick", fails)


@pytest.mark.usefixtures("_no_space")
def test_a_failure_is_said_when_the_block_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with unstuck.watch(tmp_path / "r"):
        _train()
        assert capsys.readouterr().err == ""
    says = capsys.readouterr().err
    assert says.startswith("unstuck: ")
    assert "No space left on device" in says
    assert says.count("\n") == 1
    assert read_record(tmp_path / "r").oddities


class _Refusing(io.StringIO):
    def write(self, text: str) -> int:
        raise RuntimeError(text)


def _closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.usefixtures("_no_space")
@pytest.mark.parametrize("stream", [None, _closed(), _Refusing()], ids=["none", "closed", "raises"])
def test_a_failure_that_cannot_be_said_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with unstuck.watch(tmp_path / "r"):
        _train()
    assert capsys.readouterr() == ("", "")


def test_a_folder_with_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "unwatched").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty"), unstuck.watch(tmp_path):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["unwatched"]
    assert (tmp_path / "unwatched").read_text() == "mine"


def test_a_block_that_cannot_be_watched_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RecordWriter, "__init__", fails)
    with pytest.raises(OSError, match="No space"), unstuck.watch(tmp_path / "r"):
        pass
    assert not list(tmp_path.iterdir())


def test_under_a_launcher_each_rank_has_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with unstuck.watch(tmp_path / "r") as watch:
        _train()
    assert watch.folder == tmp_path / "r" / "rank-1"
    assert read_record(watch.folder).steps == 8


def test_numbers_that_overflow_warn_nobody(tmp_path: Path) -> None:
    before = list(warnings.filters)
    with np.errstate(all="raise"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with unstuck.watch(tmp_path / "r", overhead=1e9) as watch:
            _train(1e30)
        judged = watch.diagnose()
        assert np.geterr() == dict.fromkeys(("divide", "over", "under", "invalid"), "raise")
    assert not caught
    assert list(warnings.filters) == before
    record = read_record(tmp_path / "r")
    assert record.end.kind is EndKind.FINISHED
    assert not record.oddities
    assert not [remark for remark in judged.remarks if "internal error" in remark]
