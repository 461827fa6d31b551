"""Tests every cause against every program of the corpus. No cause is named here."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from copy import copy
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path

import pytest

import corpus
from harness.records import record_of
from unstuck.curves import outcome as curves
from unstuck.curves.outcome import judge
from unstuck.judge import catalogue
from unstuck.judge.engine import diagnose, verdict_of
from unstuck.measures.view import View
from unstuck.record.plain import to_json
from unstuck.record.reader import Record, read_record
from unstuck.rules.cause import Cause
from unstuck.schema.findings import Diagnosis, Finding, Outcome, Present
from unstuck.schema.quantities import Signal
from unstuck.schema.signals import BY_NAME

CAUSES = catalogue.causes()
OWN = [c for c in CAUSES if c.detect.__module__.startswith("unstuck.")]
each_cause = pytest.mark.parametrize("cause", CAUSES, ids=lambda c: c.slug)
ALL = os.environ.get("UNSTUCK_ALL") == "1"
each_case = pytest.mark.parametrize("case", corpus.PAIRS, ids=corpus.cause_of)


CURVES = {s.name for s in vars(curves).values() if isinstance(s, Signal)}  # of which outcomes tell


@cache
def diagnosed(program: Path, function: str) -> Diagnosis:
    return diagnose(record_of(program, function))


@cache
def recorded(program: Path, function: str) -> Record:
    return read_record(record_of(program, function))


@cache
def judged(program: Path, function: str) -> Outcome:
    return judge(recorded(program, function))


def said(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{f.severity} {f.cause} <- {f.explained_by}: {f.title}" for f in findings]


def of_a_set(case: Path) -> bool:
    """Whether only a trial can tell the cause of a case from others."""
    return catalogue.find(corpus.cause_of(case)).by_trial


# What a finding must hold ------------------------------------------------------------------------
@each_case
def test_findings_are_well_formed(case: Path) -> None:
    for function in ("sick", "well"):
        diagnosis = diagnosed(case, function)
        for finding in diagnosis.findings:
            present = finding.present
            assert 0 < present.strength <= 1
            assert 0 <= present.since_step <= max(diagnosis.steps, 1)
            assert re.search(r"\d", present.title), "a title has numbers"
            assert not present.title.endswith(".")
            assert len(present.title) <= 240
            assert present.label
            assert len(present.label) <= 110, present.label
            assert present.evidence
            assert present.remedies
            for evidence in present.evidence:
                assert evidence.signal in BY_NAME
                assert len(evidence.steps) == len(evidence.observed) > 0
                assert evidence.says
            for remedy in present.remedies:
                assert remedy.ladder or remedy.advice
                assert remedy.code()
        slugs = {f.cause for f in diagnosis.findings}
        assert {f.explained_by for f in diagnosis.findings} <= slugs | {None}


@each_case
def test_the_same_record_gives_the_same_diagnosis(case: Path) -> None:
    again = diagnose(read_record(record_of(case, "sick")))
    assert to_json(again) == to_json(diagnosed(case, "sick"))


# What a cause must hold --------------------------------------------------------------------------
@each_cause
def test_words_are_complete(cause: Cause) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cause.slug)
    assert re.fullmatch(r"[A-Z]\d{3}", cause.code)
    assert cause.title[0].isupper()
    assert cause.family
    for text in (f.name for f in fields(cause.words) if f.name != "references"):
        words = getattr(cause.words, text)
        assert len(words) >= 60, f"{text} says too little"
        assert words.endswith("."), f"{text} is no sentence"
        assert words[0].isupper() or not words[0].isalpha() or "_" in words.split()[0], text
        assert not re.search(r"`|\*\*|  ", words), f"{text} has markup"
    assert cause.words.references
    assert cause.symptoms, "users look for it by what they see"
    for threshold in cause.thresholds:
        assert threshold.reason.endswith(".")
        assert threshold.source
        assert math.isfinite(threshold.value)
    assert len(set(cause.effects)) == len(cause.effects)


@dataclass(slots=True)
class _Spy(View):
    """A view that notes which thresholds are compared with."""

    compared: set[str] = field(default_factory=set)

    def limit(self, threshold) -> float:  # type: ignore[no-untyped-def]
        self.compared.add(threshold.name)
        return View.limit(self, threshold)


@each_cause
@pytest.mark.all_records
def test_what_is_declared_is_read_and_what_is_read_declared(cause: Cause) -> None:
    read: set[str] = set()
    compared: set[str] = set()
    for program in corpus.programs(long=ALL):
        record = recorded(program.file, program.function)
        if not all(record.measured(signal) for signal in cause.needs):
            continue
        spy = _Spy(record, cause, judged(program.file, program.function))
        cause.detect(spy)  # an undeclared read raises
        read |= spy.read
        compared |= spy.compared
    declared = {s.name for s in (*cause.needs, *cause.uses)}
    thresholds = {t.name for t in cause.thresholds}
    assert read <= declared
    assert compared <= thresholds
    if ALL:  # some are read in the programs only that `make test` leaves out
        assert read == declared
        assert compared == thresholds


# Records that no one would wish for --------------------------------------------------------------
def lines_of(case: Path) -> list[str]:
    return (record_of(case, "sick") / "events.jsonl").read_text().splitlines(keepends=True)


def first_step_only(lines: list[str]) -> list[str]:
    kept = []
    for line in lines:
        event = json.loads(line)
        if event["type"] == "step":
            event["rows"] = [row for row in event["rows"] if row[0] == 0]
        if event.get("step", 0) == 0 and event.get("rows", [1]):
            kept.append(json.dumps(event) + "\n")
    return kept


def not_finite(lines: list[str], number: str) -> list[str]:
    changed = []
    for line in lines:
        event = json.loads(line)
        if event["type"] == "step":
            event["rows"] = [[step, number] for step, _ in event["rows"]]
        if event["type"] == "sample":
            event["places"] = dict.fromkeys(event["places"], number)
        changed.append(json.dumps(event) + "\n")
    return changed


def without_facts(lines: list[str]) -> list[str]:
    return [line for line in lines if json.loads(line)["type"] != "fact"]


SPOILT = {
    "header only": lambda lines: lines[:1],
    "one step": first_step_only,
    "all nan": lambda lines: not_finite(lines, "nan"),
    "all inf": lambda lines: not_finite(lines, "inf"),
    "all zero": lambda lines: not_finite(lines, "0.0"),
    "no facts": without_facts,
    "torn": lambda lines: [*lines[: len(lines) // 2], lines[len(lines) // 2][:20]],
    "every third line": lambda lines: [x for i, x in enumerate(lines) if i == 0 or i % 3 == 0],
}


@pytest.mark.parametrize(("case", "how"), [
    # Of each record every fourth way; over four causes all of them.
    pytest.param(case, how, id=f"{how}-{corpus.cause_of(case)}",
                 marks=[] if (number + place) % 4 == 0 else [pytest.mark.slow])
    for number, case in enumerate(corpus.PAIRS) for place, how in enumerate(SPOILT)])
def test_spoilt_records_are_judged_without_a_crash(case: Path, how: str, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text("".join(SPOILT[how](lines_of(case))))
    diagnosis = diagnose(tmp_path)
    assert len(diagnosis.verdicts) == len(CAUSES)
    assert not [r for r in diagnosis.remarks if "internal error" in r]


@pytest.mark.parametrize("case", [
    pytest.param(case, id=corpus.cause_of(case), marks=[] if number % 3 == 0 else pytest.mark.slow)
    for number, case in enumerate(corpus.PAIRS)])
def test_records_that_lack_a_signal_are_judged_without_a_crash(case: Path) -> None:
    whole, usual = recorded(case, "sick"), judged(case, "sick")
    for name in whole._series:
        record = copy(whole)
        series = {other: found for other, found in whole._series.items() if other != name}
        object.__setattr__(record, "_series", series)
        outcome = judge(record) if name in CURVES else usual
        for cause in CAUSES:
            if outcome == usual and name not in {s.name for s in (*cause.needs, *cause.uses)}:
                continue  # nothing that it sees has changed
            _, trouble = verdict_of(record, cause, outcome, {})
            assert not trouble, f"without {name}: {trouble}"


def test_too_little_is_never_a_finding(tmp_path: Path) -> None:
    """One step proves nothing but what is wrong in itself."""
    for case in corpus.PAIRS:
        folder = tmp_path / corpus.cause_of(case)
        folder.mkdir()
        (folder / "events.jsonl").write_text("".join(first_step_only(lines_of(case))))
        trend = [f for f in diagnose(folder).findings
                 if catalogue.find(f.cause).needs_trend]
        assert not trend, said(tuple(trend))


# The catalogue itself ----------------------------------------------------------------------------
def test_find_takes_slugs_and_codes() -> None:
    for cause in CAUSES:
        assert catalogue.find(cause.slug) is cause
        assert catalogue.find(cause.code.lower()) is cause
    with pytest.raises(KeyError):
        catalogue.find("no-such-cause")


def test_clashes_are_refused() -> None:
    first = CAUSES[0]
    with pytest.raises(catalogue.BadCatalogue, match="claims the code"):
        catalogue.checked([first, first])


class _Point:
    """An entry point of a plugin."""

    def __init__(self, name: str, value: object) -> None:
        self.name, self.value, self.dist, self._loads = name, "plugin:thing", None, value

    def load(self) -> object:
        if isinstance(self._loads, Exception):
            raise self._loads
        return self._loads


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("x", ImportError("gone"), "cannot be loaded"), ("x", 3, "is a int, not a Cause"),
     ("x", CAUSES[0], "named after the slug")],
)
def test_bad_plugins_are_named(name: str, value: object, words: str) -> None:
    with pytest.raises(catalogue.BadCatalogue, match=words):
        catalogue._of_plugin(_Point(name, value))  # type: ignore[arg-type]


def test_a_plugin_may_point_at_the_cause_or_its_module() -> None:
    cause = CAUSES[0]
    assert catalogue._of_plugin(_Point(cause.slug, cause)) is cause  # type: ignore[arg-type]
    module = __import__(cause.detect.__module__, fromlist=["CAUSE"])
    assert catalogue._of_plugin(_Point(cause.slug, module)) is cause  # type: ignore[arg-type]


def test_presents_survive_an_unwritable_program_text(tmp_path: Path) -> None:
    """Records without program text (--no-program-text) give findings all the same."""
    for case in corpus.PAIRS:
        folder = tmp_path / corpus.cause_of(case)
        shutil.copytree(record_of(case, "sick"), folder)
        file = folder / "events.jsonl"
        file.write_text(re.sub(r'"text":"(?:[^"\\]|\\.)*"', '"text":null', file.read_text()))
        findings = diagnose(folder).findings
        if of_a_set(case):
            found = next(f for f in findings if f.cause == corpus.cause_of(case))
        else:
            found = findings[0]
        assert found.cause == corpus.cause_of(case)
        assert isinstance(found.present, Present)
        assert all(remedy.code() for remedy in found.remedies)
