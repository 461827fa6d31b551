"""What is measured is what happens to the numbers, in whatever form a program writes it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.observe.sources import record_of, text_at
from unstuck.judge.engine import diagnose
from unstuck.record.reader import Record
from unstuck.record.record import NotMeasured
from unstuck.schema.facts.losses import Ascent, Loss
from unstuck.schema.facts.models import LayerRole
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.signals.layers import SATURATED_SHARE, SILENT_SHARE
from unstuck.schema.signals.losses import CONSTANT_LOSS, HELD_OUT_LOSS, TRAIN_LOSS
from unstuck.schema.signals.parameters import REACHED

PROGRAM = '''
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x = torch.randn(64, 5)
y = (x[:, 0] > 0).long() + (x[:, 1] > 1).long()

class Clamp(nn.Module):
    def forward(self, x):
        return x.clamp(min=0)

class Squash(nn.Module):
    def forward(self, x):
        return 2 / (1 + torch.exp(-2 * x)) - 1

class Steep(nn.Module):
    def forward(self, x):
        away = torch.exp(-6 * x.abs())
        return torch.sign(x) * (1 - away) / (1 + away)

class Dense(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.w = nn.Parameter(torch.randn(inputs, outputs) / inputs**0.5)
        self.b = nn.Parameter(torch.zeros(outputs))
    def forward(self, x):
        return x @ self.w + self.b

class Named(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
    def forward(self, batch):
        return {"logits": self.inner(batch["x"])}

model = nn.Sequential(nn.Linear(5, 8), ACTIVATION, nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1OPTIONS)
for _ in range(12):
    optimizer.zero_grad()
    STEP
    optimizer.step()
'''
USUAL = "F.cross_entropy(model(x), y).backward()"
ENTROPY = "cross_entropy"


def recorded(
    folder: Path, step: str = USUAL, activation: str = "nn.ReLU()", options: str = "",
) -> Record:
    source = PROGRAM.replace("STEP", step.replace("\n", "\n    "))
    source = source.replace("ACTIVATION", activation).replace("OPTIONS", options)
    return record_of(source, folder)


def constant(record: Record) -> float:
    (series,) = record.series(CONSTANT_LOSS).values() if isinstance(
        record.series(CONSTANT_LOSS), dict) else (record.series(CONSTANT_LOSS),)
    return float(series.values[-1])


@pytest.mark.parametrize("step", [
    USUAL,
    "sum([F.cross_entropy(model(x), y)]).backward()",
    "(-F.log_softmax(model(x), dim=1).gather(1, y[:, None]).mean()).backward()",
    "(-model(x).log_softmax(-1)[torch.arange(64), y].mean()).backward()",
    ("weights = list(model.parameters())\n"
    "for w, g in zip(weights, torch.autograd.grad(F.cross_entropy(model(x), y), weights)):\n"
    "    w.grad = g"),
])
def test_what_a_constant_costs_is_known_of_a_loss_in_any_form(step: str, tmp_path: Path) -> None:
    record = recorded(tmp_path, step)
    losses = record.series(TRAIN_LOSS).values
    assert losses[0] == pytest.approx(1.0, abs=0.35)
    assert losses[-1] < losses[0]
    assert 0.5 < constant(record) < math.log(3)
    assert record.facts(Loss)[0].function == ENTROPY


def test_an_optimizer_stepped_with_a_closure_is_described(tmp_path: Path) -> None:
    record = recorded(
        tmp_path, "def closure():\n    optimizer.zero_grad()\n"
        "    loss = F.cross_entropy(model(x), y)\n    loss.backward()\n    return loss\n"
        "optimizer.step(closure)")
    assert record.facts(Optimizer)[-1].parameters == ("0.weight", "0.bias", "2.weight", "2.bias")


def test_a_loss_behind_a_constant_is_that_loss(tmp_path: Path) -> None:
    plain = recorded(tmp_path / "plain")
    summed = recorded(tmp_path / "summed", "sum([F.cross_entropy(model(x), y)]).backward()")
    assert list(plain.tracks) == list(summed.tracks)
    assert np.array_equal(plain.series(TRAIN_LOSS).values, summed.series(TRAIN_LOSS).values)


def test_maximising_the_negated_loss_is_minimising_it(tmp_path: Path) -> None:
    negated = recorded(
        tmp_path / "negated", "(-F.cross_entropy(model(x), y)).backward()",
        options=", maximize=True")
    plain = recorded(tmp_path / "plain")
    assert not negated.facts(Ascent)
    assert np.array_equal(plain.series(TRAIN_LOSS).values, negated.series(TRAIN_LOSS).values)


def test_maximising_a_loss_drives_its_error_up(tmp_path: Path) -> None:
    assert recorded(tmp_path, options=", maximize=True").facts(Ascent)


def test_a_negated_loss_that_is_minimised_keeps_its_sign(tmp_path: Path) -> None:
    record = recorded(tmp_path, "(-F.cross_entropy(model(x), y)).backward()")
    assert record.facts(Ascent)
    losses = record.series(TRAIN_LOSS).values
    assert losses[0] < 0
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("activation", ["nn.ReLU()", "Clamp()"])
def test_units_that_are_off_are_seen_whatever_switches_them_off(
    activation: str, tmp_path: Path
) -> None:
    record = recorded(tmp_path, "model[0].bias.data[:4] = -50.0\n" + USUAL, activation)
    (series,) = record.series(SILENT_SHARE).values()
    assert series.values[-1] == 0.5


def test_a_clamp_at_zero_is_a_rectifier(tmp_path: Path) -> None:
    record = recorded(
        tmp_path, "model[0].bias.data[:] = -50.0\n"
        "F.cross_entropy(model[2](model[0](x).clamp(min=0)), y).backward()")
    assert record.series(SILENT_SHARE)["0 > clamp"].values[-1] == 1.0


@pytest.mark.parametrize("activation", ["nn.Tanh()", "Squash()", "Steep()"])
def test_saturation_is_seen_whatever_squashes(activation: str, tmp_path: Path) -> None:
    record = recorded(tmp_path, "model[0].bias.data[:4] = 50.0\n" + USUAL, activation)
    assert record.series(SATURATED_SHARE)["1"].values[-1] > 0.45


def test_a_matrix_with_a_bias_is_a_linear_layer(tmp_path: Path) -> None:
    record = recorded(tmp_path, activation="nn.Sequential(Dense(8, 8), nn.ReLU())")
    assert record.layers()["1.0"].role is LayerRole.LINEAR


def test_what_a_dictionary_holds_is_the_model_s_output_and_input(tmp_path: Path) -> None:
    record = recorded(
        tmp_path, 'wrapped = Named(model)\nout = wrapped({"x": x})["logits"]\n'
        "(-out.log_softmax(1)[torch.arange(64), y].mean()).backward()")
    assert record.facts(Loss)[0].function == ENTROPY
    assert 0.5 < constant(record) < math.log(3)


def test_gradients_asked_for_without_an_optimizer_train(tmp_path: Path) -> None:
    record = record_of("""
