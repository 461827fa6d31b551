"""The loops around a step, the loaders that feed it, and how it is paced."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of, text_at
from unstuck.record.reader import Record
from unstuck.schema.facts.calls import CallRole
from unstuck.schema.facts.data import Feeding
from unstuck.schema.facts.loops import Loop, Pace

pytestmark = pytest.mark.usefixtures("seeded")

DATA = """
from torch.utils.data import DataLoader, TensorDataset
data = TensorDataset(torch.randn(64, 3), torch.randn(64, 1))
train_loader = DataLoader(data, batch_size=16, shuffle=True)
held_out = DataLoader(TensorDataset(torch.randn(32, 3), torch.randn(32, 1)), batch_size=16)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
"""


def loops(record: Record) -> list[tuple[int, str]]:
    """The loops, innermost first, by their first lines."""
    found = sorted(record.facts(Loop), key=lambda loop: loop.level)
    return [(loop.level, (loop.location.text or "").strip()) for loop in found]


def test_the_loops_lie_in_two_functions(tmp_path: Path) -> None:
    record = record_of(DATA + """
def epoch():
    for x, y in train_loader:
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()

def make():
    for _ in range(2):
        def fit():
            number = 0
            while number < 3:
                epoch()
                with torch.no_grad():
                    for x, y in held_out: F.mse_loss(model(x), y)
                number += 1
    return fit

make()()
""", tmp_path)
    assert loops(record) == [(0, "for x, y in train_loader:"), (1, "while number < 3:")]
    inner, outer = sorted(record.facts(Loop), key=lambda loop: loop.level)
    assert text_at(inner.location).endswith("optimizer.step()")
    loaders = {text_at(feed.location): (feed.loader, feed.role) for feed in record.facts(Feeding)}
    assert loaders == {
        "train_loader": ("loader at line 7", CallRole.TRAIN),
        "held_out": ("loader at line 8", CallRole.HELD_OUT)}
    assert (inner.loader, outer.loader) == ("loader at line 7", None)


def test_an_accumulated_step_has_its_own_loop_and_pace(tmp_path: Path) -> None:
    record = record_of(DATA + """
batches = iter(train_loader)
for step in range(8):
    for part in range(2):
        try:
            x, y = next(batches)
        except StopIteration:
            batches = iter(train_loader)
            x, y = next(batches)
        (F.mse_loss(model(x), y) / 2).backward()
    optimizer.step(); optimizer.zero_grad()
""", tmp_path)
    assert loops(record) == [(0, "for step in range(8):")]
    assert record.facts(Pace) == (Pace("SGD", 2, False),)
    assert {text_at(feed.location) for feed in record.facts(Feeding)} == {"iter(train_loader)"}
    assert {feed.role for feed in record.facts(Feeding)} == {CallRole.TRAIN}


def test_a_closure_and_steps_by_hand(tmp_path: Path) -> None:
    record = record_of("""
x, y = torch.randn(32, 3), torch.randn(32, 1)
model = nn.Linear(3, 1)
optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
def closure():
    optimizer.zero_grad()
    loss = F.mse_loss(model(x), y)
    loss.backward()
    return loss
[optimizer.step(closure) for _ in range(2)]
for step in range(5): optimizer.step(closure)
""", tmp_path)
    assert loops(record) == [(0, "for step in range(5): optimizer.step(closure)")]
    assert record.facts(Pace) == (Pace("LBFGS", 0, True),)


def test_steps_by_hand(tmp_path: Path) -> None:
    record = record_of("""
x, y = torch.randn(32, 3), torch.randn(32, 1)
model = nn.Linear(3, 1)
for step in range(12):
    loss = F.mse_loss(model(x), y)
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad
            p.grad = None
""", tmp_path)
    assert loops(record) == [(0, "for step in range(12):")]


@pytest.mark.parametrize(("made", "passes", "expected"), [
    ("zip(x.split(5), y.split(5))", "3", "batches"),
    ("((x[i:i + 5], y[i:i + 5]) for i in range(0, 40, 5))", "epochs", "batches"),
    ("iter(DataLoader(TensorDataset(x, y), batch_size=5))", 'config["epochs"]', "batches"),
    ("zip(x.split(5), y.split(5))", "once", None),
    ("list(zip(x.split(5), y.split(5)))", "3", None),
    ("DataLoader(TensorDataset(x, y), batch_size=5)", "3", None),
], ids=["zip", "generator", "loader's iterator", "a single pass", "list", "loader"])
def test_what_is_used_up_after_one_pass(
    made: str, passes: str, expected: str | None, tmp_path: Path
) -> None:
    record = record_of(f"""
        from torch.utils.data import DataLoader, TensorDataset
        x, y = torch.randn(40, 3), torch.randn(40, 1)
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        epochs, once, config = 3, 1, {{"epochs": 3}}
        batches = {made}
        for epoch in range({passes}):
            for i, (rows, wanted) in enumerate(batches):
                optimizer.zero_grad()
                F.mse_loss(model(rows), wanted).backward()
                optimizer.step()
    """, tmp_path)
    (spent,) = {loop.spent for loop in record.facts(Loop) if loop.level == 0}
    assert (spent and text_at(spent)) == expected
