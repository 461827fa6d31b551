"""A process that trains several times: where a training begins, and what is said about each."""

from __future__ import annotations

import copy
import gc
import io
import json
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import jsonschema
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.optim import SGD, Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.data import DataLoader, TensorDataset

import unstuck
from tests.marks import slow
from tests.processes import run
from unstuck.measures.repeats import short_on_purpose
from unstuck.observe import trainings
from unstuck.observe.probe import Probe
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.session import Options, Session
from unstuck.observe.stop import StopTraining
from unstuck.record.reader import Record, read_record
from unstuck.report.schema import json_schema, to_dict
from unstuck.schema.facts.data import Loader
from unstuck.schema.facts.models import Model
from unstuck.schema.facts.optimizers import Optimizer as OptimizerFact
from unstuck.schema.facts.run import End, EndKind, Program
from unstuck.schema.findings import Diagnosis, OutcomeKind
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.settings import Settings
from unstuck.trials.laboratory import Ended, Trial
from unstuck.trials.verdict import read

STEPS = 12
X = torch.linspace(-2, 2, 64).reshape(16, 4).sin()
Y = X.sum(1, keepdim=True)


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def step(model: Callable[[torch.Tensor], torch.Tensor], optimizer: Optimizer) -> None:
    optimizer.zero_grad()
    functional.mse_loss(model(X), Y).backward()
    optimizer.step()


def fit(
    model: Callable[[torch.Tensor], torch.Tensor], optimizer: Optimizer, steps: int = STEPS
) -> None:
    for _ in range(steps):
        step(model, optimizer)


def descent(model: nn.Module, lr: float = 0.05) -> SGD:
    return SGD(model.parameters(), lr=lr)


def watched(folder: Path, program: Callable[[], None], **options: Any) -> Record:
    torch.manual_seed(0)
    with unstuck.watch(folder, overhead=1.0, **options):
        program()
    return read_record(folder)


# Where a training begins -------------------------------------------------------------------------
def a_sweep() -> None:
    for rate in (0.01, 0.05, 0.1):
        model = net()
        fit(model, descent(model, rate))


def optimizers_that_are_kept() -> None:
    kept = []
    for _ in range(3):
        model = net()
        kept.append(descent(model))
        fit(model, kept[-1])


def schedules() -> None:
    for _ in range(3):
        model = net()
        optimizer = descent(model)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 5)
        for _ in range(STEPS):
            step(model, optimizer)
            schedule.step()


def weights_that_are_reset() -> None:
    model = net()
    for _ in range(3):
        for layer in model:
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
        fit(model, descent(model))


def weights_that_are_restored() -> None:
    model = net()
    first = copy.deepcopy(model.state_dict())
    for _ in range(3):
        model.load_state_dict(first)
        fit(model, descent(model))


def another_head() -> None:
    model = net()
    for _ in range(3):
        fit(model, descent(model))
        model[2] = nn.Linear(8, 1)


def a_teacher_and_its_students() -> None:
    teacher = net()
    fit(teacher, descent(teacher))
    for _ in range(2):
        student = net()
        optimizer = descent(student)
        for _ in range(STEPS):
            optimizer.zero_grad()
            with torch.no_grad():
                target = teacher(X)
            functional.mse_loss(student(X), target).backward()
            optimizer.step()


def wrapped_optimizers() -> None:
    class Twice(SGD):
        def __init__(self, parameters: Any) -> None:
            super().__init__(parameters, lr=0.02)
            self.inner = SGD(self.param_groups, lr=0.02)

        def step(self, closure: Any = None) -> Any:
            return self.inner.step()

    for _ in range(3):
        model = net()
        optimizer = Twice(model.parameters())
        fit(model, optimizer)


@pytest.mark.parametrize("program", [
    a_sweep, optimizers_that_are_kept, weights_that_are_reset, another_head,
    *map(slow, (schedules, weights_that_are_restored, a_teacher_and_its_students,
                wrapped_optimizers)),
])
def test_each_training_is_one(tmp_path: Path, program: Callable[[], None]) -> None:
    record = watched(tmp_path / "r", program)
    assert [(each.begun, each.steps) for each in record.trainings] == [
        (0, STEPS), (STEPS, STEPS), (2 * STEPS, STEPS)]
    for each in record.trainings:
        assert each.end.kind is EndKind.FINISHED
        assert each.looks == (0, 1, 2, 3, 4, 5, 7, 10)  # each is seen as closely as the first
        assert each.fact(Program) is not None
        assert each.series(TRAIN_LOSS).steps.tolist() == list(range(STEPS))


