"""Losses of other batches that a backward pass leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unstuck.observe.later import Later
from unstuck.observe.probes.pending import Pending
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.losses import LEFT_OUT_LOSSES

SIGNALS = (LEFT_OUT_LOSSES,)


def write(
    pending: Iterable[Pending], reached: Sequence[Pending], later: Later, writer: RecordWriter,
    step: int,
) -> None:
    """Writes of how many other batches the lines of these losses have computed losses since the
    last backward pass, which does not reach them.

    Of one batch a program may compute several, and learn from the best.
    """
    lines = {id(each.known) for each in reached}
    left = [each.batch.hashes for each in pending
            if not each.age and id(each.known) in lines and each.batch is not None]
    own = [each.batch.hashes for each in reached if each.batch is not None]

    def found(_: object) -> None:
        others = {hashes.values for hashes in left} - {hashes.values for hashes in own}
        if others:
            writer.row(LEFT_OUT_LOSSES, step, float(len(others)))

    if left and own:
        later.read((), found)
