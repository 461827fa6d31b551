"""Which changes are worth a trial, in which order, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from unstuck.measures.basics import learned_little
from unstuck.record.reader import Record
from unstuck.repair.cannot import CannotWrite
from unstuck.repair.compose import Overlay, compose
from unstuck.repair.index import Index
from unstuck.repair.patch import Patch
from unstuck.repair.text import Source
from unstuck.repair.write import write
from unstuck.schema.edits import Edit, MoreSteps, Remedy, Safety
from unstuck.schema.findings import Diagnosis, Finding, OutcomeKind, Severity

MOST_REMEDIES = 2  # of one finding
MOST_DOSES = 4  # of one remedy
MOST_FORMS = 3  # of one dose


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change for a finding: one dose of one remedy, in one form.

    `place` orders candidates: doses, then findings as the diagnosis has them, remedies, forms.
    `texts` are the new texts by file. `cost` is in lengths of the program.
    """

    cause: str
    remedy: Remedy
    edit: Edit
    patch: Patch
    texts: Mapping[str, str]
    place: tuple[int, int, int, int]
    cost: float = 1.0
    root: str | None = None  # the cause that must be gone as well

    @property
    def next_form(self) -> tuple[int, int, int]:
        """What distinguishes it from its other forms."""
        return self.place[:3]


@dataclass(slots=True)
class Plan:
    """Candidates, the most promising first; and what no patch could be written for."""

    candidates: list[Candidate] = field(default_factory=list)
    cannot: list[tuple[str, CannotWrite]] = field(default_factory=list)


def suspects(diagnosis: Diagnosis, repaired: bool = False) -> list[tuple[Finding, str | None]]:
    """The findings that are worth a trial, each with the cause that must go as well.

    Roots come before their symptoms, which are no cure while their root is there. Notes come last,
    if the run did not go well, and none is a cure while the first root is there. Of a program that
    has been `repaired` once, they count only if it still learns little.
    """
    counted = sorted(diagnosis.counted(), key=lambda f: f.explained_by is not None)
    found: list[tuple[Finding, str | None]] = [(each, each.explained_by) for each in counted]
    if learned_little(diagnosis.outcome) or not (repaired or went_well(diagnosis)):
        root = counted[0].cause if counted else None
        found += [(each, root or each.explained_by) for each in diagnosis.findings
                  if each not in counted]
    return found


def went_well(diagnosis: Diagnosis) -> bool:
    """Whether the outcome leaves nothing to ask for."""
    return not learned_little(diagnosis.outcome) and diagnosis.outcome.kind not in (
        OutcomeKind.PLATEAU, OutcomeKind.OVERFITTING)


def plan(
    diagnosis: Diagnosis, record: Record, index: Index, repaired: bool = False
) -> Plan:
    """The changes to try on a program, which may have been repaired once."""
    made = Plan()
    seen: set[tuple[tuple[str, str], ...]] = set()
    for number, (finding, root) in enumerate(suspects(diagnosis, repaired)):
        later = MOST_DOSES * (finding.severity is Severity.NOTE)  # than all doses of the others
        for which, remedy in enumerate(_worth(finding, record, index)):
            for dose, edit in enumerate(remedy.ladder[:MOST_DOSES]):
                written = write(edit, record, index)
                if isinstance(written, CannotWrite):
                    made.cannot.append((finding.cause, written))
                    break
                for form, patch in enumerate(written[:MOST_FORMS]):
                    together = compose([patch], index)
                    if not isinstance(together, Overlay):
                        continue
                    key = tuple(sorted(together.texts.items()))
                    if key not in seen:
                        seen.add(key)
                        made.candidates.append(Candidate(
                            finding.cause, remedy, edit, patch, dict(together.texts),
                            (later + dose, number, which, form),
                            edit.factor if isinstance(edit, MoreSteps) else 1.0,
                            root))
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
