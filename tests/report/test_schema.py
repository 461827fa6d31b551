"""The JSON report keeps to its published schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from unstuck.arguments import put_json
from unstuck.report import schema
from unstuck.schema.edits import OptimizerArgument, Remedy, Safety
from unstuck.schema.experiments import Arm, Experiment
from unstuck.schema.findings import (
    Absent,
    Diagnosis,
    Evidence,
    Finding,
    Outcome,
    OutcomeKind,
    Present,
    Severity,
    TrialResult,
    Unknown,
)
from unstuck.schema.places import SourceLocation

PUBLISHED = Path(__file__).parents[2] / "docs" / "diagnosis.schema.json"


def _diagnosis() -> Diagnosis:
    inf, nan = float("inf"), float("nan")
    present = Present(
        0.9, "the loss diverged at step 14 (2.31 → inf)", 14,
        SourceLocation("/home/x/train.py", 37, 7, 37, 38, "opt = SGD(model.parameters(), lr=10)"),
        "one update moves the weights by 40 %",
        (Evidence("train-loss", "", (0, 1, 2), (2.31, inf, nan), None, "it grew"),
         Evidence("update-norm", "fc", (3,), (-inf,), inf, "it is far")),
        (Remedy("rate", Safety.SAFE, (OptimizerArgument("SGD", "lr", 0.08),)),
         Remedy("talk", Safety.ADVICE, advice="look at the data")),
        ("dead-relu",), Experiment("a lower rate", (
            Arm((), ("learning-rate-too-high",), "a tenth of it"),)),
    )
    trial = TrialResult("cured", (inf,), (0.2,), (1,), (0.08,), 3.5)
    return Diagnosis(
        "0.1.0", "abc", Outcome(OutcomeKind.DIVERGED, 0.97, "It diverged."),
        (Finding("learning-rate-too-high", "O001", Severity.ERROR, present, None, trial),
         Finding("dead-relu", "G001", Severity.NOTE,
                 Present(0.5, "dead", 3, None, "", ()), "learning-rate-too-high")),
        (("learning-rate-too-high", present), ("dead-relu", Absent("no rectifier")),
         ("loss-broadcast", Unknown("no loss was seen", ("train-loss",)))),
        120,
    )


def _valid(document: Any) -> None:
    jsonschema.Draft202012Validator(schema.json_schema()).validate(document)


def test_the_published_schema_is_current_and_a_schema() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == schema.schema_text()
    jsonschema.Draft202012Validator.check_schema(schema.json_schema())
    runs = PUBLISHED.with_name("curves.schema.json").read_text(encoding="utf-8")
    assert runs == schema.schema_text(schema.runs_schema())
    jsonschema.Draft202012Validator.check_schema(schema.runs_schema())


def test_a_report_keeps_to_the_schema(tmp_path: Path) -> None:
    put_json(schema.to_text(_diagnosis()), str(tmp_path / "d.json"))
    document = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    _valid(document)
    assert document == schema.to_dict(_diagnosis())


def test_a_report_says_what_the_design_says() -> None:
    document = schema.to_dict(_diagnosis())
    assert list(document) == [
        "schema", "version", "record", "outcome", "outcome_confidence", "findings", "verdicts",
        "ignored", "next_steps",
    ]
    first, second = document["findings"]
    assert first["cause"] == "learning-rate-too-high"
    assert first["location"] == {
        "file": "/home/x/train.py", "line": 37, "column": 7, "end_line": 37, "end_column": 38
    }
    assert first["evidence"][0] == {
        "signal": "train-loss", "where": "", "steps": [0, 1, 2], "observed": [2.31, "inf", "nan"],
        "bound": None, "says": "it grew",
    }
    assert first["evidence"][1]["observed"] == ["-inf"]
    assert first["remedies"] == [
        {"name": "rate", "safety": "safe", "code": "SGD(..., lr=0.08)", "diff": None},
        {"name": "talk", "safety": "advice", "code": "look at the data", "diff": None},
    ]
    assert first["trial"]["control"] == ["inf"]
    assert (second["location"], second["explained_by"]) == (None, "learning-rate-too-high")
    assert document["verdicts"]["loss-broadcast"] == {
        "verdict": "unknown", "reason": "no loss was seen", "needs": ["train-loss"]
    }
    assert document["verdicts"]["learning-rate-too-high"]["verdict"] == "present"
    assert document["verdicts"]["dead-relu"]["reason"] == "no rectifier"


def test_the_schema_refuses_what_is_no_report() -> None:
    document = schema.to_dict(_diagnosis())
    for change in ({"schema": 2}, {"outcome": "fine"}, {"findings": [{}]}):
        with pytest.raises(jsonschema.ValidationError):
            _valid({**document, **change})
    _valid({**document, "more": 1})  # what comes later is additive


def test_a_file_name_that_is_no_utf8_costs_no_report(tmp_path: Path) -> None:
    broken = Diagnosis(
        "0.1.0", "abc\udcff", Outcome(OutcomeKind.LEARNING, 1.0, "Fine."), (), (), 3
    )
    put_json(schema.to_text(broken), str(tmp_path / "d.json"))
    assert json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))["record"] == "abc\udcff"
