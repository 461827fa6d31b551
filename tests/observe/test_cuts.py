"""A loss that leads to no weight, and losses that need not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

import unstuck
from tests.observe.sources import record_of, text_at
from unstuck.judge.engine import diagnose
from unstuck.record.reader import read_record
from unstuck.schema.facts.models import Cut, CutState

X = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def cuts(program: Callable[[], None], folder: Path) -> tuple[Cut, ...]:
    with unstuck.watch(out=folder / "record", overhead=1.0):
        program()
    return read_record(folder / "record").facts(Cut)


def test_a_new_tensor_of_old_values_leads_nowhere(tmp_path: Path) -> None:
    def program() -> None:
        model = nn.Linear(5, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(12):
            out = model(X)
            out = torch.tensor(out.tolist(), requires_grad=True)
            optimizer.zero_grad()
            F.cross_entropy(out, Y).backward()
            optimizer.step()

    (cut,) = cuts(program, tmp_path)
    assert cut.before == ()
    assert cut.location is not None
    assert cut.location.text is not None
    assert "out.tolist()" in cut.location.text


def test_a_loss_without_a_graph_is_one_even_if_the_model_was_never_trained(tmp_path: Path) -> None:
    def program() -> None:
        model = nn.Linear(5, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with torch.no_grad():
            out = model(X)
        loss = F.cross_entropy(out, Y)
        with pytest.raises(RuntimeError, match="does not require grad"):
            loss.backward()
        optimizer.zero_grad()

    (cut,) = cuts(program, tmp_path)
    assert cut.location is not None
    assert cut.location.text is not None
    assert "no_grad" in cut.location.text


def test_plain_tensors_that_are_trained_by_hand_are_no_cut(tmp_path: Path) -> None:
    def program() -> None:
        net = nn.Linear(5, 2)
        weights = {n: p.detach().clone().requires_grad_() for n, p in net.named_parameters()}
        for _ in range(12):
            F.cross_entropy(functional_call(net, weights, (X,)), Y).backward()
            with torch.no_grad():
                for weight in weights.values():
                    assert weight.grad is not None
                    weight -= 0.1 * weight.grad
                    weight.grad = None

    assert cuts(program, tmp_path) == ()


def test_the_gradient_of_an_input_is_no_cut(tmp_path: Path) -> None:
    def program() -> None:
        model = nn.Linear(5, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(12):
            x = X.clone().requires_grad_()
            F.cross_entropy(model(x), Y).backward()
            assert x.grad is not None
            optimizer.zero_grad()
            F.cross_entropy(model(X + 0.1 * x.grad.sign()), Y).backward()
            optimizer.step()

    assert cuts(program, tmp_path) == ()


ADVERSARIES = """
real = torch.randn(64, 4) + 2
G, D = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4)), nn.Linear(4, 1)
g = torch.optim.Adam(G.parameters(), lr=1e-3)
d = torch.optim.Adam(D.parameters(), lr=1e-3)
one, zero = torch.ones(64, 1), torch.zeros(64, 1)
bce = nn.BCEWithLogitsLoss()
for _ in range(40):
    fake = G(torch.randn(64, 3))
    d.zero_grad()
    (bce(D(real), one) + bce(D(fake.detach()), zero)).backward()
    d.step()
    g.zero_grad()
    bce(D(FAKE), one).backward()
    g.step()
"""


@pytest.mark.usefixtures("seeded")
def test_the_cut_of_a_generators_loss_is_not_the_one_that_its_adversary_means(
    tmp_path: Path
) -> None:
    record = record_of(ADVERSARIES.replace("FAKE", "torch.tensor(fake.tolist())"), tmp_path)
    meant, mistake = record.facts(Cut)
    assert (meant.layer, meant.optimizer, text_at(meant.location)) == (
        "D", "Adam-2", "fake.detach()")
    assert (mistake.layer, mistake.optimizer, text_at(mistake.location)) == (
        "D", "Adam", "fake.tolist()")
    assert mistake.loss == "binary_cross_entropy_with_logits-3"
    (finding,) = [f for f in diagnose(tmp_path / "record").findings if f.cause == "detached-graph"]
    assert text_at(finding.location) == "fake.tolist()"


@pytest.mark.usefixtures("seeded")
def test_adversaries_that_are_trained_in_turn_are_not_cut_off(tmp_path: Path) -> None:
    record_of(ADVERSARIES.replace("FAKE", "fake"), tmp_path)
    assert all(f.cause != "detached-graph" for f in diagnose(tmp_path / "record").findings)


class Chunks(nn.Module):
    """Reads a series in parts; the state goes from one to the next without its graph."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(1, 6)
        self.head = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor, every: bool) -> list[torch.Tensor]:
        state, outputs = torch.zeros(len(x), 6), []
        for value in x.unbind(1):
            state = self.cell(value[:, None], state.detach())
            outputs.append(self.head(state))
        return outputs if every else outputs[-1:]


@pytest.mark.parametrize("every", [True, False])
def test_a_state_without_its_graph_is_cut_unless_each_part_has_a_loss(
    every: bool, tmp_path: Path
) -> None:
    model = Chunks()
    with unstuck.watch(out=tmp_path / "record", overhead=1.0):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(12):
            optimizer.zero_grad()
            sum(F.cross_entropy(output, Y) for output in model(X, every)).backward()
            optimizer.step()
    found = read_record(tmp_path / "record").facts(CutState)
    assert [(state.name, state.calls) for state in found] == [] if every else [("cell", 5)]


REPACKAGED = """
class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.GRUCell(1, 6), nn.Linear(6, 2)

    def forward(self, x):
        state = torch.zeros(len(x), 6)
        for value in x.unbind(1):
            state = self.repackage(state)
            state = self.cell(value[:, None], state)
        return self.head(state)

    @staticmethod
    def repackage(state):
        return state.detach()

x, y = torch.randn(64, 5), torch.randint(2, (64,))
model = Reader()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(12):
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
"""


@pytest.mark.usefixtures("seeded")
def test_a_helper_may_cut_and_the_first_output_be_gone(tmp_path: Path) -> None:
    found = record_of(REPACKAGED, tmp_path).facts(CutState)
    assert {(state.name, state.calls) for state in found} == {("cell", 5)}
    assert text_at(found[-1].location) == "state.detach()"
    kept = REPACKAGED.replace("return state.detach()", "return state")
    assert not record_of(kept, tmp_path / "kept").facts(CutState)


INSIDE = """
class Quantiser(nn.Module):
    def forward(self, z):
        q = torch.round(z * 4) / 4
        return z.detach() + (q - z).detach()

class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc, self.q, self.dec = nn.Linear(5, 3), Quantiser(), nn.Linear(3, 2)

    DECORATED
    def encode(self, x):
        return self.enc(x)

    def forward(self, x):
        return self.dec(BETWEEN)

x, y = torch.randn(64, 5), torch.randint(2, (64,))
model = Coder()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(40):
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
"""


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize(("decorator", "between", "text"), [
    ("", "self.q(self.encode(x))", "z.detach() + (q - z).detach()"),
    ("@torch.no_grad()", "self.encode(x)", "torch.no_grad()"),
])
def test_a_layer_without_weights_and_a_decorator_can_cut(
    tmp_path: Path, decorator: str, between: str, text: str
) -> None:
    program = INSIDE.replace("DECORATED", decorator).replace("BETWEEN", between)
    (cut,) = record_of(program, tmp_path).facts(Cut)
    assert (cut.before, cut.seen, text_at(cut.location)) == (("enc",), True, text)
