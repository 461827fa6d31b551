"""Batches that are the same in each step: known to be a few of many, to be all, or neither."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import unstuck
from unstuck.judge.engine import diagnose
from unstuck.observe.source.seeding import seeded_pick
from unstuck.record.reader import read_record
from unstuck.schema.findings import Absent
from unstuck.schema.places import SourceLocation

SLUG = "same-batch-every-step"


def verdict_on(batch: Callable[[torch.Tensor], torch.Tensor], folder: Path) -> str:
    x = torch.randn(300, 6)
    model = nn.Linear(6, 1)
    with unstuck.watch(out=folder / "record", overhead=1.0):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(16):
            given = batch(x)
            optimizer.zero_grad()
            model(given).square().mean().backward()
            optimizer.step()
    verdict = dict(diagnose(read_record(folder / "record")).verdicts)[SLUG]
    return type(verdict).__name__


def seeded(x: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return x[torch.randint(len(x), (32,), generator=generator)]


def seeded_for_all(x: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return x[torch.randperm(len(x), generator=generator)]


@pytest.mark.parametrize(("batch", "verdict"), [
    (seeded, "Unknown"),  # the text does not tell which function draws
    (seeded_for_all, "Unknown"),  # all of them, in an order of their own
    (lambda x: x[torch.arange(40)], "Unknown"),  # all that are for training, or a few of them
    (lambda x: x, "Absent"),
    (lambda x: x[torch.randint(len(x), (32,))], "Absent"),
])
def test_a_batch_that_comes_again(
    batch: Callable[[torch.Tensor], torch.Tensor], verdict: str, tmp_path: Path
) -> None:
    assert verdict_on(batch, tmp_path) == verdict


def test_two_optimizers_step_after_one_batch(tmp_path: Path) -> None:
    x = torch.randn(300, 6)
    loader = DataLoader(TensorDataset(x), batch_size=30, shuffle=True)
    first, last = nn.Linear(6, 4), nn.Linear(4, 1)
    with unstuck.watch(out=tmp_path / "record", overhead=1.0):
        optimizers = [torch.optim.SGD(part.parameters(), lr=0.01) for part in (first, last)]
        for _ in range(3):
            for (given,) in loader:
                for optimizer in optimizers:
                    optimizer.zero_grad()
                last(first(given)).square().mean().backward()
                for optimizer in optimizers:
                    optimizer.step()
    found = dict(diagnose(read_record(tmp_path / "record")).verdicts)[SLUG]
    assert isinstance(found, Absent)


PROGRAMS = {
    "in the loop": (("for step in steps:\n    random.seed(0)\n    rows = random.sample(every, 8)\n"
                    "    net(x[rows])  # here\n"), "random.seed(0)"),
    "in a method": (("class Data:\n    def draw(self):\n        rng = np.random.default_rng(3)\n"
                    "        return rng.choice(self.n, 8)\n"
                    "while True:\n    net(x[data.draw()])  # here\n"), "np.random.default_rng(3)"),
    "before the loop": (("torch.manual_seed(0)\nfor step in steps:\n"
                        "    net(x[torch.randint(9, (4,))])  # here\n"), None),
    "another loop": (("for seed in seeds:\n    torch.manual_seed(seed)\n    for step in steps:\n"
                     "        net(x[torch.randint(9, (4,))])  # here\n"), None),
    "by the clock": (("for step in steps:\n    random.seed()\n"
                     "    net(x[random.sample(every, 8)])  # here\n"), None),
    "nothing is picked": ("for step in steps:\n    torch.manual_seed(0)\n    net(x)  # here\n",
                          None),
    "not called": (("def draw():\n    torch.manual_seed(0)\n    return torch.randint(9, (4,))\n"
                   "for step in steps:\n    net(x)  # here\n"), None),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_seeds_in_each_step(program: str, tmp_path: Path) -> None:
    text, expected = PROGRAMS[program]
    ast.parse(text)
    file = tmp_path / "train.py"
    file.write_text(text)
    line = next(i for i, row in enumerate(text.splitlines(), 1) if "# here" in row)
    found = seeded_pick([SourceLocation(str(file), line, 5, line, 9, None)], True)
    given = None if found is None else (found.text or "")[found.column - 1:found.end_column - 1]
    assert given == expected
