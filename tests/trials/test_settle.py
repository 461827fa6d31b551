"""What the record cannot tell is tried, and the change whose run tells is named first."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import corpus
from harness.records import record_of
from tests.repair import facts
from tests.trials.conftest import subject
from unstuck.judge.engine import diagnose
from unstuck.record.reader import read_record
from unstuck.repair.patch import Check, Form, Patch
from unstuck.repair.text import Source
from unstuck.schema.edits import (
    BatchSize,
    Edit,
    MoreSteps,
    OptimizerArgument,
    Remedy,
    Safety,
    ZeroGrad,
)
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.findings import Severity
from unstuck.settings import Settings
from unstuck.trials.doses import dose_of, unusual
from unstuck.trials.laboratory import Ended, Laboratory, Trial
from unstuck.trials.peel import needs_proof, repair
from unstuck.trials.plan import Candidate, Plan
from unstuck.trials.questions import questions, unexplained
from unstuck.trials.race import Clock, Race, Tried
from unstuck.trials.results import rows, with_trials
from unstuck.trials.settle import chosen
from unstuck.trials.subject import subject_of
from unstuck.trials.verdict import Judgement, Run, TrialVerdict, met
from unstuck.trials.yardstick import Yardstick, spread_of

RING = '''
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(400, 2)
y = (x.norm(dim=1) < 1.18).long()
model = nn.Sequential(nn.Linear(2, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

for epoch in range(12):
    for rows in torch.randperm(400).split(16):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
print(f"loss {loss.item():.3f}")
'''
NOTHING = Run(Ended(Trial(), 0, None, False, None, "", 1.0, 1.0), None, None, None)


def tried(cause: str, edit: Edit, gain: float, number: int = 0,
          verdict: TrialVerdict = TrialVerdict.CURED) -> Tried:
    candidate = Candidate(
        cause, Remedy("it", Safety.SAFE, (edit,)), edit, Patch(edit, (), Form.LITERAL), {},
        (0, number, 0, 0), edit.factor if isinstance(edit, MoreSteps) else 1.0)
    return Tried(candidate, NOTHING, Judgement(verdict, "it is so", gain))


RATE, BATCH = OptimizerArgument("SGD", "lr", 0.01), BatchSize(32)
SET = Plan(sets=[frozenset({"batch-too-small", "learning-rate-too-high"})])


def test_of_causes_that_cannot_be_told_apart_the_change_that_gains_more_tells() -> None:
    both = [tried("learning-rate-too-high", RATE, 0.3), tried("batch-too-small", BATCH, 0.8, 1)]
    assert chosen(both, SET, NOTHING) is both[1]
    assert chosen(both, Plan(), NOTHING) is both[0]  # each is a cause of its own
    close = [both[0], tried("batch-too-small", BATCH, 0.32, 1)]
    assert chosen(close, SET, NOTHING) is close[0]  # as good: the order of the diagnosis
    losing = [tried("learning-rate-too-high", RATE, -0.3), tried("batch-too-small", BATCH, -0.1, 1)]
    assert chosen(losing, SET, NOTHING) is losing[1]


def test_a_longer_run_helps_whatever_the_cause_is() -> None:
    plan = Plan(sets=[frozenset({"too-few-steps", "batch-too-large"})])
    both = [tried("too-few-steps", MoreSteps(8.0), 0.5), tried("batch-too-large", BATCH, 0.5, 1)]
    assert chosen(both, plan, NOTHING) is both[1]


def test_a_doubtful_finding_that_goes_without_gain_is_no_cure() -> None:
    gone = tried("too-narrow", BATCH, 0.0, verdict=TrialVerdict.REMOVED)
    assert chosen([gone], Plan(), NOTHING) is gone
    note = replace(gone, candidate=replace(gone.candidate, place=(5, 0, 0, 0)))
    assert chosen([note], Plan(), NOTHING) is None


def test_a_number_that_no_one_uses_is_unusual() -> None:
    record = read_record(record_of(corpus.pair_of("learning-rate-too-high"), "sick"))
    name = record.facts(Optimizer)[0].name
    assert unusual(OptimizerArgument(name, "lr", 0.01), record)
    well = read_record(record_of(corpus.pair_of("learning-rate-too-high"), "well"))
    assert not unusual(OptimizerArgument(name, "lr", 0.01), well)
    assert not unusual(ZeroGrad(name), record)


def test_a_batch_is_unusual_beside_so_many_samples() -> None:
    slug = "batch-too-large"
    assert unusual(BATCH, read_record(record_of(corpus.pair_of(slug), "sick")))
    assert not unusual(BATCH, read_record(record_of(corpus.pair_of(slug), "well")))
    assert unusual(BATCH, read_record(record_of(corpus.pair_of("batch-too-small"), "sick")))


def test_where_nothing_is_found_the_usual_suspects_are_asked() -> None:
    record = read_record(record_of(corpus.pair_of("learning-rate-too-high"), "sick"))
    asked = [cause for cause, _ in questions(record)]
    assert {"too-narrow", "learning-rate-too-low", "learning-rate-too-high"} <= set(asked)
    assert asked[-1] == "too-few-steps"  # it helps whatever the cause is
    diagnosis = diagnose(record)
    assert not unexplained(diagnosis)  # there are fixes to try
    nothing = replace(diagnosis, findings=())
    assert unexplained(nothing)
    surely = next(each for each in diagnosis.findings if each.severity is Severity.ERROR)
    without = replace(surely, present=replace(surely.present, remedies=()))
    assert not unexplained(replace(diagnosis, findings=(without,)))  # what helps would be a mask
    well = diagnose(read_record(record_of(corpus.pair_of("learning-rate-too-high"), "well")))
    assert unexplained(well) is (well.outcome.skill is not None and well.outcome.skill < 0.9)


def test_half_way_between_two_doses() -> None:
    record = read_record(record_of(corpus.pair_of("learning-rate-too-high"), "sick"))
    optimizer = record.facts(Optimizer)[0]
    assert optimizer.learning_rate is not None
    dose = dose_of(OptimizerArgument(optimizer.name, "lr", 1e-4), record)
    assert dose is not None
    assert dose.now == optimizer.learning_rate
    assert replace(dose, now=1.0).between() == 0.01
    assert replace(dose, now=1.0).edit(0.01) == OptimizerArgument(optimizer.name, "lr", 0.01)
    assert replace(dose, now=0.0008).between() is None  # so close that it is the same
    assert replace(dose, now=0.0).between() is None
    batch = replace(dose, now=2.0, then=128.0, kind="size")
    assert batch.between() == 16


def test_the_spread_is_that_of_equal_programs_and_no_worse_than_nothing() -> None:
    runs = [Yardstick(value, None, "it") for value in (-1.0, 0.1, 0.3)]
    assert spread_of(runs).training == pytest.approx(0.3)
    assert spread_of(runs).held_out == 0.0
    assert spread_of(runs[:1]).training == 0.0


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs namespaces")
def test_the_runs_of_an_experiment_settle_a_set(laboratory: Laboratory, tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(RING, encoding="utf-8")
    laboratory.subject = subject(file)
    race = Race(laboratory, Settings(), Clock(600.0), jobs=2)
    control = race.control()
    assert control.diagnosis is not None
    assert control.record is not None
    assert needs_proof(control)
    before = next(each for each in control.diagnosis.findings if each.cause == "too-shallow")
    assert before.one_of
    assert before.separated_by
    _, texts = subject_of(control.record, str(tmp_path))
    found = repair(race, control, texts.index, rounds=1)
    assert found.proven, rows(found)
    causes = {each.candidate.cause for each in found.tried}
    assert {"too-shallow", "learning-rate-too-low"} <= causes
    first = with_trials(found, str(tmp_path), 1.0).findings[0]
    assert first.cause == "too-shallow"
    assert not first.one_of
    assert first.separated_by is None
    assert first.trial is not None
    assert first.trial.verdict == "cured"


def test_a_learning_rate_that_a_schedule_warms_up_to_is_not_asked_for_at_the_first_step() -> None:
    text = ("import torch\noptimizer = torch.optim.SGD(model.parameters(), lr=0.0001)\n"
            "schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warm)\n")
    check = Check("optimizer.lr", "SGD", "0.1")
    assert met(check, facts.read([Source("train.py", text)], {}))
    assert not met(check, facts.read([Source("train.py", text.partition("schedule")[0])], {}))
