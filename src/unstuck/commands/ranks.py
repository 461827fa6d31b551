"""The processes of one launch: which of them saw another training than the first one did."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from unstuck.record.reader import Record, UnusableRecord, read_record
from unstuck.record.series import Floats, Integers, PlaceSeries, Series
from unstuck.schema.signals.losses import TRAIN_LOSS
from unstuck.schema.signals.parameters import WEIGHT_NORM
from unstuck.words import count, number

_PROCESS = re.compile(r"(rank|process)-(\d+)")
MOST = 1_000  # records of a launch that are read
FEW_STEPS = 0.9  # share of the first one's steps below which another has done fewer
SAME_WEIGHTS = 1e-5  # relative difference of norms up to which weights count as equal
OTHER_WEIGHTS = 1e-3  # and from which on they count as different
SAME_BATCHES = 20  # steps with the same loss, to the last digit, that are no chance


def differing(own: Path) -> list[str]:
    """A sentence for each rank whose training went otherwise than that in the record `own`.

    Each rank has a folder beside it. What the others have written so far is all that is read: no
    process waits for another. Processes that the program spawned itself may train models of their
    own: of them only what is wrong in that case, too, is said.
    """
    named = _PROCESS.fullmatch(own.name)
    if named is None:
        return []
    kind, number_here = named[1], named[2]
    first = read_record(own)
    said: list[str] = []
    for folder in sorted(
        own.parent.glob(f"{kind}-*"), key=lambda path: (len(path.name), path.name)
    ):
        match = _PROCESS.fullmatch(folder.name)
        if match is None or folder == own or len(said) >= MOST:
            continue
        try:
            found = _difference(first, read_record(folder), f"{kind} {number_here}")
        except (UnusableRecord, OSError):
            continue  # it was not watched, or has written nothing yet
        if found is not None:
            said.append(f"{kind} {match[2]} {found}")
    return said


def _difference(first: Record, other: Record, called: str) -> str | None:
    """What a process does that the first one, `called` so, does not, or should not do as well."""
    way = f"went another way than {called}:"
    ours, theirs = _broke(first), _broke(other)
    if theirs is not None and ours is None:
        return f"{way} its loss is not finite since step {theirs:,}"
    if ours is not None and theirs is None:
        return f"{way} its loss is finite, and that of {called} is not since step {ours:,}"
    launched = called.startswith("rank")
    if launched and min(other.steps, first.steps) < FEW_STEPS * max(other.steps, first.steps):
        return f"{way} it took {count(other.steps, 'step')}, and {called} {first.steps:,}"
    if not (first.measured(WEIGHT_NORM) and other.measured(WEIGHT_NORM)):
        return None
    norms, others = first.series(WEIGHT_NORM), other.series(WEIGHT_NORM)
    if not _begin_equal(norms, others):
        return None  # each holds a part of the weights, or they train models of their own
    parted = _parted(norms, others) if launched else None
    if parted is not None:
        step, name, here, there = parted
        return (f"{way} their weights were equal and differ since step {step:,} ({name}: norm "
                f"{number(there)} and {number(here)}), so the gradients are not averaged. If they "
                "train one model, call what DistributedDataParallel returned")
    same = _same_batches(first, other)
    if same:
        return (f"trains on the same batches as {called}: their losses are equal at all {same:,} "
                "steps that were compared. Give each its own share: "
                "DataLoader(sampler=DistributedSampler(dataset))")
    return None


def _begin_equal(norms: PlaceSeries, others: PlaceSeries) -> bool:
    """Whether the ranks hold the same parameters, with the same weights at the beginning.

    Where each holds a shard, the shards of a matrix have norms of their own.
    """
    return norms.keys() == others.keys() and all(
        len(shared) > 0 and _apart(ours[0], theirs[0]) <= SAME_WEIGHTS
        for shared, ours, theirs in (_shared(norms[name], others[name]) for name in norms))


def _parted(
    norms: PlaceSeries, others: PlaceSeries
) -> tuple[int, str, float, float] | None:
    """The first step at which a parameter's norms differ, its name, and both norms then.

    They have parted if they are not equal again: weights that are averaged now and then are.
    """
    found = []
    for name in norms:
        steps, ours, theirs = _shared(norms[name], others[name])
        apart = [_apart(a, b) >= OTHER_WEIGHTS for a, b in zip(ours, theirs, strict=True)]
        if apart[-1]:
            i = apart.index(True)
            if all(apart[i:]):
                found.append((int(steps[i]), name, float(ours[i]), float(theirs[i])))
    return min(found, key=lambda each: each[0], default=None)


def _same_batches(first: Record, other: Record) -> int:
    """How many steps had the same loss, to the last digit; 0 if another one had not."""
    if not (first.measured(TRAIN_LOSS) and other.measured(TRAIN_LOSS)):
        return 0
    steps, ours, theirs = _shared(first.series(TRAIN_LOSS), other.series(TRAIN_LOSS))
    same = len(np.unique(ours)) >= SAME_BATCHES and np.array_equal(ours, theirs)
    return len(steps) if same else 0


def _shared(one: Series, other: Series) -> tuple[Integers, Floats, Floats]:
    """The steps that both have, and the values of each."""
    steps, here, there = np.intersect1d(one.steps, other.steps, return_indices=True)
    return steps, one.values[here], other.values[there]


def _apart(a: float, b: float) -> float:
    """The relative difference of two norms; 0 if both are not finite."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return 0.0
    return abs(a - b) / max(abs(a), abs(b), 1e-12)


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
