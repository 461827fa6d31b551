"""What all facts have in common."""

from __future__ import annotations

from typing import ClassVar


class Fact:
    """Something that exists in a training program, not how it behaves.

    A kind of fact is written and read by its name in lower case. Of facts of one kind with the same
    `name`, or else the same `location`, the last one written counts.

    A fact `of_process` belongs to all trainings of a process.
    """

    __slots__ = ()
    of_process: ClassVar[bool] = False
