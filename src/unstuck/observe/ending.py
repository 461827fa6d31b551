"""Reduces the samples that were kept to signals when the program ends."""

from __future__ import annotations

import sys
from threading import Timer
from typing import TYPE_CHECKING

from unstuck.facts import EndKind

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
    line = Timer(PATIENCE, _say)
    line.daemon = True
    line.start()
    try:
        pass  # each probe: its function of (contents, watcher.writer, watcher.step)
    finally:
        line.cancel()


def _say() -> None:
    print("unstuck: looking at the samples that were kept ...", file=sys.stderr, flush=True)
