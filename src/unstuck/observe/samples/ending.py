"""Reduces the samples that were kept to signals when the program ends."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from unstuck.observe.samples.classes import classes_of
from unstuck.observe.samples.copies import write_copies
from unstuck.observe.samples.extremes import write_extremes
from unstuck.observe.samples.kept import Contents, Samples
from unstuck.observe.samples.labelling import write_labels
from unstuck.observe.samples.more_data import write_learning_curve
from unstuck.observe.samples.shift import write_shift
from unstuck.observe.source.intent import validates
from unstuck.schema.facts.data import Kept
from unstuck.schema.facts.run import EndKind
from unstuck.schema.places import SourceLocation
from unstuck.schema.sample_signals import KEPT_CONSTANT_SHARE

if TYPE_CHECKING:
    from unstuck.observe.watcher import Watcher

PATIENCE = 1.5  # seconds after which the user learns what takes so long
MOST_SECONDS = 20.0  # after which no further probe begins; each takes some seconds at most
WORDS = "unstuck: checking data and labels on the kept samples (Ctrl-C to skip) ..."


def reduce(watcher: Watcher, kind: EndKind) -> None:
    """Writes what the kept samples say. The work is bounded by their number and, unless the
    whole looking is asked for, by time.

    Not after Ctrl-C: whoever interrupts a program wants it to end.
    """
    if kind is EndKind.INTERRUPTED or not watcher.step:
        return
    contents = watcher.reservoir.contents()
    if contents.train is None:
        return
    try:
        probes = _probes(watcher, contents, contents.train, max(watcher.step - 1, 0))
        if not _done(probes, MOST_SECONDS if watcher.budget.timed else math.inf):
            watcher.limited("the checks of data and labels ran out of time, so some were skipped")
    except KeyboardInterrupt:
        watcher.limited(
            "the checks of data and labels were interrupted, so some were skipped")
    finally:
        watcher.reservoir.clear()


def _probes(
    watcher: Watcher, contents: Contents, train: Samples, step: int
) -> tuple[Callable[[], None], ...]:
    writer, overlap = watcher.writer, watcher.samples.overlap
    composed = watcher.samples.composed

    def copies() -> None:
        # Part of a sample may well be the same in many: the anchor of pairs, the state of a game.
        if not train.discrete and not composed:
            write_copies(contents, writer, step)
            overlap.finish(writer, watcher.samples.trained_on, train.class_indices, step,
                           lambda site: validates(watcher.sites.location(site)))

    def kept() -> None:
        writer.fact(_kept("train", train, None, composed), step)
        if not train.discrete and train.inputs.size:
            same = np.all(train.inputs == train.inputs[0], axis=0)
            writer.row(KEPT_CONSTANT_SHARE, step, float(same.mean()))
        if contents.held_out is not None or overlap.site is not None:
            writer.fact(_kept("held-out", contents.held_out,
                              watcher.sites.location(overlap.site), composed), step)

    return (
        copies, kept,
        partial(write_labels, contents, composed, writer, step),
        partial(write_extremes, train, writer, step),
        partial(write_shift, contents, writer, step),
        partial(write_learning_curve, contents, writer, step),
    )


def _kept(
    role: str, samples: Samples | None, location: SourceLocation | None, composed: bool
) -> Kept:
    if samples is None:
        return Kept(role, location, 0, False, False, "", composed)
    targets = "" if samples.targets is None else "classes" if classes_of(samples) else "numbers"
    # A classifier may be scored by its accuracy alone, which no loss function sees.
    judged = role == "train" or samples.class_indices
    count = len(samples) if judged else int(samples.scored.sum())
    return Kept(role, location, count, samples.discrete,
                      samples.indices is not None, targets, composed)


def _done(probes: tuple[Callable[[], None], ...], most: float) -> bool:
    """Runs the probes in turn; False if `most` seconds have passed before the last.

    A terminal shows a line while it lasts. No thread: none may start while Python ends.
    """
    began, told = time.monotonic(), False
    try:
        for probe in probes:
            taken = time.monotonic() - began
            if taken > most:
                return False
            if taken > PATIENCE and not told:
                told = _shown(WORDS)
            probe()
        return True
    finally:
        if told:
            _shown("\r\x1b[2K")


def _shown(text: str) -> bool:
    """Writes to the terminal, if standard error is one; an object of the program's gets nothing."""
    try:
        if sys.stderr is None or sys.stderr is not sys.__stderr__ or not os.isatty(2):
            return False
        os.write(2, text.encode())
    except OSError:
        return False
    return True
