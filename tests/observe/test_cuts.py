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
from unstuck.record.reader import read_record
from unstuck.schema.facts.models import Cut

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
