"""A report has each remedy as a change of the user's own text, or what to do in place of it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

from tests import processes
from unstuck.commands.judging import judged_with_diffs, show
from unstuck.settings import Settings

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


TYPED = """\
import argparse
import torch
from helper import made

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.01)
args = parser.parse_args()
torch.manual_seed(0)
x = torch.randn(64, 4)
y = x @ torch.tensor([[1.0], [-2.0], [0.5], [1.0]])
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
optimizer = made(model, args.lr)
for _ in range(60):
    loss = torch.nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
HELPER = """\
import torch


def made(model, lr):
    return torch.optim.SGD(model.parameters(), lr=lr)
"""


def test_a_value_that_was_typed_gives_the_new_command(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TYPED)
    (tmp_path / "helper.py").write_text(HELPER)
    unstuck(tmp_path, "run", "--out", "record", "train.py", "--lr", "70")
    text = diagnosed(tmp_path)
    assert "= fix The value was given on the command line; pass --lr 0." in text
    assert "in place of --lr 70. python train.py --lr 0." in text
    (tmp_path / "helper.py").write_text(f"# {HELPER}")
    text = diagnosed(tmp_path)
    assert ("note: helper.py has changed since this run, so fixes are shown without their diffs; "
            "run the program again to see them") in text
    assert "= fix torch.optim.SGD(model.parameters(), lr=0." in text


def diagnosed(folder: Path) -> str:
    """The report on the record, its lines joined."""
    text = io.StringIO()
    show(*judged_with_diffs(folder / "record", Settings()), text, notes=False, quiet=False)
    return " ".join(text.getvalue().split())


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


PACKAGE = {
    "__init__.py": "",
    "settings.py": "from dataclasses import dataclass\n\n\n@dataclass\nclass Settings:\n"
                   "    rate: float = 90.0  # far too high\n    epochs: int = 60\n",
    "network.py": "from torch import nn\n\n\ndef network(width):\n"
                  "    return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 1))\n",
    "train.py": """\
import torch

from .network import network
from .settings import Settings


def main(settings):
    torch.manual_seed(0)
    x = torch.randn(64, 4)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5], [1.0]])
    model = network(8)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.rate)
    for _ in range(settings.epochs):
        loss = torch.nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main(Settings())
""",
}


def test_a_package_run_as_a_module_is_changed_where_its_values_are(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    for name, text in PACKAGE.items():
        (tmp_path / "lab" / name).write_text(text)
    unstuck(tmp_path, "run", "--json", "report.json", "--out", "record", "-m", "lab.train")
    found = json.loads((tmp_path / "report.json").read_text())["findings"]
    diff = next(f for f in found if f["cause"] == "learning-rate-too-high")["remedies"][0]["diff"]
    assert "+++ b/lab/settings.py" in diff
    processes.run(["git", "apply"], input=diff, text=True, cwd=tmp_path, check=True)
    changed = (tmp_path / "lab" / "settings.py").read_text()
    assert "rate: float = 0." in changed
    assert "# far too high" in changed
    assert (tmp_path / "lab" / "train.py").read_text() == PACKAGE["train.py"]
