"""Every command and snippet of the README, on the real thing."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ").split("  #")[0].strip()
    for kind, text in BLOCKS if kind == "console" for line in text.splitlines()
]
UNSTUCK = Path(sys.executable).parent / "unstuck"


def call(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command)
    assert words[0] == "unstuck"
    return subprocess.run(
        [UNSTUCK, *words[1:]], cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "COLUMNS": "100", "XDG_STATE_HOME": str(folder / "state")},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("readme")
    shutil.copy(ROOT / "examples" / "cancer.py", place / "train.py")
    return place


def test_every_unstuck_command_does_what_it_says(folder: Path) -> None:
    ours = [command for command in COMMANDS if command.startswith("unstuck")]
    assert len(ours) >= 6
    for command in ours:
        done = call(command, folder)
        assert "Traceback" not in done.stderr, done.stderr
        # A record with an error makes `diagnose` exit with 1; everything else succeeds.
        assert done.returncode == (1 if "diagnose" in command else 0), (command, done.stderr)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["findings"][0]["cause"] == "inputs-not-normalised"


def test_other_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in COMMANDS:
        words = shlex.split(command)
        if words[0] == "make":
            assert f"\n{words[1]}: " in makefile
        else:
            assert words[0] == "unstuck" or words == ["pip", "install", "."]


def test_the_first_screen_is_what_the_demo_prints(tmp_path: Path) -> None:
    (shown,) = (text for kind, text in BLOCKS if kind == "text")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    printed = call("unstuck run examples/cancer.py", tmp_path).stderr
    start = printed.index("error[")
    # Digits depend on the machine's arithmetic; words, lines and carets do not.
    plain = re.compile(r"[\d.e+]+")
    expected = [plain.sub("#", line) for line in shown.splitlines()]
    found = [plain.sub("#", line) for line in printed[start:].splitlines()]
    marks = ("error[", "┌─", "│", "fix", "why", "which also explains")
    assert [e for e in expected if any(m in e for m in marks)] == [
        f for f in found[: len(expected)] if any(m in f for m in marks)
    ]


def test_the_notebook_snippet_runs(tmp_path: Path) -> None:
    (snippet,) = (text for kind, text in BLOCKS if kind == "python")
    script = tmp_path / "notebook.py"
    script.write_text(snippet, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "loss" in done.stdout
    assert "error" not in done.stdout
