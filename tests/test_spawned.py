"""Processes that a program spawns through multiprocessing are watched, and never harmed."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests import processes
from unstuck import folders
from unstuck.observe.spawned import Spawning, _Path
from unstuck.record.reader import read_record, trained_in

TRAINS = """
    import torch, torch.multiprocessing as multiprocessing
    from torch import nn

    def train(rank, seed):
        torch.manual_seed(seed + rank)
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=50.0)
        x = torch.randn(64, 4)
        for _ in range(30):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), x.sum(1, keepdim=True)).backward()
            optimizer.step()
        print("trained", rank, model.weight.detach().double().sum().item(), flush=True)
        if FAILS:
            raise ValueError("of the program's own")

    if __name__ == "__main__":
        multiprocessing.start_processes(train, args=(1,), nprocs=2, start_method="METHOD")
    """


def _program(folder: Path, method: str, fails: bool = False) -> None:
    (folder / "train.py").write_text(
        textwrap.dedent(TRAINS).replace("METHOD", method).replace("FAILS", str(fails)))


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return processes.run([sys.executable, *command], cwd=folder, capture_output=True, text=True,
                         check=False, timeout=240)


@pytest.mark.parametrize("method", [
    "spawn", pytest.param("forkserver", marks=pytest.mark.slow)])
def test_spawned_processes_are_watched_and_reported_once(tmp_path: Path, method: str) -> None:
    _program(tmp_path, method)
    bare = _run(tmp_path, "train.py")
    done = _run(tmp_path, "-m", "unstuck", "run", "--out", "d", "--json", "d.json", "train.py")
    assert (done.returncode, sorted(done.stdout.splitlines())) == (
        bare.returncode, sorted(bare.stdout.splitlines()))
    assert done.stderr.count("error[learning-rate-too-high]") == 1
    found = json.loads((tmp_path / "d.json").read_text())["findings"][0]
    assert found["cause"] == "learning-rate-too-high"
    line = (tmp_path / "train.py").read_text().splitlines()[found["location"]["line"] - 1]
    assert "lr=50.0" in line
    for number in (0, 1):
        record = read_record(tmp_path / "d" / f"process-{number}")
        assert record.steps == 30
        assert record.end.kind.value == "finished"
    again = _run(tmp_path, "-m", "unstuck", "diagnose", "d")
    assert "error[learning-rate-too-high]" in again.stdout
    assert trained_in(tmp_path / "d").name == "process-0"


@pytest.mark.slow
def test_an_error_of_a_spawned_process_is_as_it_was(tmp_path: Path) -> None:
    _program(tmp_path, "spawn", fails=True)
    done = _run(tmp_path, "-m", "unstuck", "run", "--quiet", "train.py")
    assert done.returncode == 1
    assert 'raise ValueError("of the program\'s own")' in done.stderr
    assert "unstuck/observe" not in done.stderr


def test_helpers_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(textwrap.dedent("""
        import torch
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context
        from torch.utils.data import DataLoader
        if __name__ == "__main__":
            loader = DataLoader(torch.arange(4.0), num_workers=1, multiprocessing_context="spawn")
            print(sum(loader).item())
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                print(sum(pool.map(abs, [-1, -2])))
        """))
    done = _run(tmp_path, "-m", "unstuck", "run", "--out", "d", "train.py")
    assert (done.returncode, done.stdout) == (0, "6.0\n3\n"), done.stderr
    assert [path.name for path in (tmp_path / "d").iterdir()] == [folders.EVENTS]


def test_a_path_is_read_where_nothing_of_ours_is_found() -> None:
    path = _Path(["a", "b"], "{}", ["train.py"])
    assert path == ["a", "b"]
    path._begins["root"] = "/nowhere"
    read = "import pickle, sys; p = pickle.load(sys.stdin.buffer); print(type(p), p)"
    done = processes.run([sys.executable, "-I", "-S", "-c", read], input=pickle.dumps(path),
                         capture_output=True)
    assert done.stdout.decode() == "<class 'list'> ['a', 'b']\n", done.stderr


def test_what_fails_in_us_leaves_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    from multiprocessing import spawn

    monkeypatch.setattr(spawn, "get_preparation_data", lambda name: {"sys_path": ["a"]})
    Spawning({}, ["train.py"]).install()  # which does not say where the record is
    process_obj = object()
    assert spawn.get_preparation_data("x") == {"sys_path": ["a"]}
    assert process_obj is not None


def test_old_records_of_spawned_processes_are_removed_with_that_of_their_program(
    tmp_path: Path
) -> None:
    header = '{"type":"header","x":1}\n'
    run = tmp_path / "20200101T000000Z-train-1"
    for folder in (run / "process-0", run / "process-1", run):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / folders.EVENTS).write_text(header)
    old = time.time() - 10_000
    for folder in (run / "process-0", run / "process-1", run):
        os.utime(folder / folders.EVENTS, (old, old))
    (tmp_path / "20200101T000001Z-train-2").mkdir()
    folders.new("train.py", tmp_path, keep=1)
    assert not run.exists()
