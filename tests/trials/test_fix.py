"""`unstuck fix` and `unstuck prove` on a real small program."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import processes
from tests.trials.test_laboratory import snapshot
from unstuck.commands.trying import all_is_well
from unstuck.report.schema import json_schema
from unstuck.schema.findings import Diagnosis, Outcome, OutcomeKind

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs namespaces")

SICK = '''"""Fits a line."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(512, 4)
y = x @ torch.tensor([1.0, -2.0, 0.5, 3.0])
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # as ever

for step in range(150):
    rows = torch.randint(0, 512, (32,))
    optimizer.zero_grad()
    loss = -nn.functional.mse_loss(model(x[rows]).squeeze(1), y[rows])
    loss.backward()
    optimizer.step()
print(f"loss {abs(loss.item()):.3f}")
'''
WELL = SICK.replace("loss = -nn", "loss = nn")


def call(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    keep = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "UNSTUCK_DEBUG")}
    return processes.run(
        [sys.executable, "-m", "unstuck", *words], cwd=folder, capture_output=True,
        encoding="utf-8", check=False,
        env={**keep, "COLUMNS": "100", "XDG_STATE_HOME": str(folder.parent / "state")})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sick program, and with the record of its run in ../run."""
    folder = tmp_path_factory.mktemp("fixing") / "project"
    folder.mkdir()
    (folder / "train.py").write_text(SICK, encoding="utf-8")
    done = call(folder, "run", "--overhead", "1", "--out", "../run", "train.py")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_record_is_enough_to_show_what_would_be_tried(project: Path) -> None:
    before = snapshot(project)
    done = call(project, "fix", "--dry-run", "../run")
    assert done.returncode == 0, done.stderr
    assert "-    loss = -nn.functional" in done.stdout
    assert snapshot(project) == before


@pytest.mark.slow  # the README's second screen is such a fix
def test_a_program_is_fixed_and_its_file_written(project: Path) -> None:
    diff, report = project.parent / "fix.patch", project.parent / "fix.json"
    done = call(project, "fix", "../run", "--json", report, "--patch", diff, "--write")
    try:
        assert done.returncode == 0, done.stderr
        now = (project / "train.py").read_text(encoding="utf-8")
        assert (project / "train.py.orig").read_text(encoding="utf-8") == SICK
        assert [line for line in now.splitlines() if line not in SICK.splitlines()] == [
            "    loss = nn.functional.mse_loss(model(x[rows]).squeeze(1), y[rows])"]
        again = call(project, "fix", "train.py")
        assert again.returncode == 0, again.stderr
        assert again.stdout.startswith("loss 0.")
        assert "nothing to fix" in again.stderr
    finally:
        (project / "train.py").write_text(SICK, encoding="utf-8")
        (project / "train.py.orig").unlink(missing_ok=True)
    applied = processes.run(["git", "apply", "--check", diff], cwd=project, capture_output=True,
                            text=True, check=False)
    assert applied.returncode == 0, applied.stderr
    text = diff.read_text(encoding="utf-8")
    shown = [line[12:].rstrip() for line in done.stdout.splitlines()]  # behind "   = fix    "
    assert [line.rstrip() for line in text.splitlines()] == shown[
        shown.index("--- a/train.py"):][:len(text.splitlines())]
    assert "fixed by 1 change: loss" in done.stdout
    told = json.loads(report.read_text(encoding="utf-8"))
    pytest.importorskip("jsonschema").validate(told, json_schema())
    finding = told["findings"][0]
    assert finding["cause"] == "loss-sign"
    assert finding["remedies"][0]["diff"] == text
    trial = finding["trial"]
    assert (trial["verdict"], trial["seeds"], trial["metric"]) == ("cured", [0, 1, 2], "loss")
    assert max(trial["treated"]) < 1


@pytest.mark.slow  # `make test` runs the README's
def test_prove_shows_each_trial(project: Path) -> None:
    done = call(project, "prove", "../run")
    assert done.returncode == 0, done.stderr
    assert "= tried" in done.stdout
    assert re.search(r"^cured +loss-sign ", done.stdout, re.MULTILINE)
    drawn = [line for line in done.stdout.splitlines() if line.startswith("as it is")]
    assert [line.split()[-1] for line in drawn] == ["-1"], done.stdout
    assert "to try; with fresh seeds this takes about" in done.stderr


@pytest.mark.slow
def test_a_run_goes_on_with_the_trials_if_asked(project: Path) -> None:
    before = snapshot(project)
    report = project.parent / "proved.json"
    done = call(project, "run", "--prove", "--out", "../proved", "--json", report, "train.py")
    assert done.returncode == 0, done.stderr  # the program's own
    assert done.stdout.startswith("loss ")
    assert len(done.stdout.splitlines()) == 1
    assert re.search(r"^cured +loss-sign ", done.stderr, re.MULTILINE)
    assert "try its fixes" not in done.stderr
    told = json.loads(report.read_text(encoding="utf-8"))
    assert told["findings"][0]["trial"]["verdict"] == "cured"
    assert snapshot(project) == before


@pytest.mark.parametrize(("words", "says"), [
    (("fix", "nothing.py"), "there is no script nothing.py"),
    (("fix", "--dry-run", "train.py"), "needs the folder of a record"),
    (("fix", "--budget", "soon", "train.py"), "not a length of time"),
    (("fix", "--patch", "no/where", "train.py"), "there is no folder no"),
    (("prove", "--json", "-", "train.py"), "needs a file"),
])
def test_what_cannot_be_used_is_refused_in_a_sentence(
    project: Path, words: tuple[str, ...], says: str
) -> None:
    done = call(project, *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_changed_program_is_not_fixed_by_an_old_record(tmp_path: Path, project: Path) -> None:
    """Where the record does not know the files' hashes, the place itself must be unchanged."""
    (project / "train.py").write_text(SICK.replace("loss = -nn", "loss = - nn"), encoding="utf-8")
    try:
        done = call(project, "fix", "--dry-run", "../run")
    finally:
        (project / "train.py").write_text(SICK, encoding="utf-8")
    assert "differs" in done.stdout or "changed since" in done.stderr


@pytest.mark.usefixtures("default_signals")
def test_ctrl_c_leaves_nothing(project: Path) -> None:
    before = snapshot(project)
    process = subprocess.Popen(
        [sys.executable, "-m", "unstuck", "fix", "../run"], cwd=project, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while not list(Path("/var/tmp").glob(f"unstuck-trials-{process.pid}-*/*/output")):
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "interrupted; nothing of the program was changed" in said
    assert not list(Path("/var/tmp").glob(f"unstuck-trials-{process.pid}-*"))
    assert snapshot(project) == before


@pytest.mark.parametrize(("kind", "says"), [
    (OutcomeKind.CONVERGED, "the network learns, and no problem was found"),
    (OutcomeKind.OVERFITTING, "the network is overfitting, but no cause was found"),
    (OutcomeKind.PLATEAU, "the network has stopped learning, but no cause was found"),
    (OutcomeKind.NOT_TOLD, "the loss does not show whether the network learns"),
])
def test_where_nothing_is_tried_the_sentence_fits_the_outcome(kind: OutcomeKind, says: str) -> None:
    outcome = Outcome(kind, 0.9, "")
    assert says in all_is_well(Diagnosis("0", "0" * 32, outcome, (), (), 100))
