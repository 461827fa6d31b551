"""Reads what the cells of a Jupyter notebook printed or showed: text, and tables in HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from unstuck.logs.documents import LARGEST, worth
from unstuck.logs.source import Source, kept
from unstuck.logs.table import Table
from unstuck.reading import Unusable, parsed
from unstuck.words import count

_SHOWN = ("text/html", "text/plain")


def read(source: Source, read_text: Callable[[Source], Table]) -> Table | None:
    """The output that holds most of a curve, by what reads a text; None if this is no notebook, or
    none of its cells has printed a curve."""
    if '"cells"' not in source.text() or source.size > LARGEST:
        return None
    try:
        document = parsed(source.whole(LARGEST), source.name)
    except ValueError:
        return None
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list) or "nbformat" not in document:
        return None
    found = []
    for cell in cells:
        tables = []
        for text in _texts(cell):
            try:
                with kept(text, source.name) as inner:
                    tables.append(read_text(inner))
            except Unusable:
                continue
        if best := max(tables, key=worth, default=None):
            found.append(best)
    able = [table for table in found if worth(table)[0] > 1]
    if not able:
        return None
    best = max(able, key=worth)
    others = len(able) - 1
    says = f"{count(others, 'other cell')} printed curves as well; unstuck reads the longest one."
    return replace(best, format=f"notebook, {best.format}",
                   remarks=(*best.remarks, says) if others else best.remarks)


def _texts(cell: Any) -> Iterator[str]:
    """What a cell printed, as one text, and each document that it showed."""
    outputs = cell.get("outputs") if isinstance(cell, dict) else None
    printed = ""
    for output in outputs if isinstance(outputs, list) else ():
        if not isinstance(output, dict):
            continue
        printed += _joined(output.get("text"))
        data = output.get("data")
        for text in map(_joined, map(data.get, _SHOWN) if isinstance(data, dict) else ()):
            if text.strip():
                yield text
    if printed.strip():
        yield printed


def _joined(text: Any) -> str:
    """A text that may be a list of its lines."""
    lines = text if isinstance(text, list) else [text]
    return "".join(line for line in lines if isinstance(line, str))
