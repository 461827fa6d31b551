"""Options of optimizers, of their groups, and where they come from."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from tests.observe.sources import record_of
from unstuck.schema.facts.optimizers import Optimizer, Option

pytestmark = pytest.mark.usefixtures("seeded")

TRAIN = """
x, y = torch.randn(16, 3), torch.randn(16, 1)
for _ in range(3):
    optimizer.zero_grad()
    F.mse_loss(model(x), y).backward()
    optimizer.step()
"""


def values(options: tuple[Option, ...]) -> dict[str, Any]:
    return {option.name: ast.literal_eval(option.value) for option in options}


def test_all_options_and_the_values_of_each_group(tmp_path: Path) -> None:
    record = record_of("""
model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
settings = dict(lr=0.1, momentum=0.9, nesterov=True)
optimizer = torch.optim.SGD([
    {"params": model[0].parameters(), "lr": 0.5},
    {"params": model[2].parameters(), "weight_decay": 1e-4},
], **settings)
""" + TRAIN, tmp_path)
    (optimizer,) = record.facts(Optimizer)
    options = values(optimizer.options)
    assert (options["lr"], options["momentum"], options["nesterov"], options["maximize"]) == (
        0.1, 0.9, True, False)
    first, second = optimizer.groups
    assert (first.parameters, second.parameters) == (2, 2)
    assert (values(first.options)["lr"], values(second.options)["lr"]) == (0.5, 0.1)
    assert values(second.options)["weight_decay"] == 1e-4


def test_tuples_are_literals_too(tmp_path: Path) -> None:
    record = record_of("""
model = nn.Linear(3, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.8, 0.99), maximize=True)
""" + TRAIN, tmp_path)
    (optimizer,) = record.facts(Optimizer)
    options = values(optimizer.options)
    assert options["betas"] == (0.8, 0.99)
    assert options["maximize"] is True
    assert options["eps"] == 1e-8
