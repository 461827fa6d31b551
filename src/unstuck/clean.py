"""The one way of texts to a terminal: whatever they hold shows itself and does nothing else.

A path, a layer's name or a message may hold an escape sequence, a character that turns the line
around, or a line break that forges a sentence of ours. They are written out: `\\x1b`, `\\u202e`.
"""

from __future__ import annotations

from typing import IO

LONGEST = 2000  # characters of a sentence; more of a text from elsewhere helps nobody
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_JOINERS = "\u200c\u200d"  # of emoji, and of letters in some scripts; elsewhere they only hide
_SPACES = "\u00a0\u2007\u202f\u3000"  # no separators of lines, and not printable only for `repr`


def clean(text: str, longest: int | None = LONGEST) -> str:
    """`text` on one line, with every character that a terminal may obey written out.

    Of a text of more than `longest` characters the middle is left out.
    """
    if longest is not None and len(text) > longest:
        text = f"{text[: longest // 2]} … {text[-longest // 2 :]}"
    if text.isprintable():
        return text
    return "".join(
        character if character in _JOINERS and not before.isascii() and before.isprintable()
        else visible(character)
        for before, character in zip(f" {text}", text, strict=False))


def visible(character: str) -> str:
    """A character, or its escape if it controls anything: categories C*, Zl and Zp of Unicode."""
    if character.isprintable() or character in _SPACES:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a path that is not UTF-8
        code -= 0xDC00
    wide = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    return _SHORT.get(character, wide if code < 0x10000 else f"\\U{code:08x}")


def put(text: str, file: IO[str] | None) -> None:
    """Prints lines of text, cleaned each, in characters that `file` can hold.

    A name in the text is to be cleaned before, so that its line breaks make no lines. Where there
    is no file, as in a program without a standard error, nothing is printed.
    """
    if file is None:
        return
    lines = "\n".join(clean(line, None) for line in text.split("\n"))
    encoding = getattr(file, "encoding", None) or "utf-8"
    print(lines.encode(encoding, "backslashreplace").decode(encoding), file=file)
