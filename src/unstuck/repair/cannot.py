"""Why an edit cannot be written into a program."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """The kinds of reasons, so that they can be counted."""

    NO_PLACE = "no place"  # the record does not say where
    NO_TEXT = "no text"  # the place is in no source of the user's
    TEXT_DIFFERS = "text differs"  # at the place is not what ran there
    SHARED_LINE = "shared line"  # one line makes several things of which only some are meant
    SEVERAL_VALUES = "several values"  # the line ran with several values
    TYPED = "typed"  # the value was typed on the command line
    UNKNOWN_FORM = "unknown form"  # the program says it in a way that no writer knows
    NOT_MEASURED = "not measured"  # a number to write in is not known
    TOO_LONG = "too long"  # a trial of it takes longer than there is time
    BY_HAND = "by hand"  # no text can do it


@dataclass(frozen=True, slots=True)
class CannotWrite:
    """No patch can be written. `words` is a sentence for a user.

    `needs` says what would have to be known. `command` is the command line that has the same
    effect, where there is one.
    """

    reason: Reason
    words: str
    needs: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


class Refused(Exception):
    """Raised where writing stops; it carries the CannotWrite."""

    def __init__(
        self, reason: Reason, words: str, needs: tuple[str, ...] = (),
        command: tuple[str, ...] = (),
    ) -> None:
        super().__init__(words)
        self.cannot = CannotWrite(reason, words, needs, command)
