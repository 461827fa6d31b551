"""A diagnosis as JSON, and the JSON Schema that such a report keeps to.

`python -m unstuck.report.schema > docs/diagnosis.schema.json` writes the published schema, and
`python -m unstuck.report.schema runs > docs/curves.schema.json` that of several logs.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from typing import Any

from unstuck.clean import visible
from unstuck.questions import question as questions
from unstuck.questions.question import Answer
from unstuck.report.json_schema import a_list, an_object, described, or_null
from unstuck.schema.edits import Safety
from unstuck.schema.experiments import Experiment
from unstuck.schema.findings import (
    Absent,
    Confidence,
    Diagnosis,
    Evidence,
    Finding,
    OutcomeKind,
    Present,
    Price,
    Severity,
    Training,
    TrialResult,
    Unknown,
    Verdict,
)
from unstuck.schema.places import SourceLocation

SCHEMA = 1
_NON_FINITE = ("inf", "-inf", "nan")


def to_dict(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as plain JSON values; non-finite numbers are strings."""
    several: dict[str, Any] = {} if not diagnosis.trainings else {
        "training": diagnosis.training + 1,
        "trainings": [
            _training(training, diagnosis if number == diagnosis.training else training.diagnosis)
            for number, training in enumerate(diagnosis.trainings)],
    }
    return {
        "schema": SCHEMA,
        "version": diagnosis.version,
        "record": diagnosis.record,
        "outcome": diagnosis.outcome.kind.value,
        "outcome_confidence": _number(diagnosis.outcome.confidence),
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "verdicts": {slug: _verdict(verdict) for slug, verdict in diagnosis.verdicts},
        "ignored": [finding.cause for finding in diagnosis.ignored],
        "next_steps": [{"text": step.text, "command": step.command}
                       for step in diagnosis.next_steps],
        **several,
        **({} if diagnosis.price is None else {"price": _price(diagnosis.price)}),
    }


def _price(price: Price) -> dict[str, Any]:
    return {
        "changes": price.changes,
        "control_steps": int(price.steps),
        "control_seconds": _number(price.control),
        "trial_begins": int(price.begun), "trial_steps": int(price.trial_steps),
        "trial_seconds": _number(price.trial), "trials": _number(price.trials),
        "seconds": _number(price.seconds),
        "budget": _number(price.budget),
    }


def _training(training: Training, diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "first_step": int(training.first_step),
        "last_step": int(training.last_step),
        "location": _location(training.location),
        "outcome": diagnosis.outcome.kind.value,
        "outcome_confidence": _number(diagnosis.outcome.confidence),
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "verdicts": {slug: _verdict(verdict) for slug, verdict in diagnosis.verdicts},
    }


def to_text(diagnosis: Diagnosis, answers: Sequence[Answer] | None = None) -> str:
    """A diagnosis as a JSON document that ends with a newline, with answers if there are any."""
    asked = {} if answers is None else {"answers": [_answer(each) for each in answers]}
    return _text({**to_dict(diagnosis), **asked})


def runs_to_text(runs: Sequence[tuple[str, Diagnosis]]) -> str:
    """The diagnoses of several logs, each with its file, as a JSON document."""
    return _text({"schema": SCHEMA, "runs": [{"file": f, **to_dict(d)} for f, d in runs]})


