"""Repairs a program fault by fault: each time the change that cures what was found, then the next.

Nothing is kept that the end result does not need, and the whole is confirmed on fresh seeds.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from unstuck.measures.basics import failed, learned_little
from unstuck.repair.cannot import CannotWrite
from unstuck.repair.compose import Overlay, compose, unified_diff
from unstuck.repair.index import Index
from unstuck.repair.patch import Form
from unstuck.repair.write import write
from unstuck.schema.edits import Edit
from unstuck.schema.findings import Diagnosis, Price, Severity
from unstuck.trials.doses import dose_of
from unstuck.trials.plan import Plan, open_questions, patched, plan, went_well
from unstuck.trials.questions import unexplained
from unstuck.trials.race import FRESH, Confirmed, Race, Tried
from unstuck.trials.settle import chosen
from unstuck.trials.verdict import LEAST_GAIN, Judgement, Run, TrialVerdict, judge
from unstuck.trials.yardstick import printed

MOST_ROUNDS = 4  # faults that are peeled off one program
MOST_HALVINGS = 3  # of a dose, in search of a smaller one
_FIRST = 4  # changes that must fit into the budget before seeds are spent on the control


@dataclass(slots=True)
class Repair:
    """What was tried on a program, and what it came to.

    `kept` are the changes of the end result, in order; `texts` the texts that they give, `run` the
    program with them. `plans` are those of the rounds.
    """

    control: Run
    run: Run
    index: Index
    tried: list[Tried] = field(default_factory=list)
    kept: list[Tried] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    confirmed: Confirmed | None = None
    whole: Diagnosis | None = None  # of the whole program, if only its first steps were tried
    price: Price | None = None  # what trials were estimated to cost

    @property
    def proven(self) -> bool:
        """Whether the end result is repaired on every seed that was tried, two at least."""
        return bool(self.kept) and self.confirmed is not None and self.confirmed.holds

    @property
    def fixed(self) -> bool:
        """Whether what is proven leaves a network that learns, with no error found.

        Data may leave little to learn: a run that has not failed is let be if nothing is found in
        it.
        """
        last = self.run.diagnosis
        if not self.proven or last is None or self.run.ended.crashed or failed(last.outcome):
            return False
        left = {each.severity for each in last.findings} - {Severity.NOTE}
        return not left if learned_little(last.outcome) else Severity.ERROR not in left

    def diff(self, root: str | None = None) -> str:
        """The change of the program's text, as `git apply` takes it."""
        patches = tuple(each.candidate.patch for each in self.kept)
        return unified_diff(Overlay(patches, self.texts), self.index, root)


def repair(
    race: Race, control: Run, index: Index, first: Plan | None = None, rounds: int = MOST_ROUNDS
) -> Repair:
    """Tries changes until the program is healthy, nothing helps any more, or time is up.

    Args:
        race: carries out the trials.
        control: the program as it is.
        index: its texts.
        first: what there is to try on it, if that is known already.
        rounds: how many faults are peeled off at most.
    """
    found = Repair(control, control, index)
    texts_before: list[dict[str, str]] = []
    now = index
    for _ in range(rounds):
        assert found.run.diagnosis is not None
        assert found.run.record is not None
        if found.kept and not _counts(found.run):
            break
        made = first if first is not None and not found.plans else plan(
            found.run.diagnosis, found.run.record, now, bool(found.kept))
        if race.max_steps is not None:
            made.without_longer(race.max_steps)
        if not found.plans and made.candidates:
            race.replicate(len(made.candidates[:_FIRST]) + len(FRESH))
            _found_elsewhere(race, made, index)
        found.plans.append(made)
        tried = race.screen(found.run, made, found.texts)
        found.tried += tried
        best = chosen(tried, made, found.run)
        if best is None:
            break
        best = _smaller(race, found, _nicer(race, found, made, best))
        texts_before.append(dict(found.texts))
        found.kept.append(best)
        found.texts.update(best.candidate.texts)
        found.run, now = best.run, patched(index, found.texts)
    if found.kept and judge(found.kept[0].candidate.shown_by, control, found.run,
                           spread=race.spread).verdict not in (
            TrialVerdict.CURED, TrialVerdict.BETTER):
        found.kept, found.texts, found.run = [], {}, control  # faults went, and nothing was gained
    if len(found.kept) > 1:
        _drop(race, found, texts_before)
    if found.kept:
        _confirm(race, found)
    return found


