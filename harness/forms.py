"""Runs programs of the corpus in other forms, and says how their diagnoses differ."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from corpus import Program
from corpus.forms import Rewritten, Span, rewritten
from corpus.forms.form import Form
from harness.records import record_of, session
from unstuck.judge.engine import diagnose
from unstuck.record.reader import read_record
from unstuck.schema.facts.run import EndKind
from unstuck.schema.findings import Diagnosis, Finding
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.losses import TRAIN_LOSS

LOSSES = 8  # of the first of a run, which are compared
CLOSE = 1e-3  # relative; where arithmetic is reordered, differences grow from step to step
NEAR = 1  # lines that a place may be beside the expression that it followed


@dataclass(frozen=True, slots=True)
class Case:
    """A program that is written in a form."""

    program: Program
    form: type[Form]
    made: Rewritten
    file: Path

    def __str__(self) -> str:
        return f"{self.program} {self.form.name()}"


@dataclass(frozen=True, slots=True)
class Compared:
    """What became of the diagnosis of a program in another form.

    `fits` says whether it computes the same; `differences` are words, none if
    the diagnosis is unchanged.
    """

    fits: bool
    differences: tuple[str, ...] = ()


@cache
def diagnosed(file: Path, function: str) -> Diagnosis:
    """The diagnosis of a program."""
    return diagnose(record_of(file, function))


def prepare(program: Program, form: type[Form]) -> Case | None:
    """Writes a program in a form; None if the form does not apply to it."""
    before = diagnosed(program.file, program.function)
    places = [found for f in before.counted() if (found := _span(f, program.file))]
    made = rewritten(program.file.read_text(encoding="utf-8"), form, places)
    if made is None:
        return None
    return Case(program, form, made, written(program.file, made))


def compare(case: Case) -> Compared:
    """Compares the diagnosis of a program with that of its rewriting."""
    program = case.program
    if not computes_the_same(program.file, case.file, program.function):
        return Compared(fits=False, differences=("does not compute the same",))
    before, after = (diagnosed(file, program.function) for file in (program.file, case.file))
    return Compared(True, tuple(differences(program, before, after, case.made, case.file)))


def written(original: Path, made: Rewritten) -> Path:
    """The file of a rewritten program, whose place depends on its text alone."""
    mark = hashlib.sha256(made.text.encode()).hexdigest()[:12]
    folder = session() / "forms" / mark
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / original.name
    if not file.exists():
        unfinished = file.with_suffix(".new")
        unfinished.write_text(made.text, encoding="utf-8")
        unfinished.replace(file)
    return file


def computes_the_same(one: Path, other: Path, function: str) -> bool:
    """Whether the trainings of two programs begin with the same losses, and end in the same way."""
    first, second = (read_record(record_of(file, function)) for file in (one, other))
    broke = [record.end is not None and record.end.kind is EndKind.EXCEPTION
             for record in (first, second)]
    if broke[1] and not broke[0]:
        return False
    if not (first.measured(TRAIN_LOSS) and second.measured(TRAIN_LOSS)):
        return True
    a, b = (np.abs(record.series(TRAIN_LOSS).values) for record in (first, second))
    starts = range(len(b) if len(b) > len(a) else 1)  # another training may come before
    count = min(LOSSES, len(a), len(b))
    return any(np.allclose(a[:count], b[start : start + count], rtol=CLOSE, equal_nan=True)
               for start in starts if start + count <= len(b))


def differences(
    program: Program, before: Diagnosis, after: Diagnosis, made: Rewritten, file: Path
) -> list[str]:
    """What of a diagnosis is not as it was, in words."""
    old, new = ({f.cause: f for f in each.counted()} for each in (before, after))
    found = []
    for slug in program.faults:
        verdicts = [type(dict(each.verdicts)[slug]).__name__.lower() for each in (before, after)]
        if verdicts[0] != verdicts[1]:
            found.append(f"{slug}: {verdicts[0]} -> {verdicts[1]}")
        elif slug in old and slug not in new:
            found.append(f"{slug}: no more than a note")
    firsts = [next((f.cause for f in each.findings), "-") for each in (before, after)]
    if not found and len(program.faults) == 1 and firsts[0] != firsts[1] and (
            firsts[0] in program.faults):
        found.append(f"first: {firsts[0]} -> {firsts[1]}")
    if len(program.faults) != 1:
        roots = [{f.cause for f in each.values() if f.explained_by is None} for each in (old, new)]
        found += [f"no longer: {slug}" for slug in sorted(roots[0] - roots[1] - set(
            program.faults))] if program.faults else []
    found += [f"new {new[slug].severity}: {slug}" for slug in sorted(set(new) - set(old))
              if slug not in program.faults]
    if not found and program.faults and before.findings and after.findings:
        found += _moved(before.findings[0], after.findings[0], made, program.file, file)
    return found


def _moved(
    before: Finding, after: Finding, made: Rewritten, original: Path, file: Path
) -> list[str]:
    """Whether the first finding points at what it pointed at."""
    span = _span(before, original)
    if before.cause != after.cause or span is None or not made.places.get(span):
        return []
    place = after.location
    if place is None:
        return ["place: lost"]
    if Path(place.file) == file and any(
        place.line <= last + NEAR and place.end_line >= first - NEAR
        for first, last in made.places[span]
    ):
        return []
    lines = made.text.splitlines()
    wanted = ", ".join(lines[first - 1].strip() for first, _ in made.places[span])
    return [f"place: {lines[place.line - 1].strip()!r} instead of {wanted!r}"]


def _span(finding: Finding, file: Path) -> Span | None:
    """Where a finding points in a program, in the columns of `ast`."""
    place: SourceLocation | None = finding.location
    if place is None or Path(place.file) != file:
        return None
    return place.line, place.column - 1, place.end_line, place.end_column - 1
