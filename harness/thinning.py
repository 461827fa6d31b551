"""Close looks left out on purpose, as a slow machine leaves them out.

The first looks are always taken. Whether a later one is depends on how long it would last, so every
choice of them is one that some machine makes: a verdict must hold for each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from itertools import pairwise

from unstuck.observe.sampling import Budget
from unstuck.record.reader import LOOKED
from unstuck.record.schedule import LIMITS
from unstuck.schema import signals
from unstuck.schema.signals import (
    batches,
    checkpoints,
    losses,
    mapping,
    modes,
    pairs,
    parameters,
    rebuilt,
    samples,
    scores,
    sentinels,
    stored,
)

# Whether the look of this number, counted from 0 after those of the first steps, is taken.
Keep = Callable[[int], bool]


def half(seed: int) -> Keep:
    """A random half."""
    return lambda look: hashlib.sha256(f"{seed} {look}".encode()).digest()[0] % 2 == 0


PATTERNS: dict[str, Keep] = {
    "none": lambda look: False,
    "the second of two": lambda look: look % 2 == 1,
    "the first of two": lambda look: look % 2 == 0,
    "one in three": lambda look: look % 3 == 2,
    "one in five": lambda look: look % 5 == 0,
    "the first three": lambda look: look < 3,
    "all but three": lambda look: look >= 3,
    "all but six": lambda look: look >= 6,
    **{f"half {seed}": half(seed) for seed in range(6)},
}

_LOOKED = {signal.name for signal in LOOKED}
# Written whether a step is looked at closely or not; so is what the kept samples say at the end.
_ALWAYS = {
    losses.TRAIN_LOSS, losses.HELD_OUT_LOSS, losses.HELD_OUT_AGAIN, losses.LEFT_OUT_LOSSES,
    losses.SEEN_LOSS, losses.METRIC, losses.LEARNING_RATE, parameters.CLIP_NORM,
    modes.TRAIN_IN_VALIDATION,
    batches.SAME_BATCH, batches.STORED_BATCHES, batches.COPIED_GENERATORS,
}
CLOSE = frozenset(
    signal.name for signal in signals.ALL
    if signal not in _ALWAYS and not any(signal in vars(whole).values() for whole in (
        checkpoints, mapping, pairs, rebuilt, samples, scores, sentinels, stored))
)


def thin_looks(pattern: str | None) -> None:
    """From now on close looks of this process follow a pattern; for the child only."""
    if pattern is None:
        return
    keep, taken = PATTERNS[pattern], iter(range(10**9))
    Budget._affordable = lambda self: keep(next(taken))  # type: ignore[method-assign]


def thinned(lines: Iterable[str], pattern: str) -> list[str]:
    """The lines of a record that was made by the whole schedule, less the looks left out."""
    keep = PATTERNS[pattern]
    events = [json.loads(line) for line in lines]
    looked = sorted({
        event["step"] for event in events if event["type"] == "sample"
        and event["signal"] in _LOOKED and event["step"] >= LIMITS.full_steps})
    # Several optimizers are each looked at in turn: the steps of one look follow each other. The
    # step after it may tell of it, too.
    number, left_out = -1, set()
    for before, step in pairwise([-1, *looked]):
        number += step > before + 1
        if not keep(number):
            left_out |= {step, step + 1}
    kept = []
    for event in events:
        if not _steps(event):
            kept.append(event)
        elif event["type"] == "step":
            rows = [row for row in event["rows"] if row[0] not in left_out]
            kept += [{**event, "rows": rows}] if rows else []
        elif event["step"] not in left_out:
            kept.append(event)
    return [json.dumps(event) + "\n" for event in kept]


def _steps(event: dict[str, object]) -> list[int]:
    """The steps of which an event tells what only a close look shows."""
    if event["type"] not in ("step", "sample") or event["signal"] not in CLOSE:
        return []
    if event["type"] == "sample":
        return [event["step"]]  # type: ignore[list-item]
    return [row[0] for row in event["rows"]]  # type: ignore[attr-defined]
