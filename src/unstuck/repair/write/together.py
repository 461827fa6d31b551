"""Several edits as one."""

from __future__ import annotations

from unstuck.record.reader import Record
from unstuck.repair.cannot import CannotWrite, Reason, Refused
from unstuck.repair.compose import Conflict, compose
from unstuck.repair.index import Index
from unstuck.repair.patch import Patch
from unstuck.repair.write import write
from unstuck.schema.edits import Together


def write_together(edit: Together, record: Record, index: Index) -> list[Patch]:
    """The first form of each edit."""
    parts: list[Patch] = []
    if not edit.edits:
        raise Refused(Reason.UNKNOWN_FORM, "There is nothing to change.")
    for each in edit.edits:
        written = write(each, record, index)
        if isinstance(written, CannotWrite):
            raise Refused(written.reason, written.words)
        parts.append(written[0])
    together = compose(parts, index)
    if isinstance(together, Conflict):
        return []
    return [Patch(
        edit, tuple(dict.fromkeys(s for part in parts for s in part.splices)), parts[0].form,
        tuple(dict.fromkeys(need for part in parts for need in part.needs)),
        tuple(check for part in parts for check in part.checks))]


WRITERS = {Together: write_together}