import torch
x = torch.randn(40, 3)
weights = [torch.zeros(3, 1, requires_grad=True), torch.zeros(1, requires_grad=True)]
for _ in range(30):
    loss = torch.nn.functional.mse_loss(x @ weights[0] + weights[1], x[:, :1])
    found = torch.autograd.grad(loss, weights)
    with torch.no_grad():
        for weight, gradient in zip(weights, found):
            weight -= 0.1 * gradient
""", tmp_path)
    assert record.steps >= 28
    losses = record.series(TRAIN_LOSS).values
    assert losses[-1] < 0.1 * losses[0]


def test_gradients_of_leaves_that_stay_are_no_training(tmp_path: Path) -> None:
    record = record_of("""
import torch
model = torch.nn.Linear(3, 1)
for _ in range(30):
    loss = model(torch.randn(8, 3)).pow(2).mean()
    torch.autograd.grad(loss, list(model.parameters()))
""", tmp_path)
    with pytest.raises(NotMeasured):
        record.series(TRAIN_LOSS)


OVER_TIME = """
import torch
from torch import nn
torch.manual_seed(0)
state_of, step_of, answer = nn.Linear(8, 8), nn.Linear(3, 8), nn.Linear(8, 3)
weights = [*state_of.parameters(), *step_of.parameters(), *answer.parameters()]
optimizer = torch.optim.Adam(weights, lr=0.003)
for _ in range(200):
    first = torch.randint(0, 3, (32,))
    x = 0.1 * torch.randn(32, 25, 3)
    x[torch.arange(32), 0, first] += 1
    state = torch.zeros(32, 8)
    for t in range(25):
        state = KEPT * state + 0.5 * torch.tanh(step_of(x[:, t]) + state_of(state))
    loss = nn.functional.cross_entropy(answer(state), first)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


