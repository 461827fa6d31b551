"""Whether copies of samples come about by themselves, as they do in a table of few values."""

from __future__ import annotations

import math

import numpy as np

from unstuck.observe.samples.kept import Rows

COMPARED = 128  # samples that are compared with all others
ELEMENTS = 512  # in so many of their elements
NEAR = 0.02  # share of its elements in which a near copy differs


def near_copies(rows: Rows) -> float:
    """The share of rows, of shape (N, F), that nearly equal another one: 1 if F says nothing.

    In a table of few values copies come about by chance, and then near copies do all the more. A
    sample that was copied by mistake has none.
    """
    varying = np.flatnonzero((rows != rows[:1]).any(0))
    if len(varying) < 2:
        return 1.0
    if len(varying) > ELEMENTS:
        varying = varying[np.linspace(0, len(varying) - 1, ELEMENTS).astype(int)]
    rows, width = rows[:, varying], len(varying)
    limit = min(width - 1, max(2, math.ceil(NEAR * width)))
    picked = np.unique(np.linspace(0, len(rows) - 1, min(COMPARED, len(rows))).astype(int))
    near = 0
    for i in picked:
        different = (rows != rows[i]).sum(1)
        near += bool(((different > 0) & (different <= limit)).any())
    return near / len(picked)
