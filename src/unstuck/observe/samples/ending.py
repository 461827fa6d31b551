"""Reduces the samples that were kept to signals when the program ends."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.ma  # numpy loads it at its first use, when the program may have no descriptor left

from unstuck.observe.limits import Limits
from unstuck.observe.moment import Moment
from unstuck.observe.samples import (
    copies,
    extremes,
    kin,
    labelling,
    mapping,
    more_data,
    noise,
    overlap,
    pairing,
    recall,
    scaling,
    sentinels,
    shift,
    windows,
)
from unstuck.observe.samples.classes import classes_of
from unstuck.observe.samples.copies import write_copies
from unstuck.observe.samples.extremes import write_extremes
from unstuck.observe.samples.kept import Contents, Samples
from unstuck.observe.samples.kin import write_kin
from unstuck.observe.samples.labelling import write_labels
from unstuck.observe.samples.more_data import write_learning_curve
from unstuck.observe.samples.one_thread import one_thread
from unstuck.observe.samples.overlap import Overlap
from unstuck.observe.samples.sentinels import write_sentinels
from unstuck.observe.samples.shift import write_shift
from unstuck.observe.samples.windows import write_windows
from unstuck.observe.source.intent import validates
from unstuck.observe.source.literals import counted, filled
from unstuck.observe.source.sites import Sites
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.data import Kept
from unstuck.schema.facts.sentinels import Filling
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.samples import KEPT_CONSTANT_SHARE

PATIENCE = 1.5  # seconds after which the user learns what takes so long
MOST_SECONDS = 20.0  # after which no further reduction begins; each takes some seconds at most
MOST_SENTINELS = 8  # different ones that are looked for in the program's text
LEAST_SECONDS = 1.0  # for each training, even if those before took all
SIGNALS = (
    KEPT_CONSTANT_SHARE, *copies.SIGNALS, *extremes.SIGNALS, *kin.SIGNALS,
    *labelling.SIGNALS, *mapping.SIGNALS, *more_data.SIGNALS, *noise.SIGNALS, *overlap.SIGNALS,
    *pairing.SIGNALS, *recall.SIGNALS, *scaling.SIGNALS, *sentinels.SIGNALS,
    *shift.SIGNALS, *windows.SIGNALS,
)
WORDS = "unstuck: checking data and labels on the kept samples{} ..."


@dataclass(frozen=True, slots=True)
class Left:
    """What a run leaves for its end.

    `composed` says whether a sample is more than what one call of a model receives first;
    `trained_on` are the hashes of all samples that were trained on; `repeated` says of one pass
    over a loader how many samples came, how many different ones, and the share of these that did
    not come as often as most do; `whole` that all which a model receives at a time tells samples
    apart, and not the first tensor alone.
    """

    contents: Contents
    train: Samples
    composed: bool
    overlap: Overlap
    trained_on: set[float]
    repeated: tuple[int, int, float] | None
    whole: bool


class Allowance:
    """The seconds that are left for this, at the ends of all trainings of a process together."""

    def __init__(self) -> None:
        self.seconds = MOST_SECONDS


def reduce(
    left: Left, sites: Sites, writer: RecordWriter, limits: Limits, moment: Moment,
    allowance: Allowance | None,
) -> None:
    """Writes what the kept samples say. The work is bounded by their number, and by time if there
    is an allowance.

    Raises:
        KeyboardInterrupt: the user interrupted it while the program goes on.
    """
    began = time.monotonic()
    most = math.inf if allowance is None else max(allowance.seconds, LEAST_SECONDS)
    try:
        words = WORDS.format(" (Ctrl-C to skip)" if moment.over else "")
        with one_thread():
            done = _done(_reductions(left, sites, writer, moment.step - 1), most, words)
        if not done:
            limits.note("the checks of data and labels ran out of time, so some were skipped")
    except KeyboardInterrupt:
        limits.note("the checks of data and labels were interrupted, so some were skipped")
        if not moment.over:
            raise
    finally:
        if allowance is not None:
            allowance.seconds -= time.monotonic() - began


def _reductions(
    left: Left, sites: Sites, writer: RecordWriter, step: int
) -> tuple[Callable[[], None], ...]:
    contents, train, seen = left.contents, left.train, left.overlap

    def copied() -> None:
        # Part of a sample may well be the same in many: the anchor of pairs, the state of a game.
        # Two random splits of one data set show where all that a model receives is compared.
        compares = left.whole or not left.composed
        mixed = compares and seen.finish_mixed(writer, left.trained_on, step)
        if not train.discrete and not left.composed:
            write_copies(contents, left.repeated, writer, step)
            write_kin(contents, writer, step)
            write_windows(contents, writer, step)
            if not mixed:
                seen.finish(writer, left.trained_on, train.classified, step,
                            lambda site: validates(sites.location(site)))
        if compares and not mixed:
            seen.finish_mixed(writer, left.trained_on, step, apart=True)

    def kept() -> None:
        place = counted(len(train), sites) if contents.whole else None
        writer.fact(_kept("train", train, place, left.composed, None), step)
        if not train.discrete and train.inputs.size:
            same = np.all(train.inputs == train.inputs[0], axis=0)
            writer.row(KEPT_CONSTANT_SHARE, step, float(same.mean()))
        if contents.held_out is not None or seen.site is not None:
            writer.fact(_kept("held-out", contents.held_out, sites.location(seen.site),
                              left.composed, train), step)

    def filling() -> None:
        values = write_sentinels(train, writer, step)
        for value in np.unique(values[~np.isnan(values)])[:MOST_SENTINELS].tolist():
            place = filled(value, sites)
            if place is not None:
                writer.fact(Filling(*place), step)

    return (
        copied, kept, filling,
        partial(write_labels, contents, left.composed, writer, step),
        partial(write_extremes, train, writer, step),
        partial(write_shift, contents, writer, step),
        partial(write_learning_curve, contents, writer, step),
    )


def _kept(
    role: str, samples: Samples | None, location: SourceLocation | None, composed: bool,
    train: Samples | None,
) -> Kept:
    """What there is of a role; held-out samples, beside those of `train`, count if they stand for
    an evaluation."""
    if samples is None:
        return Kept(role, location, 0, False, False, "", composed)
    targets = "" if samples.targets is None else "classes" if classes_of(samples) else "numbers"
    count = len(samples) if train is None else int(samples.evaluated(train).sum())
    return Kept(role, location, count, samples.discrete,
                      samples.indices is not None, targets, composed)


def _done(reductions: tuple[Callable[[], None], ...], most: float, words: str) -> bool:
    """Runs them in turn; False if `most` seconds have passed before the last.

    A terminal shows a line while it lasts. No thread: none may start while Python ends.
    """
    began, told = time.monotonic(), False
    try:
        for reduction in reductions:
            taken = time.monotonic() - began
            if taken > most:
                return False
            if taken > PATIENCE and not told:
                told = _shown(words)
            reduction()
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
