"""Plain text as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def markdown(text: str) -> str:
    """Plain words as Markdown: what could be read as markup is escaped."""
    text = re.sub(r"([\\`*\[\]]|\b_|_\b|(?<!\w)_)", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;")


def bullets(items: Iterable[str]) -> str:
    """A list of lines."""
    return "".join(f"- {item}\n" for item in items)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
