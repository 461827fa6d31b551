"""The remedies of a diagnosis as changes of the user's own text."""

from __future__ import annotations

import os
from dataclasses import replace

from unstuck.record.reader import Record
from unstuck.repair.cannot import CannotWrite
from unstuck.repair.compose import Overlay, compose, unified_diff
from unstuck.repair.index import Index
from unstuck.repair.program import load
from unstuck.repair.write import write
from unstuck.schema.edits import Remedy
from unstuck.schema.facts.run import Program
from unstuck.schema.findings import Diagnosis


def with_diffs(diagnosis: Diagnosis, record: Record) -> Diagnosis:
    """The diagnosis whose remedies have their first dose as a diff, where it can be written.

    None has one where the program's text was not to be kept, or has changed since it ran.
    """
    program = record.fact(Program)
    if program is None or not program.argv:  # the user wants no program text anywhere
        return diagnosis
    index = load(record).index
    return replace(diagnosis, findings=tuple(
        replace(finding, present=replace(finding.present, remedies=tuple(
            replace(remedy, diff=_diff(remedy, record, index)) if remedy.diff is None else remedy
            for remedy in finding.remedies)))
        for finding in diagnosis.findings))


def _diff(remedy: Remedy, record: Record, index: Index) -> str | None:
    written = write(remedy.ladder[0], record, index) if remedy.ladder else ()
    if isinstance(written, CannotWrite) or not written:
        return None
    together = compose([written[0]], index)
    return unified_diff(together, index, os.getcwd()) if isinstance(together, Overlay) else None
