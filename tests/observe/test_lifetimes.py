"""Graphs that outlive their step: of losses, of outputs, and of a loss that is an output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import unstuck
from tests.observe.sources import record_of, text_at
from unstuck.judge.engine import diagnose
from unstuck.record.reader import read_record
from unstuck.schema.facts.losses import GraphOfEarlierSteps, RetainedGraph
from unstuck.schema.findings import Absent, Present, Verdict

X = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
Y = (X[:, 0] > 0).long()


class WithLoss(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out = self.layer(x)
        return F.cross_entropy(out, Y), out


def kept(
    model: nn.Module, choose: Callable[[torch.Tensor, torch.Tensor], object], folder: Path
) -> dict[str, RetainedGraph]:
    """What is alive at the end of a training that holds on to something of each step."""
    with unstuck.watch(out=folder / "record", overhead=1.0):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        held = []
        for _ in range(16):
            found = model(X)
            loss, out = found if isinstance(found, tuple) else (F.cross_entropy(found, Y), found)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            held.append(choose(loss, out))
            del found, loss, out
    return {fact.name: fact for fact in read_record(folder / "record").facts(RetainedGraph)}


def test_outputs(tmp_path: Path) -> None:
    found = kept(nn.Linear(6, 2), lambda loss, out: out, tmp_path)
    assert set(found) == {"output"}
    assert found["output"].output
    assert found["output"].alive > 5


def test_losses_keep_the_outputs_they_came_from(tmp_path: Path) -> None:
    found = kept(nn.Linear(6, 2), lambda loss, out: loss, tmp_path)
    assert {name: fact.output for name, fact in found.items()} == {
        "cross_entropy": False, "output": True}


def test_a_model_that_puts_out_its_loss(tmp_path: Path) -> None:
    found = kept(WithLoss(), lambda loss, out: loss, tmp_path)
    assert set(found) == {"cross_entropy"}


def test_numbers_keep_nothing(tmp_path: Path) -> None:
    assert kept(nn.Linear(6, 2), lambda loss, out: loss.item(), tmp_path) == {}


# Outputs of an evaluation with gradients on -------------------------------------------------------
VALIDATING = '''
torch.manual_seed(0)
x, x_test = torch.randn(256, 6), torch.randn(60, 6)
y = (x[:, 0] > 0).long()
net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
kept = []
for epoch in range(12):
    net.train()
    for rows in torch.randperm(256).split(8):
        loss = F.cross_entropy(net(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    {body}
'''


def validating(body: str, folder: Path) -> Verdict:
    """The verdict on a training that evaluates its model after each 32 steps."""
    record = record_of(VALIDATING.replace("{body}", body), folder)
    return dict(diagnose(record).verdicts)["retained-graph"]


def test_outputs_of_a_validation_with_gradients_on(tmp_path: Path) -> None:
    found = validating("kept.extend(net(part) for part in x_test.split(20))", tmp_path)
    assert isinstance(found, Present)
    assert text_at(found.location) == "net(part)"
    assert "with all their activations" in found.title


@pytest.mark.parametrize("body", [
    "right = sum((net(part).argmax(1) == 0).sum().item() for part in x_test.split(20))",
    "kept.extend(net(part).detach() for part in x_test.split(20))",
    "kept.append(F.cross_entropy(net(x_test), torch.zeros(60).long()).item())",
    "outputs = net(x_test)",
], ids=["they die", "detached", "a number", "those of one validation"])
def test_a_validation_with_gradients_on_that_keeps_no_graphs(body: str, tmp_path: Path) -> None:
    assert isinstance(validating(body, tmp_path), Absent)


@pytest.mark.parametrize("keeps", [False, True])
def test_training_in_evaluation_mode(keeps: bool, tmp_path: Path) -> None:
    source = VALIDATING.replace("net.train()", "net.eval()").replace("{body}", "")
    if keeps:
        source = source.replace("loss = F.cross_entropy(net(x[rows])", """out = net(x[rows])
        kept.append(out)
        loss = F.cross_entropy(out""")
    found = dict(diagnose(record_of(source, tmp_path)).verdicts)["retained-graph"]
    assert isinstance(found, Present if keeps else Absent)
    if isinstance(found, Present):
        assert "backward passes have freed" in found.title


CHAIN = """
    torch.manual_seed(0)
    cell, read = nn.RNNCell(2, 4), nn.Linear(4, 1)
    weights = [*cell.parameters(), *read.parameters()]
    state = torch.zeros(3, 4)
    for step in range(24):
        state = cell(torch.randn(3, 2), state)
        loss = read(state).square().mean()
        loss.backward(retain_graph=True)
        if step % EVERY == EVERY - 1:
            for weight in weights:
                weight.data -= 0.05 * weight.grad
                weight.grad = None
    """


@pytest.mark.parametrize(("every", "found"), [(1, True), (24, False)])
def test_a_chain_of_losses_is_one_step_until_weights_change(
    every: int, found: bool, tmp_path: Path
) -> None:
    record = record_of(CHAIN.replace("EVERY", str(every)), tmp_path)
    facts = record.facts(GraphOfEarlierSteps)
    assert bool(facts) == found
    if found:
        verdict = dict(diagnose(record).verdicts)["retained-graph"]
        assert isinstance(verdict, Present)
        assert "earlier steps" in verdict.title
        assert text_at(verdict.location) == "loss.backward(retain_graph=True)"
        assert max(fact.steps for fact in facts) >= 8
