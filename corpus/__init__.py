"""Programs whose truth is known: the tests, the pages and the benchmarks run them.

- `faulty/<cause>/`: programs with that one cause in `sick()`, and the same programs cured in
  `well()`. `pair.py` is the first of them, and the one that the page of the cause shows; the others
  come by the fault in another way, and only `make test-all` runs all of them.
- `combined/`: programs with two or three causes of different families, in `main()`; only
  `make test-all` runs all of them.
- `healthy/`: programs that learn, or fail at what is no fault, in `main()`; those in `long` take
  longer, and only `make test-all` runs them.
- `generated/`: writes programs, healthy and with faults. It knows no detector.
- `forms/`: rewrites programs so that they compute the same in another way.

Every program with faults states them in one way: `FAULTS` names each cause by its slug, with the
expression that a finding must point at, or None where that is left open. Nothing here imports
`unstuck`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

ROOT = Path(__file__).resolve().parent
PAIRS = tuple(sorted(ROOT.glob("faulty/*/pair.py")))
OTHER_WAYS = tuple(sorted(set(ROOT.glob("faulty/*/*.py")) - set(PAIRS)))
FAULTY = tuple(sorted((*PAIRS, *OTHER_WAYS)))
COMBINED = tuple(sorted(ROOT.glob("combined/*.py")))
HEALTHY = tuple(sorted(ROOT.glob("healthy/*.py")))
LONG = tuple(sorted(ROOT.glob("healthy/long/*.py")))

# What `make test` runs of them: every pair, sick, and one in three of these cured; and one of a
# hundred and twenty-eight others. They are drawn by their names.
CURED = 3
OFTEN = tuple(file for file in (*FAULTY, *COMBINED) if file in PAIRS or crc32(
    f"{file.parent.name}/{file.stem}".encode()) % 128 == 24)


@dataclass(frozen=True, slots=True)
class Program:
    """A function that trains, and what is wrong with it.

    `faults` maps the slug of each cause to the expression at fault, None where that is left open.
    """

    file: Path
    function: str
    faults: Mapping[str, str | None]

    def __str__(self) -> str:
        return f"{name_of(self.file)}-{self.function}"


def programs(long: bool = False) -> Iterator[Program]:
    """The programs that `make test` runs, those with one fault first; if wanted, all others too."""
    for file in FAULTY:
        if long or file in OFTEN:
            yield Program(file, "sick", faults_of(file))
            if long or crc32(file.parent.name.encode()) % CURED == 0:
                yield Program(file, "well", {})
    for file in COMBINED:
        if long or file in OFTEN:
            yield Program(file, "main", faults_of(file))
    for file in (*HEALTHY, *(LONG if long else ())):
        yield Program(file, "main", {})


def name_of(file: Path) -> str:
    """A short name of a program's file, which no other has."""
    return f"{file.parent.name}/{file.stem}" if file in FAULTY else file.stem


def cause_of(file: Path) -> str:
    """The slug of the cause of a program in `faulty`."""
    return file.parent.name


def pair_of(slug: str) -> Path:
    """The pair of a cause."""
    return ROOT / "faulty" / slug / "pair.py"


def faults_of(file: Path) -> dict[str, str | None]:
    """The faults that a file states, read without running it.

    Raises:
        ValueError: it states none.
    """
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FAULTS":
            return dict(ast.literal_eval(node.value))
    raise ValueError(f"{file} states no FAULTS")
