"""Losses that are no measure of learning, by what the program does rather than what it calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.observe.sources import record_of
from tests.test_curves import record, series
from unstuck.curves.forecast import Forecast, outlook
from unstuck.curves.outcome import judge
from unstuck.judge.engine import diagnose
from unstuck.schema.facts.losses import Loss, Moving, Yardstick
from unstuck.schema.facts.models import Restored
from unstuck.schema.findings import Absent, OutcomeKind, Unknown

TWO = """
import torch
from torch import nn
torch.manual_seed(0)
G, D = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
og = torch.optim.Adam(G.parameters(), lr=1e-3)
od = torch.optim.Adam(D.parameters(), lr=1e-3)
x = torch.randn(64, 2)
for step in range(40):
"""
RIVALS = TWO + """
    loss = D(G(x).detach()).mean() - D(x + 1).mean()
    od.zero_grad(); loss.backward(); od.step()
    D.requires_grad_({frozen})
    loss = -D(G(x)).mean()
    og.zero_grad(); loss.backward(); og.step()
    D.requires_grad_(True)
"""
TOGETHER = TWO + """
    loss = (D(G(x)) - x[:, :1] * x[:, 1:]).pow(2).mean()
    og.zero_grad(); od.zero_grad(); loss.backward(); og.step(); od.step()
"""
TURNS = TWO + """
    loss = (D(G(x)) - x[:, :1] * x[:, 1:]).pow(2).mean()
    optimizer = (og, od)[step % 2]
    og.zero_grad(); od.zero_grad(); loss.backward(); optimizer.step()
"""
POLICY = """
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Linear(2, 3)
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(40):
    x = torch.randn(32, 2)
    {line}
    opt.zero_grad(); loss.backward(); opt.step()
