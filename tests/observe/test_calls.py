"""The places at which a program calls its models, losses and optimizers, and what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of, text_at
from unstuck.record.reader import Record
from unstuck.schema.facts.calls import CallRole, LossCall, ModeCall, ModelCall, OptimizerCall
from unstuck.schema.facts.losses import Loss

pytestmark = pytest.mark.usefixtures("seeded")

DATA = """
x = torch.randn(120, 5)
y = (x[:, 0] > 0).long()
x_train, y_train, x_val, y_val = x[:80], y[:80], x[80:], y[80:]
model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""


def models(record: Record) -> dict[str, ModelCall]:
    """The calls of models by their text."""
    return {text_at(call.location): call for call in record.facts(ModelCall)}


def losses(record: Record) -> dict[str, LossCall]:
    """The calls of losses by their text."""
    return {text_at(call.location): call for call in record.facts(LossCall)}


def test_training_and_evaluation_are_told_apart_also_after_the_last_step(tmp_path: Path) -> None:
    record = record_of(DATA + """
for epoch in range(200):
    for i in range(0, 80, 16):
        xb, yb = x_train[i:i + 16], y_train[i:i + 16]
        optimizer.zero_grad()
        criterion(model(xb), yb).backward()
        optimizer.step()
    if epoch % 50 == 0:
        with torch.no_grad():
            F.cross_entropy(model(x_val), y_val)
model.eval()
with torch.no_grad():
    right = model(x_val[:20]).argmax(1) == y_val[:20]
""", tmp_path)
    found = models(record)
    assert set(found) == {"model(xb)", "model(x_val)", "model(x_val[:20])"}
    trained = found["model(xb)"]
    assert (trained.model, trained.role, trained.first, trained.last) == (
        "model", CallRole.TRAIN, True, True)
    assert trained.shape == (16, 5)
    assert trained.variable is not None
    assert (trained.variable.name, trained.variable.rows) == ("x_train", 80)
    for text in ("model(x_val)", "model(x_val[:20])"):
        assert found[text].role is CallRole.HELD_OUT
        assert found[text].variable is not None
        assert found[text].variable.name == "x_val"
        assert not found[text].gradients


def test_losses_have_all_their_places_and_the_place_of_their_module(tmp_path: Path) -> None:
    record = record_of(DATA + """
def loss_of(out, target):
    return criterion(out, target)

def validate():
    with torch.no_grad():
        return F.cross_entropy(model(x_val), y_val).item()

for step in range(20):
    i = 16 * (step % 5)
    out = model(x_train[i:i + 16])
    optimizer.zero_grad()
    loss_of(out, y_train[i:i + 16]).backward()
    optimizer.step()
    if step == 10:
        validate()
""", tmp_path)
    found = losses(record)
    assert set(found) == {"criterion(out, target)", "F.cross_entropy(model(x_val), y_val)"}
    trained = found["criterion(out, target)"]
    assert trained.role is CallRole.TRAIN
    assert trained.loss == "cross_entropy"
    assert text_at(trained.built) == "nn.CrossEntropyLoss()"
    assert text_at(trained.call_location) == "loss_of(out, y_train[i:i + 16])"
    assert trained.target_shape == (16,)
    assert trained.variable is not None
    assert trained.variable.name == "y_train"
    held_out = found["F.cross_entropy(model(x_val), y_val)"]
    assert held_out.role is CallRole.HELD_OUT
    assert held_out.loss is None
    assert held_out.built is None
    assert held_out.call_location is None  # the function calls the model as well
    assert held_out.variable is not None
    assert held_out.variable.name == "y_val"


def test_what_takes_the_data_and_what_makes_the_losss_input(tmp_path: Path) -> None:
    record = record_of("""
x, y = torch.randn(64, 6), torch.randn(64, 1)
encoder, body, head = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 1)
optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.01)
for _ in range(8):
    with torch.no_grad():
        z = encoder(x)
    h = body(z).relu()
    out = head(h)
    optimizer.zero_grad()
    F.mse_loss(out, y).backward()
    optimizer.step()
""", tmp_path)
    found = models(record)
    assert {text: (call.role, call.first, call.last) for text, call in found.items()} == {
        "encoder(x)": (CallRole.TRAIN, True, False),
        "body(z)": (CallRole.TRAIN, False, False),
        "head(h)": (CallRole.TRAIN, False, True),
    }
    assert found["encoder(x)"].variable is not None
    assert found["encoder(x)"].variable.name == "x"
    assert found["encoder(x)"].variable.whole