def the_same_parameters_again() -> None:
    model = net()
    fit(model, descent(model))
    fit(model, descent(model, 0.01))


def thawing() -> None:
    model = net()
    model[0].requires_grad_(False)
    fit(model, descent(model[2]))
    model[0].requires_grad_(True)
    fit(model, descent(model))
    model[2].requires_grad_(False)
    fit(model, descent(model[0]))


def the_best_weights_again() -> None:
    model = net()
    fit(model, descent(model))
    best = copy.deepcopy(model.state_dict())
    fit(model, descent(model, 0.5))
    model.load_state_dict(best)
    fit(model, descent(model, 0.001))


def an_adversary_that_comes_late() -> None:
    generator, adversary = net(), net()
    first = descent(generator)
    fit(generator, first)
    second = descent(adversary)
    for _ in range(STEPS):
        step(adversary, second)
        step(generator, first)


def adversaries_from_the_start() -> None:
    models = [net(), net()]
    optimizers = [descent(model) for model in models]
    for _ in range(STEPS):
        for model, optimizer in zip(models, optimizers, strict=True):
            fit(model, optimizer, 2)


def a_probe_after_every_epoch() -> None:
    model = net()
    optimizer = descent(model)
    for _ in range(4):
        fit(model, optimizer, 5)
        head = nn.Linear(8, 1)
        fit(lambda x: head(model[:2](x).detach()), descent(head), 5)  # noqa: B023


def an_ensemble_in_lockstep() -> None:
    members = [net() for _ in range(3)]
    optimizers: list[Optimizer] = []
    for _ in range(STEPS):
        for number, model in enumerate(members):
            if len(optimizers) <= number:
                optimizers.append(descent(model))
            step(model, optimizers[number])


def inner_loops() -> None:
    model = net()
    outer = descent(model)
    for _ in range(6):
        fast = copy.deepcopy(model)
        fit(fast, descent(fast), 2)
        step(model, outer)


def inner_loops_from_a_state() -> None:
    model = net()
    outer = descent(model)
    for _ in range(6):
        fast = net()
        fast.load_state_dict(model.state_dict())
        fit(fast, descent(fast), 2)
        step(model, outer)


def an_average_beside() -> None:
    model = net()
    average = copy.deepcopy(model)
    optimizer = descent(model)
    for _ in range(STEPS):
        step(model, optimizer)
        with torch.no_grad():
            for kept, new in zip(average.parameters(), model.parameters(), strict=True):
                kept.lerp_(new, 0.1)
            average(X)


def an_optimizer_that_is_never_used() -> None:
    model = net()
    fit(model, descent(model))
    other = net()
    kept = descent(other)
    assert kept.param_groups


@pytest.mark.parametrize("program", [
    thawing, the_best_weights_again, an_adversary_that_comes_late, inner_loops,
    a_probe_after_every_epoch,
    *map(slow, (the_same_parameters_again, adversaries_from_the_start, an_ensemble_in_lockstep,
                inner_loops_from_a_state, an_average_beside, an_optimizer_that_is_never_used)),
])
def test_one_training_is_one(tmp_path: Path, program: Callable[[], None]) -> None:
    made = 0

    def count(*_: Any) -> None:
        nonlocal made
        made += 1

    hook = register_optimizer_step_post_hook(count)
    try:
        record = watched(tmp_path / "r", program)
    finally:
        hook.remove()
    assert not record.later
    assert record.steps == made
    assert record.looks[0] == 0


def first_order_steps_of_copies() -> None:
    model = net()
    for _ in range(14):
        fast = copy.deepcopy(model)
        fit(fast, descent(fast), 3)
        with torch.no_grad():
            for slow, new in zip(model.parameters(), fast.parameters(), strict=True):
                slow.lerp_(new, 0.5)


def test_short_trainings_of_copies_are_one(tmp_path: Path) -> None:
    record = watched(tmp_path / "r", first_order_steps_of_copies)
    assert not record.later
    assert record.steps == 42 - record.begun
    assert record.begun <= trainings.MANY * 3


def test_the_number_of_trainings_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainings, "MOST", 4)

    def many() -> None:
        for _ in range(8):
            model = net()
            fit(model, descent(model), 6)

    record = watched(tmp_path / "r", many)
    assert [each.begun for each in record.trainings] == [0, 6, 12, 18]
    assert [each.steps for each in record.trainings] == [6] * 4
    assert [odd.says for odd in record.oddities] == [
        "the program trained more than 4 times, and only the first 4 trainings were measured"]


