"""What all changes have in common, and how a number is typed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Safety(StrEnum):
    """What applying a remedy risks."""

    SAFE = "safe"  # repairs the program; what it means to compute stays the same
    CHANGES_EXPERIMENT = "changes the experiment"
    ADVICE = "advice"  # no program can try it


def literal(value: float) -> str:
    """A number as one would type it in code: 0.001, 3e-05, 256, 1797, 1e12."""
    if not math.isfinite(value):
        return f"float('{value}')"
    if float(value).is_integer() and abs(value) < 1e6:
        return str(int(value))
    text = f"{value:.3g}"
    return f"{float(text):.0f}" if "e+" in text and abs(value) < 1e6 else text.replace("e+", "e")


def measured(value: float, step: float) -> str:
    """A measured number in code, a float to a thousandth of `step`: 120.513, -0.25, 4.0."""
    if not (math.isfinite(value) and math.isfinite(step) and step > 0):
        return literal(value)
    places = 3 - math.floor(math.log10(step))
    return repr(float(round(value, places)))


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to the training program."""

    def words(self) -> str:
        """The change in plain words, an imperative without full stop."""
        raise NotImplementedError

    def code(self) -> str:
        """The change as code that a user could write."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Together(Edit):
    """Several changes of which one alone does nothing good; `what` says them in words."""

    edits: tuple[Edit, ...]
    what: str

    def words(self) -> str:
        return self.what

    def code(self) -> str:
        return self.edits[0].code()
