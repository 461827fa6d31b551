"""Asks a program the laboratory's questions, and watches it for some steps."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from unstuck.questions import catalogue
from unstuck.questions.question import Answer, Verdict
from unstuck.schema.findings import (
    Confidence,
    Diagnosis,
    Evidence,
    Finding,
    NextStep,
    Severity,
)
from unstuck.settings import Settings
from unstuck.trials.executor import Executor
from unstuck.trials.trial import Ended, Trial
from unstuck.trials.verdict import Run, how_it_crashed, read
from unstuck.words import number

STEPS = 100  # of the watched run, whose data, labels and mistakes of the program are judged
GRACE = 15.0  # seconds beyond the budget, for what was asked last


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of asking: the answers in order, and the watched run."""

    answers: tuple[Answer, ...]
    run: Run

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the judge has found in the watched steps and is sure of: roots, no symptoms."""
        found = () if self.run.diagnosis is None else self.run.diagnosis.counted()
        return tuple(each for each in found if each.explained_by is None
                     and each.confidence is not Confidence.POSSIBLE)

    @property
    def failed(self) -> tuple[Answer, ...]:
        """The questions that the program fails."""
        return tuple(each for each in self.answers if each.verdict is Verdict.FAIL)

    def worst(self) -> Severity | None:
        """The worst of what was found, None if all is well."""
        each = [*(each.severity for each in self.failed),
                *(each.severity for each in self.findings)]
        return min(each, key=lambda severity: severity.rank, default=None)


def check(laboratory: Executor, wishes: Settings, seconds: float, jobs: int = 2) -> Checked:
    """Asks all questions of the program of a laboratory, within so many seconds each way."""
    asking = Trial(seconds=seconds + GRACE, ask=True, budget=seconds)
    watched, asked = laboratory.run(
        [Trial(max_steps=STEPS, seconds=seconds), asking], min(jobs, 2))
    run = read(watched, wishes)
    return Checked(_complete(asked, run, seconds), run)


def ask(laboratory: Executor, seconds: float) -> tuple[Answer, ...]:
    """The answers alone."""
    (asked,) = laboratory.run([Trial(seconds=seconds + GRACE, ask=True, budget=seconds)])
    return _complete(asked, None, seconds)


def with_answers(diagnosis: Diagnosis, answers: Iterable[Answer]) -> Diagnosis:
    """A diagnosis whose findings cite the questions that the program fails.

    What is failed at a place is the first thing to look at.
    """
    asked = {each.slug: each for each in catalogue.questions()}
    failed = [each for each in answers if each.verdict is Verdict.FAIL]
    findings = []
    for finding in diagnosis.findings:
        cited = tuple(
            Evidence(each.question, "", (0,), () if each.value is None else (each.value,),
                     each.bound, each.says)
            for each in failed if finding.cause in asked[each.question].causes)
        findings.append(finding if not cited else replace(finding, present=replace(
            finding.present, evidence=(*finding.evidence, *cited))))
    steps = tuple(
        NextStep(f"Look at {os.path.basename(each.location.file)}, line {each.location.line}: "
                 f"{each.says}.")
        for each in failed if each.location is not None and asked[each.question].names_place)
    return replace(diagnosis, findings=tuple(findings),
                   next_steps=(*steps, *diagnosis.next_steps))


def _complete(asked: Ended, run: Run | None, seconds: float) -> tuple[Answer, ...]:
    """One answer to each question, whatever has become of who asked."""
    known = {each.question: each for each in asked.answers}
    if asked.hung:
        why = f"the program needs more than {number(seconds)} s for its first steps"
    elif asked.no_view is not None:
        why = asked.no_view
    else:
        why = f"the program ended with {how_it_crashed(Run(asked, None, None, None))}"
    return tuple(known.get(each.slug) or each.unknown(why) for each in catalogue.questions())
