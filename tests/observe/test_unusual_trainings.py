"""Trainings that torch carries out past the usual calls: closures, compiled steps, torch.func."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
import torch
from torch import nn

import unstuck
from tests.observe.sources import record_of, text_at
from unstuck.judge.engine import diagnose
from unstuck.record.reader import Record, read_record
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.sequences import Mask
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import EMPTY_STEP

DATA = """
torch.manual_seed(0)
x = torch.randn(64, 5)
y = (x[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
"""


def empty_steps(record: Record) -> set[float]:
    return {float(v) for series in record.series(EMPTY_STEP).values() for v in series.values}


CLOSURE = DATA + """
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def closure():
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    CLEAR
    return loss
for _ in range(40):
    optimizer.step(closure)
"""


def test_no_cause_is_unknown_for_a_closure(tmp_path: Path) -> None:
    record = record_of(CLOSURE.replace("CLEAR", ""), tmp_path)
    assert empty_steps(record) == {0.0}
    reasons = [verdict.reason for _, verdict in diagnose(record).not_assessed()]
    assert not [reason for reason in reasons if "closure" in reason or "gradients of" in reason]


def test_a_closure_that_clears_its_own_gradients_leaves_none(tmp_path: Path) -> None:
    record = record_of(CLOSURE.replace("CLEAR", "optimizer.zero_grad()"), tmp_path)
    assert empty_steps(record) == {1.0}


def test_an_optimizer_that_clears_within_its_step_has_used_them(tmp_path: Path) -> None:
    record = record_of(DATA + """
class Twice(torch.optim.SGD):
    def step(self, closure):
        loss = closure()
        super().step()
        self.zero_grad()
        return loss
optimizer = Twice(model.parameters(), lr=0.1)
def closure():
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    return loss
for _ in range(20):
    optimizer.step(closure)
""", tmp_path)
    assert empty_steps(record) == {0.0}


def test_a_view_that_torch_says_nothing_of_is_passed_over(tmp_path: Path) -> None:
    record = record_of(DATA + """
weight = nn.Parameter(torch.empty(4, 4))
with torch.no_grad():
    part = weight[:2]
nn.init.zeros_(part)
with torch.no_grad():
    view = weight.view(-1)
weight.data.fill_(1.0)
late = weight * 1
with torch.no_grad():
    half = late[:1]
late.mul_(2)
nn.init.ones_(half)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(5):
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
""", tmp_path)
    assert record.steps == 5


# Compiled --------------------------------------------------------------------------------------
COMPILED = DATA + """
optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
@torch.compile(backend="eager")
def train_step(a, b):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(a), b)
    loss.backward()
    optimizer.step()
for _ in range(40):
    train_step(x, y)
"""


@pytest.mark.filterwarnings("ignore")  # torch's own, about what it compiles
def test_the_steps_of_a_compiled_step_are_counted(tmp_path: Path) -> None:
    torch._dynamo.reset()
    record = record_of(COMPILED.replace("RATE", "0.1"), tmp_path)
    assert record.steps in (39, 40)
    assert len(record.series(TRAIN_LOSS).steps) == 40
    reasons = [verdict.reason for _, verdict in diagnose(record).not_assessed()]
    assert "a model is compiled, so nothing was measured inside its layers" in reasons
    assert "no model was seen in training" not in reasons


@pytest.mark.filterwarnings("ignore")
def test_code_of_the_compiler_has_no_place(tmp_path: Path) -> None:
    torch._dynamo.reset()
    record = record_of(COMPILED.replace("RATE", "1e30"), tmp_path)
    assert [fact.location for fact in record.facts(Backward)] in ([], [None])
    (finding, *_) = diagnose(record).findings
    assert finding.cause == "non-finite-loss"
    assert finding.location is None


# torch.func ------------------------------------------------------------------------------------
FUNCTIONAL = DATA + """
from torch.func import functional_call, grad, grad_and_value
def loss_of(parameters, a, b):
    return F.cross_entropy(functional_call(model, parameters, (a,)), b)
parameters = {name: p.detach() for name, p in model.named_parameters()}
for _ in range(60):
    gradients, loss = grad_and_value(loss_of)(parameters, x, y)
    parameters = {name: p - RATE * gradients[name] for name, p in parameters.items()}
"""


def test_gradients_of_torch_func_are_training(tmp_path: Path) -> None:
    record = record_of(FUNCTIONAL.replace("RATE", "0.5"), tmp_path / "healthy")
    assert record.steps == 60
    diagnosis = diagnose(record)
    assert diagnosis.outcome.kind.value in ("learning", "converged")
    assert not diagnosis.counted()
    (backward,) = record.facts(Backward)
    assert text_at(backward.location) == "grad_and_value(loss_of)(parameters, x, y)"
    sick = diagnose(record_of(FUNCTIONAL.replace("RATE", "1e20"), tmp_path / "sick"))
    assert sick.findings[0].cause == "non-finite-loss"


def test_a_derivative_within_a_loss_is_no_step(tmp_path: Path) -> None:
    record = record_of(DATA + """
from torch.func import grad
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(10):
    optimizer.zero_grad()
    slope = grad(lambda t: torch.sin(t).sum())(torch.ones(3))
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
""", tmp_path)
    assert record.steps == 10
    assert len(record.series(TRAIN_LOSS).steps) == 10


# Optimizers that a library builds --------------------------------------------------------------
def library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that counts as installed, whose `fit` builds the optimizer."""
    package = folder / "site-packages"
    package.mkdir()
    (package / "fitting.py").write_text(textwrap.dedent("""
        import torch
        class Settings:
            def __init__(self, learning_rate=0.01, epochs=5):
                self.learning_rate, self.epochs = learning_rate, epochs
        def fit(model, x, y, settings):
            optimizer = torch.optim.SGD(model.parameters(), lr=settings.learning_rate)
            for _ in range(settings.epochs):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
    """))
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.setattr(
        "unstuck.observe.source.sites.library_folders",
        lambda: (str(package) + "/", str(Path(torch.__file__).parent) + "/"))
    monkeypatch.delitem(sys.modules, "fitting", raising=False)


def test_the_rate_of_an_optimizer_that_a_library_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library(tmp_path, monkeypatch)
    record = record_of(DATA + """
from fitting import Settings, fit
other = dict(lr=0.5)
settings = Settings(learning_rate=90.0, epochs=60)
fit(model, x, y, settings)
""", tmp_path)
    (fact,) = record.facts(Optimizer)
    assert text_at(fact.location) == "Settings(learning_rate=90.0, epochs=60)"
    assert fact.rate_argument == "learning_rate"


def test_arguments_of_a_call_that_fits_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library(tmp_path, monkeypatch)
    record = record_of(DATA + """
from fitting import Settings, fit
settings = Settings(*[90.0], epochs=60)
fit(model, x, y, settings)
""", tmp_path)
    (fact,) = record.facts(Optimizer)
    assert text_at(fact.location) == "fit(model, x, y, settings)"
    assert fact.rate_argument == ""


def test_memory_that_was_given_back_is_not_read(tmp_path: Path) -> None:
    with unstuck.watch(tmp_path / "r", overhead=1e9):
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        freed = torch.ones(4)
        freed.untyped_storage().resize_(0)  # as sharded training does after a forward pass
        for _ in range(3):
            optimizer.zero_grad()
            loss = model(torch.ones(2, 3)).sum()
            loss.backward()
            optimizer.step()
    from unstuck.observe.tensors import observable

    assert not observable(freed)
    assert read_record(tmp_path / "r").steps == 3


ODD_ATTENTION = """
torch.manual_seed(0)
x = torch.randn(64, 6, 8)
y = torch.randint(0, 2, (64,))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.o = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 1)
    def forward(self, x):
        scores = self.q(x) @ self.k(x).transpose(1, 2) / 3 + torch.ones(6, 6).triu(1)
        part = scores[:, :3].softmax(-1) @ x
        one = torch.softmax(self.o(x)[:, 0, 0], 0)
        return self.o(part.mean(1)).squeeze(1) + one + self.q(x).mean(1).softmax(-1).sum(1)
net = Net()
optimizer = torch.optim.Adam(net.parameters())
for _ in range(12):
    loss = torch.relu(1 - (y == 1) * net(x)).mean()  # a product with booleans
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def test_odd_shapes_of_attention_and_labels_are_passed_over(tmp_path: Path) -> None:
    record = record_of(ODD_ATTENTION, tmp_path)
    assert not [odd for odd in record.oddities if odd.what == "watcher-failed"]
    assert not record.facts(Mask)