def _confirm(race: Race, found: Repair) -> None:
    """On fresh seeds. Where one dose fails there, the one that gained most gets another chance."""
    found.confirmed = race.confirm(
        found.kept[0].candidate.shown_by, found.control, found.run, found.texts)
    if len(found.kept) > 1 or found.confirmed is None or found.confirmed.holds:
        return
    kept = found.kept[0]
    best = max((each for each in found.tried if each.candidate.remedy is kept.candidate.remedy
                and each.judgement.verdict is TrialVerdict.CURED),
               key=lambda each: each.judgement.gain or 0.0, default=kept)
    if best is kept:
        return
    again = race.confirm(best.candidate.shown_by, found.control, best.run, best.candidate.texts)
    if again is not None and again.cured > found.confirmed.cured:
        found.kept, found.run, found.confirmed = [best], best.run, again
        found.texts = dict(best.candidate.texts)


def _found_elsewhere(race: Race, made: Plan, index: Index) -> None:
    """Adds what is found on other seeds only, behind everything else."""
    for run in race.controls.values():
        if run.diagnosis is not None and run.record is not None:
            made.add(plan(run.diagnosis, run.record, index))


def needs_repair(run: Run) -> bool:
    """Whether there is something to repair: a finding that counts, or an outcome that is poor."""
    return _counts(run) or (run.diagnosis is not None and bool(run.diagnosis.findings)
                            and not went_well(run.diagnosis))


def needs_proof(run: Run) -> bool:
    """Whether there is something to prove: what needs repair, or what only a trial can judge."""
    return needs_repair(run) or (run.diagnosis is not None and (
        bool(open_questions(run.diagnosis)) or unexplained(run.diagnosis)))


def _counts(run: Run) -> bool:
    return run.diagnosis is not None and (
        run.ended.crashed or bool(run.diagnosis.counted()) or learned_little(run.diagnosis.outcome))


def _nicer(race: Race, found: Repair, made: Plan, best: Tried) -> Tried:
    """The same change where the data are made, as a person would write it, if it does the same.

    A change in the model reaches whatever calls it; one of the data may miss some of them.
    """
    if best.candidate.patch.form is not Form.MODEL:
        return best
    for each in made.candidates:
        if each.next_form == best.candidate.next_form and each.patch.form is Form.DATA and (
                race.affordable(1.0)):
            race.say(f"trying where the data are made: {each.edit.words()}")
            run = race.run({**found.texts, **each.texts})
            tried = race.judged(each, found.run, run)
            found.tried.append(tried)
            beside = judge(each.cause, best.run, run).verdict
            if tried.judgement.verdict is best.judgement.verdict and (
                    beside is not TrialVerdict.WORSE) and _as_good(best.run, run):
                return tried
    return best


def _smaller(race: Race, found: Repair, best: Tried) -> Tried:
    """The smallest change of a number that does as well, by halving what is between.

    One end is the number as it is, with which the program is sick, the other one cures. A smaller
    change may as well do better.
    """
    record = found.control.record
    dose = None if record is None else dose_of(best.candidate.edit, record)
    if dose is None or best.judgement.verdict is not TrialVerdict.CURED:
        return best
    now, most = patched(found.index, found.texts), best.judgement.gain
    for _ in range(MOST_HALVINGS):
        value = dose.between()
        if value is None or not race.affordable(1.0 + len(FRESH)):
            break
        edit = dose.edit(value)
        each = next((each for each in found.tried if each.candidate.edit == edit), None) or (
            _dosed(race, found, now, best, edit))
        if each is None:
            break
        if _does_as_well(each.judgement, most):
            best, dose = each, replace(dose, then=value)
            most = max(filter(None, (most, each.judgement.gain)), default=None)
        else:
            dose = replace(dose, now=value)
    return best


