"""Reads curves that a program printed whole: `train_losses = [0.9, 0.8]`, a dict of lists, arrays.
"""

from __future__ import annotations

import re

import numpy as np

from unstuck.logs import documents
from unstuck.logs.names import Kind, name_of
from unstuck.logs.source import Source
from unstuck.logs.table import Column, Table
from unstuck.reading import Unusable, check_numbers, parsed

LARGEST = 1 << 24  # bytes of such a text
LARGEST_NESTED = 1 << 22  # likewise, of one that is parsed whole
FEWEST = 5  # numbers of a curve
_NUMBER = r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?|nan|inf)"
_TYPED = rf"(?:(?:np|numpy)\.\w{{1,16}}\(|tensor\()?{_NUMBER}\)?"
_LIST = re.compile(
    rf"(?P<name>[^\W\d][\w ./-]{{0,60}}?)['\"]?\s{{0,4}}[:=]\s{{0,4}}(?:np\.)?(?:array\(|tensor\()?"
    rf"\[(?P<numbers>\s*{_TYPED}(?:[,\s]\s*{_TYPED})*+),?\s*\]")
_LIST_BEGINS = re.compile(
    rf"[\w]['\"]?\s{{0,4}}[:=]\s{{0,4}}(?:np\.)?(?:array\(|tensor\()?"
    rf"\[\s*{_TYPED}(?:[,\s]\s*{_TYPED}){{{FEWEST - 1}}}")
# What Python prints, as JSON has it.
_NESTED = re.compile(r"[\[{(]\s{0,9}(?:['\"][^'\"\n]{1,60}['\"]\s{0,9}:\s{0,9})?[\[{(]")
_BEGINS = re.compile(r"^(?:(?P<name>[^\W\d]\w{0,40})\s{0,4}[:=]\s{0,4})?(?=[\[{])", re.MULTILINE)
_TYPES = re.compile(
    rf"(?<!\w)(?:(?:np|numpy)\.)?\w{{1,16}}\(({_NUMBER})(?:, [^(),\n]{{1,40}}){{0,3}}\)")
_JSON = {"'": '"', "(": "[", ")": "]", "None": "null", "True": "true", "False": "false",
         "nan": "NaN", "inf": "Infinity"}
_PYTHON = re.compile(r"['()]|(?<!\w)(?:None|True|False|nan|inf)(?!\w)|,(?=\s{0,99}[\]})])")
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


def nested(source: Source) -> Table | None:
    """The curves of a dict or a list that holds others, as Python prints it; None if the text is
    not such a one for the most part, or it holds no curve."""
    if source.size > LARGEST_NESTED or not _NESTED.search(source.text()):
        return None
    text = b"".join(source.chunks()).decode(errors="replace")
    begins, end = _BEGINS.search(text), max(text.rfind("]"), text.rfind("}")) + 1
    if begins is None or end - begins.end() < len(text) / 2:
        return None
    written = _PYTHON.sub(lambda found: _JSON.get(found[0], ""),
                          _TYPES.sub(r"\1", text[begins.end() : end]))
    try:
        document = parsed(written, source.name)
    except (ValueError, Unusable):
        return None
    if isinstance(document, list):
        document = {begins["name"] or "values": document}
    table = documents.table_of_document(document, source.name)
    able = (len(c) for n, c in table.columns.items() if name_of(n).kind in _CURVES)
    return table if max(able, default=0) >= FEWEST else None
