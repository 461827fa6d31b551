"""Every program of the corpus gets the diagnosis that is its truth, and no other."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import corpus
from corpus import Program
from harness.records import record_of
from unstuck.judge import catalogue
from unstuck.judge.engine import SURE, diagnose
from unstuck.schema.findings import Diagnosis, Finding
from unstuck.schema.places import SourceLocation

PROGRAMS = tuple(corpus.programs(long=True))
OFTEN = tuple(corpus.programs())

# Programs whose faults are not all named yet, with the reason. The test is strict: an entry that
# has become unnecessary fails.
NOT_YET: dict[str, str] = {
    "cancer_sign_flipped_and_raw": "a loss without a floor falls for ever, so nothing shows that "
    "raw inputs harm it",
    "sine_accumulated_whole_and_sigmoid": "behind the sigmoid the steps are none too large for "
    "sixteen added losses",
    "wine_index_regression_and_fast_decay": "three classes are too few to tell from a scale",
}


@cache
def diagnosed(file: Path, function: str) -> Diagnosis:
    return diagnose(record_of(file, function))


def said(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{f.severity} {f.cause} <- {f.explained_by}: {f.title}" for f in findings]


@pytest.mark.parametrize("program", [
    pytest.param(program, id=str(program), marks=[
        *([pytest.mark.xfail(strict=True, reason=NOT_YET[program.file.stem])]
          if program.file.stem in NOT_YET else []),
        *([] if program in OFTEN else [pytest.mark.slow])])
    for program in PROGRAMS])
def test_the_diagnosis_is_the_truth(program: Program) -> None:
    diagnosis = diagnosed(program.file, program.function)
    findings, counted = diagnosis.findings, diagnosis.counted()
    faults = program.faults
    if any(catalogue.find(slug).by_trial for slug in faults):
        (slug,) = faults
        sets = [f for f in findings if slug in (f.cause, *f.one_of)]
        assert sets, said(findings)
        assert all(f.one_of and f.separated_by for f in sets)
    else:
        roots = {f.cause for f in counted if f.explained_by is None}
        assert set(faults) <= roots, (said(counted), diagnosis.outcome.says)
        assert {f.explained_by or f.cause for f in counted} <= set(faults), said(counted)
    if len(faults) == 1 and not catalogue.find(*faults).by_trial:
        assert findings[0].cause in faults, said(findings)
        assert findings[0].strength >= (0.7 if program.file in corpus.PAIRS else SURE)
    for slug, expression in faults.items():
        if expression is not None:
            found = next((f for f in findings if f.cause == slug), findings[0])
            location = found.location
            assert location is not None
            assert Path(location.file) == program.file
            assert squeezed(source(location)) == squeezed(expression)


def source(location: SourceLocation) -> str:
    lines = Path(location.file).read_text().splitlines()[location.line - 1 : location.end_line]
    lines[-1] = lines[-1][: location.end_column - 1]
    lines[0] = lines[0][location.column - 1 :]
    return "\n".join(lines)


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


# The corpus itself -------------------------------------------------------------------------------
def test_the_list_of_open_programs_names_programs() -> None:
    assert set(NOT_YET) <= {program.file.stem for program in PROGRAMS}


def test_every_cause_has_a_pair() -> None:
    own = {c.slug for c in catalogue.causes() if c.detect.__module__.startswith("unstuck.")}
    assert own == {corpus.cause_of(file) for file in corpus.PAIRS}
    assert own >= {corpus.cause_of(file) for file in corpus.FAULTY}


@pytest.mark.parametrize("file", [*corpus.FAULTY, *corpus.COMBINED, *corpus.HEALTHY,
                                  *corpus.LONG],
                         ids=corpus.name_of)
def test_a_program_is_where_its_truth_belongs(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    runs = {"sick", "well"} if file in corpus.FAULTY else {"main"}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in runs:
            last = node.body[-1]
            assert isinstance(last, ast.Return), "what was trained is returned, to be compared"
            assert last.value is not None
    if file in corpus.FAULTY:
        assert functions >= {"sick", "well"}
        assert set(corpus.faults_of(file)) == {corpus.cause_of(file)}
        return
    assert "main" in functions
    if file in corpus.COMBINED:
        faults = corpus.faults_of(file)
        assert 2 <= len(faults) <= 3
        families = [catalogue.find(slug).family for slug in faults]
        assert len(set(families)) == len(families)
    else:
        with pytest.raises(ValueError, match="states no FAULTS"):
            corpus.faults_of(file)


def test_the_corpus_knows_nothing_of_who_judges_it() -> None:
    for file in corpus.ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [
                alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            tops = {name.partition(".")[0] for name in names}
            assert not tops & {"unstuck", "harness", "benchmarks", "tests", "tools"}, file
