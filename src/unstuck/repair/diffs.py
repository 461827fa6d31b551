"""The remedies of a diagnosis as changes of the user's own text."""

from __future__ import annotations

import ast
import os
import shlex
from dataclasses import replace
from pathlib import Path

from unstuck.record.reader import Record
from unstuck.repair.cannot import CannotWrite, Reason
from unstuck.repair.compose import Overlay, compose, unified_diff
from unstuck.repair.index import Index
from unstuck.repair.notebook import notebook_of
from unstuck.repair.patch import Form, Patch
from unstuck.repair.program import load
from unstuck.repair.write import write
from unstuck.schema.edits import Remedy
from unstuck.schema.facts.run import Program
from unstuck.schema.findings import Diagnosis, Present
from unstuck.schema.places import SourceLocation
from unstuck.words import joined


def with_diffs(diagnosis: Diagnosis, record: Record, root: str | None = None) -> Diagnosis:
    """The diagnosis whose remedies have their first dose as a diff, where it can be written.

    The cells of a notebook that lies in the folder are sources, too. What was typed on the command
    line becomes a new command line, and what lies in a library's text an instruction. A remark
    names files that have changed since they ran: they have no diff.

    Args:
        diagnosis: of that record.
        record: of a watched run. If its program's text was not to be kept, nothing is written.
        root: the folder that the diffs' paths are relative to, by default the current one.
    """
    program = record.fact(Program)
    if program is None or not program.argv or not diagnosis.findings:
        return diagnosis
    folder = root or os.getcwd()
    loaded = load(record)
    index, changed = loaded.index, list[str]()
    whole = bool(loaded.files) and not loaded.refused

    def diff(overlay: Overlay) -> str:
        return unified_diff(overlay, index, folder)

    book = notebook_of(record, Path(folder))
    if book is not None:
        index, diff, whole = book.index, book.diff, True

    patches: dict[Remedy, Patch] = {}

    def written(remedy: Remedy) -> Remedy:
        if remedy.diff is not None or not remedy.ladder:
            return remedy
        found = write(remedy.ladder[0], record, index)
        if not isinstance(found, CannotWrite):
            patches[remedy] = found[0]
            together = compose([found[0]], index)
            return replace(remedy, diff=diff(together)) if isinstance(
                together, Overlay) else remedy
        if found.reason is Reason.TEXT_DIFFERS:
            changed.extend(sorted(index.changed))
        elif found.reason is Reason.TYPED:
            return replace(remedy, instruction=found.words,
                           code_text=f"python {shlex.join(found.command)}")
        elif found.reason is Reason.NO_TEXT and whole:
            return replace(remedy, instruction=found.words)
        return remedy

    def drawn(present: Present) -> Present:
        remedies = tuple(map(written, present.remedies))
        first = next((patches[each] for each in present.remedies
                      if each in patches), None) if present.of_value else None
        at = (first.at or _replaced(first, index)) if first is not None else None
        return replace(present, remedies=remedies, location=at or present.location)

    findings = tuple(
        replace(finding, present=drawn(finding.present)) for finding in diagnosis.findings)
    if changed:
        names = joined(os.path.basename(name) for name in dict.fromkeys(changed))
        have = "has" if len(set(changed)) == 1 else "have"
        remark = (f"{names} {have} changed since this run, so fixes are shown without their diffs; "
                  "run the program again to see them")
        diagnosis = replace(diagnosis, remarks=(*diagnosis.remarks, remark))
    return replace(diagnosis, findings=findings)


def _replaced(patch: Patch, index: Index) -> SourceLocation | None:
    """What a patch replaces, or the call that it adds to, if it is a part of a single line."""
    splices = sorted(patch.splices, key=lambda splice: splice.start)
    if patch.form is Form.STATEMENT or len({splice.file for splice in splices}) != 1:
        return None
    source = index.sources[splices[0].file]
    start, end = splices[0].start, splices[-1].end
    if not all(splice.start < splice.end for splice in splices):
        if patch.form is Form.MODEL:
            return None  # what is missing has no place
        calls = [source.span(node) for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
        around = [span for span in calls if span[0] < start and end < span[1]]
        if not around:
            return None
        start, end = min(around, key=lambda span: span[1] - span[0])
    found = source.location(start, end)
    return found if found.line == found.end_line else None
