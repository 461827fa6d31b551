"""Whether a classifier's scores are too small for its loss, and cannot grow."""

from __future__ import annotations

import numpy as np

from unstuck.observe.samples.classes import Classes
from unstuck.observe.samples.kept import Samples
from unstuck.observe.samples.samplewise import log_softmax
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.samples import LARGEST_SCORE, SCALED_LOSS, SCORE_FACTOR, TOP_SPREAD
from unstuck.torch_api import CLASS_LIKELIHOODS, LOGITS

LATE = 0.5  # of the run: visits before tell nothing of its end
FEWEST = 40  # samples
FACTORS = 2.0 ** np.arange(-2, 11)
SIGNALS = (LARGEST_SCORE, SCALED_LOSS, SCORE_FACTOR, TOP_SPREAD)


def write_scaling(samples: Samples, classes: Classes, writer: RecordWriter, step: int) -> None:
    """Writes what the cross entropy would be if all scores were larger by one factor."""
    if classes.scores is None or samples.loss not in CLASS_LIKELIHOODS & LOGITS:
        return
    labels, scores = classes.late(LATE * step)
    if len(labels) < FEWEST:
        return
    rows = np.arange(len(labels))
    losses = np.array([-log_softmax(factor * scores)[rows, labels].mean() for factor in FACTORS])
    plain = float(losses[FACTORS == 1.0][0])
    top = scores.max(1)
    if not plain > 0 or not top.mean() > 0:
        return
    writer.row(SCORE_FACTOR, step, float(FACTORS[losses.argmin()]))
    writer.row(SCALED_LOSS, step, float(losses.min()) / plain)
    writer.row(LARGEST_SCORE, step, float(np.abs(scores).max()))
    writer.row(TOP_SPREAD, step, float(top.std() / top.mean()))
