"""The command `unstuck curves`, from the outside."""

from __future__ import annotations

import json
import math
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from unstuck.cli import app
from unstuck.judge.advice import CHECK, advice, next_steps
from unstuck.judge.catalogue import causes
from unstuck.report.schema import json_schema, runs_schema
from unstuck.schema.findings import Outcome, OutcomeKind

LOGS = Path(__file__).parent / "data" / "logs"
FALLING = "epoch,loss,val_loss\n" + "".join(
    f"{i},{math.exp(-i / 15):.4f},{math.exp(-i / 15) + 0.1:.4f}\n" for i in range(60))
OVERFIT = "epoch,loss,val_loss\n" + "".join(
    f"{i},{math.exp(-i / 15):.4f},{math.exp(-i / 8) + 0.5 + i / 60:.4f}\n" for i in range(60))
LOST = "step,loss\n" + "".join(f"{i},{'nan' if i > 40 else 1 - i / 100}\n" for i in range(60))


def call(*words: str | Path, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["curves", *map(str, words)], input=given,
                              env={"COLUMNS": "100"})


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_one_run_is_told_at_length(tmp_path: Path) -> None:
    done = call(file(tmp_path, "log", OVERFIT))
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert text.startswith("read as: train loss = column 'loss', held-out = 'val_loss', "
                           "x = 'epoch'; 60 rows of CSV")
    assert "unstuck: The network is overfitting (confidence" in text
    assert "meaning: The train loss falls but the held-out loss does not, so the network" in text
    assert "next: 1. keep the weights that had the best held-out loss (" in text
    assert "dropout: Dropout(p=0.1) or Dropout(p=0.25) zeroes 10 % or 25 % of the units" in text
    assert "because a log contains only curves" in text
    assert "To check them, unstuck needs a run under `unstuck run`." in text
    assert "silent-share" not in text
    assert "* train, o held-out" in done.stdout
    assert sum("│" in line for line in done.stdout.splitlines()) == 10


def test_a_pipe_is_read_to_its_end() -> None:
    done = call("-", given=FALLING)
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert "unstuck: The network is learning (confidence" in text
    assert "forecast: if the run goes on as before, 30 more epochs would take the train" in text
    assert call("-", "-", given=FALLING).exit_code == 2


def test_a_lost_run_is_an_error(tmp_path: Path) -> None:
    path = file(tmp_path, "log", LOST)
    done = call(path)
    assert done.exit_code == 1
    assert "error[non-finite-loss]" in done.stdout
    assert "log a held-out loss" not in done.stdout
    assert call(path, "--fail-on", "never").exit_code == 0


def test_the_columns_can_be_named(tmp_path: Path) -> None:
    path = file(tmp_path, "log", "epoch,a,b\n" + "".join(
        f"{i},{i / 60},{i / 70}\n" for i in range(60)))
    assert call(path).exit_code == 2
    done = call(path, "--train", "a", "--val", "b", "--higher-is-better")
    assert done.exit_code == 0
    assert "column 'a', held-out = 'b'" in " ".join(done.stdout.split())
    assert "higher is better" in done.stdout
    done = call(path, "--train", "a", "--val", "b", "--lower-is-better")
    assert "The training diverged" in " ".join(done.stdout.split())


def test_several_runs_are_compared(tmp_path: Path) -> None:
    names = [file(tmp_path, name, text)
             for name, text in (("a", FALLING), ("b", OVERFIT), ("c", LOST))]
    done = call(*names)
    assert done.exit_code == 1
    text = " ".join(done.stdout.split())
    assert f"worst: {names[2]} (the training diverged)" in text
    assert "best: " in text
    held = call(*names[:2])
    text = " ".join(held.stdout.split())
    assert f"best: {names[0]} (its best held-out loss" in text
    assert f"worst: {names[1]}" in text


def test_the_json_is_that_of_a_record_or_a_list_of_runs(tmp_path: Path) -> None:
    one, two = file(tmp_path, "a", FALLING), file(tmp_path, "b", LOST)
    done = call(one, "--json", "-")
    report = json.loads(done.stdout)
    jsonschema.validate(report, json_schema())
    assert report["outcome"] == "learning"
    target = tmp_path / "report.json"
    assert call(one, two, "--json", target).exit_code == 1
    several = json.loads(target.read_text())
    jsonschema.validate(several, runs_schema())
    assert [run["file"] for run in several["runs"]] == [str(one), str(two)]
    assert several["runs"][0] == {"file": str(one), **report}
    needs = report["verdicts"]["dead-relu"]["needs"]
    assert "silent-share" in needs


@pytest.mark.parametrize(("text", "says"), [
    ("", "is empty"), ("\0\1" * 99, "is a binary file"), ("hello\n", "holds no named numbers"),
    ("epoch,loss\n1,nan\n", "holds no finite number"),
])
def test_what_cannot_be_used_is_one_sentence_and_status_2(
    tmp_path: Path, text: str, says: str,
) -> None:
    path = file(tmp_path, "log", text)
    done = call(path)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    both = call(path, file(tmp_path, "good", FALLING))
    assert both.exit_code == 2
    assert "read as" in both.stdout, "the others are told all the same"


def test_missing_files_and_options(tmp_path: Path) -> None:
    assert "there is no file" in call(tmp_path / "none").stderr
    assert "holds no training log" in call(tmp_path).stderr
    good = file(tmp_path, "good", FALLING)
    assert "did you mean 'loss'?" in call(good, "--train", "los").stderr
    assert call(good, "--json", tmp_path / "no" / "x.json").exit_code == 2


def test_quiet_prints_findings_only(tmp_path: Path) -> None:
    assert call(file(tmp_path, "a", FALLING), "--quiet").stdout == ""
    assert call(file(tmp_path, "b", LOST), "--quiet").stdout.startswith("error[non-finite-loss]")


def test_the_documentation_shows_what_is_printed(tmp_path: Path) -> None:
    page = (LOGS.parents[2] / "docs" / "curves.md").read_text(encoding="utf-8")
    shown = page.partition("```text\n$ unstuck curves history.csv\n")[2].partition("```")[0]
    assert "held-out" in shown
    done = call(LOGS / "keras_csv_logger.csv")
    assert done.stdout.startswith(shown)


def test_every_outcome_has_advice() -> None:
    for kind in OutcomeKind:
        for held in (True, False):
            found = advice(kind, held)
            assert found.meaning.endswith(".")
            assert found.steps
            for treated in (each for step in found.steps for each in step.treats):
                assert treated in {cause.slug for cause in causes()}


def test_what_was_ruled_out_is_not_advised() -> None:
    outcome = Outcome(OutcomeKind.PLATEAU, 0.9, "it stopped")
    for absent, lower in ((("noise-floor",), True),
                          (("noise-floor", "learning-rate-too-high"), False)):
        steps = next_steps(outcome, (), held_out=True, watched=True, absent=absent)
        assert any("the learning rate to a tenth" in step.text for step in steps) is lower
        assert any(step.command == CHECK for step in steps)
