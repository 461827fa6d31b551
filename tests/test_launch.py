"""Programs that a launcher starts several times: a folder for each rank of one launch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests import processes
from unstuck import folders, launch
from unstuck.folders import TakenFolderError
from unstuck.launch import Launch, joins, rank
from unstuck.record.reader import read_record

_NAMES = ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_JOB_ID",
          "SLURM_STEP_ID", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT",
          "TORCHELASTIC_ERROR_FILE", "MASTER_ADDR", "MASTER_PORT", "PMIX_NAMESPACE",
          "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE")


@pytest.fixture(autouse=True)
def _nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)


def _as(monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("environment", "number"), [
    ({}, None),
    ({"RANK": "1", "WORLD_SIZE": "2"}, 1),
    ({"RANK": "0", "WORLD_SIZE": "1"}, 0),
    ({"RANK": "1"}, None),
    ({"RANK": "high", "WORLD_SIZE": "2"}, None),
    ({"RANK": "2", "WORLD_SIZE": "2"}, None),
    ({"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4"}, 3),
    ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, None),
    ({"SLURM_PROCID": "0"}, None),  # within a batch script
    ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}, 1),
])
def test_a_launcher_says_which_process_this_is(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], number: int | None
) -> None:
    _as(monkeypatch, **environment)
    assert rank() == number


@pytest.mark.parametrize(("one", "other", "same"), [
    (Launch(run="7"), Launch(run="7"), True),
    (Launch(run="7", master="a:1"), Launch(run="8", master="a:1"), False),
    (Launch(run="7", master="a:1"), Launch(run="7", master="a:2"), True),  # met again elsewhere
    (Launch(host="a", agent="/tmp/x", master="a:1"), Launch(host="a", agent="/tmp/y", master="a:1"),
     False),  # one after the other, at torchrun's usual port
    (Launch(host="a", agent="/tmp/x", master="a:1"), Launch(host="b", agent="/tmp/y", master="a:1"),
     True),
    (Launch(host="a"), Launch(host="a"), False),
])
def test_launches_are_told_apart(one: Launch, other: Launch, same: bool) -> None:
    assert one.same(other) is same
    assert other.same(one) is same


def test_each_rank_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _as(monkeypatch, WORLD_SIZE="2", MASTER_ADDR="here", MASTER_PORT="1")
    for number in ("0", "1", "1"):
        _as(monkeypatch, RANK=number)
        folder = folders.asked(tmp_path / "d")
        assert folder.made
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == [
        launch.MARKER, "rank-0", "rank-1", "rank-1.1"]  # an attempt that was started again
    _as(monkeypatch, MASTER_PORT="2")
    with pytest.raises(TakenFolderError, match="is not empty"):
        folders.asked(tmp_path / "d")
    _as(monkeypatch, TORCHELASTIC_RESTART_COUNT="1")
    assert folders.asked(tmp_path / "d").path.name == "rank-1.2"


@pytest.mark.parametrize("text", [
    "", "mine", "{}\n", "[]\n", '{"type":"launch","x":1}\n', "[" * 5000 + "\n", "x" * 9999,
])
def test_a_marker_that_is_not_ours_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(launch, "_PATIENCE", 2)
    _as(monkeypatch, RANK="0", WORLD_SIZE="2", MASTER_ADDR="here", MASTER_PORT="1")
    (tmp_path / launch.MARKER).write_text(text)
    with pytest.raises(TakenFolderError):
        folders.asked(tmp_path)
    assert (tmp_path / launch.MARKER).read_text() == text


def test_a_marker_behind_a_link_or_a_pipe_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _as(monkeypatch, RANK="0", WORLD_SIZE="2", MASTER_ADDR="here", MASTER_PORT="1")
    for name in ("real", "link", "pipe"):
        (tmp_path / name).mkdir()
    assert joins(tmp_path / "real")
    assert joins(tmp_path / "real")
    (tmp_path / "link" / launch.MARKER).symlink_to(tmp_path / "real" / launch.MARKER)
    os.mkfifo(tmp_path / "pipe" / launch.MARKER)
    assert not joins(tmp_path / "link")
    assert not joins(tmp_path / "pipe")


# The whole way, with torchrun --------------------------------------------------------------------
_PROGRAM = """
    import os, sys, torch
    import torch.distributed as dist
    if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0" and "fail" in sys.argv:
        raise SystemExit(int(os.environ["RANK"]))
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(64, 4) + dist.get_rank()
    for _ in range(5):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), x.sum(1, keepdim=True)).backward()
        optimizer.step()
    print("trained", dist.get_rank())
    dist.destroy_process_group()
    """


def _torchrun(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "train.py").write_text(textwrap.dedent(_PROGRAM), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    watched = ["-m", "unstuck", "run", "--quiet", "--out", "d", "--json", "d.json", "train.py"]
    before, after = arguments[:-1], arguments[-1:]
    return processes.run(
        [*command, *before, *watched, *after], cwd=folder, capture_output=True, text=True,
        check=False, timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"})


def test_ranks_of_torchrun_write_side_by_side(tmp_path: Path) -> None:
    done = _torchrun(tmp_path, "once")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained") == 2
    records = [read_record(tmp_path / "d" / name) for name in ("rank-0", "rank-1")]
    assert [record.steps for record in records] == [5, 5]
    document = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    assert document["record"] == records[0].id
    again = _torchrun(tmp_path, "once")
    assert again.returncode != 0
    assert "unstuck: 'd' is not empty; choose a new or empty folder" in again.stderr
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == [
        launch.MARKER, "rank-0", "rank-1"]
    says = processes.run([sys.executable, "-m", "unstuck", "diagnose", "d"], cwd=tmp_path,
                         capture_output=True, text=True, check=False)
    assert (says.returncode, says.stdout) == (2, "")
    assert says.stderr == "unstuck: d holds one record per rank; choose one, such as d/rank-0\n"


@pytest.mark.slow
def test_a_restarted_attempt_writes_over_nothing(tmp_path: Path) -> None:
    done = _torchrun(tmp_path, "--max-restarts=1", "fail")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained") == 2
    steps = {p.name: read_record(p).steps for p in (tmp_path / "d").glob("rank-*")}
    assert steps["rank-0.1"] == steps["rank-1.1"] == 5
    assert steps["rank-1"] == 0


DISTRIBUTED = """
import os, sys, torch
import torch.distributed as dist
from torch import nn
dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
x = torch.randn(256, 20)
y = (x @ torch.randn(20, 4)).argmax(1)
model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4))
if "sharded" in sys.argv:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    fully_shard(model[0], mesh=mesh)
    fully_shard(model, mesh=mesh)
