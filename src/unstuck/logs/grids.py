"""Tables that a program prints among other lines: a heading, and rows of numbers below it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unstuck.logs.names import Kind, name_of, role, with_role
from unstuck.logs.phrases import Said
from unstuck.logs.table import missing

WIDEST = 60  # cells of a row
# A progress bar behind the cells.
_BAR = re.compile(r"\)?:?\s{1,20}\d{1,3}%(?:\||\s{1,9}(?:[━─╸]|\d{1,9}/\d{1,9} \[)).*$")
_GAP = re.compile(r"\s*[|│]\s*|\s*\t\s*|\s{2,}")
_CELL = re.compile(r"(?:[^\W\d]|[#%(])[\w#%/().:@+-]*(?: [\w#%/().@+-]+){0,3}")
_ENDS = re.compile(r" (?:\d+(?:\.\d+)?|nan|inf|\d+\.\d+ ?(?:%|[a-zµ]{1,3}))$", re.IGNORECASE)
_PRECISE = re.compile(r" [+-]?\d+\.\d{3,}$")
_VALUED = re.compile(r"[:=]\s*[\d.+-]")
_RULE = re.compile(r"[\s|:=+│─━\u2500-\u257f-]*")
_PLAIN = r"(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?|nan|NaN|inf|-inf)"
_LIST = rf"\[\s*{_PLAIN}(?:(?:,\s*|\s+){_PLAIN})*+\s*\]"
# A list, a date with its time, a number with its unit, or what has no space in it.
_TOKEN = re.compile(
    rf"{_LIST}|\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d[^\s|│]*|"
    rf"{_PLAIN} (?:%|s|secs?|ms|mins?|[KMG]i?B)(?=[\s|│]|$)|[^\s|│]+")
_BARRED = re.compile(r"[^|│]+")
_NUMBER = re.compile(rf"\s*(?P<number>{_PLAIN})(?:/\d{{1,12}})?[%s]?\s*")
_PARTS = re.compile(rf"\s*{_LIST}\s*")
_SPACED = re.compile(r"\S+(?: \S+)*")
_IDENTIFIER = re.compile(r"[^\W\d]\w*[_.]\w+")  # a name of several words
_COUNTERS = re.compile(r"(?i)#? ?(epoch) (batch|step|iter(?:ation)?)")  # two names
_LOGGED = re.compile(r".* - |.*\] |.*: ")
_CORNER = re.compile(r"(?i)(?:metrics?|names?|quantity|measure|split|set|data(?:set)?|phase)?")
_KNOWN = (Kind.EPOCH, Kind.STEP, Kind.EPISODE, Kind.LOSS, Kind.SCORE, Kind.RETURN)

Heading = tuple[str, ...]
_ACROSS = "\0"  # instead of the first name: the others are parts of the data


def is_rule(text: str) -> bool:
    """Whether a line is drawn, below a heading or around it."""
    return bool(_RULE.fullmatch(text))


def heading(text: str, above: Heading) -> Heading | None:
    """The names that a line puts above columns, joined with those above it; None if it has none."""
    if found := _parts_of_data(text):
        return found
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
        words = text.split()
        if len(words) > len(cells) and 2 * sum(map(bool, map(_IDENTIFIER.fullmatch, words))) >= len(
                words) > 2 and all(map(_CELL.fullmatch, words)):
            cells = words  # R has a single space between the names that are wide
    if counters := _COUNTERS.fullmatch(cells[0]):
        cells = [*counters.groups(), *cells[1:]]
    if not 2 <= len(cells) <= WIDEST or not all(map(_CELL.fullmatch, cells)):
        return None
    if sum(map(bool, map(_ENDS.search, cells))) > 1 or any(map(_PRECISE.search, cells)):
        return None  # "train loss 0.5 | val loss 0.6"
    words = text.split()
    if len(above) == len(words) > 2 and not text.startswith(("|", "│")):
        cells = [f"{old} {word}" for old, word in zip(above, words, strict=True)]
    known = sum(name_of(cell).kind in _KNOWN for cell in cells)
    return tuple(cells) if known and (known > 1 or len(cells) > 2) else None


def below(text: str, above: Heading) -> list[Said]:
    """The number that stands alone below a name."""
    found = _NUMBER.fullmatch(text) if len(above) == 1 else None
    return [Said(above[0], found.span("number"))] if found else []


def is_across(names: Heading) -> bool:
    """Whether each row below is a quantity, and each column a part of the data."""
    return names[:1] == (_ACROSS,)


def _parts_of_data(text: str) -> Heading:
    """The parts of the data that stand above columns: "metric | train | val"; none if none do."""
    if len(text) > 300:
        return ()
    cells = [cell[0] for cell in _cells(text)]
    parts = [role(cell) for cell in cells]
    first = next((i for i in range(len(parts)) if all(parts[i:])), len(parts))
    before = [_LOGGED.sub("", f"{cell} ").strip() for cell in cells[:first]]
    if len(before) > 1 or not all(map(_CORNER.fullmatch, before)):
        return ()
    found = parts[first:]
    return (_ACROSS, *found) if len(set(found)) == len(found) > 1 and "train" in found else ()


def _cells(text: str) -> list[re.Match[str]]:
    """What stands between bars or wide gaps."""
    return list(_SPACED.finditer(text.replace("|", "\t").replace("│", "\t")))


def _row_across(text: str, names: Heading) -> Iterator[Said]:
    """The numbers of one quantity for each part of the data."""
    if len(cells := _cells(text)) != len(names):
        return
    first = cells.pop(0)
    label = _LOGGED.sub("", first[0]).rstrip(" :")
    if not _CELL.fullmatch(label):
        return
    found = [(name, _NUMBER.fullmatch(cell[0]), cell) for name, cell
             in zip(names[1:], cells, strict=True)]
    if all(number or missing(cell[0]) for _, number, cell in found):
        begin = text.index(label, first.start())
        for name, number, cell in found:
            if number:
                a, b = number.span("number")
                yield Said(f"{name} {label}", (cell.start() + a, cell.start() + b), begin)


def above(text: str) -> Heading:
    """The words that stand above those of a heading in the next line, or the name of a measure that
    stands above its number; none if there are none."""
    cells = _GAP.split(text.strip())
    if len(cells) == 1 and _CELL.fullmatch(name := cells[0].rstrip(":")) and (
            name_of(name).kind in (Kind.LOSS, Kind.SCORE, Kind.RETURN)):
        return (name,)
    return tuple(cells) if 2 < len(cells) <= WIDEST and all(map(str.isalpha, cells)) else ()


def row(text: str, names: Heading) -> Iterator[Said]:
    """The numbers of a row below these names; none if it is not one."""
    if is_across(names):
        yield from _row_across(text, names)
        return
    barred = text.lstrip().startswith(("|", "│"))
    cells = list((_BARRED if barred else _TOKEN).finditer(_BAR.sub("", text)))
    if barred:
        cells = [cell for cell in cells if cell.end() < len(text.rstrip()) or cell[0].strip()]
        if cells and not cells[0][0].strip():
            cells = cells[1:]
    if len(cells) == len(names) + 1 and cells[0][0].isdigit() and not barred:
        cells = cells[1:]  # pandas and R print an index without a name
    if len(cells) < len(names) or (len(cells) > len(names) and not _BAR.search(text)):
        return
    pairs = [(name, found) for name, cell in zip(names, cells, strict=False)
             if (found := _NUMBER.fullmatch(text, cell.start(), cell.end())
                 or _PARTS.fullmatch(text, cell.start(), cell.end()))]
    counted = name_of(names[0]).kind in (Kind.EPOCH, Kind.STEP, Kind.EPISODE)
    if len(pairs) < 2 or 2 * len(pairs) < len(names) or (counted and pairs[0][0] != names[0]):
        return  # where the first column counts, a row begins with a number
    data = next((said for cell in cells if (said := role(cell[0].strip()))), "")
    taken: set[str] = set()
    for name, found in pairs:
        if name not in taken:
            taken.add(name)
            yield _quantity(with_role(name, data), found)


def _quantity(name: str, found: re.Match[str]) -> Said:
    """A number, or a list of them: the parts of a loss, which add up. Of others the first counts.
    """
    if found.re is _NUMBER:
        return Said(name, found.span("number"))
    parts = [(found.start() + one.start(), found.start() + one.end())
             for one in re.finditer(_PLAIN, found[0])]
    return Said(name, parts[0],
                parts=tuple(parts[1:]) if name_of(name).kind is Kind.LOSS else ())
