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
from unstuck.schema.findings import Diagnosis, Finding

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
    root: str | None = None  # the cause that explains the finding

    @property
    def next_form(self) -> tuple[int, int, int]:
        """What distinguishes it from its other forms."""
        return self.place[:3]


@dataclass(slots=True)
class Plan:
    """Candidates, the most promising first; and what no patch could be written for."""

    candidates: list[Candidate] = field(default_factory=list)
    cannot: list[tuple[str, CannotWrite]] = field(default_factory=list)


def suspects(diagnosis: Diagnosis) -> list[Finding]:
    """The findings that are worth a trial: roots before their symptoms, notes if all else fails.

    Notes are worth one if the network did not learn and nothing else was found.
    """
    counted = sorted(diagnosis.counted(), key=lambda f: f.explained_by is not None)
    if counted or not learned_little(diagnosis.outcome):
        return counted
    return list(diagnosis.findings)


def plan(diagnosis: Diagnosis, record: Record, index: Index) -> Plan:
    """The changes to try on a program."""
    made = Plan()
    seen: set[tuple[tuple[str, str], ...]] = set()
    for number, finding in enumerate(suspects(diagnosis)):
        for which, remedy in enumerate(_worth(finding)):
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
                            (dose, number, which, form),
                            edit.factor if isinstance(edit, MoreSteps) else 1.0,
                            finding.explained_by))
    made.candidates.sort(key=lambda candidate: candidate.place)
    return made


def _worth(finding: Finding) -> Iterator[Remedy]:
    """The remedies of a finding that have edits, those that repair the program first."""
    able = [remedy for remedy in finding.remedies if remedy.ladder]
    able.sort(key=lambda remedy: remedy.safety is not Safety.SAFE)
    yield from able[:MOST_REMEDIES]


def patched(index: Index, texts: Mapping[str, str]) -> Index:
    """The sources with some texts in place of their own."""
    return Index([Source(name, texts[name]) if name in texts else source
                  for name, source in index.sources.items()], index.argv, sorted(index.cells))
