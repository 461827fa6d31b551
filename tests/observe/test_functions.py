"""Activations that are functions, by the expressions that apply them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of, text_at
from unstuck.record.reader import Record
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import Activation

pytestmark = pytest.mark.usefixtures("seeded")

TRAIN = """
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x, y = torch.rand(32, 4), torch.rand(32, 1)
for _ in range(4):
    optimizer.zero_grad()
    F.mse_loss(model(x), y).backward()
    optimizer.step()
"""


def applied(record: Record) -> dict[str, tuple[str, str, str]]:
    return {fact.name: (fact.function, fact.layer, text_at(fact.location))
            for fact in record.facts(Activation)}


def test_functions_methods_and_operations_are_found(tmp_path: Path) -> None:
    record = record_of("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Linear(4, 4) for _ in range(4))
        self.head, self.act = nn.Linear(4, 1), nn.Tanh()

    def forward(self, x):
        x = F.relu(self.b(F.relu(self.a(x))))
        x = (self.c(x)
             .clamp(min=0))
        x = self.act(self.d(x))
        return torch.exp(self.head(x))

model = Net()
""" + TRAIN, tmp_path)
    assert applied(record) == {
        "a > relu": ("relu", "a", "F.relu(self.a(x))"),
        "b > relu": ("relu", "b", "F.relu(self.b(F.relu(self.a(x))))"),
        "c > clamp": ("clamp", "c", "self.c(x)\n             .clamp(min=0)"),
        "head > exp": ("exp", "head", "torch.exp(self.head(x))"),
    }
    (loss,) = record.facts(Loss)
    assert text_at(loss.input_location) == "torch.exp(self.head(x))"


def test_what_torch_applies_within_is_no_function_of_the_program(tmp_path: Path) -> None:
    record = record_of("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        for _ in range(2):
            x = F.leaky_relu(self.body(x[:, None])[:, 0])
        return F.softplus(self.head(x))

model = Net()
""" + TRAIN, tmp_path)
    found = applied(record)
    assert {function for function, _, _ in found.values()} == {"leaky_relu", "softplus"}
    assert found["head > softplus"][2] == "F.softplus(self.head(x))"
