"""Of the rows of the variable that training takes its batches from: how many are never trained on,
and how many are copies."""

from __future__ import annotations

from collections import Counter

import torch

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.outline import OutlineProbe
from unstuck.observe.probes.samples import SampleProbe
from unstuck.observe.samples.near import near_copies
from unstuck.schema.signals.drawing import ROW_COPIES, ROW_UNEVENNESS, ROWS_LEFT_OUT
from unstuck.schema.signals.samples import NEAR_COPIES

MOST_ROWS = 200_000
MOST_NUMBERS = 5_000_000  # of the rows together, among which copies are looked for
ROUNDS = 2  # batches looked at bring so many rows for each of the variable, by then
COMPARED = 5_000  # rows, of which it is told how many are nearly equal
LATER = 60  # steps after which copies are counted again,
ALIKE = 0.5  # where such a share of them are of one row
LEFT = 0.25  # of the rows, or too few to look for
KNOWN = 0.95  # of what was trained on is in the variable, or it is not where batches come from


class CoverageProbe(Probe):
    """Looks for the rows of the variable among what was trained on, less and less often."""

    signals = (NEAR_COPIES, ROW_COPIES, ROW_UNEVENNESS, ROWS_LEFT_OUT)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._outline = context.probe(OutlineProbe)
        self._samples = context.probe(SampleProbe)
        self._next = 0
        self._again = 0  # the step at which copies are counted
        self._written = False
        self._rows: int | None = None  # a hash of all, when they were first looked for

    def look_ended(self, step: int) -> None:
        """Compares them, once enough batches have been hashed."""
        counts = not self._written and step >= self._again
        if step < self._next and not counts:
            return
        table = self._outline.trained_from()
        rows = len(table) if table is not None else 0
        hashed, different = self._samples.hashed, len(self._samples.trained_on)
        if counts and table is not None and rows <= MOST_ROWS and table.numel() <= MOST_NUMBERS:
            self._count(table, step)
        if table is None or rows > MOST_ROWS or hashed < ROUNDS * rows or step < self._next:
            return
        self._next = 2 * step
        if different > (1 - LEFT) * rows:
            self._later.row(ROWS_LEFT_OUT, step, max(0.0, 1 - different / rows))
            return
        left = self._left_out(table)
        if left is not None:
            self._later.row(ROWS_LEFT_OUT, step, left)

    def _count(self, table: torch.Tensor, step: int) -> None:
        """Counts copies among the rows, if they are not those of a single one.

        A buffer that is filled holds one value at first, for most of its rows.
        """
        found, rows = self._samples.hashes_of(table), len(table)
        self._again = 2 * step + LATER
        if max(found.values()) - 1 > ALIKE * (rows - len(found)):
            return
        self._written = True
        times, different = Counter(found.values()).most_common(1)[0]
        self._later.row(ROW_COPIES, step, 1 - len(found) / rows)
        self._later.row(ROW_UNEVENNESS, step, 1 - times * different / rows)
        if len(found) < rows and table.numel() >= 2 * rows:
            some = torch.linspace(0, rows - 1, min(COMPARED, rows), dtype=torch.float64,
                                  device="cpu").long()
            picked = table[some.to(table.device)].reshape(len(some), -1)
            self._later.row(NEAR_COPIES, step, near_copies(picked.double().cpu().numpy()))

    def _left_out(self, table: torch.Tensor) -> float | None:
        """The share of the different rows that were not trained on, nor held out.

        None for a variable that the program fills while it trains: some rows have just come; and
        where it is not known which rows are held out.
        """
        known = self._samples.trained_on
        rows = self._samples.hashes_of(table).keys()
        content = hash(frozenset(rows))
        if self._rows is None:
            self._rows = content
        met = rows & known
        if content != self._rows or len(met) < KNOWN * len(known):
            return None
        held_out: set[float] = set()
        for every, apart in self._samples.passes():
            if apart and len(rows & every) >= KNOWN * len(rows):
                return None  # a pass over all rows, or passes over both parts
            held_out |= apart
        return len(rows - met - held_out) / len(rows)

