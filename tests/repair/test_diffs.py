"""A report as JSON has each remedy as a change of the user's own text."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests import processes

PROGRAM = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(64, 4), torch.randn(64, 1)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(60):
    loss = nn.functional.mse_loss(model(x).squeeze(1), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def unstuck(folder: Path, *arguments: str) -> None:
    processes.run([sys.executable, "-m", "unstuck.cli", *arguments], cwd=folder,
                  capture_output=True)


def reported(folder: Path, *options: str) -> dict[str, Any]:
    (folder / "train.py").write_text(PROGRAM)
    unstuck(folder, "run", "--json", "report.json", "--out", "record", *options, "train.py")
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def test_a_remedy_is_a_diff_that_git_applies(tmp_path: Path) -> None:
    first = reported(tmp_path)["findings"][0]
    assert first["cause"] == "loss-broadcast"
    diff = first["remedies"][0]["diff"]
    processes.run(["git", "apply"], input=diff, text=True, cwd=tmp_path, check=True)
    changed = (tmp_path / "train.py").read_text()
    assert changed == PROGRAM.replace(".squeeze(1), y)", ".squeeze(1), y.squeeze(-1))")
    unstuck(tmp_path, "diagnose", "record", "--json", "again.json")
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["findings"][0]["remedies"][0]["diff"] is None, "the file is no longer what ran"


def test_who_wants_no_program_text_gets_no_diff(tmp_path: Path) -> None:
    first = reported(tmp_path, "--no-program-text")["findings"][0]
    assert {remedy["diff"] for remedy in first["remedies"]} == {None}