def _dosed(race: Race, found: Repair, now: Index, best: Tried, edit: Edit) -> Tried | None:
    """The same change with another dose, tried."""
    assert found.control.record is not None
    written = write(edit, found.control.record, now)
    patches = [] if isinstance(written, CannotWrite) else [
        each for each in written if each.form is best.candidate.patch.form]
    together = compose(patches[:1], now) if patches else None
    if not isinstance(together, Overlay):
        return None
    candidate = replace(best.candidate, edit=edit, patch=patches[0], texts=dict(together.texts))
    race.say(f"is a smaller change enough: {edit.words()}?")
    tried = race.judged(candidate, found.run, race.run({**found.texts, **candidate.texts}))
    found.tried.append(tried)
    return tried


def _does_as_well(one: Judgement, most: float | None) -> bool:
    """Whether a change cures and gains as much as the most that any dose has gained, or nearly."""
    return one.verdict is TrialVerdict.CURED and (
        one.gain is None or most is None or one.gain >= most - LEAST_GAIN / 2)


def _as_good(one: Run, other: Run) -> bool:
    """Whether the number that a user looks at is the same, or as good as."""
    shown = printed(one.ended.output, other.ended.output)
    if shown is None:
        return True
    before, after = shown.numbers
    return abs(after - before) <= LEAST_GAIN * max(abs(before), abs(after))


# What was not needed -----------------------------------------------------------------------------
def _drop(race: Race, found: Repair, before: Sequence[Mapping[str, str]]) -> None:
    """Takes back each change without which the program is as healthy, the last one first."""
    for number in range(len(found.kept) - 2, -1, -1):
        if not race.affordable(1.0):
            return
        change = {**before[number], **found.kept[number].candidate.texts}
        texts = _without(found, before[number], change)
        if texts is None:
            continue
        race.say(f"is this needed: {found.kept[number].candidate.edit.words()}?")
        run = race.run(texts)
        cause = found.kept[number].candidate.cause
        same = judge(cause, found.run, run).verdict
        if run.healthy >= found.run.healthy and same not in (
                TrialVerdict.WORSE, TrialVerdict.UNPROVEN) and not run.ended.crashed and (
                not needs_repair(run) or needs_repair(found.run)) and cause not in _causes(run):
            del found.kept[number]
            found.texts, found.run = texts, run


def _causes(run: Run) -> set[str]:
    return set() if run.diagnosis is None else {each.cause for each in run.diagnosis.findings}


def _without(found: Repair, before: Mapping[str, str], after: Mapping[str, str]
             ) -> dict[str, str] | None:
    """The texts of the end result without one change; None if later ones build on it."""
    texts: dict[str, str] = {}
    for name, final in found.texts.items():
        original = found.index.sources[name].text
        text = _undone(before.get(name, original), after.get(name, original), final)
        if text is None:
            return None
        if text != original:
            texts[name] = text
    return texts


def _undone(before: str, after: str, final: str) -> str | None:
    """`final` with the lines of `before` where `after` changed them; None if they overlap."""
    old, new, last = (text.splitlines(keepends=True) for text in (before, after, final))
    blocks = difflib.SequenceMatcher(None, new, last, autojunk=False).get_matching_blocks()

    def moved(start: int, end: int) -> tuple[int, int] | None:
        for block in blocks:
            if block.a <= start and end <= block.a + block.size:
                return start - block.a + block.b, end - block.a + block.b
        return None

    result = list(last)
    changes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for kind, old_start, old_end, new_start, new_end in reversed(changes):
        if kind != "equal":
            place = moved(new_start, new_end)
            if place is None:
                return None
            result[place[0]:place[1]] = old[old_start:old_end]
    return "".join(result)


def of_cause(tried: Iterable[Tried], cause: str) -> list[Tried]:
    """The trials for one cause."""
    return [each for each in tried if each.candidate.cause == cause]
