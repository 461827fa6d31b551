"""How much a finding matters to a run."""

from __future__ import annotations

from unstuck.measures.basics import GOOD_SKILL, failed, learned_little
from unstuck.rules.cause import Cause, Harm
from unstuck.schema.findings import Outcome, Present, Severity

SURE = 0.5  # a finding less sure than this is no ground for an alarm
PROVEN = 0.7  # a finding at least this sure is to blame if the skill falls short


def severity_of(
    cause: Cause, present: Present, outcome: Outcome, crashed: bool = False
) -> Severity:
    """How much a finding matters, taken by itself."""
    if present.strength < SURE:
        return Severity.NOTE
    if cause.harm in (Harm.DISTRUST, Harm.LEAK, Harm.OVERFIT):
        return Severity.WARNING
    if cause.harm is Harm.MISTAKE:
        return Severity.ERROR if failed(outcome) or crashed else Severity.WARNING
    if failed(outcome) or (crashed and (learned_little(outcome) or outcome.skill is None)):
        return Severity.ERROR
    fell_short = present.strength >= PROVEN and not present.one_of and (
        outcome.skill is not None and outcome.skill < GOOD_SKILL)
    return Severity.WARNING if fell_short or learned_little(outcome) else Severity.NOTE
