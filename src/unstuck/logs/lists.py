"""Reads curves that a program printed whole: `train_losses = [0.9, 0.8]`, a dict of lists, arrays.
"""

from __future__ import annotations

import re

import numpy as np

from unstuck.logs.names import Kind, name_of
from unstuck.logs.source import Source
from unstuck.logs.table import Column, Table
from unstuck.reading import check_numbers

LARGEST = 1 << 24  # bytes of such a text
FEWEST = 5  # numbers of a curve
_NUMBER = r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?|nan|inf)"
_TYPED = rf"(?:(?:np|numpy)\.\w{{1,16}}\(|tensor\()?{_NUMBER}\)?"
_LIST = re.compile(
    rf"(?P<name>[^\W\d][\w ./-]{{0,60}}?)['\"]?\s{{0,4}}[:=]\s{{0,4}}(?:np\.)?(?:array\(|tensor\()?"
    rf"\[(?P<numbers>\s*{_TYPED}(?:[,\s]\s*{_TYPED})*+),?\s*\]")
_LIST_BEGINS = re.compile(
    rf"[\w]['\"]?\s{{0,4}}[:=]\s{{0,4}}(?:np\.)?(?:array\(|tensor\()?"
    rf"\[\s*{_TYPED}(?:[,\s]\s*{_TYPED}){{{FEWEST - 1}}}")
_CURVES = (Kind.LOSS, Kind.SCORE, Kind.RETURN)


def begins(text: str) -> bool:
    """Whether a text that begins so has a list of numbers with a name."""
    return _LIST_BEGINS.search(text) is not None


def read(source: Source) -> Table | None:
    """The lists by name, None if the text does not hold each of its curves once, as a list."""
    if source.size > LARGEST:
        return None
    text = b"".join(source.chunks()).decode(errors="replace")
    columns: dict[str, Column] = {}
    curve = 0
    for found in _LIST.finditer(text):
        name = found["name"].strip()
        values = np.array([float(one) for one in re.findall(
            rf"(?<![\w.]){_NUMBER}(?!\w)", found["numbers"])])
        if name in columns:
            return None
        columns[name] = Column(name, np.arange(len(values)), values)
        if name_of(name).kind in _CURVES:
            curve = max(curve, len(values))
    if curve < FEWEST:
        return None
    check_numbers(sum(map(len, columns.values())), source.name)
    kept = {name: column for name, column in columns.items() if len(column) >= FEWEST}
    return Table("lists by name", kept, max(map(len, kept.values())))
