"""Gradients and first values that a program writes itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of, text_at
from unstuck.record.reader import Record
from unstuck.schema.facts.gradients import ChangedGradient, WrittenGradient
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.models import Initialisation

pytestmark = pytest.mark.usefixtures("seeded")

MODEL = """
x, y = torch.randn(16, 3), torch.randn(16, 1)
model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
"""
TRAIN = """
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(4):
    optimizer.zero_grad()
    F.mse_loss(model(x), y).backward()
    BEFORE
    optimizer.step()
"""


def test_a_gradient_that_the_program_negates(tmp_path: Path) -> None:
    record = record_of(MODEL + TRAIN.replace("BEFORE", """
    for p in model.parameters():
        p.grad = -p.grad
    """), tmp_path)
    (written,) = record.facts(WrittenGradient)
    assert (written.name, written.parameters) == ("SGD", 4)
    assert text_at(written.location) == "p.grad = -p.grad"


def test_gradients_by_autograd_grad(tmp_path: Path) -> None:
    record = record_of(MODEL + """
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(4):
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(F.mse_loss(model(x), y), parameters)
    for p, g in zip(parameters, gradients):
        p.grad = g
    optimizer.step()
""", tmp_path)
    (backward,) = record.facts(Backward)
    assert backward.function == "grad"
    assert text_at(backward.location) == (
        "torch.autograd.grad(F.mse_loss(model(x), y), parameters)")
    (written,) = record.facts(WrittenGradient)
    assert text_at(written.location) == "p.grad = g"


@pytest.mark.parametrize("before", [
    "pass", "torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)",
    "[p.grad.mul_(0.5) for p in model.parameters()]",
])
def test_gradients_that_backward_left_are_not_written(before: str, tmp_path: Path) -> None:
    record = record_of("def never(p):\n    p.grad = 0\n" + MODEL + TRAIN.replace(
        "BEFORE", before), tmp_path)
    assert record.facts(WrittenGradient) == ()


def initialised(record: Record) -> dict[str, tuple[str, str | None]]:
    return {fact.name: (fact.function, text_at(fact.location) if fact.location else None)
            for fact in record.facts(Initialisation)}


def test_values_that_are_set_in_place(tmp_path: Path) -> None:
    record = record_of(MODEL + """
def init(layer):
    if isinstance(layer, nn.Linear):
        layer.weight.data.normal_(0, 3)
        layer.bias.data[:] = 1
model.apply(init)
""" + TRAIN.replace("BEFORE", "pass"), tmp_path)
    weight = "normal_", "layer.weight.data.normal_(0, 3)"
    bias = "data", "layer.bias.data[:] = 1"
    assert initialised(record) == {
        "0.weight": weight, "2.weight": weight, "0.bias": bias, "2.bias": bias}


def test_a_change_after_a_call_of_nn_init_counts_and_one_by_a_checkpoint_does_not(
    tmp_path: Path
) -> None:
    record = record_of(MODEL + """
nn.init.normal_(model[0].weight)
nn.init.normal_(model[2].weight)
with torch.no_grad():
    for p in [model[0].weight]:
        p *= 2
        p.mul_(3)
""" + TRAIN.replace("BEFORE", "pass"), tmp_path)
    assert initialised(record) == {
        "0.weight": ("mul_", "p.mul_(3)"),
        "2.weight": ("normal_", "nn.init.normal_(model[2].weight)")}
    record = record_of(MODEL + """
model.load_state_dict({name: p + 1 for name, p in model.state_dict().items()})
def never(p):
    p.data.zero_()
""" + TRAIN.replace("BEFORE", "pass"), tmp_path / "other")
    assert initialised(record) == {}


def test_torch_alone_leaves_no_trace(tmp_path: Path) -> None:
    record = record_of("""
def never(p):
    p.data.zero_()
x, y = torch.randint(0, 5, (16, 3)), torch.randn(16, 1)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.lstm, self.norm = nn.LSTM(4, 4), nn.LayerNorm(4)
        self.attention = nn.MultiheadAttention(4, 2)
        self.head = nn.Linear(4, 1)
    def forward(self, x):
        h = self.norm(self.lstm(self.embed(x))[0])
        return self.head(self.attention(h, h, h)[0].mean(1))
model = Net().double().float()
""" + TRAIN.replace("BEFORE", "pass"), tmp_path)
    assert initialised(record) == {}


def test_a_gradient_of_another_name_that_the_program_changes(tmp_path: Path) -> None:
    record = record_of(MODEL + TRAIN.replace("BEFORE", """
    gradients = [p.grad for p in model.parameters()]
    for g in gradients:
        g.mul_(0.5)
    """), tmp_path)
    (changed,) = record.facts(ChangedGradient)
    assert text_at(changed.location) == "g.mul_(0.5)"
