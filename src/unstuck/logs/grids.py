"""Tables that a program prints among other lines: a heading, and rows of numbers below it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unstuck.logs.names import Kind, name_of, role, with_role
from unstuck.logs.phrases import Said

WIDEST = 60  # cells of a row
_BAR = re.compile(r"\)?:?\s+\d{1,3}%\|.*$")  # a progress bar behind the cells
_GAP = re.compile(r"\s*[|│]\s*|\s*\t\s*|\s{2,}")
_CELL = re.compile(r"[A-Za-z#%_(][\w#%/().:@+-]*(?: [\w#%/().@+-]+){0,3}")
_ENDS = re.compile(r" (?:\d+(?:\.\d+)?|nan|inf)$", re.IGNORECASE)
_VALUED = re.compile(r"[:=]\s*[\d.+-]")
_RULE = re.compile(r"[\s|:=+│─━\u2500-\u257f-]*")
_TOKEN = re.compile(r"[^\s|│]+")
_BARRED = re.compile(r"[^|│]+")
_NUMBER = re.compile(r"\s*(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
                     r"|nan|NaN|inf|-inf)(?:/\d{1,12})?[%s]?\s*")
_KNOWN = (Kind.EPOCH, Kind.STEP, Kind.EPISODE, Kind.LOSS, Kind.SCORE, Kind.RETURN)

Heading = tuple[str, ...]


def is_rule(text: str) -> bool:
    """Whether a line is drawn, below a heading or around it."""
    return bool(_RULE.fullmatch(text))


def heading(text: str, above: Heading) -> Heading | None:
    """The names that a line puts above columns, joined with those above it; None if it has none."""
    text = _BAR.sub("", text.strip())
    if _VALUED.search(text) or len(text) > 1000:
        return None
    if text.startswith(("|", "│")):
        cells = [cell.strip() for cell in re.split("[|│]", text.strip("|│"))]
        if above and len(above) == len(cells) > 2 and all(
                not cell or _CELL.fullmatch(cell) for cell in cells):
            return tuple(f"{old} {cell}".strip() for old, cell in zip(above, cells, strict=True))
    else:
        cells = _GAP.split(text)
    if not 2 <= len(cells) <= WIDEST or not all(map(_CELL.fullmatch, cells)):
        return None
    if sum(map(bool, map(_ENDS.search, cells))) > 1:
        return None  # "train loss 0.5 | val loss 0.6"
    words = text.split()
    if len(above) == len(words) > 2 and not text.startswith(("|", "│")):
        cells = [f"{old} {word}" for old, word in zip(above, words, strict=True)]
    known = sum(name_of(cell).kind in _KNOWN for cell in cells)
    return tuple(cells) if known and (known > 1 or len(cells) > 2) else None


def above(text: str) -> Heading:
    """The words that stand above those of a heading in the next line; none if there are none."""
    cells = _GAP.split(text.strip())
    return tuple(cells) if 2 < len(cells) <= WIDEST and all(map(str.isalpha, cells)) else ()


def row(text: str, names: Heading) -> Iterator[Said]:
    """The numbers of a row below these names; none if it is not one."""
    barred = text.lstrip().startswith(("|", "│"))
    cells = list((_BARRED if barred else _TOKEN).finditer(_BAR.sub("", text)))
    if barred:
        cells = [cell for cell in cells if cell.end() < len(text.rstrip()) or cell[0].strip()]
        if cells and not cells[0][0].strip():
            cells = cells[1:]
    if len(cells) < len(names) or (len(cells) > len(names) and "%|" not in text):
        return
    pairs = [(name, found) for name, cell in zip(names, cells, strict=False)
             if (found := _NUMBER.fullmatch(text, cell.start(), cell.end()))]
    counted = name_of(names[0]).kind in (Kind.EPOCH, Kind.STEP, Kind.EPISODE)
    if len(pairs) < 2 or 2 * len(pairs) < len(names) or (counted and pairs[0][0] != names[0]):
        return  # where the first column counts, a row begins with a number
    data = next((said for cell in cells if (said := role(cell[0].strip()))), "")
    taken: set[str] = set()
    for name, found in pairs:
        if name not in taken:
            taken.add(name)
            yield Said(with_role(name, data), found.span("number"))
