"""Remedies: what a cause proposes, as edits or as advice."""

from __future__ import annotations

from dataclasses import dataclass

from unstuck.schema.edits.edit import Edit, Safety
from unstuck.schema.edits.losses import LossForm
from unstuck.schema.places import SourceLocation


@dataclass(frozen=True, slots=True)
class Remedy:
    """A treatment: a ladder of doses of one kind of edit, the most promising first.

    Advice has no edits; `advice` says what a person must do. `diff` is the change of the program's
    text, where it has been written. `instruction` is a sentence that says what to do with the code
    where the change cannot be made in the user's text.
    """

    name: str
    safety: Safety
    ladder: tuple[Edit, ...] = ()
    advice: str | None = None
    code_text: str | None = None  # overrides the first edit's code where the cause knows better
    diff: str | None = None
    instruction: str | None = None

    def code(self) -> str:
        """The first dose as code, or the advice in words."""
        if self.code_text is not None:
            return self.code_text
        return self.ladder[0].code() if self.ladder else (self.advice or "")

    def words(self) -> str:
        """The first dose in words, or the advice."""
        return self.ladder[0].words() if self.ladder else self.advice or self.name


def loss_form(
    code: str, reason: str, edit: Edit | None = None, at: SourceLocation | None = None
) -> Remedy:
    """The remedy that writes a loss, or what it receives, in another way: by `edit` if it can.

    `at` is the operation that takes another form, if it is one.
    """
    return Remedy(reason, Safety.SAFE, (edit or LossForm(code, reason, at),),
                  code_text=None if edit is None else code)
