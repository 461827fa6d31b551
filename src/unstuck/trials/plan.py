"""Which changes are worth a trial, in which order, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from unstuck.measures.basics import GOOD_SKILL, learned_little
from unstuck.record.reader import Record
from unstuck.repair.cannot import CannotWrite, Reason
from unstuck.repair.compose import Overlay, compose
from unstuck.repair.index import Index
from unstuck.repair.patch import Patch
from unstuck.repair.text import Source
from unstuck.repair.write import write
from unstuck.schema.edits import Edit, MoreSteps, Remedy, Safety, Together
from unstuck.schema.findings import Diagnosis, Finding, OutcomeKind, Severity
from unstuck.trials.questions import questions, unexplained
from unstuck.words import count

MOST_REMEDIES = 2  # of one finding
MOST_DOSES = 4  # of one remedy
MOST_FORMS = 3  # of one dose
NOTES = MOST_DOSES + 1  # the place from which on changes are for notes, behind all others


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change for a finding: one dose of one remedy, in one form.

    `place` orders candidates: doses, then findings as the diagnosis has them, remedies, forms.
    `texts` are the new texts by file. `cost` is in lengths of the program. `shown_by` is the
    finding whose absence shows that the change was right: of the run of an experiment that of the
    finding which proposed it.
    """

    cause: str
    remedy: Remedy
    edit: Edit
    patch: Patch
    texts: Mapping[str, str]
    place: tuple[int, int, int, int]
    cost: float = 1.0
    root: str | None = None  # the cause that must be gone as well
    shown_by: str = ""
    first: bool = True  # of the doses of its remedy

    @property
    def next_form(self) -> tuple[int, int, int]:
        """What distinguishes it from its other forms."""
        return self.place[:3]

    @property
    def of_a_note(self) -> bool:
        """Whether it is for a finding that does no sure harm."""
        return self.place[0] >= NOTES


@dataclass(slots=True)
class Plan:
    """Candidates, the most promising first; and what no patch could be written for."""

    candidates: list[Candidate] = field(default_factory=list)
    cannot: list[tuple[str, CannotWrite]] = field(default_factory=list)
    sets: list[frozenset[str]] = field(default_factory=list)  # causes that the record cannot tell

    def rivals(self, cause: str) -> frozenset[str]:
        """The causes that the record cannot tell from one, itself among them."""
        return frozenset({cause}).union(*(each for each in self.sets if cause in each))

    def without_longer(self, steps: int) -> None:
        """Leaves out runs that are longer, where trials have so many steps only."""
        for each in [each for each in self.candidates if each.cost > 1]:
            self.candidates.remove(each)
            cannot = CannotWrite(Reason.TOO_LONG, f"a longer run needs more than the "
                                 f"{count(steps, 'step')} that trials have here")
            if (each.cause, cannot) not in self.cannot:
                self.cannot.append((each.cause, cannot))

    def add(self, other: Plan) -> None:
        """Takes in what another plan has besides, behind all others."""
        known = {tuple(sorted(each.texts.items())) for each in self.candidates}
        causes = {each.cause for each in self.candidates}
        for each in other.candidates:
            if tuple(sorted(each.texts.items())) not in known and each.cause not in causes:
                dose, number, which, form = each.place
                self.candidates.append(replace(
                    each, place=(2 * NOTES + dose % NOTES, number, which, form)))
        self.sets += [each for each in other.sets if each not in self.sets]


def suspects(diagnosis: Diagnosis, repaired: bool = False) -> list[tuple[Finding, str | None]]:
    """The findings that are worth a trial, each with the cause that must go as well.

    Roots come before their symptoms, which are no cure while their root is there. Notes come last,
    if the run did not go well or only a trial can judge them, and none is a cure while the first
    root is there. Of a program that has been `repaired` once, they count only if it still learns
    little.
    """
    counted = sorted(diagnosis.counted(), key=lambda f: f.explained_by is not None)
    found: list[tuple[Finding, str | None]] = [(each, each.explained_by) for each in counted]
    notes = [each for each in diagnosis.findings if each not in counted]
    if not (learned_little(diagnosis.outcome) or not (repaired or went_well(diagnosis))):
        notes = [] if repaired else open_questions(diagnosis)
    root = counted[0].cause if counted else None
    return found + [(each, root or each.explained_by) for each in notes]