"""
ADVANTAGE = """d = torch.distributions.Categorical(logits=net(x)); a = d.sample()
    loss = -(d.log_prob(a) * (torch.randn(32))).mean()"""
EPISODE = """d = torch.distributions.Categorical(logits=net(x[:1])); a = d.sample()
    loss = -(d.log_prob(a) * float(torch.randn(()))).sum()"""
WEIGHTED = """y = x[:, 0].long().clamp(0, 2)
    loss = (nn.functional.cross_entropy(net(x), y, reduction="none") * torch.rand(32)).mean()"""
SIGNED = """p = net(x).log_softmax(1)
    loss = -0.5 * p[:, 0].mean() - 0.25 * p[:, 1].mean() + 0.01 * (p.exp() * p).sum(1).mean()"""


@pytest.mark.parametrize(("source", "why"), [
    (RIVALS.format(frozen="True"), Yardstick.RIVAL),
    (RIVALS.format(frozen="False"), Yardstick.RIVAL),
    (TOGETHER, None),
    (TURNS, None),
    (POLICY.format(line=ADVANTAGE), Yardstick.SCORE),
    (POLICY.format(line=EPISODE), Yardstick.SCORE),
    (POLICY.format(line=WEIGHTED), None),
    (POLICY.format(line=SIGNED), None),
], ids=["rivals", "rival frozen", "two optimizers", "taking turns", "advantages", "one factor",
        "sample weights", "coefficients"])
def test_a_loss_that_measures_nothing_is_found(
    source: str, why: Yardstick | None, tmp_path: Path
) -> None:
    made = record_of(source, tmp_path)
    assert [fact.why for fact in made.facts(Moving)] == ([] if why is None else [why])
    told = diagnose(made)
    assert (told.outcome.kind is OutcomeKind.NOT_TOLD) == (why is not None)
    if why is not None:
        verdicts = dict(told.verdicts)
        assert isinstance(verdicts["too-few-steps"], Unknown)  # it needs a trend
        assert "metric" in told.next_steps[0].text


@pytest.mark.parametrize(("drift", "moving"), [(4.0, True), (0.5, False)])
def test_targets_that_move_say_that_the_loss_measures_nothing(drift: float, moving: bool) -> None:
    g = np.random.default_rng(0)
    made = record(np.exp(-np.arange(200) / 50) + 0.1)
    made.hold(Loss("mse_loss", "mse_loss", False, None, (32, 1), (32, 1), "float32", "mean"))
    made.tracks = {"mse_loss": made._series["train-loss"]}
    means = np.linspace(0, drift, 40) + 0.05 * g.standard_normal(40)
    for name, values in (("target-mean", means), ("target-deviation", np.ones(40))):
        made._series[name] = {"mse_loss": series(values)}  # type: ignore[assignment]
    assert (judge(made).kind is OutcomeKind.NOT_TOLD) == moving


RESTORED = """
import copy, torch
from torch import nn
net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
x = torch.randn(16, 2)
best = {kept}(net.state_dict())
for step in range(12):
    loss = net(x).pow(2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
{last}
"""


@pytest.mark.parametrize(("kept", "last", "restored"), [
    ("copy.deepcopy", "net.load_state_dict(best)", True),
    ("dict", "net.load_state_dict(best)", False),
    ("copy.deepcopy", "", False),
    ("copy.deepcopy", "nn.Linear(2, 1).load_state_dict(best)", False),
], ids=["restored", "by reference", "not restored", "another model"])
def test_going_back_to_earlier_weights_is_seen(
    kept: str, last: str, restored: bool, tmp_path: Path
) -> None:
    made = record_of(RESTORED.format(kept=kept, last=last), tmp_path)
    assert bool(made.facts(Restored)) == restored


# Outcome, forecast and sentence ------------------------------------------------------------------
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(30, 400), start=st.floats(0.05, 10),
       end=st.floats(0.0, 10), noise=st.floats(0.0, 0.3), speed=st.floats(0.5, 30),
       constant=st.one_of(st.none(), st.floats(0.1, 5)))
def test_an_outcome_contradicts_neither_its_curve_nor_its_forecast(
    seed: int, n: int, start: float, end: float, noise: float, speed: float,
    constant: float | None,
) -> None:
    g = np.random.default_rng(seed)
    way = np.exp(-speed * np.arange(n) / n)
    curve = (end + (start - end) * way) * np.exp(noise * g.standard_normal(n) - noise**2 / 2)
    made = record(curve, constant=constant)
    outcome = judge(made)
    level = float(np.median(curve[-max(n // 5, 5):]))
    error = 4 * noise * level / np.sqrt(n / 5) + 0.02 * level
    kind, says = outcome.kind, outcome.says
    last = end + (start - end) * float(way[-1])  # where it is falling, below the median of its end
    if constant is not None and min(last, level) - error > constant:
        assert kind not in (OutcomeKind.LEARNING, OutcomeKind.CONVERGED, OutcomeKind.PLATEAU), says
    first = float(np.median(curve[:5]))
    if kind is OutcomeKind.LEARNING:
        assert level <= first * (1 + 3 * noise) + error, says
    if "still falling" in says and "hides" not in says and kind is OutcomeKind.LEARNING:
        ahead = outlook(made._series["train-loss"])
        assert not isinstance(ahead, Forecast) or not ahead.low > level + error, says
    if kind is OutcomeKind.BROKEN:
        assert level > float(np.min(curve)), says


# What was not looked at --------------------------------------------------------------------------
CLOSURE = """
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
opt = torch.optim.LBFGS(net.parameters(), lr=1.0)
x = torch.linspace(-1, 1, 32).unsqueeze(1)

def closure():
    opt.zero_grad()
    loss = F.mse_loss(net(x), x.sin())
    loss.backward()
    return loss

for step in range(12):
    opt.step(closure)
"""
PLAIN = """
torch.manual_seed(0)
w = torch.zeros(4, 1, requires_grad=True)
x = torch.randn(64, 4)
for step in range(60):
    loss = F.mse_loss(x @ w, x[:, :1] * x[:, 1:2])
    loss.backward()
    with torch.no_grad():
        w -= 0.01 * w.grad
        w.grad = None
"""


def test_a_closure_that_is_evaluated_anew_adds_no_losses_up(tmp_path: Path) -> None:
    told = diagnose(record_of(CLOSURE, tmp_path))
    assert isinstance(dict(told.verdicts)["accumulation-not-averaged"], Absent)


def test_a_network_without_modules_is_not_known_to_be_deep_enough(tmp_path: Path) -> None:
    told = diagnose(record_of(PLAIN, tmp_path))
    assert isinstance(dict(told.verdicts)["too-shallow"], Unknown)
