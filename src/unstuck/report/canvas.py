"""What a terminal can show: cell widths, cropping, sparklines, encodings. Knows no diagnosis."""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from unstuck.clean import LONGEST, clean

TAB = "    "  # one width wherever it stands, so that columns before and after it agree
_GLUE = "\ue000"  # stands for a space at which no line is broken
TEXT_WIDTH = 100  # prose wider than this is hard to read
NARROWEST = 20
PIPE_WIDTH = 100
SPARK_POINTS = 24
HUGE = 1e300  # a difference of two such values is finite

_IN_ASCII = {
    "→": "->", "←": "<-", "…": "...", "—": "-", "–": "-", "−": "-", "×": "x", "·": "*", "±": "+-",
    "≥": ">=", "≤": "<=", "≈": "~", "∞": "inf", "µ": "u", "‘": "'", "’": "'", "“": '"', "”": '"',
    "\u00a0": " ", "\u202f": " ", "²": "^2", "√": "sqrt",
}


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters that a report is drawn with."""

    corner: str
    bar: str
    ellipsis: str
    sparks: str


_UNICODE = Glyphs("┌─", "│", "…", "▁▂▃▄▅▆▇█")
_ASCII = Glyphs("-->", "|", "...", "_.-:=+*#")


class _Console(Console):
    """A console that leaves a closed pipe to whoever prints; rich would end the process."""

    def on_broken_pipe(self) -> None:
        raise


@dataclass(frozen=True, slots=True)
class Canvas:
    """A file to draw on, with what it can show."""

    console: Console
    width: int
    encoding: str
    glyphs: Glyphs

    @classmethod
    def on(cls, file: IO[str], width: int | None = None, color: bool | None = None) -> Canvas:
        """Finds out what `file` can show; `width` and `color` overrule it."""
        terminal = _is_terminal(file)
        if color is None:
            color = _wants_color(terminal)
        console = _Console(
            file=file, force_terminal=color, color_system="standard" if color else None,
            no_color=not color, highlight=False, markup=False, emoji=False,
            force_jupyter=False,  # there it would leave the file unwritten
        )
        if width is None:
            columns = os.environ.get("COLUMNS", "")
            fallback = int(columns) if columns.isdecimal() and int(columns) else PIPE_WIDTH
            width = console.width if terminal else fallback
        encoding = getattr(file, "encoding", None) or "utf-8"
        fits = all(
            _encodable(character, encoding)
            for character in _UNICODE.corner + _UNICODE.bar + _UNICODE.ellipsis + _UNICODE.sparks
        )
        return cls(console, max(width, NARROWEST), encoding, _UNICODE if fits else _ASCII)

    def clean(self, text: str, longest: int | None = LONGEST) -> str:
        """`text` on one line that controls nothing, in characters that the file can hold."""
        text = clean(text, longest)
        if text.isascii() or _encodable(text, self.encoding):
            return text
        return "".join(
            character if _encodable(character, self.encoding) else _IN_ASCII.get(character, "?")
            for character in text
        )

    def code(self, line: str) -> str:
        """The same of a line of a program, where a tab is room and the line may be long."""
        return self.clean(line.replace("\t", TAB), None)

    def wrap(self, text: str, width: int) -> list[str]:
        """Cleaned text in lines of at most `width` cells; words longer than that are broken."""
        together = self.clean(text).replace(" %", f"{_GLUE}%")
        lines = Text(together).wrap(self.console, max(width, 8))
        return [line.plain.replace(_GLUE, " ").rstrip() for line in lines] or [""]

    def draw(self, *parts: tuple[str, str]) -> None:
        """Prints one line of (text, style) parts, cleaned; a line is never folded."""
        line = Text.assemble(*((self.clean(text, None), style) for text, style in parts))
        line.rstrip()
        self.console.print(line, soft_wrap=True)

    def crop(self, source: str, start: int, end: int, cells: int) -> tuple[str, int, int]:
        """Part of a source line around an expression.

        Args:
            source: the line as it stands in the file.
            start: index of the expression's first character, in code points.
            end: index one past its last character.
            cells: how wide the result may be.

        Returns:
            The text, the cell where the expression starts in it, and its width in cells (≥ 1).
        """
        first, last = max(start - LONGEST, 0), min(end, start + LONGEST)  # more is never shown
        before, inside = self.code(source[first:start]), self.code(source[start:last])
        line = before + inside + self.code(source[last : last + LONGEST])
        start, end = len(before), len(before) + len(inside)
        dots = self.glyphs.ellipsis
        left, first, last = "", 0, len(line)
        if cell_len(line) > cells:
            if cell_len(line[:end]) > cells - cell_len(dots):
                lead = max(cells // 4, 1)
                while first < start and cell_len(line[first:start]) > lead:
                    first += 1
                while first < start and unicodedata.combining(line[first]):
                    first += 1
                left = dots if first else ""
            room = cells - cell_len(left)
            while last > first + 1 and cell_len(line[first:last]) > room - cell_len(dots):
                last -= 1
        shown = left + line[first:last] + (dots if last < len(line) else "")
        offset = cell_len(left + line[first:start])
        return shown, offset, max(cell_len(line[start:min(end, last)]), 1)

    def sparkline(self, values: Sequence[float]) -> str:
        """At most 24 characters that draw `values`; "" for fewer than 3 finite ones."""
        if sum(map(math.isfinite, values)) < 3:
            return ""
        count = min(len(values), SPARK_POINTS)
        picked = [values[round(i * (len(values) - 1) / (count - 1))] for i in range(count)]
        picked = [min(max(v, -HUGE), HUGE) if math.isfinite(v) else v for v in picked]
        finite = [value for value in picked if math.isfinite(value)]
        if len(finite) < 2 or not min(finite) < max(finite):
            return ""  # a flat line says nothing that the sentence does not
        logarithmic = min(finite) > 0 and max(finite) / min(finite) > 1000
        scale = math.log if logarithmic else float
        low, high = scale(min(finite)), scale(max(finite))
        sparks = self.glyphs.sparks
        line = ""
        for value in picked:
            if not math.isfinite(value):
                line += "!"
                continue
            share = (scale(value) - low) / (high - low)
            line += sparks[min(int(share * len(sparks)), len(sparks) - 1)]
        return line + (" (log scale)" if logarithmic else "")


def _encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True


def _is_terminal(file: IO[str]) -> bool:
    try:
        return file.isatty()
    except (AttributeError, ValueError):  # a stand-in, or closed
        return False


def _wants_color(terminal: bool) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return terminal and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