def open_questions(diagnosis: Diagnosis) -> list[Finding]:
    """The notes that only a trial can judge, of a run that could have learned more."""
    skill = diagnosis.outcome.skill
    return [each for each in diagnosis.findings if each.severity is Severity.NOTE
            and each.separated_by is not None and skill is not None and skill < GOOD_SKILL]


def went_well(diagnosis: Diagnosis) -> bool:
    """Whether the outcome leaves nothing to ask for."""
    return not learned_little(diagnosis.outcome) and diagnosis.outcome.kind not in (
        OutcomeKind.PLATEAU, OutcomeKind.OVERFITTING)


def plan(
    diagnosis: Diagnosis, record: Record, index: Index, repaired: bool = False
) -> Plan:
    """The changes to try on a program, which may have been repaired once.

    Those are the remedies of its findings, and the runs of the experiments that tell apart what the
    record cannot. A run that is longer comes last, because it helps whatever the cause is. Where
    nothing is found, the usual suspects are asked.
    """
    made = Plan()
    seen: set[tuple[tuple[str, str], ...]] = set()

    def add(cause: str, shown_by: str, remedy: Remedy, edit: Edit, root: str | None,
            place: tuple[int, int, int], first: bool) -> bool:
        written = write(edit, record, index)
        if isinstance(written, CannotWrite):
            if (cause, written) not in made.cannot:
                made.cannot.append((cause, written))
            return False
        cost = edit.factor if isinstance(edit, MoreSteps) else 1.0
        for form, patch in enumerate(written[:MOST_FORMS]):
            together = compose([patch], index)
            if not isinstance(together, Overlay):
                continue
            key = tuple(sorted(together.texts.items()))
            if key not in seen:
                seen.add(key)
                made.candidates.append(Candidate(
                    cause, remedy, edit, patch, dict(together.texts), (*place, form), cost, root,
                    shown_by, first))
        return True

    for number, (finding, root) in enumerate(suspects(diagnosis, repaired)):
        # A symptom's own remedies may hide it; those of its root are worth a second dose before.
        later = NOTES if finding.severity is Severity.NOTE else int(root is not None)
        for which, remedy in enumerate(_worth(finding, record, index)):
            for dose, edit in enumerate(remedy.ladder[:MOST_DOSES]):
                if not add(finding.cause, finding.cause, remedy, edit, root,
                           (later + dose, number, which), not dose):
                    break
        if finding.separated_by is None:
            continue
        made.sets.append(frozenset({finding.cause, *finding.one_of}))
        for which, arm in enumerate(finding.separated_by.arms, MOST_REMEDIES):
            if arm.edits and len(arm.causes) == 1:
                edit = arm.edits[0] if len(arm.edits) == 1 else Together(arm.edits, arm.change())
                dose = MOST_DOSES - 1 if isinstance(edit, MoreSteps) else 0
                remedy = Remedy(arm.change(), Safety.CHANGES_EXPERIMENT, (edit,))
                add(arm.causes[0], finding.cause, remedy, edit, root,
                    (later + dose, number, which), not dose)
    if unexplained(diagnosis) and not repaired:
        asked = list(questions(record))
        made.sets.append(frozenset(cause for cause, _ in asked))
        for number, (cause, edit) in enumerate(asked):
            add(cause, cause, Remedy(edit.words(), Safety.CHANGES_EXPERIMENT, (edit,)), edit, None,
                (NOTES + isinstance(edit, MoreSteps), number, 0), True)
    made.candidates.sort(key=lambda candidate: candidate.place)
    return made


def _worth(finding: Finding, record: Record, index: Index) -> Iterator[Remedy]:
    """The remedies of a finding that have edits, those that repair the program first.

    What cannot be written takes nobody's place.
    """
    able = [remedy for remedy in finding.remedies if remedy.ladder]
    able.sort(key=lambda remedy: remedy.safety is not Safety.SAFE)
    written = 0
    for remedy in able:
        if written < MOST_REMEDIES:
            yield remedy
            written += not isinstance(write(remedy.ladder[0], record, index), CannotWrite)


def patched(index: Index, texts: Mapping[str, str]) -> Index:
    """The sources with some texts in place of their own."""
    return Index([Source(name, texts[name]) if name in texts else source
                  for name, source in index.sources.items()], index.argv, sorted(index.cells))