@pytest.mark.parametrize(("kept", "named"), [("0.4", True), ("1.0", False)])
def test_a_gradient_that_vanishes_over_time_is_a_suspect(
    kept: str, named: bool, tmp_path: Path
) -> None:
    found = diagnose(record_of(OVER_TIME.replace("KEPT", kept), tmp_path)).findings
    assert ("vanishing-gradients" in [f.cause for f in found[:1]]) is named, found


@pytest.mark.parametrize(("reduced", "terms"), [
    ("d.pow(2).mean()", 1.0), ("d.pow(2).sum(1).mean()", 5.0), ("0.5 * (d * d).mean()", 0.5),
    ("(d ** 2).sum()", 160.0), ("d ** 2", 160.0),
])
def test_the_constant_of_an_error_by_hand_is_reduced_as_the_loss_is(
    tmp_path: Path, reduced: str, terms: float
) -> None:
    record = record_of(f"""
        torch.manual_seed(0)
        x, y = torch.randn(32, 3), torch.randn(32, 5)
        model = nn.Linear(3, 5)
        optimizer = torch.optim.SGD(model.parameters(), 1e-3)
        for _ in range(3):
            optimizer.zero_grad()
            d = model(x) - y
            loss = {reduced}
            loss.backward(torch.ones_like(loss))
            optimizer.step()
        """, tmp_path)
    torch.manual_seed(0)
    _, y = torch.randn(32, 3), torch.randn(32, 5)
    constant = record.series(CONSTANT_LOSS).values
    assert constant == pytest.approx(
        np.full(len(constant), terms * float(y.var(0, correction=0).mean())), rel=1e-4)


def test_an_optimizer_that_is_handed_gradients_trains_as_after_a_backward_pass(
    tmp_path: Path,
) -> None:
    record = record_of("""
        x, y = torch.randn(120, 4), torch.randn(120, 1)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        optimizer = torch.optim.Adam(model.parameters())
        for epoch in range(200):
            loss = F.mse_loss(model(x[:80]), y[:80])
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            for p, g in zip(model.parameters(), gradients):
                p.grad = g
            optimizer.step()
            if epoch % 10 == 0:
                with torch.no_grad():
                    F.mse_loss(model(x[80:]), y[80:])
    """, tmp_path, overhead=1e-4)
    assert set(record.series(REACHED)) == {f"{n}.{p}" for n in "02" for p in ("weight", "bias")}
    assert len(record.series(TRAIN_LOSS)) == 200
    assert len(record.series(HELD_OUT_LOSS)) == 20


def test_the_line_of_a_loss_by_hand_is_known_after_a_long_forward(tmp_path: Path) -> None:
    record = record_of("""
        class Unrolled(nn.Module):
            def __init__(self):
                super().__init__()
                self.cell, self.value = nn.GRUCell(3, 4), nn.Linear(4, 1)
            def forward(self, x):
                state = torch.zeros(len(x), 4)
                for step in range(120):
                    state = self.cell(x, state)
                return self.value(state)
        x, y = torch.randn(16, 3), torch.randn(16, 1)
        model = Unrolled()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(5):
            apart = model(x) - y
            loss = torch.where(apart > 0, apart, -0.5 * apart).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    """, tmp_path)
    (loss,) = record.facts(Loss)
    assert text_at(loss.location) == "torch.where(apart > 0, apart, -0.5 * apart)"
