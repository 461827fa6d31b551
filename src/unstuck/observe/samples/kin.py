"""Whether the held-out samples have near copies among the training samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unstuck.observe.samples.kept import Contents, Rows, Samples
from unstuck.record.series import Floats, Integers
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.samples import KIN_GAP, KIN_SHARE, KIN_SIZE

NEAREST = 48  # neighbours of a sample that are looked at
COMPARED = 128  # samples of either role that are compared with all others
FEATURES = 256  # by which they are
FEWEST = 20  # held-out samples
VISITS = 3  # of a held-out sample
FEWEST_FEATURES = 3  # that vary: on a line neighbours are near by chance
FEWEST_OF_ONE_UNIT = 16
LIKE = 10.0  # times as much as usual the one varies that varies most, if all have one unit
TINY = 1e-12  # a distance that is none
SAME = 0.9  # share of the training samples with as many kin as most, or
MOSTLY = 0.65  # of those with several: of independent samples most have one, and half of them
TORN = 0.2  # share of the samples that have kin, at least,
MOST_KIN = 8  # and none has more; the next
WIDE = 2.0  # of a tenth of independent samples the widest gap is below 1.3, of smooth windows 1.7
APART = 1.5  # times as far off: independent samples have 1.1, those on a grid 1.4
PER_CLASS = 3  # families of a class, at least: else they are the classes
SIGNALS = (KIN_GAP, KIN_SHARE, KIN_SIZE)


@dataclass(frozen=True, slots=True)
class Families:
    """How many kin a sample has, how much further off the next one is, and the share of the
    held-out samples that have kin, some of them trained on. Of torn families `size` is a mean."""

    size: float
    gap: float
    share: float


def write_kin(contents: Contents, writer: RecordWriter, step: int) -> None:
    """Writes what families the samples of both roles fall into, if they do."""
    train, held_out = contents.train, contents.held_out
    if train is None or held_out is None or train.discrete or (
            train.inputs.shape[1] != held_out.inputs.shape[1]):
        return
    mine = train.inputs[np.isfinite(train.inputs).all(1)]
    theirs = held_out.inputs[np.isfinite(held_out.inputs).all(1) & evaluations(held_out, train)]
    if len(theirs) < FEWEST or len(mine) < FEWEST:
        return
    found = families(mine, theirs)
    if found is None:
        return
    classes = len(np.unique(train.targets[:, 0])) if train.class_indices and (
        train.targets is not None) else 1
    if len(mine) + len(theirs) < PER_CLASS * classes * (found.size + 1):
        return
    writer.row(KIN_SIZE, step, found.size)
    writer.row(KIN_GAP, step, found.gap)
    writer.row(KIN_SHARE, step, found.share)


def evaluations(held_out: Samples, train: Samples) -> NDArray[np.bool_]:
    """Which held-out samples stand for an evaluation: also those that are looked at again and
    again, whatever scores them."""
    often = (held_out.steps >= 0).sum(1) >= VISITS
    return np.asarray(held_out.evaluated(train) | often)


@np.errstate(all="ignore")  # numbers may be of any size, and settings are the program's
def families(train: Rows, held_out: Rows) -> Families | None:
    """The families that rows, of shapes (N, F) and (M, F), fall into; None if they fall in none.

    Samples of one source lie near one another, and then comes a gap to all the rest: nearly every
    training sample has it after as many neighbours. Independent samples have no such place.
    """
    both = np.concatenate([train, held_out])
    for compared in (_scaled, _of_one_unit):
        rows = compared(both)
        found = None if rows is None else _families(rows, train, held_out)
        if found is not None:
            return found
    return None


def _families(rows: Floats, train: Rows, held_out: Rows) -> Families | None:
    """Those of rows that can be compared, the training samples first."""
    own, theirs = (
        _neighbours(rows, np.unique(np.linspace(first, last, COMPARED).astype(int)))
        for first, last in ((0, len(train) - 1), (len(train), len(rows) - 1)))
    if not (own.distances[:, 0] > 0).all():
        return None  # copies are told by their hashes
    size = int(np.bincount(own.sizes).argmax())
    alike = (own.sizes == size).mean()
    if alike < SAME and not (1 < size <= MOST_KIN and alike >= MOSTLY):
        return _unequal(own, theirs, len(train)) or _torn(own, theirs, len(train))
    gap = float(np.median(own.gaps[:, size - 1]))
    kin = (theirs.sizes == size) & (theirs.gaps[:, size - 1] > math.sqrt(gap))
    trained = (theirs.order[:, :size] < len(train)).any(1)
    return Families(size, gap, float((kin & trained).mean()))


def _unequal(own: _Neighbours, theirs: _Neighbours, trained: int) -> Families | None:
    """Families of several sizes: nearly every sample has a wide gap, after few neighbours."""
    gaps, sizes = _wide(own)
    if np.quantile(gaps, 1 - SAME) < WIDE:
        return None
    near_gaps, near_sizes = _wide(theirs)
    near = np.arange(theirs.order.shape[1]) < near_sizes[:, None]
    kin = (near & (theirs.order < trained)).any(1) & (near_gaps >= WIDE)
    return Families(float(sizes.mean()), float(np.median(gaps)), float(kin.mean()))


def _wide(rows: _Neighbours) -> tuple[Floats, Integers]:
    """The widest gap behind one of the first neighbours of each row, and behind how many."""
    first = rows.gaps[:, :MOST_KIN]
    return first.max(1), first.argmax(1) + 1


def _torn(own: _Neighbours, theirs: _Neighbours, trained: int) -> Families | None:
    """Families of which some samples were not kept, or never came: they differ in their size.

    No distance of all that were measured lies in the gap between kin and others.
    """
    distances = np.concatenate([own.distances, theirs.distances])
    every = np.unique(distances[distances > TINY])
    ratios = every[1:] / every[:-1]
    # As many samples must have kin, and few others may be among the nearest.
    least = np.quantile(distances[:, 0], TORN)
    most = np.quantile(distances[:, MOST_KIN], TORN)
    between = np.flatnonzero((every[:-1] >= least) & (every[1:] <= most))
    if not len(between):
        return None
    at = between[ratios[between].argmax()]
    if ratios[at] < APART:
        return None
    kin = distances <= every[at]
    near = theirs.distances <= every[at]
    return Families(float(kin.sum(1).mean()), float(ratios[at]),
                    float((near & (theirs.order < trained)).any(1).mean()))


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """The nearest rows of some rows, (P, NEAREST + 1), and after how many the largest gap comes."""

    order: Integers
    distances: Floats
    gaps: Floats  # how many times as far off the next one is
    sizes: Integers


def _neighbours(rows: Floats, picked: Integers) -> _Neighbours:
    squares = (rows ** 2).sum(1)
    near = squares[picked, None] + squares - 2 * rows[picked] @ rows.T
    near[np.arange(len(picked)), picked] = np.inf
    order = np.argsort(near, axis=1)[:, :NEAREST + 1]
    distances = np.sqrt(np.maximum(np.take_along_axis(near, order, axis=1), 0.0))
    gaps = distances[:, 1:] / np.maximum(distances[:, :-1], TINY)
    return _Neighbours(order, distances, gaps, gaps.argmax(1) + 1)


def _scaled(rows: Rows) -> Floats | None:
    """Features of equal spread, of those that vary; None if these are too few."""
    picked, spread = _varying(rows)
    if len(picked) < FEWEST_FEATURES:
        return None
    return np.asarray(rows[:, picked] / spread[picked], dtype=np.float64)


def _of_one_unit(rows: Rows) -> Floats | None:
    """Features as they are, such as the pixels of a picture: at its borders, where nothing varies
    but the noise of the copies, this would count as much as anything. None if they are no such."""
    picked, spread = _varying(rows)
    if len(picked) < FEWEST_OF_ONE_UNIT or (
            spread[picked].max() > LIKE * float(np.median(spread[picked]))):
        return None
    return np.asarray(rows[:, picked] / spread[picked].max(), dtype=np.float64)


def _varying(rows: Rows) -> tuple[Integers, Floats]:
    """Some of the features that vary, and the standard deviation of all."""
    spread = rows.std(0)
    varying = np.flatnonzero(np.isfinite(spread) & (spread > 1e-6 * np.abs(rows).max(0)))
    if not len(varying):
        return varying, spread
    return varying[np.unique(np.linspace(
        0, len(varying) - 1, min(FEATURES, len(varying))).astype(int))], spread
