"""How a text is encoded: by its byte order mark, or by the words that it then has."""

from __future__ import annotations

import codecs

from unstuck.logs.languages import letters_known

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)
# Before UTF-8, by the languages whose words are known here; those of more languages come first.
_OLDER = ("cp1252", "cp1251", "cp1250", "gb18030", "cp932", "cp949", "big5", "koi8-r", "cp866",
          "cp1254", "cp1253", "cp1255", "cp1256", "cp1258", "cp874", "cp852", "cp850", "mac-roman")
_LOOKED_AT = 1 << 14  # bytes


def encoding_of(head: bytes) -> str:
    """The encoding of a text that begins so; UTF-8 where nothing speaks for another one."""
    if (marked := next((name for mark, name in _BOMS if head.startswith(mark)), None)) is not None:
        return marked
    if head.isascii() or b"\0" in head or _decoded(head, "utf-8") is not None:
        return "utf-8"
    known = {"utf-8": letters_known(head[:_LOOKED_AT].decode(errors="replace"))}
    known |= {name: letters_known(text) for name in _OLDER
              if (text := _decoded(head[:_LOOKED_AT], name)) is not None}
    return max(known, key=lambda name: known[name])


def _decoded(head: bytes, encoding: str) -> str | None:
    """The text, whose last letter may be cut; None if it is none in this encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeError:
        return None
