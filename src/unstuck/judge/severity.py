"""How much a finding matters to a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from unstuck.measures.basics import GOOD_SKILL, failed, learned_little
from unstuck.rules.cause import Cause, Harm
from unstuck.schema.findings import Confidence, Finding, Outcome, Present, Severity

PROVEN = 0.7  # a finding at least this sure is to blame if the skill falls short


def severity_of(
    cause: Cause, present: Present, outcome: Outcome, crashed: bool = False
) -> Severity:
    """How much a finding matters, taken by itself."""
    if present.confidence is Confidence.POSSIBLE:
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


def with_suspect(
    findings: Sequence[Finding], harms: Mapping[str, Harm], outcome: Outcome
) -> tuple[Finding, ...]:
    """The findings; of a run that learned little, and that nothing sure explains, the best suspect.

    That is the first note on what makes a run fail, as a warning. It comes first.
    """
    if not learned_little(outcome) or any(f.severity is not Severity.NOTE for f in findings):
        return tuple(findings)
    able = [f for f in findings if harms[f.cause] in (Harm.MISTAKE, Harm.CONDITION)]
    if not able:
        return tuple(findings)
    best = max(able, key=lambda finding: finding.strength)  # the first of those equally strong
    suspect = replace(best, severity=Severity.WARNING, explained_by=None)
    return (suspect, *(f for f in findings if f is not best))
