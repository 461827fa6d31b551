"""Trials end alike wherever they run; a worker that dies loses one of them."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.trials.conftest import subject
from unstuck.commands.trying import Place
from unstuck.record.reader import read_record
from unstuck.settings import Settings
from unstuck.trials.executor import Executor
from unstuck.trials.laboratory import Ended, Laboratory, Limits, Trial
from unstuck.trials.on_ray import NoRay, RayExecutor
from unstuck.trials.peel import repair
from unstuck.trials.race import Clock, Race
from unstuck.trials.subject import subject_of
from unstuck.trials.verdict import equal

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs namespaces")
HAS_RAY = importlib.util.find_spec("ray") is not None

LINE = '''
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 4)
y = x @ torch.tensor([1.0, -2.0, 0.5, 3.0])
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(120):
    rows = torch.randint(0, 256, (32,))
    optimizer.zero_grad()
    loss = -nn.functional.mse_loss(model(x[rows]).squeeze(1), y[rows])
    loss.backward()
    optimizer.step()
print(f"loss {abs(loss.item()):.6f}")
'''
ENDLESS = "import torch, time\nprint('here', flush=True)\nwhile True:\n    time.sleep(0.1)\n"


@pytest.fixture(params=[
    "local",
    pytest.param("ray", marks=[pytest.mark.slow, pytest.mark.skipif(
        not HAS_RAY, reason="Ray is not installed")]),
])
def executor(request: pytest.FixtureRequest, laboratory: Laboratory, tmp_path: Path
             ) -> Iterator[Executor]:
    """Both, with a program that fits a line."""
    (tmp_path / "train.py").write_text(LINE, encoding="utf-8")
    laboratory.subject = subject(tmp_path / "train.py")
    if request.param == "local":
        yield laboratory
        return
    with RayExecutor(laboratory.subject, Limits(seconds=300.0)) as made:
        yield made


def test_the_same_trial_has_the_same_result(executor: Executor, laboratory: Laboratory) -> None:
    trials = [Trial(), Trial(shift=1), Trial(max_steps=50)]
    here, there = laboratory.run(trials), executor.run(trials, 2)
    for one, other in zip(here, there, strict=True):
        assert (other.status, other.output, other.no_view) == (0, one.output, None)
        assert other.trial is one.trial
        assert one.record is not None
        assert other.record is not None
        assert equal(read_record(one.record), read_record(other.record))
    assert not executor.running


@pytest.mark.slow
def test_a_program_is_repaired(
    executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unstuck.trials.race._LEAST", 300.0)  # of a busy machine
    race = Race(executor, Settings(), Clock(600.0), jobs=2)
    control = race.control()
    assert control.record is not None
    _, texts = subject_of(control.record, str(tmp_path))
    found = repair(race, control, texts.index, rounds=1)
    assert found.confirmed is not None
    assert found.proven, [(each.verdict, each.because) for each in found.confirmed.judgements]
    assert [type(each.candidate.edit).__name__ for each in found.kept] == ["FlipSign"]


def test_a_trial_is_cancelled_and_others_go_on(executor: Executor, tmp_path: Path) -> None:
    endless = Trial({str(tmp_path / "train.py"): ENDLESS})
    executor.submit(endless)
    executor.submit(short := Trial(max_steps=20))
    first = executor.next()
    assert first is not None
    assert first.trial is short
    assert first.status == 0
    executor.cancel(endless)
    second = executor.next()
    assert second is not None
    assert second.trial is endless
    assert second.cancelled
    assert second.crashed
    assert not executor.running
    assert executor.run([Trial(max_steps=20)])[0].status == 0


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed")
def test_a_worker_that_dies_loses_one_trial(laboratory: Laboratory, tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(LINE, encoding="utf-8")
    with RayExecutor(subject(file), Limits(seconds=300.0)) as executor:
        executor.run([Trial(max_steps=20), Trial(max_steps=20)], 2)
        processes = {actor: executor._ray.get(actor.__ray_call__.remote(lambda _: os.getpid()))
                     for actor in executor._idle}
        executor.submit(lost := Trial({str(file): ENDLESS}))
        executor.submit(short := Trial(max_steps=20))
        first = executor.next()
        assert first is not None
        assert first.trial is short
        _, actor = next(iter(executor._running.values()))
        os.kill(processes[actor], signal.SIGKILL)
        second = executor.next()
        assert second is not None
        assert second.trial is lost
        assert second.no_view == "the worker that ran it has ended"
        again: list[Ended] = executor.run([Trial(max_steps=20), Trial(max_steps=20)], 2)
        assert [each.status for each in again] == [0, 0]
    assert not executor.scratch.exists()


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_a_sentence_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NoRay, match=r"pip install 'unstuck\[ray\]'"):
        RayExecutor(replace(subject(tmp_path / "train.py"), libraries=()))


@pytest.mark.parametrize(("word", "place"), [
    ("local", None), ("ray", ""), ("ray:10.0.0.1:6379", "10.0.0.1:6379"),
    ("ray://head:10001", "ray://head:10001")])
def test_a_place_for_trials_is_read(word: str, place: str | None) -> None:
    assert Place().convert(word, None, None) == place
