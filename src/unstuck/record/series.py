"""The numbers of a signal over steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

HEAD = 1_024  # first steps that stay whole when a long series is made even again


@dataclass(frozen=True, slots=True)
class Series:
    """A signal over steps: `steps` and `values` have shape (n,). Values may be non-finite."""

    steps: Integers
    values: Floats

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def finite(self) -> Series:
        """The finite part; may be empty."""
        keep = np.isfinite(self.values)
        return self if keep.all() else Series(self.steps[keep], self.values[keep])

    def since(self, step: int) -> Series:
        """The part from `step` on; may be empty."""
        keep = self.steps >= step
        return Series(self.steps[keep], self.values[keep])

    def until(self, step: int) -> Series:
        """The part up to `step`, with it; may be empty."""
        keep = self.steps <= step
        return Series(self.steps[keep], self.values[keep])


PlaceSeries = Mapping[str, Series]


def in_order(series: Series) -> Series:
    """The points in the order in which training went, with steps that never go back.

    Where steps go back, a run was resumed: what it did over counts, not what it had done.
    """
    steps, values = series.steps, series.values
    back = steps[1:] < steps[:-1]
    if not back.any():
        return series
    if np.all(steps[1:] <= steps[:-1]):  # the newest first
        return Series(steps[::-1], values[::-1])
    resumed = np.r_[np.where(back, steps[1:], np.iinfo(np.int64).max),
                    np.iinfo(np.int64).max]
    keep = steps < np.minimum.accumulate(resumed[::-1])[::-1]
    return Series(steps[keep], values[keep])


def evened(series: Series, exact: int) -> Series:
    """The rows to judge by of a signal whose later rows were thinned."""
    if len(series) <= exact:
        return series
    keep = even(series.steps, series.values, exact)
    return Series(series.steps[keep], series.values[keep])


def even(steps: Integers, values: Floats, exact: int) -> NDArray[np.bool_]:
    """Which rows to judge by of those that a Thinner left: after the first, equally many a stretch.

    Statistics over a share of a curve's points would else be over another share of the run.

    Args:
        steps: of the rows, in order.
        values: of the rows.
        exact: steps of which every row was kept.
    """
    index = np.cumsum(np.r_[True, steps[1:] != steps[:-1]]) - 1
    halves = np.maximum(index - exact, 0) // max(exact // 2, 1)
    octave = np.where(index < exact, 0, 1 + halves)
    most = int(octave[-1])
    if not most:
        return np.ones(len(steps), dtype=bool)
    finite = np.isfinite(values)
    broke = ~finite & np.r_[True, finite[:-1]]
    spacing = 1 << np.minimum(most - octave, 40)
    return np.asarray((index % spacing == 0) | (index < HEAD) | (index == index[-1]) | broke)
