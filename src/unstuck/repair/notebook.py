"""The cells of a notebook as sources: read from its file, and changed in it.

A cell runs under a name of IPython's own, which says nothing of the notebook. Which cell it is, the
lines say that a record holds. Lines for IPython, such as `%matplotlib inline`, count as comments.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unstuck.reading import Unusable
from unstuck.record.reader import Record
from unstuck.repair.compose import Overlay
from unstuck.repair.disk import read
from unstuck.repair.index import Index
from unstuck.repair.text import Source, Unparsable
from unstuck.schema.facts import kinds
from unstuck.schema.places import SourceLocation

MOST = 100  # notebooks of a folder that are looked at
_FOR_IPYTHON = ("%", "!")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of code: which of all cells it is, from 0, its text, and its name in the record."""

    number: int
    text: str
    name: str


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook file, its cells in order, and their sources together."""

    path: Path
    text: str
    cells: tuple[Cell, ...]
    index: Index

    def patched(self, overlay: Overlay) -> str:
        """The file's text with the changed cells; nothing else of it differs.

        Raises:
            Unusable: the file is not formatted as Jupyter formats it, so all of it would change.
        """
        document = json.loads(self.text)
        if _written(document, self.text) != self.text:
            raise Unusable(f"{self.path} is not formatted as Jupyter does it; save it there first")
        for cell in self.cells:
            if cell.name in overlay.texts:
                lines = _unmasked(overlay.texts[cell.name], cell.text).splitlines(keepends=True)
                held = document["cells"][cell.number]
                held["source"] = lines if isinstance(held["source"], list) else "".join(lines)
        return _written(document, self.text)

    def diff(self, overlay: Overlay) -> str:
        """What changes, cell by cell, as a person reads it: `git apply` takes no cells."""
        parts: list[str] = []
        for cell in self.cells:
            if cell.name in overlay.texts:
                name = f"{self.path.name}, cell {cell.number + 1}"
                new = _unmasked(overlay.texts[cell.name], cell.text)
                parts += (f"{line}\n" for line in difflib.unified_diff(
                    cell.text.splitlines(), new.splitlines(), name, name, lineterm=""))
        return "".join(parts)


def notebook(path: Path, record: Record) -> Notebook:
    """The notebook in which a record was made.

    Raises:
        Unusable: it cannot be read, is none, or has changed since: its cells lack lines of the
            record.
    """
    text = read(path).text
    try:
        texts = dict(_code_cells(json.loads(text)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unusable(f"{path} is not a notebook") from None
    ran = _lines(record)
    cells: list[Cell] = []
    taken: set[str] = set()
    for number, cell in texts.items():
        lines = cell.splitlines()
        fits = [name for name, seen in ran.items() if name not in taken and all(
            line <= len(lines) and lines[line - 1].rstrip() == held
            for line, held in seen.items())]
        if len(fits) > 1:  # cells with lines in common: the one of which the most is known
            fits.sort(key=lambda name: len(ran[name]), reverse=True)
        taken.update(fits[:1])
        cells.append(Cell(number, cell, fits[0] if fits else f"{path.name}, cell {number + 1}"))
    lost = [name for name in ran if name not in taken and _is_cell(name)]
    if lost:
        raise Unusable(f"{path} has changed since the record was made, or is another notebook")
    sources: list[Source] = []
    for each in cells:
        try:
            sources.append(Source(each.name, _masked(each.text)))
        except Unparsable:
            continue
    names = [source.name for source in sources]
    return Notebook(path, text, tuple(cells), Index(sources, (), names))


def notebook_of(record: Record, folder: Path) -> Notebook | None:
    """The only notebook in a folder that a record can be of; None if it is of no notebook."""
    if not _lines(record):
        return None
    fitting: list[Notebook] = []
    for path in sorted(folder.glob("*.ipynb"))[:MOST]:
        with contextlib.suppress(Unusable, OSError):
            fitting.append(notebook(path, record))
    return fitting[0] if len(fitting) == 1 else None


def _code_cells(document: Any) -> Iterator[tuple[int, str]]:
    for number, cell in enumerate(document["cells"]):
        if cell["cell_type"] == "code":
            source = cell["source"]
            yield number, source if isinstance(source, str) else "".join(source)


def _written(document: Any, before: str) -> str:
    """As Jupyter writes it: sorted keys, one blank of indentation."""
    made = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True)
    return made + "\n" * before.endswith("\n")


# Lines for IPython -------------------------------------------------------------------------------
def _masked(text: str) -> str:
    """The cell with lines for IPython as comments of the same length."""
    return "".join(
        line.replace(line.lstrip()[0], "#", 1) if line.lstrip().startswith(_FOR_IPYTHON) else line
        for line in text.splitlines(keepends=True))


def _unmasked(text: str, before: str) -> str:
    """The lines for IPython as they were."""
    masked: Mapping[str, str] = {
        new: old for old, new in zip(before.splitlines(), _masked(before).splitlines(), strict=True)
        if old != new}
    ends = text.splitlines(keepends=True)
    return "".join(masked.get(line.rstrip("\r\n"), line.rstrip("\r\n"))
                   + line[len(line.rstrip("\r\n")):] for line in ends)


# Which cell is which -----------------------------------------------------------------------------
def _is_cell(name: str) -> bool:
    return "ipykernel" in name or name.startswith("<ipython-input")


def _lines(record: Record) -> dict[str, dict[int, str]]:
    """The lines that a record holds of the cells that ran, by their names."""
    found: dict[str, dict[int, str]] = {}
    for kind in kinds().values():
        for fact in record.facts(kind):
            for place in _places(fact):
                if place.text is not None and _is_cell(place.file):
                    found.setdefault(place.file, {})[place.line] = place.text.rstrip()
    return found


def _places(held: object) -> Iterator[SourceLocation]:
    if isinstance(held, SourceLocation):
        yield held
    elif dataclasses.is_dataclass(held) and not isinstance(held, type):
        for field in dataclasses.fields(held):
            yield from _places(getattr(held, field.name))
    elif isinstance(held, tuple):
        for each in held:
            yield from _places(each)
