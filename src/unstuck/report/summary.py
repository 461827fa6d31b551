"""What is said of a run as a whole: its outcome, what was not assessed, how much was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from unstuck.judge.catalogue import causes
from unstuck.rules.symptoms import Symptom
from unstuck.schema.findings import (
    Absent,
    Confidence,
    Diagnosis,
    Finding,
    Outcome,
    OutcomeKind,
    Severity,
    Training,
    Unknown,
)
from unstuck.schema.signals import BY_NAME
from unstuck.words import count, joined, lowered, percent

WELL = (OutcomeKind.LEARNING, OutcomeKind.CONVERGED)
_UNJUDGED = (OutcomeKind.TOO_SHORT, OutcomeKind.NO_TRAINING, OutcomeKind.NOT_TOLD)
_MOST_REASONS = 2
_MOST_NEEDS = 3
_MOST_SIGNALS = 8

_MANY_ALIKE = 6  # trainings in a row that get one line
_MOST_RULED_OUT = 3
# What users see of a run that failed.
_SEEN = {
    OutcomeKind.NOT_LEARNING: (Symptom.FLAT, Symptom.CHANCE, Symptom.SAME),
    OutcomeKind.PLATEAU: (Symptom.PLATEAU,),
    OutcomeKind.BROKEN: (Symptom.RISES,),
    OutcomeKind.DIVERGED: (Symptom.RISES, Symptom.NAN),
}

# What became of the run, as the beginning of a sentence.
IN_WORDS = {
    OutcomeKind.LEARNING: "The network is learning",
    OutcomeKind.OVERFITTING: "The network is overfitting",
    OutcomeKind.DATA_PROBLEM: "The held-out loss improves but the train loss does not",
    OutcomeKind.PLATEAU: "The network has stopped learning",
    OutcomeKind.NOT_TOLD: "The loss does not show whether the network learns",
    OutcomeKind.BROKEN: "The training is getting worse",
    OutcomeKind.NOT_LEARNING: "The network is not learning",
    OutcomeKind.DIVERGED: "The training diverged",
    OutcomeKind.CONVERGED: "The training has converged",
    OutcomeKind.TOO_SHORT: "The run is too short to judge",
    OutcomeKind.CRASHED: "The program crashed",
    OutcomeKind.NO_TRAINING: "No training took place",
}


def outcome_of(diagnosis: Diagnosis) -> tuple[str, str]:
    """What became of the run and whether that is explained; then the numbers. Sentences."""
    outcome = diagnosis.outcome
    what = f"{IN_WORDS[outcome.kind]} (confidence {percent(outcome.confidence)})"
    if diagnosis.trainings:
        training = diagnosis.trainings[diagnosis.training]
        what = (f"In training {diagnosis.training + 1} of {len(diagnosis.trainings)} "
                f"({_steps_of(training)} of the program), {lowered(what)}")
    if diagnosis.counted():
        return f"{what}.", stopped(outcome.says)
    checked = len(diagnosis.verdicts) - len(diagnosis.not_assessed())
    steps = count(diagnosis.steps, "step")
    if not checked:
        return f"{what}.", f"{stopped(outcome.says)} No cause could be checked."
    if outcome.kind in WELL:
        causes = count(checked, "cause")
        return (f"{what}, and no problem was found ({causes} checked over {steps}).",
                stopped(outcome.says))
    if checked == 1:
        one = f"the only cause checked over {steps}"
        if outcome.kind in _UNJUDGED:
            return f"{what}.", f"{stopped(outcome.says)} {one[0].upper()}{one[1:]} is not present."
        return f"{what}, and {one} does not explain it.", stopped(outcome.says)
    if outcome.kind in _UNJUDGED:
        return f"{what}.", (
            f"{stopped(outcome.says)} None of the {checked} causes that could be checked is "
            "present.")
    return (f"{what}, and none of the {checked} causes checked over {steps} explains it.",
            stopped(outcome.says))


def ruled_out(diagnosis: Diagnosis) -> str:
    """The causes that users with such a run meet most, and what speaks against each.

    "" unless the run failed, and nothing sure explains it.
    """
    wanted = _SEEN.get(diagnosis.outcome.kind, ())
    if any(each.confidence is not Confidence.POSSIBLE for each in diagnosis.counted()):
        return ""
    absent = {slug: each for slug, each in diagnosis.verdicts if isinstance(each, Absent)}
    near = [cause for cause in causes() if cause.slug in absent
            and any(symptom in wanted for symptom in cause.symptoms)]
    # A reason with a number in it was measured; others only say that the cause does not apply.
    near.sort(key=lambda cause: (
        -any(map(str.isdigit, absent[cause.slug].reason)), -cause.often))
    return "; ".join(f"{cause.slug}, because {absent[cause.slug].reason}"
                     for cause in near[:_MOST_RULED_OUT])


def _steps_of(training: Training) -> str:
    return f"steps {training.first_step:,} to {training.last_step:,}"


def trainings(diagnosis: Diagnosis) -> list[str]:
    """A line for each training but the one that the diagnosis is about; one for many alike."""
    lines = []
    for came, alike in groupby(
        enumerate(diagnosis.trainings),
        lambda each: None if each[0] == diagnosis.training else _came_to(each[1]),
    ):
        row = list(alike)
        if came is not None and len(row) >= _MANY_ALIKE:
            (first, begins), (last, ends) = row[0], row[-1]
            lines.append(f"trainings {first + 1} to {last + 1} (steps {begins.first_step:,} to "
                         f"{ends.last_step:,}): {came}")
        elif came is not None:
            lines += [f"training {number + 1} ({_steps_of(training)}): {came}"
                      for number, training in row]
    return lines


def _came_to(training: Training) -> str:
    counted = training.diagnosis.counted()
    found = joined(f.cause for f in counted if f.explained_by is None) or "no problem was found"
    return f"{in_short(training.diagnosis.outcome)}; {found}"


def in_short(outcome: Outcome) -> str:
    """The outcome in a table, in two or three words."""
    return outcome.kind.value.replace("-", " ")


def not_assessed(unknown: Sequence[tuple[str, Unknown]], notes: bool) -> str:
    """Which causes could not be checked, why, and what that takes. At least one.

    Names of signals are for those who want every detail, hence with `notes` alone.
    """
    reasons = Counter(lowered(verdict.reason.rstrip(".")) for _, verdict in unknown).most_common()
    shown = reasons[:_MOST_REASONS]
    which = f"{count(len(unknown), 'cause')} ({joined(slug for slug, _ in unknown)})"
    if len(reasons) == 1:
        text = f"{which}, because {shown[0][0]}."
    else:
        parts = [f"{number} because {reason}" for reason, number in shown]
        if rest := sum(number for _, number in reasons[_MOST_REASONS:]):
            parts.append(f"{rest} for other reasons")
        text = f"{which}: {_itemised(parts)}."
    needs = [need for need in requirements(unknown)
             if not any(need in reason for reason, _ in shown)]
    if needs:
        if (rest := len(needs) - _MOST_NEEDS) > 0:
            needs = [*needs[:_MOST_NEEDS], count(rest, "other thing")]
        them = "it" if len(unknown) == 1 else "them"
        text += f" To check {them}, unstuck needs {_itemised(needs)}."
    missing = dict.fromkeys(n for _, verdict in unknown for n in verdict.needs if n in BY_NAME)
    if notes and missing:
        text += f" Missing signals: {joined(missing, most=_MOST_SIGNALS)}."
    return text


def _itemised(clauses: Sequence[str]) -> str:
    """A list in a sentence of what may have commas in it."""
    *before, last = clauses
    return "; ".join([*before, f"and {last}" if before else last])


def requirements(unknown: Sequence[tuple[str, Unknown]]) -> list[str]:
    """What would allow causes to be checked, in a user's words, each once.

    Of a verdict that says it in words, the names of signals add nothing.
    """
    found: dict[str, None] = {}
    for _, verdict in unknown:
        in_words = [need for need in verdict.needs if need not in BY_NAME]
        found.update(dict.fromkeys(in_words or [BY_NAME[n].requires for n in verdict.needs]))
    return list(found)


def ignored(findings: Sequence[Finding]) -> str:
    """Which findings the user has silenced."""
    return f"{count(len(findings), 'finding')} ({joined(f.cause for f in findings)})"


def totals(diagnosis: Diagnosis, notes: bool) -> str:
    """How many findings there are, by severity."""
    numbers = Counter(finding.severity for finding in diagnosis.findings)
    parts = [
        count(numbers[severity], severity.value)
        for severity in (Severity.ERROR, Severity.WARNING, *((Severity.NOTE,) if notes else ()))
        if numbers[severity]
    ]
    text = joined(parts) or "no errors and no warnings"
    hidden = 0 if notes else numbers[Severity.NOTE]
    if hidden:
        them = "it" if hidden == 1 else "them"
        text += f"; {count(hidden, 'note')} hidden (--notes shows {them})"
    return text


def stopped(sentence: str) -> str:
    """A sentence with a full stop."""
    return sentence if sentence.endswith((".", "!", "?")) else sentence + "."
