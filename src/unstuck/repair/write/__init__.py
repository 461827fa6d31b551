"""Writes edits: for each kind of edit the patches that make it, the safest form first.

A module here writes the edits of one subject, and says in WRITERS which. No list names the modules.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from unstuck.record.reader import Record
from unstuck.repair.cannot import CannotWrite, Reason, Refused
from unstuck.repair.compose import Overlay, compose
from unstuck.repair.index import Index
from unstuck.repair.patch import Patch
from unstuck.schema.edits import Edit

Writer = Callable[[Any, Record, Index], list[Patch]]


@cache
def writers() -> Mapping[type[Edit], Writer]:
    """The writer of each kind of edit."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return {
        kind: writer for name in names
        for kind, writer in importlib.import_module(f"{__name__}.{name}").WRITERS.items()
    }


def write(edit: Edit, record: Record, index: Index) -> list[Patch] | CannotWrite:
    """The patches that make an edit of the program whose record this is, at least one."""
    writer = writers().get(type(edit))
    if writer is None:
        return CannotWrite(Reason.BY_HAND, f"This cannot be written as a patch: {edit.words()}.")
    try:
        patches = writer(edit, record, index)
    except Refused as refused:
        return refused.cannot
    valid = []
    for patch in dict.fromkeys(patches):
        together = compose([patch], index)
        if isinstance(together, Overlay) and together.texts:
            valid.append(patch)
    if not valid:
        return CannotWrite(Reason.UNKNOWN_FORM, "The program is written in a way that this change "
                           f"has no form for: {edit.words()}.")
    return valid
