"""Whether held-out samples are windows of a series that overlap windows that were trained on."""

from __future__ import annotations

import numpy as np

from unstuck.observe.samples.kept import Contents, Rows
from unstuck.observe.samples.kin import evaluations
from unstuck.record.series import Floats
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.samples import WINDOW_OVERLAP

RUN = 6  # numbers in a row: that many do not come again by chance
FEATURES = 512  # of a sample that are looked at, from the first on
FEWEST_FEATURES = 12
FEWEST = 20  # held-out samples
DISTINCT = 64  # numbers, at least, in
ROWS = 100  # rows: of fewer kinds, six in a row may well come again
FEWEST_RUNS = 4  # of a sample
MOST = 0.5  # of a sample's runs
SIGNALS = (WINDOW_OVERLAP,)


def write_windows(contents: Contents, writer: RecordWriter, step: int) -> None:
    """Writes the share of held-out samples most of which lies in training samples, elsewhere."""
    train, held_out = contents.train, contents.held_out
    if train is None or held_out is None or train.discrete or not (
            train.features == held_out.features == train.inputs.shape[1]
            == held_out.inputs.shape[1]):
        return
    theirs = held_out.inputs[evaluations(held_out, train)]
    if len(theirs) >= FEWEST:
        shares = overlaps(train.inputs, theirs)
        if len(shares) >= FEWEST:
            writer.row(WINDOW_OVERLAP, step, float((shares >= MOST).mean()))


def overlaps(train: Rows, held_out: Rows) -> Floats:
    """Of held-out rows, (M, F), the shares of their runs that training rows, (N, F), hold as well.

    A run is of numbers in a row, no two neighbours of which are equal. It counts where it lies at
    another place in the other row: what is at the same place may be common to a group of samples.
    Rows with hardly a run are left out.
    """
    if train.shape[1] < FEWEST_FEATURES or len(np.unique(train[:ROWS])) < DISTINCT:
        return np.zeros(0)
    known, there = _runs(train)
    places = np.broadcast_to(np.arange(known.shape[1]), known.shape)[there]
    order = np.argsort(known[there], kind="stable")
    runs, first = np.unique(known[there][order], return_index=True)
    if not len(runs):
        return np.zeros(0)
    places = places[order]
    low, high = np.minimum.reduceat(places, first), np.maximum.reduceat(places, first)
    asked, valid = _runs(held_out)
    at = np.minimum(np.searchsorted(runs, asked), len(runs) - 1)
    here = np.arange(asked.shape[1])
    found = valid & (runs[at] == asked) & ((low[at] != here) | (high[at] != here))
    counts = valid.sum(1)
    kept = counts >= FEWEST_RUNS
    return np.asarray(found.sum(1)[kept] / counts[kept], dtype=np.float64)


def _runs(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """A mark for each run of each row, (N, F - RUN + 1), and which of them change all the time."""
    bits = np.ascontiguousarray(rows[:, :FEATURES], dtype=np.float32).view(np.uint32)
    width = bits.shape[1] - RUN + 1
    marks = np.zeros((len(bits), width), dtype=np.uint64)
    for k in range(RUN):
        marks = marks * np.uint64(0x9E3779B97F4A7C15) + bits[:, k:k + width]
        marks ^= marks >> np.uint64(29)
    same = np.cumsum(np.pad(bits[:, 1:] == bits[:, :-1], ((0, 0), (1, 0))), axis=1)
    return marks, same[:, RUN - 1:] == same[:, :width]
