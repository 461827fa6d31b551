"""Puts what trials have shown into the findings of a diagnosis, in words and numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from unstuck.judge.catalogue import find
from unstuck.judge.severity import severity_of
from unstuck.repair.compose import Overlay, unified_diff
from unstuck.repair.diffs import with_diffs
from unstuck.rules.cause import Harm
from unstuck.schema.findings import Diagnosis, Finding, Present, Severity, TrialResult
from unstuck.trials.doses import dose_of
from unstuck.trials.lengths import stretch, undecided, unproven
from unstuck.trials.peel import Repair, of_cause
from unstuck.trials.race import Tried
from unstuck.trials.verdict import Run, TrialVerdict, judged_by
from unstuck.trials.yardstick import printed
from unstuck.words import count, joined, number

# The words that are published; a mask is one kind of "better".
_PUBLISHED = {TrialVerdict.MASKS: "better", TrialVerdict.REMOVED: "no effect"}
_HELPS = (TrialVerdict.MASKS, TrialVerdict.BETTER)  # without a cure
SKILL = "skill"  # the one number of each run
# What a skill of a yardstick is called; without a name it is that number.
_SKILLS = {
    None: SKILL, "classes": "skill over all classes", "targets": "skill in the targets",
    "held_out": "skill on held-out data", "training": "skill in training",
    "untrained": "skill in training"}
PROVEN = 0.95  # how probable a cause is that a trial has shown on all seeds


def published(verdict: TrialVerdict) -> str:
    """The verdict as JSON has it."""
    return _PUBLISHED.get(verdict, verdict.value)


def with_trials(found: Repair, root: str | None, seconds: float) -> Diagnosis:
    """The diagnosis of the program as it was, with what the trials of each finding have shown.

    What was proven comes first, and is no longer one of several suspects. What went with it is its
    symptom.
    """
    before = found.whole or found.control.diagnosis
    assert before is not None
    before = replace(before, price=found.price)
    findings = tuple(_finding(each, found, root, seconds) for each in before.findings)
    if found.whole is not None and found.price is not None:
        planned = {each.cause for made in found.plans for each in made.candidates}
        findings = tuple(
            replace(each, trial=unproven(found.price, seconds))
            if each.trial is None and (each.cause in planned or not _shown(each, found))
            else each for each in findings)
    if not found.kept:
        return _with_untried(replace(before, findings=findings), found, root)
    first = found.kept[0].candidate.cause
    if found.proven or found.confirmed is None:
        findings = _settled(first, findings, found, root, seconds)
    return replace(before, findings=tuple(sorted(findings, key=lambda each: each.cause != first)))


def _with_untried(diagnosis: Diagnosis, found: Repair, root: str | None) -> Diagnosis:
    """The diagnosis with the changes that no trial has shown anything of, as they could be made."""
    assert found.control.record is not None
    written = with_diffs(diagnosis, found.control.record, root).findings
    return replace(diagnosis, findings=tuple(
        new if old.trial is None or old.trial.verdict == TrialVerdict.UNPROVEN else old
        for old, new in zip(diagnosis.findings, written, strict=True)))


def _shown(finding: Finding, found: Repair) -> bool:
    """Whether the program as it was tried shows it."""
    assert found.control.diagnosis is not None
    return any(each.cause == finding.cause for each in found.control.diagnosis.findings)


def _settled(first: str, findings: tuple[Finding, ...], found: Repair, root: str | None,
             seconds: float) -> tuple[Finding, ...]:
    """The findings once a cause has been shown: surer, and what cannot be told apart is told."""
    assert found.control.diagnosis is not None
    assert found.run.diagnosis is not None
    cause, best = find(first), found.kept[0]
    shown = next((each for each in findings if each.cause == first), None)
    if shown is None:  # it was one of a set only
        words = best.candidate.edit.words()
        by = next((each for each in findings if each.cause == best.candidate.shown_by), None)
        shown = _finding(Finding(first, cause.code, Severity.NOTE, Present(
            PROVEN, f"{cause.title.lower()}: to {words} cures the program", 0,
            None if by is None else by.location, "", (), (best.candidate.remedy,))),
            found, root, seconds)
        findings = (shown, *findings)
    present = replace(shown.present, strength=max(shown.strength, PROVEN), one_of=(),
                      separated_by=None)
    severity = severity_of(cause, present, found.control.diagnosis.outcome,
                           found.control.ended.crashed)
    settled = replace(shown, present=present, explained_by=None, severity=min(
        shown.severity, severity, key=lambda each: each.rank))
    kept = {each.candidate.cause for each in found.kept}
    left = {each.cause for each in found.run.diagnosis.findings}
    return tuple(
        settled if each.cause == first
        else replace(each, explained_by=first)
        if each.cause not in kept | left and _shown(each, found)
        else each for each in findings)


def _finding(finding: Finding, found: Repair, root: str | None, seconds: float) -> Finding:
    trials = of_cause(found.tried, finding.cause)
    if not trials:
        return finding
    kept = [each for each in found.kept if each.candidate.cause == finding.cause]
    best = kept[0] if kept else min(trials, key=lambda t: list(TrialVerdict).index(
        t.judgement.verdict))
    whole = bool(kept) and kept[0] is found.kept[0]
    diff = found.diff(root) if whole else None if kept else unified_diff(
        Overlay((best.candidate.patch,), best.candidate.texts), found.index, root)
    helps = diff is not None and best.judgement.verdict in (
        TrialVerdict.CURED, TrialVerdict.REMOVED, *_HELPS)
    remedies = tuple(
        replace(each, diff=diff) if helps and each.name == best.candidate.remedy.name else each
        for each in finding.remedies)
    remedies = tuple(sorted(remedies, key=lambda each: each.diff is None))
    return replace(finding, present=replace(finding.present, remedies=remedies),
                   trial=_result(best, trials, found, whole, seconds))


def _result(best: Tried, trials: Sequence[Tried], found: Repair, whole: bool, seconds: float
            ) -> TrialResult:
    if whole and found.confirmed is not None:
        seeds = found.confirmed.seeds
        controls, treateds = found.confirmed.control, found.confirmed.treated
        proven = found.confirmed.holds
        verdict = TrialVerdict.CURED if proven else TrialVerdict.UNPROVEN
    else:
        seeds, controls, treateds = (0,), (found.control,), (best.run,)
        verdict = best.judgement.verdict
    numbers = compared(controls, treateds)
    doses = tuple(dose for each in trials if (dose := _dose(each)) is not None)
    return TrialResult(published(verdict), numbers.before, numbers.after, seeds, doses, seconds,
                       numbers.metric, _says(best, found, whole, numbers) + _within(found),
                       None if found.whole is None or found.price is None
                       else found.price.trial_steps)


def _within(found: Repair) -> str:
    """In which of its steps the program was tried, if not in all."""
    if found.whole is None or found.price is None:
        return ""
    return f"; this was tried in the {stretch(found.price)} of {found.price.steps:,}"


@dataclass(frozen=True, slots=True)
class Compared:
    """The number that runs are compared by, for each seed without and with a change.

    `beside` is the number that the program prints, where that is another one and got no better.
    """

    metric: str
    before: tuple[float, ...]
    after: tuple[float, ...]
    gains: bool  # whether the first one gets better
    beside: Compared | None = None

    @property
    def words(self) -> str:
        """The numbers of the first seed; empty where there are none."""
        if not self.before or not (self._is_printed or (
                math.isfinite(self.before[0]) and math.isfinite(self.after[0]))):
            return ""
        one, other = number(self.before[0]), number(self.after[0])
        says = f"{self.metric} {f'stays at {one}' if one == other else f'{one} → {other}'}"
        return says if self.beside is None else f"{says}, {self.beside.words}"

    @property
    def _is_printed(self) -> bool:
        return self.metric not in _SKILLS.values()


def compared(controls: Sequence[Run], treateds: Sequence[Run]) -> Compared:
    """What to compare runs by: a number that the program prints, unless it gets no better.

    Then it is what they were judged by: an accuracy, for instance, falls where a rare class is
    found at last.
    """
    shown = _printed(controls, treateds)
    name = judged_by(controls[0], treateds[0]) if controls else None
    before, after = (
        tuple(_skill(run, name) for run in runs) for runs in (controls, treateds))
    judged = Compared(_SKILLS[name], before, after, bool(after) and after[0] > before[0])
    if shown is None:
        return judged
    if name is None or shown.gains or not judged.gains:
        return shown
    return replace(judged, beside=shown)


def _printed(controls: Sequence[Run], treateds: Sequence[Run]) -> Compared | None:
    """The number that the program prints."""
    pairs = [printed(a.ended.output, b.ended.output)
             for a, b in zip(controls, treateds, strict=True)]
    known = [pair for pair in pairs if pair is not None]
    if not known or len(known) < len(pairs) or len({pair.name for pair in known}) > 1:
        return None
    return Compared(known[0].name, tuple(pair.numbers[0] for pair in known),
                    tuple(pair.numbers[1] for pair in known), known[0].gains)


def _skill(run: Run, name: str | None = None) -> float:
    value = None if run.yardstick is None else getattr(run.yardstick, name or "value")
    return math.nan if value is None else value


def _dose(tried: Tried) -> float | None:
    for name in ("value", "factor", "rate", "share", "limit", "size"):
        value = getattr(tried.candidate.edit, name, None)
        if isinstance(value, int | float):
            return float(value)
    return None


def _bracket(best: Tried, found: Repair) -> str:
    """The nearest dose on the way back to what the program has that does not do as well."""
    assert found.control.record is not None
    dose = dose_of(best.candidate.edit, found.control.record)
    if dose is None:
        return ""
    between = [value for each in of_cause(found.tried, best.candidate.cause)
               if each.candidate.remedy is best.candidate.remedy
               and (value := _dose(each)) is not None and value != dose.then
               and min(dose.now, dose.then) <= value <= max(dose.now, dose.then)]
    if not between:
        return ""
    near = min(between, key=lambda value: abs(math.log(value / dose.then)))
    return f", and with {number(near)} it does worse"


def _says(best: Tried, found: Repair, whole: bool, compared_by: Compared) -> str:
    """What the trials of a finding have shown, in one or two sentences."""
    change = best.candidate.edit.words()
    numbers = f" ({compared_by.words})" if compared_by.words else ""
    verdict, because = best.judgement.verdict, best.judgement.because
    if whole and found.confirmed is not None:
        many = len(found.confirmed.seeds)
        rest = len(found.kept) - 1
        change += f", together with {count(rest, 'more change')}" if rest else ""
        cured = found.confirmed.cured
        if found.confirmed.holds:
            fails = all(not run.healthy for run in found.confirmed.control)
            numbers = f" ({told})" if (told := _told(compared_by, found)) else ""
            return (f"{change}: this cures the program{numbers} on {many} of {many} seeds; without "
                    f"it, the same seeds {'fail' if fails else 'do worse'}{_bracket(best, found)}")
        if verdict is TrialVerdict.BETTER:
            return f"{change}: this helps{numbers}, but {because}"
        return f"{change}: this cured the program on {cured} of {many} seeds only{numbers}"
    if best in found.kept and not whole:
        return f"{change}: this is part of the change above"
    if verdict is TrialVerdict.CURED:
        return f"{change}: this cures the program{numbers}; there was no time for other seeds"
    if verdict is TrialVerdict.MASKS:
        return f"{change}: this helps{numbers}, but it is not the cure, because {because}"
    if verdict is TrialVerdict.REMOVED:
        return f"{change}: {because}{numbers}"
    return f"{change}: {verdict.value}, because {because}{numbers}"


def _told(numbers: Compared, found: Repair) -> str:
    """The numbers of a program that is fixed: a score may have been better before, and wrong."""
    flatters = find(found.kept[0].candidate.cause).harm in (Harm.DISTRUST, Harm.LEAK)
    if numbers.words and flatters and not numbers.gains and numbers.before != numbers.after:
        return f"{numbers.words}, of which the first is too good to be true"
    return numbers.words


# The whole ---------------------------------------------------------------------------------------
def rows(found: Repair) -> list[str]:
    """A table of the trials, one line each."""
    cells = [(each.judgement.verdict.value, each.candidate.cause, each.candidate.edit.words(),
              each.judgement.because) for each in found.tried]
    cells += [("not tried", cause, cannot.words.rstrip("."), "")
              for made in found.plans for cause, cannot in made.cannot]
    if not found.tried and found.price is not None:
        return [f"unstuck: nothing was tried: {undecided(found.price)}"]
    if not cells:
        return ["unstuck: there is nothing that could be tried"]
    widths = [max(len(row[column]) for row in cells) for column in range(2)]
    return [f"{verdict:<{widths[0]}}  {cause:<{widths[1]}}  {change}"
            + (f" ({because})" if because else "") for verdict, cause, change, because in cells]


def skills(found: Repair, controls: Iterable[Run]) -> list[tuple[str, tuple[float, ...]]]:
    """The skills of the program as it is, and with each change: a name, a value for each seed."""
    named = [("as it is", tuple(map(_skill, controls)))]
    for each in found.tried:
        runs = [each.run]
        if found.confirmed is not None and found.kept == [each]:
            runs = list(found.confirmed.treated)
        if each.judgement.verdict is not TrialVerdict.VOID:
            named.append((each.candidate.edit.words(), tuple(map(_skill, runs))))
    if found.confirmed is not None and len(found.kept) > 1:
        named.append(("all changes together", tuple(map(_skill, found.confirmed.treated))))
    return named


def summary(found: Repair, runs: int, seconds: float) -> str:
    """What came of trying to fix a program, a sentence or two."""
    cost = f"{count(runs, 'run')} in {number(round(seconds))} s{_within(found)}"
    if not found.kept:
        if not found.tried:
            if found.price is not None:
                return f"not fixed, because nothing was tried: {undecided(found.price)}"
            why = next((cannot.words for made in found.plans for _, cannot in made.cannot),
                       "No finding has a remedy that a change of the text could try.")
            return f"not fixed, because nothing could be tried. {why}"
        return (f"not fixed: none of {count(len(found.tried), 'change')} cures the program"
                f"{_best_of(found)} ({cost})")
    changes = count(len(found.kept), "change")
    if found.confirmed is None:
        return (f"{changes} helped, but there was no time to confirm it on other seeds ({cost}); "
                "a larger --budget allows that")
    unsure = [each for each in found.kept if each.judgement.verdict is TrialVerdict.BETTER]
    if unsure and not found.confirmed.holds:
        return f"{changes} helped, but not proven: {unsure[0].judgement.because} ({cost})"
    if not found.confirmed.holds:
        return (f"{changes} helped on {found.confirmed.cured} of "
                f"{count(len(found.confirmed.seeds), 'seed')} only ({cost})")
    numbers = _told(compared(found.confirmed.control, found.confirmed.treated), found)
    if len(found.kept) > 1:
        changes += f" ({joined((each.candidate.edit.words() for each in found.kept), 9)})"
    says = f"fixed by {changes}"
    if not found.fixed:
        says = f"not fixed: {changes} helped, but the network still learns too little"
    return (f"{says}{f': {numbers}' if numbers else ''}, on "
            f"{count(len(found.confirmed.seeds), 'seed')} of {len(found.confirmed.seeds)} ({cost})")


def _best_of(found: Repair) -> str:
    """What the change that helps most comes to, of those that cure nothing."""
    helpful = [each for each in found.tried if each.judgement.verdict in _HELPS]
    if not helpful:
        return ""
    best = min(helpful, key=lambda each: _HELPS.index(each.judgement.verdict))
    numbers = compared((found.control,), (best.run,)).words
    words = best.candidate.edit.words()
    return f"; one helps ({words}{f': {numbers}' if numbers else ''})"
