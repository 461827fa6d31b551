"""A program of minutes is tried in its first steps, and what a budget leaves open has a price."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests import processes
from tests.trials.conftest import subject
from unstuck.folders import kept_states
from unstuck.record.reader import Record, read_record
from unstuck.report.schema import to_dict
from unstuck.schema.facts.run import Duration, End, EndKind
from unstuck.schema.findings import Diagnosis
from unstuck.settings import Settings
from unstuck.trials.laboratory import Ended, Laboratory, Trial
from unstuck.trials.lengths import (
    CONFIRMING,
    FEWEST,
    Cost,
    Lengths,
    cost_of,
    duration,
    repaired,
)
from unstuck.trials.plan import plan
from unstuck.trials.race import Clock, Race
from unstuck.trials.results import rows, summary, with_trials
from unstuck.trials.subject import subject_of
from unstuck.trials.verdict import Run, diagnosed

STEPS = 3_000
LONG = f'''
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(512, 4)
y = x @ torch.tensor([1.0, -2.0, 0.5, 3.0])
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range({STEPS}):
    rows = torch.randint(0, 512, (32,))
    optimizer.zero_grad()
    loss = -nn.functional.mse_loss(model(x[rows]).squeeze(1), y[rows])
    loss.backward()
    optimizer.step()
print(f"loss {{abs(loss.item()):.3f}}")
'''
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs namespaces")

Whole = tuple[Record, Diagnosis]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of the program."""
    made = tmp_path_factory.mktemp("long")
    (made / "train.py").write_text(LONG, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def whole(server: Laboratory, folder: Path) -> Whole:
    """The record of a run of all steps, as if it had taken ten minutes."""
    server.subject = subject(folder / "train.py")
    run = Race(server, Settings(), Clock(600.0)).control()
    assert run.record is not None
    assert run.diagnosis is not None
    assert run.record.fact(Duration) is None  # a trial asks no clock
    return run.record.hold(Duration(1.0, 0.2 * (STEPS - 1))), run.diagnosis


Choose = Callable[[float], Lengths]


@pytest.fixture
def choose(laboratory: Laboratory, whole: Whole, folder: Path) -> Choose:
    """How long trials are for a budget of so many seconds."""
    laboratory.subject = subject(folder / "train.py")

    def chosen(budget: float) -> Lengths:
        race = Race(laboratory, Settings(), Clock(budget), jobs=2)
        return Lengths(race, *whole, cost_of(whole[0]))

    return chosen


@linux
def test_a_long_program_is_decided_in_a_fraction_of_its_steps(
    choose: Choose, whole: Whole, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unstuck.trials.race._LEAST", 300.0)  # of a busy machine
    lengths = choose(1_200.0)
    read: list[Run] = []
    before = Race._read
    monkeypatch.setattr(Race, "_read", lambda race, ended: (
        read.append(run := before(race, ended)), run)[1])
    control = lengths.control()
    assert control is not None
    assert [each.cause for each in control.diagnosis.counted()][:1] == ["loss-sign"]  # type: ignore[union-attr]
    _, texts = subject_of(whole[0], str(folder))
    made = plan(control.diagnosis, control.record, texts.index)  # type: ignore[arg-type]
    price = lengths.price(made)
    assert price is not None
    assert (price.trial_steps, price.steps) == (FEWEST, STEPS)
    found = repaired(lengths, control, texts.index, made, price)
    assert found.proven, rows(found)
    ran = [run.record.steps for run in read if run.record is not None]
    assert set(ran) == {FEWEST}  # all compared after as many steps
    # The control, one change and what confirms it, at least; at most each change that was planned.
    assert 2 + CONFIRMING <= sum(ran) / price.trial_steps <= 1 + price.trials
    assert sum(ran) < STEPS
    told = with_trials(found, str(folder), 1.0)
    assert told.outcome == whole[1].outcome
    trial = next(each.trial for each in told.findings if each.cause == "loss-sign")
    assert trial is not None
    assert (trial.verdict, trial.steps) == ("cured", FEWEST)
    assert trial.says.endswith("; this was tried in the first 200 steps of 3,000")
    assert "in the first 200 steps of 3,000" in summary(found, 9, 1.0)
    document = to_dict(told)
    assert document["price"]["trial_steps"] == FEWEST
    assert document["price"]["control_seconds"] == pytest.approx(601.0)


@linux
def test_what_a_budget_cannot_decide_is_unproven_and_has_a_price(
    choose: Choose, whole: Whole, folder: Path
) -> None:
    lengths = choose(2.0)
    assert lengths.control() is None
    _, texts = subject_of(whole[0], str(folder))
    made = plan(whole[1], whole[0], texts.index)
    price = lengths.price(made)
    assert price is not None
    found = repaired(lengths, lengths.recorded(), texts.index, made, price)
    assert not found.tried
    needed = duration((CONFIRMING + price.changes) * 601.0 / 2)
    says = rows(found)
    assert len(says) == 1
    assert f"--budget {needed}" in says[0]
    assert says[0].endswith(f", and {duration(price.seconds)} in the first 200 steps")
    assert "one run of the program takes about 11m" in says[0]
    assert f"--budget {needed}" in summary(found, 0, 0.0)
    told = with_trials(found, str(folder), 0.0)
    assert told.findings
    trial = told.findings[0].trial
    assert trial is not None
    assert trial.verdict == "unproven"
    assert needed in trial.says
    assert told.findings[0].remedies[0].diff is not None  # what could be tried is shown
    assert to_dict(told)["price"]["budget"] == pytest.approx(price.budget)


@linux
def test_a_prefix_that_does_not_show_the_failure_is_not_enough(
    choose: Choose, whole: Whole
) -> None:
    lengths = choose(1e6)
    assert lengths.first is None  # there is time for all of it
    record, diagnosis = whole
    late = replace(diagnosis, outcome=replace(diagnosis.outcome, since_step=1_000))
    lengths = Lengths(lengths.race, record, late, Cost(1.0, 1e6, STEPS))
    assert lengths.first == 2_000
    assert list(lengths.prefixes()) == []  # more than half of the program
    slow = Cost(0.0, 2.0 * 1e6 / STEPS, STEPS)  # one run fits, no prefix would tell
    assert Lengths(lengths.race, record, late, slow).first is None
    control = lengths.recorded()
    other = replace(diagnosis, findings=())
    assert lengths.shows(control)
    assert not lengths.shows(replace(control, diagnosis=other))


@linux
def test_a_run_that_was_ended_early_is_tried_for_as_long_as_there_is_time(
    choose: Choose, whole: Whole
) -> None:
    record, diagnosis = whole
    stopped = replace(record, _facts=dict(record._facts)).hold(End(EndKind.STOPPED))
    race = choose(120.0).race
    lengths = Lengths(race, stopped, diagnosis, Cost(0.0, 0.001, 3))
    assert lengths.first is None
    assert lengths.steps == int(0.5 * 2 * 120.0 / (1 + CONFIRMING) / 0.001)


class Still:
    """A laboratory in which nothing runs."""

    def __init__(self) -> None:
        self.asked: list[Trial] = []

    def run(self, trials: list[Trial], _: int = 1) -> list[Ended]:
        self.asked += trials
        return [Ended(each, 0, None, False, None, "", 1.0, 1.0) for each in trials]


def test_a_program_may_run_as_long_as_it_likes_without_a_change() -> None:
    still = Still()
    race = Race(still, Settings(), Clock(60.0))  # type: ignore[arg-type]
    race.control()
    assert still.asked[0].seconds is None  # as the laboratory's own limits have it


@pytest.mark.parametrize(("seconds", "says"), [
    (0.2, "1s"), (59.1, "60s"), (99.5, "2m"), (3_000.0, "50m"), (7_200.0, "2h"), (1e6, "278h")])
def test_a_length_of_time_can_be_asked_for(seconds: float, says: str) -> None:
    assert duration(seconds) == says


LATE = f'''
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 4)
y = (x[:, 0] + x[:, 1] > 0).float()
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.0016)
for step in range({STEPS}):
    optimizer.zero_grad()
    chance = torch.sigmoid(model(x)).squeeze(1)
    loss = -(y * torch.log(chance) + (1 - y) * torch.log(1 - chance)).mean()
    loss.backward()
    optimizer.step()
'''


@pytest.mark.slow
@linux
def test_what_fails_late_is_tried_from_a_state_that_the_run_kept(
    laboratory: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unstuck.trials.race._LEAST", 300.0)
    program, out = tmp_path / "train.py", tmp_path / "record"
    program.write_text(LATE, encoding="utf-8")
    processes.run([sys.executable, "-m", "unstuck", "run", "--overhead", "1", "--keep-state",
                   "--quiet", "--out", out, program], check=True)
    states = kept_states(out)
    record = read_record(out).hold(Duration(1.0, 0.2 * (STEPS - 1)))
    whole = diagnosed(record, Settings())
    assert [each.cause for each in whole.counted()] == ["non-finite-loss"]
    assert 1_000 < states[-1][0] <= whole.counted()[0].since_step
    laboratory.subject = subject(program)
    race = Race(laboratory, Settings(), Clock(250.0), jobs=2)
    assert Lengths(race, record, whole, cost_of(record)).control() is None
    lengths = Lengths(race, record, whole, cost_of(record), states)
    control = lengths.control()
    assert control is not None
    assert race.state == states[-1][1]
    _, texts = subject_of(record, str(tmp_path))
    made = plan(control.diagnosis, control.record, texts.index)  # type: ignore[arg-type]
    price = lengths.price(made)
    assert price is not None
    assert (price.begun, price.trial_steps) == (states[-1][0], lengths.tried[-1][1])
    found = repaired(lengths, control, texts.index, made, price)
    assert found.proven, rows(found)
    says = f"steps from the state that was kept after {states[-1][0]:,} steps of {STEPS:,}"
    assert says in summary(found, 9, 1.0)
    assert to_dict(with_trials(found, str(tmp_path), 1.0))["price"]["trial_begins"] == states[-1][0]
