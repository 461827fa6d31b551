"""The processes of one launch: which of them saw another training than the first one did."""

from __future__ import annotations

import math
import re
from pathlib import Path

from unstuck.record.reader import Record, UnusableRecord, read_record
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.words import count

_RANK = re.compile(r"rank-(\d+)")
MOST = 1_000  # records of a launch that are read
FEW_STEPS = 0.9  # share of the first one's steps below which another has done fewer


def differing(own: Path) -> list[str]:
    """A sentence for each rank whose training went otherwise than that in the record `own`.

    Each rank has a folder beside it. What the others have written so far is all that is read: no
    process waits for another.
    """
    if _RANK.fullmatch(own.name) is None:
        return []
    first = read_record(own)
    said: list[str] = []
    for folder in sorted(own.parent.glob("rank-*"), key=lambda path: (len(path.name), path.name)):
        match = _RANK.fullmatch(folder.name)
        if match is None or folder == own or len(said) >= MOST:
            continue
        try:
            found = _difference(first, read_record(folder))
        except (UnusableRecord, OSError):
            continue  # it was not watched, or has written nothing yet
        if found is not None:
            said.append(f"rank {match[1]} went another way than rank 0: {found}")
    return said


def _difference(first: Record, other: Record) -> str | None:
    ours, theirs = _broke(first), _broke(other)
    if theirs is not None and ours is None:
        return f"its loss is not finite since step {theirs:,}"
    if ours is not None and theirs is None:
        return f"its loss is finite, and that of rank 0 is not since step {ours:,}"
    if other.steps < FEW_STEPS * first.steps or first.steps < FEW_STEPS * other.steps:
        return f"it took {count(other.steps, 'step')}, and rank 0 {first.steps:,}"
    return None


def _broke(record: Record) -> int | None:
    """The first step from which on no loss is finite."""
    since = None
    if not record.measured(TRAIN_LOSS):
        return None
    curve = record.series(TRAIN_LOSS)
    for step, value in zip(curve.steps.tolist(), curve.values.tolist(), strict=True):
        if math.isfinite(value):
            since = None
        elif since is None:
            since = int(step)
    return since
