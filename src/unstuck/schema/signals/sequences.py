"""Signals of sequences: their lengths, their padding, and what is masked."""

from __future__ import annotations

from unstuck.schema import requirements as runs
from unstuck.schema.quantities import PlaceSignal

SHORT_SEQUENCES = PlaceSignal(
    "too-short-for-target", "",
    "share of the samples of a batch with fewer output frames than ctc_loss needs for their target",
    requires=runs.CTC, place="loss",
)
