"""Reduces the samples that were kept to signals when the program ends."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING

from unstuck import facts
from unstuck.facts import EndKind
from unstuck.observe.probes.copies import write_copies
from unstuck.observe.probes.extremes import write_extremes
from unstuck.observe.probes.labelling import write_labels
from unstuck.observe.probes.more_data import write_learning_curve
from unstuck.observe.probes.shift import write_shift
from unstuck.observe.reservoir import Contents, Samples

if TYPE_CHECKING:
    from unstuck.observe.watcher import Watcher

PATIENCE = 2.0  # seconds after which the user is told what takes so long


def reduce(watcher: Watcher, kind: EndKind) -> None:
    """Writes what the kept samples say. The work is bounded by their number.

    Not after Ctrl-C: whoever interrupts a program wants it to end.
    """
    if kind is EndKind.INTERRUPTED or not watcher.step:
        return
    contents = watcher.reservoir.contents()
    if contents.train is None:
        return
    try:
        _write(watcher, contents, contents.train, max(watcher.step - 1, 0))
    finally:
        watcher.reservoir.clear()


def _write(watcher: Watcher, contents: Contents, train: Samples, step: int) -> None:
    """Each probe in turn."""
    writer, overlap = watcher.writer, watcher.samples.overlap
    patience = _Patience()
    write_extremes(train, writer, step)
    patience.check()
    write_shift(contents, writer, step)
    patience.check()
    write_learning_curve(contents, writer, step)
    patience.check()
    write_labels(contents, watcher.samples.composed, writer, step)
    patience.check()
    # Part of a sample may well be the same in many: the anchor of pairs, the state of a game.
    if not train.discrete and not watcher.samples.composed:
        write_copies(contents, writer, step)
        overlap.finish(writer, watcher.samples.trained_on, train.class_indices, step)
    held_out = contents.held_out
    writer.fact(facts.Kept("train", None, len(train), train.discrete,
                           train.indices is not None), step)
    if held_out is not None or overlap.site is not None:
        writer.fact(facts.Kept(
            "held-out", watcher.sites.location(overlap.site), len(held_out or ()),
            train.discrete, held_out is not None and held_out.indices is not None), step)


class _Patience:
    """Tells the user once what takes so long. No thread: none may start while Python ends."""

    def __init__(self) -> None:
        self._until = time.monotonic() + PATIENCE

    def check(self) -> None:
        """To be called now and then."""
        if time.monotonic() > self._until:
            self._until = math.inf
            print("unstuck: looking at the samples that were kept ...", file=sys.stderr)
