"""Questions find the place of a fault, fail no healthy program, and leave files as they are."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.trials.conftest import subject
from unstuck.questions import catalogue
from unstuck.questions.question import Answer, Verdict
from unstuck.report import checks, schema
from unstuck.report.canvas import Canvas
from unstuck.schema.findings import (
    Diagnosis,
    Finding,
    Outcome,
    OutcomeKind,
    Present,
    Severity,
)
from unstuck.schema.places import SourceLocation
from unstuck.settings import Settings
from unstuck.trials.checking import ask, check, with_answers
from unstuck.trials.laboratory import Laboratory
from unstuck.trials.trial import Limits

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs namespaces")

PROGRAMS = Path(__file__).parent / "checked"
# Which question must fail at the line that the program marks.
FAULTS = {"padding": "label-readable", "mask": "label-readable", "collapse": "inputs-matter",
          "detached": "gradients-reach", "mixing": "samples-apart"}
SLOW = ("padding", "collapse", "detached")


def answered(laboratory: Laboratory, program: Path) -> dict[str, Answer]:
    laboratory.subject = subject(program)
    return {each.question: each for each in ask(laboratory, 120.0)}


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in FAULTS])
def test_a_fault_is_found_at_its_place(laboratory: Laboratory, name: str) -> None:
    program = PROGRAMS / f"{name}.py"
    found = answered(laboratory, program)[FAULTS[name]]
    assert found.verdict is Verdict.FAIL, found
    assert found.location is not None
    assert (found.location.text or "").rstrip().endswith("# fault"), found
    assert found.location.file == str(program)


def test_its_place_is_in_the_users_own_file_where_a_copy_is_run(laboratory: Laboratory) -> None:
    laboratory.limits = Limits(300.0, copy=True)
    program = PROGRAMS / "mask.py"
    found = answered(laboratory, program)[FAULTS["mask"]]
    assert found.location is not None
    assert found.location.file == str(program)


def test_a_healthy_program_fails_no_question_and_its_files_stay(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    text = (PROGRAMS / "healthy.py").read_text(encoding="utf-8")
    program = tmp_path / "train.py"
    program.write_text("open('begun', 'w').close()\n" + text, encoding="utf-8")
    laboratory.subject = subject(program)
    checked = check(laboratory, Settings(), 120.0, jobs=1)
    assert [each.question for each in checked.answers] == [
        each.slug for each in catalogue.questions()]
    assert not checked.failed
    assert not checked.findings
    assert checked.worst() is None
    passed = {each.question for each in checked.answers if each.verdict is Verdict.PASS}
    assert {"expected-first-loss", "batch-memorised", "inputs-matter", "label-readable",
            "samples-apart", "gradients-reach", "modes-agree"} <= passed
    assert sorted(each.name for each in tmp_path.iterdir()) == ["train.py"]


def test_findings_cite_the_questions_that_are_failed() -> None:
    place = SourceLocation("/a/train.py", 3, 1, 3, 9, "h = h.detach()")
    failed = Answer(
        "gradients-reach", Verdict.FAIL, "no gradient reaches a.weight", 0.5, 0.0, place)
    passed = Answer("samples-apart", Verdict.PASS, "all is well", 0.0, 0.0)
    findings = tuple(
        Finding(slug, "P000", Severity.WARNING, Present(0.6, slug, 0, None, "", ()))
        for slug in ("detached-graph", "batch-leak"))
    outcome = Outcome(OutcomeKind.NOT_LEARNING, 0.9, "The loss is flat.")
    diagnosis = with_answers(
        Diagnosis("0", "0" * 32, outcome, findings, (), 100), (failed, passed))
    cited, other = diagnosis.findings
    assert [each.signal for each in cited.evidence] == ["gradients-reach"]
    assert cited.evidence[0].observed == (0.5,)
    assert other.evidence == ()
    assert diagnosis.next_steps[0].text == (
        "Look at train.py, line 3: no gradient reaches a.weight.")
    document = json.loads(schema.to_text(diagnosis, (failed, passed)))
    jsonschema.Draft202012Validator(schema.json_schema()).validate(document)
    assert [each["verdict"] for each in document["answers"]] == ["fail", "pass"]
    assert document["answers"][0]["location"]["line"] == 3


def test_the_table_shows_the_place_and_the_reason() -> None:
    place = SourceLocation(os.path.abspath("train.py"), 3, 5, 3, 9, "    h = h.detach()")
    file = io.StringIO()
    checks.draw(Canvas.on(file, 100, False), [
        Answer("gradients-reach", Verdict.FAIL, "no gradient reaches a.weight", 0.5, 0.0, place),
        Answer("samples-apart", Verdict.UNKNOWN, "the batches hold one sample only")], ())
    assert file.getvalue() == (
        "fail     gradients-reach  no gradient reaches a.weight (train.py:3:5)\n"
        "                          │ h = h.detach()\n"
        "unknown  samples-apart    because the batches hold one sample only\n"
        "unstuck: 2 questions: 0 passed, 1 failed, 1 unknown\n")


def test_what_cannot_be_asked_is_unknown_with_the_reason(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    program = tmp_path / "train.py"
    program.write_text("import torch\nprint(1)\n", encoding="utf-8")
    found = answered(laboratory, program)
    assert {each.verdict for each in found.values()} == {Verdict.UNKNOWN}
    assert {each.says for each in found.values()} == {"the program makes no backward pass"}
    program.write_text("import torch\nraise SystemExit(3)\n", encoding="utf-8")
    (says,) = {each.says for each in answered(laboratory, program).values()}
    assert says == "the program ended with status 3"