def test_a_generator_that_is_trained_through_a_discriminator(tmp_path: Path) -> None:
    record = record_of("""
real = torch.randn(64, 4) + 2
G, D = nn.Linear(3, 4), nn.Linear(4, 1)
g = torch.optim.Adam(G.parameters(), lr=1e-3)
d = torch.optim.Adam(D.parameters(), lr=1e-3)
one, zero = torch.ones(64, 1), torch.zeros(64, 1)
bce = nn.BCEWithLogitsLoss()
for _ in range(8):
    fake = G(torch.randn(64, 3))
    d.zero_grad()
    (bce(D(real), one) + bce(D(fake.detach()), zero)).backward()
    d.step()
    g.zero_grad()
    bce(D(fake), one).backward()
    g.step()
""", tmp_path)
    found = models(record)
    assert {text: (call.model, call.first, call.last) for text, call in found.items()} == {
        "G(torch.randn(64, 3))": ("G", True, False),
        "D(real)": ("D", True, True),
        "D(fake.detach())": ("D", False, True),
        "D(fake)": ("D", False, True),
    }
    assert {call.role for call in found.values()} == {CallRole.TRAIN}
    assert {(call.optimizer, text_at(call.location)) for call in record.facts(OptimizerCall)} == {
        ("Adam-2", "d.step()"), ("Adam", "g.step()"),
        ("Adam-2", "d.zero_grad()"), ("Adam", "g.zero_grad()")}


def test_a_validation_that_keeps_the_graph_is_no_training(tmp_path: Path) -> None:
    record = record_of(DATA + """
for _ in range(10):
    optimizer.zero_grad()
    F.cross_entropy(model(x_train), y_train).backward()
    optimizer.step()
    out = model(x_val)
    F.cross_entropy(out, y_val).item()
""", tmp_path)
    found = models(record)
    assert found["model(x_train)"].role is CallRole.TRAIN
    assert found["model(x_val)"].role is CallRole.HELD_OUT
    assert not found["model(x_val)"].last


def test_places_that_set_modes_and_clear_gradients(tmp_path: Path) -> None:
    record = record_of(DATA + """
class Trainer:
    def __init__(self):
        self.optimizer = optimizer
        self.net = model

    def fit(self):
        self.net.train()
        for _ in range(6):
            self.net.zero_grad()
            criterion(self.net(x_train), y_train).backward()
            self.optimizer.step()
        self.net.eval()
        self.net[0].train(False)

Trainer().fit()
""", tmp_path)
    assert {(call.optimizer, call.model, call.method, text_at(call.location))
            for call in record.facts(OptimizerCall)} == {
        ("SGD", None, "step", "self.optimizer.step()"),
        (None, "model", "zero_grad", "self.net.zero_grad()")}
    assert {(call.model, call.method, text_at(call.location))
            for call in record.facts(ModeCall)} == {
        ("model", "train", "self.net.train()"), ("model", "eval", "self.net.eval()"),
        ("0", "eval", "self.net[0].train(False)")}


def test_data_in_a_list_an_object_or_an_array_is_found(tmp_path: Path) -> None:
    record = record_of("""
import numpy as np
from torch.utils.data import DataLoader, Dataset

class Table(Dataset):
    def __init__(self):
        self.rows = np.random.default_rng(0).normal(size=(50, 3))
        self.labels = torch.arange(50) % 2
    def __len__(self):
        return 50
    def __getitem__(self, i):
        return torch.tensor(self.rows[i], dtype=torch.float32), self.labels[i]

data = {"train": Table()}
table = data["train"]
model = nn.Linear(3, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for xb, yb in DataLoader(table, batch_size=10, shuffle=True):
    optimizer.zero_grad()
    F.cross_entropy(model(xb), yb).backward()
    optimizer.step()
""", tmp_path)
    (call,) = record.facts(ModelCall)
    assert call.variable is not None
    assert (call.variable.name, call.variable.rows, call.variable.whole) == (
        "table.rows", 50, False)
    (loss,) = record.facts(LossCall)
    assert loss.variable is not None
    assert loss.variable.name == "table.labels"


def test_a_loss_that_is_a_formula_in_a_function(tmp_path: Path) -> None:
    record = record_of(DATA + """
def own_loss(out, target):
    p = out.softmax(1)
    return -(torch.log(p[torch.arange(len(p)), target] + 1e-9)).sum() / len(p)

for _ in range(6):
    optimizer.zero_grad()
    loss = own_loss(model(x_train), y_train)
    loss.backward()
    optimizer.step()
""", tmp_path)
    (loss,) = record.facts(Loss)
    assert loss.hand_written
    assert text_at(loss.call_location) == "own_loss(model(x_train), y_train)"
