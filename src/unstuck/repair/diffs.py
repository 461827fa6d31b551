"""The remedies of a diagnosis as changes of the user's own text."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace

from unstuck.record.reader import Record
from unstuck.repair.cannot import CannotWrite, Reason
from unstuck.repair.compose import Overlay, compose, unified_diff
from unstuck.repair.program import Loaded, load
from unstuck.repair.write import write
from unstuck.schema.edits import Remedy
from unstuck.schema.facts.run import Program
from unstuck.schema.findings import Diagnosis
from unstuck.words import joined


def with_diffs(diagnosis: Diagnosis, record: Record, root: str | None = None) -> Diagnosis:
    """The diagnosis whose remedies have their first dose as a diff, where it can be written.

    What was typed on the command line becomes a new command line, and what lies in a library's text
    an instruction. A remark names files that have changed since they ran: they have no diff.

    Args:
        diagnosis: of that record.
        record: of a watched run. If its program's text was not to be kept, nothing is written.
        root: the folder that the diffs' paths are relative to, by default the current one.
    """
    program = record.fact(Program)
    if program is None or not program.argv or not diagnosis.findings:
        return diagnosis
    loaded = load(record)
    changed: list[str] = []
    findings = tuple(
        replace(finding, present=replace(finding.present, remedies=tuple(
            _written(remedy, record, loaded, root or os.getcwd(), changed)
            for remedy in finding.remedies)))
        for finding in diagnosis.findings)
    if changed:
        names = joined(os.path.basename(name) for name in dict.fromkeys(changed))
        have = "has" if len(set(changed)) == 1 else "have"
        remark = (f"{names} {have} changed since this run, so fixes are shown without their diffs; "
                  "run the program again to see them")
        diagnosis = replace(diagnosis, remarks=(*diagnosis.remarks, remark))
    return replace(diagnosis, findings=findings)


def _written(
    remedy: Remedy, record: Record, loaded: Loaded, root: str, changed: list[str]
) -> Remedy:
    index = loaded.index
    if remedy.diff is not None or not remedy.ladder:
        return remedy
    written = write(remedy.ladder[0], record, index)
    if not isinstance(written, CannotWrite):
        together = compose([written[0]], index)
        return replace(remedy, diff=unified_diff(together, index, root)) if isinstance(
            together, Overlay) else remedy
    if written.reason is Reason.TEXT_DIFFERS:
        changed += sorted(index.changed)
    elif written.reason is Reason.TYPED:
        return replace(remedy, instruction=written.words,
                       code_text=f"python {shlex.join(written.command)}")
    elif written.reason is Reason.NO_TEXT and loaded.files and not loaded.refused:
        return replace(remedy, instruction=written.words)
    return remedy
