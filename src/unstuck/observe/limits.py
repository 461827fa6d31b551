"""What could not be seen of a run, said once each."""

from __future__ import annotations

from unstuck.observe.moment import Moment
from unstuck.record.writer import RecordWriter


class Limits:
    """Notes in the record what limits the watching."""

    def __init__(self, writer: RecordWriter, moment: Moment) -> None:
        self._writer = writer
        self._moment = moment
        self._said: set[str] = set()

    def note(self, says: str) -> None:
        """Notes, once, that something cannot be seen."""
        if says not in self._said:
            self._said.add(says)
            self._writer.odd("limited", self._moment.step, says)
