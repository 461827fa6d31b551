"""Findings that the user silences, and what else a project may ask for in its pyproject.toml."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

import corpus
from tests import processes
from tools.records import kept
from unstuck.judge.engine import diagnose
from unstuck.record.reader import Record
from unstuck.settings import BadSettings, Settings, settings

SICK = corpus.pair_of("inputs-not-normalised")  # its learning rate is too high as well, by it


@pytest.fixture(scope="module")
def record() -> Record:
    return kept(SICK)


def said_of(record: Record) -> set[str]:
    return {finding.cause for finding in diagnose(record).counted()}


def test_a_cause_can_be_silenced_with_what_follows_from_it(record: Record) -> None:
    assert "inputs-not-normalised" in said_of(record)
    found = diagnose(record, ignore=("inputs-not-normalised",))
    assert not found.counted()
    assert {f.cause for f in found.ignored} >= said_of(record)
    by_code = diagnose(record, ignore=(found.ignored[0].code,))
    assert by_code.ignored


def test_a_name_of_no_cause_is_refused(record: Record) -> None:
    with pytest.raises(ValueError, match="no cause is called 'dead-lurch'"):
        diagnose(record, ignore=("dead-lurch",))


PROGRAM = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 6)
y = x[:, :3].argmax(1)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(dim=1)){comment}
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(60):
    rows = torch.randperm(256)[:32]
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
    optimizer.step()
"""
SLUG = "output-does-not-fit-loss"


def run(folder: Path, comment: str = "", *options: str) -> tuple[int, str, list[str], list[str]]:
    """The status, what is said, and the causes found and ignored."""
    (folder / "train.py").write_text(PROGRAM.replace("{comment}", comment))
    done = processes.run(
        [sys.executable, "-m", "unstuck", "run", "--fail-on", "warning", "--json", "found.json",
         *options, "train.py"], cwd=folder, capture_output=True, encoding="utf-8", timeout=300,
        check=False, env={**os.environ, "XDG_STATE_HOME": str(folder / "state")})
    report = folder / "found.json"
    found = json.loads(report.read_text()) if report.exists() else {"findings": [], "ignored": []}
    return (done.returncode, done.stderr, [f["cause"] for f in found["findings"]],
            found["ignored"])


def test_a_comment_silences_the_finding_at_its_line(tmp_path: Path) -> None:
    status, said, found, ignored = run(tmp_path, f"  # unstuck: ignore[{SLUG}]")
    assert (status, SLUG in found, ignored) == (0, False, [SLUG])
    assert f"ignored: 1 finding ({SLUG})" in said


def test_a_comment_for_another_cause_silences_nothing(tmp_path: Path) -> None:
    status, said, found, ignored = run(tmp_path, "  # unstuck: ignore[dead-relu, no-such]")
    assert (status, SLUG in found, ignored) == (1, True, [])
    remark = "The comment `unstuck: ignore[no-such]` in line 8 names no cause."
    assert remark in " ".join(said.split())


def test_a_project_silences_a_cause(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.unstuck]\nignore = ["{SLUG}"]\n')
    status, _, found, ignored = run(tmp_path)
    assert (status, SLUG in found, ignored) == (0, False, [SLUG])


@pytest.mark.parametrize(("text", "says"), [
    ("[tool.unstuck]\nignored = []", "unknown key 'ignored'; unstuck knows ignore and thresholds"),
    ("[tool.unstuck]\nignore = 'dead-relu'", "ignore must be a list of causes"),
    ("[tool.unstuck]\nignore = ['dead-lurch']", "no cause is called so"),
    ("[tool.unstuck.thresholds]\nno-such-limit = 1", "no cause has a threshold 'no-such-limit'"),
    ("[tool.unstuck.thresholds]\ndead-units = true", "thresholds must be a table of numbers"),
    ("[tool.unstuck\nignore = 1", "is not valid TOML"),
])
def test_unusable_settings_are_refused_before_the_program_starts(
    text: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    status, said, found, _ = run(tmp_path)
    assert status == 2
    assert says in said
    assert len(said.strip().splitlines()) == 1
    assert not found


def test_other_projects_and_broken_files_do_not_matter(tmp_path: Path) -> None:
    assert settings(tmp_path) == Settings()
    file = tmp_path / "pyproject.toml"
    file.write_text("<<<<<<< HEAD\n[tool.other]\n")
    assert settings(tmp_path) == Settings()
    file.write_text("[tool.unstuck]\nignore = ['O001']\n[tool.unstuck.thresholds]\nx = 2\n")
    inside = tmp_path / "package" / "inner"
    inside.mkdir(parents=True)
    assert settings(inside) == Settings(("O001",), {"x": 2.0})
    (inside / "pyproject.toml").write_text("")
    assert settings(inside) == Settings()  # the nearest project counts


@pytest.mark.parametrize("text", ["", "[tool.unstuck]\n"])
def test_a_program_does_not_wait_for_what_only_judging_needs(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    code = "import sys\nfrom unstuck.arguments import project\nproject()\nprint(*sys.modules)"
    done = processes.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True,
                         encoding="utf-8", check=True)
    assert not {"numpy", "unstuck.judge"} & set(done.stdout.split())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pyproject.toml")
    with pytest.raises(BadSettings):
        settings(tmp_path)