def _text(document: dict[str, Any]) -> str:
    """JSON that can be shown: characters that control a terminal are escaped, others stay."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return "\n".join(
        line if line.isprintable() else "".join(
            character if visible(character) == character else json.dumps(character)[1:-1]
            for character in line)
        for line in text.split("\n"))


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "cause": finding.cause,
        "code": finding.code,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "strength": _number(finding.strength),
        "since_step": int(finding.since_step),
        "title": finding.title,
        "location": _location(finding.location),
        "evidence": [_evidence(evidence) for evidence in finding.evidence],
        "one_of": list(finding.one_of),
        "separated_by": _experiment(finding.separated_by),
        "explained_by": finding.explained_by,
        "remedies": [
            {"name": remedy.name, "safety": remedy.safety.value, "code": remedy.code(),
             "diff": remedy.diff}
            for remedy in finding.remedies
        ],
        "trial": _trial(finding.trial),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    failed = answer.verdict is questions.Verdict.FAIL
    return {
        "question": answer.question,
        "verdict": answer.verdict.value,
        "severity": answer.severity.value if failed else None,
        "says": answer.says,
        "value": None if answer.value is None else _number(answer.value),
        "bound": None if answer.bound is None else _number(answer.bound),
        "location": _location(answer.location),
    }


def _location(location: SourceLocation | None) -> dict[str, Any] | None:
    if location is None:
        return None
    return {
        "file": location.file,
        "line": location.line,
        "column": location.column,
        "end_line": location.end_line,
        "end_column": location.end_column,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "signal": evidence.signal,
        "where": evidence.where,
        "steps": [int(step) for step in evidence.steps],
        "observed": _numbers(evidence.observed),
        "bound": None if evidence.bound is None else _number(evidence.bound),
        "says": evidence.says,
    }


def _experiment(experiment: Experiment | None) -> dict[str, Any] | None:
    if experiment is None:
        return None
    return {
        "words": experiment.words,
        "arms": [
            {"change": arm.change(), "code": [edit.code() for edit in arm.edits],
             "means": arm.means}
            for arm in experiment.arms
        ],
    }


def _trial(trial: TrialResult | None) -> dict[str, Any] | None:
    if trial is None:
        return None
    return {
        "verdict": trial.verdict,
        "metric": trial.metric,
        "control": _numbers(trial.control),
        "treated": _numbers(trial.treated),
        "seeds": [int(seed) for seed in trial.seeds],
        "doses": _numbers(trial.doses),
        "seconds": _number(trial.seconds),
        "steps": None if trial.steps is None else int(trial.steps),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    match verdict:
        case Present():
            return {"verdict": "present", "reason": verdict.title, "needs": []}
        case Absent():
            return {"verdict": "absent", "reason": verdict.reason, "needs": []}
        case Unknown():
            return {"verdict": "unknown", "reason": verdict.reason, "needs": list(verdict.needs)}


def _number(value: float) -> float | str:
    value = float(value)  # numpy's own numbers are not JSON
    return value if math.isfinite(value) else repr(value)


def _numbers(values: Sequence[float]) -> list[float | str]:
    return [_number(value) for value in values]


# The schema --------------------------------------------------------------------------------------
def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what `to_dict` returns."""
    text = {"type": "string"}
    step = {"type": "integer", "minimum": 0}
    number = {"$ref": "#/$defs/number"}
    evidence = an_object(
        "A measurement that supports a finding.",
        signal=text,
        where=described(text, "A layer, parameter, class or loss; empty for the whole run."),
        steps=a_list(step),
        observed=a_list(number),
        bound=described(or_null(number), "The limit that a healthy run stays within."),
        says=text,
    )
    remedy = an_object(
        "A treatment.",
        name=text,
        safety={"enum": [safety.value for safety in Safety]},
        code=described(text, "Code that a user could write, or advice in words."),
        diff=described(or_null(text), "The change of the program's text, as a unified diff."),
    )
    trial = an_object(
        "The result of trying a remedy on the program itself.",
        verdict={"enum": ["cured", "better", "no effect", "worse", "void", "unproven"]},
        metric=described(text, "What control and treated are values of."),
        control=a_list(number),
        treated=a_list(number),
        seeds=a_list({"type": "integer"}),
        doses=a_list(number),
        seconds=number,
        steps=described(or_null(step), "Those of each run, if not the whole program was run."),
    )
    price = an_object(
        "What trying changes costs, as estimated before the start.",
        changes=described(step, "So many are to be tried."),
        control_steps=described(step, "Those of the whole program."),
        control_seconds=number,
        trial_steps=described(step, "Those of a trial, which may end before the program does."),
        trial_begins=described(step, "After so many steps, whose state was kept; else 0."),
        trial_seconds=number,
        trials=described(number, "To try each change once and to confirm one."),
        seconds=described(number, "Of all these trials."),
        budget=described(number, "Seconds that they take if each runs the whole program."),
    )
    experiment = an_object(
        "Runs that tell causes apart, each with one change.",
        words=text,
        arms=a_list(an_object(
            "One run: the program with one change.",
            change=text,
            code=described(a_list(text), "The change as code, where it can be written."),
            means=described(text, "What is known if this run learns better."),
        )),
    )
    step_to_take = an_object(
        "What to do next.",
        text=text,
        command=described(or_null(text), "The command that does it, or tells more."),
    )
    finding = an_object(
        "A cause that was found.",
        cause=described(text, "Its slug; `unstuck explain` describes it."),
        code=text,
        severity={"enum": [severity.value for severity in Severity]},
        confidence=described(
            {"enum": [confidence.value for confidence in Confidence]},
            "Certain is what is true by definition of what was measured."),
        strength={"type": "number", "minimum": 0, "maximum": 1},
        since_step=step,
        title=text,
        location=or_null({"$ref": "#/$defs/location"}),
        evidence=a_list({"$ref": "#/$defs/evidence"}),
        one_of=described(a_list(text), "Slugs of causes that this run cannot exclude."),
        separated_by=described(or_null({"$ref": "#/$defs/experiment"}),
                                "The experiment that would separate them."),
        explained_by=described(or_null(text), "The slug of its root, if it is a symptom."),
        remedies=a_list({"$ref": "#/$defs/remedy"}),
        trial=or_null({"$ref": "#/$defs/trial"}),
    )
    verdict = an_object(
        "The verdict on one cause.",
        verdict={"enum": ["present", "absent", "unknown"]},
        reason=text,
        needs=described(a_list(text), "What the run must have, as names of signals or in words."),
    )
    line = {"type": "integer", "minimum": 1}
    location = an_object(
        "An expression in the program; 1-based, columns in code points, the end is exclusive.",
        file=text, line=line, column=line, end_line=line, end_column=line,
    )
    judged = {
        "outcome": {"enum": [kind.value for kind in OutcomeKind]},
        "outcome_confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "findings": described(
            a_list({"$ref": "#/$defs/finding"}), "The first is the root cause that matters most."
        ),
        "verdicts": described(
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/verdict"}},
            "The verdict on every cause, by slug.",
        ),
    }
    training = an_object(
        "One training of a process that trained several times; its findings count steps from its "
        "first.",
        first_step=described(step, "The first of its steps among those of the process."),
        last_step=step,
        location=described(
            or_null({"$ref": "#/$defs/location"}), "Where its optimizer is built."),
        **judged,
    )
    report = an_object(
        "What unstuck says about one record of a training run.",
        schema={"const": SCHEMA},
        version=described(text, "The version of unstuck."),
        record=described(text, "The record's id."),
        **judged,
        ignored=described(a_list(text), "Causes whose findings the user has silenced."),
        next_steps=described(a_list(step_to_take), "The first is to be taken first."),
    )
    answer = an_object(
        "The answer to one question of `unstuck check`.",
        question=text,
        verdict={"enum": [verdict.value for verdict in questions.Verdict]},
        severity=described(
            {"enum": [*(severity.value for severity in Severity), None]}, "Of a question failed."),
        says=text,
        value=described(or_null(number), "The number that decided."),
        bound=described(or_null(number), "The limit that it was compared with."),
        location=or_null({"$ref": "#/$defs/location"}),
    )
    report["properties"] |= {
        "answers": described(
            a_list({"$ref": "#/$defs/answer"}), "Of the questions that were asked, if any were."),
        "training": described(
            line, "Which of the trainings the rest is about, the worst: the first is 1."),
        "trainings": described(
            a_list({"$ref": "#/$defs/training"}),
            "All of them, only if the process trained more than once."),
        "price": described({"$ref": "#/$defs/price"}, "Only where changes were to be tried."),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "unstuck diagnosis",
        **report,
        "$defs": {
            "number": {"anyOf": [{"type": "number"}, {"enum": list(_NON_FINITE)}]},
            "location": location,
            "evidence": evidence,
            "remedy": remedy,
            "trial": trial,
            "experiment": experiment,
            "finding": finding,
            "verdict": verdict,
            "training": training,
            "answer": answer,
            "price": price,
        },
    }


def runs_schema() -> dict[str, Any]:
    """The JSON Schema of what `runs_to_text` returns: reports, each with its file."""
    one = json_schema()
    report = {key: one[key] for key in ("description", "type", "additionalProperties")} | {
        "properties": {"file": {"type": "string"}, **one["properties"]},
        "required": ["file", *one["required"]],
    }
    return {
        "$schema": one["$schema"],
        "title": "unstuck curves of several runs",
        **an_object("What unstuck says about several logs.", schema={"const": SCHEMA},
                  runs=a_list({"$ref": "#/$defs/report"})),
        "$defs": {**one["$defs"], "report": report},
    }


def schema_text(schema: dict[str, Any] | None = None) -> str:
    """The schema as it is published; by default that of one report."""
    return json.dumps(schema or json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(schema_text(runs_schema() if sys.argv[1:] == ["runs"] else None), end="")