else:
    model = nn.parallel.DistributedDataParallel(model)
optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
torch.manual_seed(rank)
for step in range(60):
    i = torch.randint(0, 256, (64,))
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x[i]), y[i])
    loss.backward()
    optimizer.step()
    assert loss.isnan() or loss < 1e38
print("rank", rank)
dist.destroy_process_group()
"""


def _launched(folder: Path, rate: str, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "train.py").write_text(DISTRIBUTED.replace("RATE", rate))
    return processes.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port",
         "0", "--standalone", "-m", "unstuck", "run", "--out", "runs", "--json", "d.json",
         "train.py", *words], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("words", [
    pytest.param((), id="replicated"),
    pytest.param(("sharded",), id="sharded", marks=pytest.mark.slow),
])
def test_a_distributed_training_is_watched_and_reported_once(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = _launched(tmp_path, "30.0", *words)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout) == sorted("rank 0\nrank 1\n")  # they may print at once
    assert done.stderr.count("error[learning-rate-too-high]") == 1
    assert done.stderr.count("record saved to") == 1
    assert "than rank 0" not in done.stderr
    found = json.loads((tmp_path / "d.json").read_text())
    assert found["findings"][0]["cause"] == "learning-rate-too-high"
    line = (tmp_path / "train.py").read_text().splitlines()[
        found["findings"][0]["location"]["line"] - 1]
    assert line.startswith("optimizer = torch.optim.SGD(")
    for number in (0, 1):
        record = read_record(tmp_path / "runs" / f"rank-{number}")
        assert record.steps == 60
        assert not [odd.says for odd in record.oddities if odd.what == "watcher-failed"]


def test_ranks_that_went_another_way_are_named(tmp_path: Path) -> None:
    import torch
    from torch import nn

    import unstuck
    from unstuck.commands.ranks import differing

    for number, (rate, steps) in enumerate([(0.1, 40), (0.1, 40), (1e30, 40), (0.1, 20)]):
        with unstuck.watch(tmp_path / f"rank-{number}", overhead=1e9):
            model = nn.Linear(3, 2)
            optimizer = torch.optim.SGD(model.parameters(), lr=rate)
            for _ in range(steps):
                optimizer.zero_grad()
                model(torch.ones(4, 3)).square().mean().backward()
                optimizer.step()
    broken, short = differing(tmp_path / "rank-0")
    assert broken.startswith("rank 2 went another way than rank 0: its loss is not finite since")
    assert short == "rank 3 went another way than rank 0: it took 20 steps, and rank 0 40"
    assert len(differing(tmp_path / "rank-2")) == 3


@pytest.mark.parametrize(("drawn", "rate", "says"), [
    (0, 0.1, "rank 1 trains on the same batches as rank 0: their losses are equal at all 40 steps"),
    (1, 0.1, "rank 1 went another way than rank 0: their weights were equal and differ since step"),
    (0, 0.0, None),  # losses that never change are equal by nature
])
def test_ranks_that_share_data_or_do_not_share_gradients_are_named(
    tmp_path: Path, drawn: int, rate: float, says: str | None
) -> None:
    import torch
    from torch import nn

    import unstuck
    from unstuck.commands.ranks import differing

    for number in (0, 1):
        with unstuck.watch(tmp_path / f"rank-{number}", overhead=1e9):
            torch.manual_seed(0)
            model = nn.Linear(3, 2)
            optimizer = torch.optim.SGD(model.parameters(), lr=rate)
            x = torch.ones(4, 3)
            torch.manual_seed(number * drawn)
            for _ in range(40):
                optimizer.zero_grad()
                (model(torch.randn(4, 3) if rate else x) - 3).square().mean().backward()
                optimizer.step()
    found = differing(tmp_path / "rank-0")
    assert len(found) == (says is not None)
    assert says is None or found[0].startswith(says)