def test_a_record_of_one_training_holds_no_trace_of_it(tmp_path: Path) -> None:
    def program() -> None:
        model = net()
        fit(model, descent(model))

    watched(tmp_path / "r", program)
    lines = (tmp_path / "r" / "events.jsonl").read_text().splitlines()
    types = {json.loads(line)["type"] for line in lines}
    assert not types & {"training", "no-training"}


# What belongs to which ---------------------------------------------------------------------------
def test_names_begin_anew(tmp_path: Path) -> None:
    record = watched(tmp_path / "r", optimizers_that_are_kept)
    for each in record.trainings:
        assert [fact.name for fact in each.facts(Model)] == ["model"]
        assert list(each.parameters()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
        (optimizer,) = each.facts(OptimizerFact)
        assert optimizer.name == "SGD"
        assert optimizer.location is not None
        assert optimizer.parameters == tuple(each.parameters())


def test_a_loader_belongs_to_the_trainings_that_use_it(tmp_path: Path) -> None:
    def program() -> None:
        first = DataLoader(TensorDataset(X, Y), batch_size=8)
        shared = DataLoader(TensorDataset(X, Y), batch_size=4, shuffle=True)
        for loaders in ((first, shared), (shared,)):
            model = net()
            optimizer = descent(model)
            for loader in loaders:
                for x, y in loader:
                    optimizer.zero_grad()
                    functional.mse_loss(model(x), y).backward()
                    optimizer.step()

    record = watched(tmp_path / "r", program)
    assert [[fact.batch_size for fact in each.facts(Loader)] for each in record.trainings] == [
        [8, 4], [4]]


def test_the_probes_of_a_training_that_is_over_go(tmp_path: Path) -> None:
    session = Session.start(Options(tmp_path / "r", overhead=1.0))
    seen: list[weakref.ref[Probe]] = []
    for _ in range(4):
        model = net()
        fit(model, descent(model))
        seen.append(weakref.ref(session._watcher.context.probe(LossProbe)))
    gc.collect()
    alive = [ref() is not None for ref in seen]
    session.finish(End(EndKind.FINISHED))
    assert alive[0] is False
    assert alive[-1] is True
    assert sum(alive) <= 2


# The end -----------------------------------------------------------------------------------------
def test_steps_are_limited_over_all_trainings(tmp_path: Path) -> None:
    def program() -> None:
        with pytest.raises(StopTraining):
            a_sweep()

    record = watched(tmp_path / "r", program, max_steps=STEPS + 5)
    assert [each.steps for each in record.trainings] == [STEPS, 5]
    assert [each.end.kind for each in record.trainings] == [EndKind.FINISHED, EndKind.STOPPED]


def test_an_exception_ends_the_training_under_way(tmp_path: Path) -> None:
    def program() -> None:
        a_sweep()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        watched(tmp_path / "r", program)
    record = read_record(tmp_path / "r")
    assert [each.end.kind for each in record.trainings] == [
        EndKind.FINISHED, EndKind.FINISHED, EndKind.EXCEPTION]
    assert record.last.end.exception == "ValueError"


def test_a_training_that_never_came_to_be_is_none(tmp_path: Path) -> None:
    def program() -> None:
        model = net()
        optimizer = descent(model)
        fit(model, optimizer)
        other = net()
        kept = descent(other)
        assert kept.param_groups
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        watched(tmp_path / "r", program)
    record = read_record(tmp_path / "r")
    assert not record.later
    assert record.end.kind is EndKind.EXCEPTION
    assert record.steps == STEPS


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of a record of three trainings."""
    folder = tmp_path_factory.mktemp("three") / "r"
    watched(folder, optimizers_that_are_kept)
    return (folder / "events.jsonl").read_text()


def test_a_killed_program_leaves_its_trainings(three: str, tmp_path: Path) -> None:
    kept = [line for line in three.splitlines(keepends=True) if '"fact":"end"' not in line]
    (tmp_path / "events.jsonl").write_text("".join(kept))
    found = read_record(tmp_path)
    assert [each.steps for each in found.trainings] == [STEPS] * 3
    assert [each.end.kind for each in found.trainings] == [
        EndKind.FINISHED, EndKind.FINISHED, EndKind.KILLED]


@pytest.mark.parametrize("event", [
    {"type": "training", "number": -1, "begun": 0}, {"type": "training", "number": 1},
    {"type": "training", "number": 1, "begun": "x"}, {"type": "no-training", "numbers": "x"},
    {"type": "no-training"},
])
def test_damage_is_said(three: str, tmp_path: Path, event: dict[str, Any]) -> None:
    (tmp_path / "events.jsonl").write_text(three + json.dumps(event) + "\n")
    record = read_record(tmp_path)
    assert record.torn
    assert len(record.trainings) == 3


def test_no_training_at_all_is_one(three: str, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(
        three + '{"type":"no-training","numbers":[0,1,2]}\n')
    assert len(read_record(tmp_path).trainings) == 1


# The training itself -----------------------------------------------------------------------------
@pytest.mark.parametrize("program", [
    a_sweep, *map(slow, (a_probe_after_every_epoch, inner_loops))])
def test_nothing_changes(tmp_path: Path, program: Callable[[], None]) -> None:
    def losses(run: Callable[[], object]) -> list[float]:
        found: list[float] = []
        hook = register_optimizer_step_post_hook(
            lambda optimizer, *_: found.extend(
                float(p.detach().sum())
                for group in optimizer.param_groups for p in group["params"]))
        try:
            torch.manual_seed(0)
            run()
        finally:
            hook.remove()
        return [*found, float(torch.rand(1))]

    bare = losses(program)
    assert losses(lambda: watched(tmp_path / "r", program)) == bare


def test_a_quiet_step_of_a_later_training_costs_no_more(tmp_path: Path) -> None:
    session = Session.start(Options(tmp_path / "r", overhead=1.0))
    counts = []
    for _ in range(2):
        model = net()
        optimizer = descent(model)
        fit(model, optimizer, 160)
        # The least of several: now and then a step hands what waits to the file.
        counts.append(min(
            _instructions(lambda: step(model, optimizer)) for _ in range(5)))  # noqa: B023
    session.finish(End(EndKind.FINISHED))
    assert counts[0] == counts[1]


def _instructions(run: Callable[[], None]) -> int:
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event in ("opcode", "line")  # Python 3.12 tells of lines only
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return count


# What is said ------------------------------------------------------------------------------------
_PROGRAM = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(64, 6)
y = x.sum(1, keepdim=True)
for rate in {rates}:
    model = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
"""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "sweep.py").write_text(_PROGRAM.format(rates="(0.1, 40.0, 0.2)"))
    done = run(
        [sys.executable, "-m", "unstuck", "run", "--out", "r", "--overhead", "1", "--json",
         "report.json", "sweep.py"], cwd=folder, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    (folder / "said").write_text(done.stderr)
    return folder


def test_the_report_names_the_training_that_failed(sweep: Path) -> None:
    said = " ".join((sweep / "said").read_text().split())
    assert said.startswith("unstuck: In training 2 of 3 (steps 150 to 299 of the program), the ")
    assert "error[learning-rate-too-high]" in said
    assert "training 1 (steps 0 to 149): " in said
    assert "training 3 (steps 300 to 449): " in said
    assert "training 2 (" not in said


def test_the_json_holds_every_training(sweep: Path) -> None:
    report = json.loads((sweep / "report.json").read_text())
    jsonschema.Draft202012Validator(json_schema()).validate(report)
    assert report["training"] == 2
    assert report["outcome"] == "diverged"
    assert [(each["first_step"], each["last_step"]) for each in report["trainings"]] == [
        (0, 149), (150, 299), (300, 449)]
    assert [each["location"]["line"] for each in report["trainings"]] == [9, 9, 9]
    worst = report["trainings"][1]
    assert worst["findings"] == report["findings"]
    assert worst["outcome"] == "diverged"
    for each in (report["trainings"][0], report["trainings"][2]):
        assert not [f for f in each["findings"] if f["severity"] != "note"]


def test_a_trial_judges_the_training_that_failed(sweep: Path, tmp_path: Path) -> None:
    control = read(_ended(sweep / "r"), Settings())
    assert control.diagnosis is not None
    assert control.record is not None
    assert control.diagnosis.training == 1
    assert not control.diagnosis.trainings
    assert control.record.begun == 150
    first = read(_ended(sweep / "r"), Settings(), 0)
    assert first.record is not None
    assert first.record.begun == 0
    assert first.healthy
    watched(tmp_path / "one", the_same_parameters_again)
    one = read(_ended(tmp_path / "one"), Settings(), 1)
    assert one.record is not None
    assert one.record.begun == 0


def _ended(record: Path) -> Ended:
    return Ended(Trial(), 0, None, False, record, "", 1.0, 1.0)


def test_two_healthy_trainings_are_silent(tmp_path: Path) -> None:
    def program() -> None:
        for _ in range(2):
            model = net()
            fit(model, descent(model, 0.2), 150)

    diagnosis = unstuck.diagnose(watched(tmp_path / "r", program))
    assert len(diagnosis.trainings) == 2
    assert not any(each.diagnosis.counted() for each in diagnosis.trainings)
    file = io.StringIO()
    unstuck.render(diagnosis, width=200, color=False, file=file)
    assert file.getvalue().count("no problem was found") == 2
    assert to_dict(diagnosis)["training"] == diagnosis.training + 1


def test_one_training_is_told_as_ever(tmp_path: Path) -> None:
    diagnosis = unstuck.diagnose(watched(tmp_path / "r", the_same_parameters_again))
    assert diagnosis.trainings == ()
    assert not {"training", "trainings"} & set(to_dict(diagnosis))
    file = io.StringIO()
    unstuck.render(diagnosis, color=False, file=file)
    assert "In training" not in file.getvalue()


def test_a_fault_is_found_in_the_training_that_has_it(tmp_path: Path) -> None:
    """Transfer to another task, with half of the new head frozen by mistake like the rest."""
    def program() -> None:
        model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(),
                              nn.Linear(16, 1))
        fit(model, descent(model, 0.1), 100)
        model[2], model[4] = nn.Linear(16, 16), nn.Linear(16, 1)
        model[:4].requires_grad_(False)
        fit(model, descent(model[4], 0.1), 100)

    diagnosis = unstuck.diagnose(watched(tmp_path / "r", program))
    first, second = (each.diagnosis for each in diagnosis.trainings)
    assert "frozen-parameters" not in {f.cause for f in first.findings}
    found = [f for f in second.findings if f.cause == "frozen-parameters"]
    assert found
    # What the first training has learned is frozen on purpose.
    places = {evidence.where for evidence in found[0].evidence}
    assert not any("0." in place for place in places)


