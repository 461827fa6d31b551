"""Every command, snippet and table of the README, on the real thing."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from unstuck import cli
from unstuck.judge import catalogue
from unstuck.questions import catalogue as questions

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "examples" / "cancer.py"
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ").split("  #")[0].strip()
    for kind, text in BLOCKS if kind == "console" for line in text.splitlines()
]
OURS = [command for command in COMMANDS if command.startswith("unstuck ")]
UNSTUCK = Path(sys.executable).parent / "unstuck"
WHOLE = ("--overhead", "1")  # no clock thins the looking: what is said depends on the code alone
NUMBER = re.compile(r"\d[\d.,]*(e[+-]?\d+)?")


def block(kind: str, number: int = 0) -> str:
    """A fenced block of a kind, counted from 0."""
    return str([text for k, text in BLOCKS if k == kind][number])


def call(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command)
    assert words[0] == "unstuck"
    if words[1] == "run":
        words[2:2] = WHOLE
    keep = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "UNSTUCK_DEBUG")}
    return processes.run(
        [UNSTUCK, *words[1:]], cwd=folder, capture_output=True, encoding="utf-8", timeout=300,
        check=False, env={**keep, "COLUMNS": "100", "XDG_STATE_HOME": str(folder / "state")},
    )


# Commands ----------------------------------------------------------------------------------------
def test_every_command_does_what_it_says(tmp_path: Path) -> None:
    shutil.copy(DEMO, tmp_path / "train.py")
    shutil.copy(ROOT / "tests/data/logs/keras_csv_logger.csv", tmp_path / "history.csv")
    assert {command.split()[1] for command in OURS} == {
        "run", "check", "diagnose", "prove", "fix", "curves", "explain", "list"}
    for command in OURS:
        done = call(command, tmp_path)
        assert "Traceback" not in done.stderr, done.stderr
        # An error makes `diagnose` and `check` exit with 1; everything else succeeds.
        bad = command.split()[1] in ("diagnose", "check")
        assert done.returncode == int(bad), (command, done.stderr)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    holds(report, json.loads(block("json")))
    assert (tmp_path / "run1" / "events.jsonl").is_file()


def holds(whole: Any, part: Any) -> None:
    """Everything that `part` shows is so in `whole`; a list may go on, an object have more keys."""
    if isinstance(part, dict):
        for key, value in part.items():
            holds(whole[key], value)
    elif isinstance(part, list):
        for index, value in enumerate(part):
            holds(whole[index], value)
    else:
        assert whole == part


def test_questions_are_those_that_are_asked() -> None:
    text = " ".join((ROOT / "docs" / "checking.md").read_text(encoding="utf-8").split())
    for question in questions.questions():
        assert f"| `{question.slug}` | {question.title} |" in README
        assert f"### {question.slug} " in text
        assert " ".join(question.why.split()) in text
        assert all(source in text for source in question.sources)


def test_other_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    in_prose = re.findall(r"`make ([\w-]+)`", README)
    for command in [*COMMANDS, *(f"make {target}" for target in in_prose)]:
        words = shlex.split(command)
        if words[0] == "make":
            assert f"\n{words[1]}: " in makefile, command
        else:
            assert words[0] == "unstuck" or words == ["pip", "install", "."], command


def test_files_that_are_linked_exist() -> None:
    for file in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / file).exists(), file


# The finding -------------------------------------------------------------------------------------
def test_the_first_screen_is_what_the_demo_prints(tmp_path: Path) -> None:
    command, _, shown = block("text").partition("\n")
    shutil.copytree(DEMO.parent, tmp_path / "examples", ignore=shutil.ignore_patterns("__*"))
    done = call(command.removeprefix("$ "), tmp_path)
    report, separator, _ = done.stderr.partition("unstuck: record saved to ")
    assert separator, done.stderr
    printed = done.stdout + report
    assert fixed_lines(printed) == fixed_lines(shown)
    assert len(fixed_lines(shown)) >= 5, "location, source, caret, fix, why"
    assert words(printed) == words(shown)


def fixed_lines(text: str) -> list[str]:
    """Lines that hold no measurement: where, the source, the caret, fixes, why."""
    kept = []
    for line in text.splitlines():
        if "^" in line:
            kept.append(line[: line.rindex("^") + 1])
        elif re.match(r" *(┌─|\d+ │|= (fix|or|why) )", line):
            kept.append(line)
    return kept + re.findall(r"\(\S+\.py:\d+:\d+\)", text)


def words(text: str) -> list[str]:
    """All words, however they are wrapped; digits of measurements depend on the machine.

    So does what is said of the time that the trials may take.
    """
    lines = [line for line in text.splitlines() if not line.startswith("unstuck: there are")]
    return NUMBER.sub("#", "\n".join(lines).replace("│", " ")).split()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs namespaces")
def test_the_second_screen_is_what_fix_prints_and_writes(tmp_path: Path) -> None:
    command, _, shown = block("text", 1).partition("\n")
    assert command == "$ unstuck fix examples/cancer.py"
    shutil.copytree(DEMO.parent, tmp_path / "examples", ignore=shutil.ignore_patterns("__*"))
    done = call("unstuck fix --write examples/cancer.py", tmp_path)
    assert done.returncode == 0, done.stderr
    if "no private view" in done.stderr:
        pytest.skip("this system allows no namespaces, and fix says so")
    report, separator, _ = done.stderr.partition("unstuck: examples/cancer.py was changed")
    assert separator, done.stderr
    assert fixed_lines(done.stdout + report) == fixed_lines(shown)
    assert words(done.stdout + report) == words(shown)
    fixed = call("unstuck run --quiet --fail-on warning examples/cancer.py", tmp_path)
    assert (fixed.returncode, fixed.stderr) == (0, "")
    accuracy = re.search(r"the written file reaches a test accuracy of (0\.\d+)", README)
    assert accuracy
    assert float(fixed.stdout.split()[-1]) == pytest.approx(float(accuracy[1]), abs=0.03)


def test_the_fix_cures_the_demo(tmp_path: Path) -> None:
    fix = re.search(r"= fix    x = \(x - (.*)\) / (.*)$", block("text"), re.MULTILINE)
    assert fix
    cure = (f"mean, deviation = {fix[1]}, {fix[2]}\n"
            "x_train, x_test = (x_train - mean) / deviation, (x_test - mean) / deviation\n")
    source = DEMO.read_text(encoding="utf-8")
    assert source.count("\nmodel = ") == 1
    cured = source.replace("\nmodel = ", f"\n{cure}model = ")
    (tmp_path / "train.py").write_text(cured, encoding="utf-8")
    done = call("unstuck run --quiet --fail-on warning train.py", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    accuracy = re.search(r"accuracy\s+of (0\.\d+)", README)
    assert accuracy
    assert float(done.stdout.split()[-1]) == pytest.approx(float(accuracy[1]), abs=0.03)


def test_the_snippet_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    snippet = block("python")
    assert snippet.count("unstuck.watch()") == 1
    program = snippet.replace("unstuck.watch()", "unstuck.watch(overhead=1.0)")
    (tmp_path / "notebook.py").write_text(program, encoding="utf-8")
    done = processes.run(
        [sys.executable, "notebook.py"], cwd=tmp_path, capture_output=True, encoding="utf-8",
        timeout=300, check=True,
    )
    promised = snippet.rpartition("# ")[2].partition(":")[0]
    assert promised.startswith("error[")
    assert promised in done.stderr
    line = 1 + next(i for i, text in enumerate(snippet.splitlines()) if "mse_loss" in text)
    assert f"┌─ notebook.py:{line}:" in done.stderr


# Tables ------------------------------------------------------------------------------------------
def first_column(heading: str) -> set[str]:
    """The first word in code of each row of the table whose head begins so."""
    table = README.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `([\w-]+)", table, re.MULTILINE))


def test_every_cause_is_listed() -> None:
    own = {c.slug for c in catalogue.causes() if c.detect.__module__.startswith("unstuck.")}
    table = README.partition("| family | cause |")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"`([\w-]+)`", table)) == sorted(own)
    assert f"\n- {len(own)} causes." in README


def test_every_option_of_run_is_listed() -> None:
    command = cli.app.commands["run"]
    options = {name for p in command.params for name in p.opts if name.startswith("--")}
    assert first_column("option of `run`") == options - {"--help"}
