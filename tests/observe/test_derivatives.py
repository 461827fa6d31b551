"""Derivatives by inputs that the loss takes as constants, because they have no graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of, text_at
from unstuck.judge.engine import diagnose
from unstuck.schema.findings import Absent, Present, Unknown, Verdict

PROGRAM = '''
from torch.autograd import grad

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)

def slope(y, x, keep=True):
    return grad(y, x, torch.ones_like(y), create_graph=keep, retain_graph=True)[0]

def equation(x):
    u = net(x)
    EQUATION

given = torch.rand(32, 2)
for _ in range(20):
    x = torch.rand(32, 2).requires_grad_()
    loss = LOSS
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
'''
SQUARE = "equation(x).square().mean()"


def verdict(folder: Path, equation: str, loss: str = SQUARE) -> Verdict:
    source = PROGRAM.replace("EQUATION", equation.replace("\n", "\n    ")).replace("LOSS", loss)
    return dict(diagnose(record_of(source, folder)).verdicts)["missing-derivative"]


@pytest.mark.parametrize("equation", [
    "first = slope(u, x)\nsecond = slope(first, x, keep=False)\nreturn second + first + u",
    "first = slope(u, x)\nreturn first - 0.1 * slope(first[:, :1], x, keep=False)",
    "first = slope(u, x)\nbend, = grad(first.sum(), x, retain_graph=True)\nreturn 2 * u - bend",
    "first = slope(u.sum(), x, keep=False)\nreturn 3 * u - first",
], ids=["a term", "within an expression", "by its own call", "a first derivative"])
def test_a_derivative_without_a_graph_is_a_constant_in_the_loss(
    tmp_path: Path, equation: str
) -> None:
    found = verdict(tmp_path, equation)
    assert isinstance(found, Present)
    assert "grad(" in text_at(found.location)


@pytest.mark.parametrize("equation", [
    "first = slope(u, x)\nsecond = slope(first, x)\nreturn second + first + u",
    "first = slope(u, x)\nreturn first + u - given",
    # An attack on the inputs, as in adversarial training.
    "away = slope(u.square().mean(), x, keep=False)\nreturn net(x + 0.1 * away.sign())",
    # The same on what a layer has made of them.
    ("h = net[0](x)\naway = slope(net[1:](h).square().mean(), h, keep=False)\n"
    "return net[1:](h + 0.1 * away)"),
], ids=["with a graph", "a given force", "an attack", "an attack on features"])
def test_what_needs_no_graph_is_no_fault(tmp_path: Path, equation: str) -> None:
    assert isinstance(verdict(tmp_path, equation), Absent)


def test_a_second_derivative_that_may_be_meant_for_the_screen_is_unknown(tmp_path: Path) -> None:
    shown = "first = slope(u, x)\nseen = slope(first, x, keep=False)\nreturn first + u - given"
    assert isinstance(verdict(tmp_path, shown), Unknown)