def test_proper_transfer_is_silent(tmp_path: Path) -> None:
    def program() -> None:
        model = net()
        fit(model, descent(model, 0.1), 100)
        model.requires_grad_(False)
        model[2] = nn.Linear(8, 1)
        fit(model, descent(model[2], 0.1), 100)

    diagnosis = unstuck.diagnose(watched(tmp_path / "r", program))
    assert len(diagnosis.trainings) == 2
    assert not any(each.diagnosis.counted() for each in diagnosis.trainings)


def test_a_fault_of_every_fold_is_found_in_every_fold(tmp_path: Path) -> None:
    def program() -> None:
        for fold in range(3):
            model = net()
            optimizer = descent(model, 0.05)
            held_out = torch.arange(16) % 3 == fold
            for _ in range(60):
                optimizer.zero_grad()
                # (n, 1) against (n,)
                functional.mse_loss(model(X[~held_out]), Y[~held_out].squeeze(1)).backward()
                optimizer.step()

    with pytest.warns(UserWarning, match="target size"):
        diagnosis = unstuck.diagnose(watched(tmp_path / "r", program))
    assert [each.diagnosis.findings[0].cause for each in diagnosis.trainings] == [
        "loss-broadcast"] * 3


def test_the_worst_training_is_reported() -> None:
    from unstuck.judge.severity import badness
    from unstuck.schema.findings import Outcome

    def made(kind: OutcomeKind) -> Diagnosis:
        return Diagnosis("0", "r", Outcome(kind, 0.9, ""), (), (), 1)

    kinds = sorted(OutcomeKind, key=lambda kind: badness(made(kind)))
    assert kinds[0] is OutcomeKind.CRASHED
    assert kinds[-2:] == [OutcomeKind.TOO_SHORT, OutcomeKind.NO_TRAINING]


def test_many_short_trainings_at_one_place_are_meant_to_be_short(tmp_path: Path) -> None:
    torch.manual_seed(0)
    with unstuck.watch(out=tmp_path / "record", overhead=1e9):
        for _ in range(10):
            model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
            optimizer = torch.optim.SGD(model.parameters(), lr=0.005)
            x = 4 * torch.rand(16, 1) - 2
            y = torch.sin(x + 3 * torch.rand(1))
            for _ in range(40):
                optimizer.zero_grad()
                nn.functional.mse_loss(model(x), y).backward()
                optimizer.step()
    record = unstuck.read_record(tmp_path / "record")
    assert [len(each.siblings) for each in record.trainings] == [10] * 10
    assert all(short_on_purpose(each) for each in record.trainings)
    for training in unstuck.diagnose(record).trainings:
        assert not training.diagnosis.counted()
