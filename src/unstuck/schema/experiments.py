"""Experiments that tell causes apart which one record cannot. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.edits import Edit
from unstuck.words import joined


@dataclass(frozen=True, slots=True)
class Arm:
    """One run of an experiment: the program with one change.

    `words` say the change where no edit can, or better than it. If this run learns better than the
    program as it is, one of `causes` is the cause, by their slugs.
    """

    edits: tuple[Edit, ...]
    causes: tuple[str, ...]
    words: str = ""

    @property
    def means(self) -> str:
        """What is known if this run learns better."""
        return f"the cause is {joined(self.causes, most=len(self.causes), by='or')}"

    def change(self) -> str:
        """The change in plain words, without a full stop."""
        return self.words or ", ".join(edit.words() for edit in self.edits)


@dataclass(frozen=True, slots=True)
class Experiment:
    """What to run, and what each outcome would mean; `words` say it in one sentence."""

    words: str
    arms: tuple[Arm, ...] = ()
