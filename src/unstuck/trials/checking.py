"""Asks a program the laboratory's questions, and watches it for some steps."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.questions import catalogue
from unstuck.questions.question import Answer, Verdict
from unstuck.schema.findings import Confidence, Finding, Severity
from unstuck.settings import Settings
from unstuck.trials.laboratory import Ended, Laboratory, Trial
from unstuck.trials.verdict import Run, how_it_crashed, read

STEPS = 100  # of the watched run, whose data, labels and mistakes of the program are judged
GRACE = 15.0  # seconds beyond the budget, for what was asked last


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of asking: the answers in order, and the watched run."""

    answers: tuple[Answer, ...]
    run: Run

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the judge has found in the watched steps, and is sure enough of."""
        found = () if self.run.diagnosis is None else self.run.diagnosis.counted()
        return tuple(each for each in found if each.confidence is not Confidence.POSSIBLE)

    @property
    def failed(self) -> tuple[Answer, ...]:
        """The questions that the program fails."""
        return tuple(each for each in self.answers if each.verdict is Verdict.FAIL)

    def worst(self) -> Severity | None:
        """The worst of what was found, None if all is well."""
        each = [*(each.severity for each in self.failed),
                *(each.severity for each in self.findings)]
        return min(each, key=lambda severity: severity.rank, default=None)


def check(laboratory: Laboratory, wishes: Settings, seconds: float, jobs: int = 2) -> Checked:
    """Asks all questions of the program of a laboratory, within so many seconds each way."""
    asking = Trial(seconds=seconds + GRACE, ask=True, budget=seconds)
    watched, asked = laboratory.run(
        [Trial(max_steps=STEPS, seconds=seconds), asking], min(jobs, 2))
    run = read(watched, wishes)
    return Checked(_complete(asked, run, seconds), run)


def ask(laboratory: Laboratory, seconds: float) -> tuple[Answer, ...]:
    """The answers alone."""
    (asked,) = laboratory.run([Trial(seconds=seconds + GRACE, ask=True, budget=seconds)])
    return _complete(asked, None, seconds)


def _complete(asked: Ended, run: Run | None, seconds: float) -> tuple[Answer, ...]:
    """One answer to each question, whatever has become of who asked."""
    known = {each.question: each for each in asked.answers}
    if asked.hung:
        why = f"the program needs more than {seconds:g} s for its first steps"
    elif asked.no_view is not None:
        why = asked.no_view
    else:
        why = f"the program ended with {how_it_crashed(Run(asked, None, None, None))}"
    return tuple(known.get(each.slug) or each.unknown(why) for each in catalogue.questions())
