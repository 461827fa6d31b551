"""Places in the source of the user's program."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """An expression of the user's program. Lines and columns are 1-based, in code points.

    `end_column` is one past the last character. `text` is its first line, None if unwanted.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    text: str | None = None
