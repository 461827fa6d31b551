"""How much a finding matters to a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from unstuck.measures.basics import FAIR_SKILL, GOOD_SKILL, failed, learned_little
from unstuck.rules.cause import Cause, Harm
from unstuck.schema.findings import (
    Confidence,
    Diagnosis,
    Finding,
    Outcome,
    OutcomeKind,
    Present,
    Severity,
)

SUSPECT = 0.35  # none weaker was to blame in some three hundred programs written elsewhere
PROVEN = 0.7  # a finding at least this sure is to blame if the skill falls short


def severity_of(
    cause: Cause, present: Present, outcome: Outcome, crashed: bool = False
) -> Severity:
    """How much a finding matters, taken by itself."""
    if present.confidence is Confidence.POSSIBLE:
        return Severity.WARNING if present.hides_outcome else Severity.NOTE
    if cause.harm is Harm.LEAK and crashed and present.hides_outcome:
        return Severity.ERROR
    if cause.harm in (Harm.DISTRUST, Harm.LEAK, Harm.OVERFIT):
        return Severity.WARNING
    if cause.harm is Harm.MISTAKE:
        fails = failed(outcome) or crashed or outcome.kind is OutcomeKind.NO_TRAINING
        return Severity.ERROR if fails else Severity.WARNING
    if failed(outcome) or (crashed and (learned_little(outcome) or outcome.skill is None)):
        return Severity.ERROR
    fell_short = present.strength >= PROVEN and not present.one_of and (
        outcome.skill is not None and outcome.skill < GOOD_SKILL)
    counts = fell_short or present.hides_outcome or learned_little(outcome)
    return Severity.WARNING if counts else Severity.NOTE


# From the worst to the best, and then what nothing is known about.
_OUTCOMES = (
    OutcomeKind.CRASHED, OutcomeKind.DIVERGED, OutcomeKind.BROKEN, OutcomeKind.NOT_LEARNING,
    OutcomeKind.DATA_PROBLEM, OutcomeKind.PLATEAU, OutcomeKind.OVERFITTING, OutcomeKind.CONVERGED,
    OutcomeKind.LEARNING, OutcomeKind.NOT_TOLD, OutcomeKind.TOO_SHORT, OutcomeKind.NO_TRAINING,
)


def badness(diagnosis: Diagnosis) -> tuple[int, int]:
    """How bad a training is beside others of its process: the lower, the worse."""
    severities = {finding.severity for finding in diagnosis.findings}
    signs = (Severity.ERROR in severities,
             failed(diagnosis.outcome) or diagnosis.outcome.kind is OutcomeKind.CRASHED,
             Severity.WARNING in severities, learned_little(diagnosis.outcome))
    kind = diagnosis.outcome.kind
    return ([*signs, True].index(True),
            _OUTCOMES.index(kind) if kind in _OUTCOMES else len(_OUTCOMES))


def _fell_short(outcome: Outcome) -> bool:
    """Whether a run surely came to rest before it had learned all that it should."""
    return outcome.kind is OutcomeKind.OVERFITTING or (
        outcome.kind is OutcomeKind.PLATEAU
        and outcome.skill is not None and outcome.skill < FAIR_SKILL)


def with_suspect(
    findings: Sequence[Finding], harms: Mapping[str, Harm], outcome: Outcome
) -> tuple[Finding, ...]:
    """The findings; of a run that went poorly, and that nothing sure explains, the best suspect.

    That is the strongest note on what makes a run fail, as a warning. It comes first. Of a run that
    learned more than a little, but came to rest short of the aim, a finding must be likely; that of
    one that overfits may also be one about its capacity.
    """
    if any(f.severity is not Severity.NOTE for f in findings):
        return tuple(findings)
    able = [f for f in findings if harms[f.cause] in (Harm.MISTAKE, Harm.CONDITION)
            and f.strength >= SUSPECT]
    if not learned_little(outcome):
        able = [f for f in able if f.strength >= PROVEN and _fell_short(outcome)]
        able += [f for f in findings if harms[f.cause] is Harm.OVERFIT
                 and outcome.kind is OutcomeKind.OVERFITTING]
    if not able:
        return tuple(findings)
    best = max(able, key=lambda finding: finding.strength)  # the first of those equally strong
    suspect = replace(best, severity=Severity.WARNING, explained_by=None)
    return (suspect, *(f for f in findings if f is not best))
