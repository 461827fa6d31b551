"""The records of the sick programs of all causes, kept in the repository.

    python -m tools.records [WORD ...]

Runs the sick program of every cause, and the example of the README, under watch with all close
looks, and keeps each record in tests/data/kept. What differs from run to run is masked, what tells
of this machine is made relative. Pages and reports are made from these records, so they depend on
nothing but the code. With WORDs, only programs whose name holds one of them are run.
"""

from __future__ import annotations

import argparse
import lzma
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

import corpus
from harness.records import ProgramFailed, masked, record_of
from unstuck.record.reader import EVENTS, Record, read_record

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data" / "kept"
EXAMPLE = ROOT / "examples" / "cancer.py"


def programs() -> list[Path]:
    """The programs whose records are kept."""
    return [*corpus.PAIRS, EXAMPLE]


def name_of(program: Path) -> str:
    """The name under which a program's record and report are kept."""
    return "example" if program == EXAMPLE else corpus.cause_of(program)


def kept(program: Path) -> Record:
    """The record of a program as it is kept."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / EVENTS).write_bytes(lzma.decompress(_file(program).read_bytes()))
        return read_record(folder)


def _file(program: Path) -> Path:
    return DATA / f"{name_of(program)}.jsonl.xz"


def keep(program: Path) -> None:
    """Runs a program and keeps its record.

    Raises:
        ProgramFailed: it left none in time.
    """
    record = record_of(program, "" if program == EXAMPLE else "sick")
    events = masked((record / EVENTS).read_text(encoding="utf-8"))
    DATA.mkdir(parents=True, exist_ok=True)
    _file(program).write_bytes(lzma.compress(events.encode(), preset=9))


def main(arguments: Sequence[str] | None = None) -> int:
    """Keeps the records; the number of programs that left none."""
    parser = argparse.ArgumentParser(description="Run the sick programs and keep their records.")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only programs of such a name")
    words = parser.parse_args(arguments).words
    failed = 0
    chosen = [p for p in programs() if not words or any(word in name_of(p) for word in words)]
    for program in track(chosen, "running", console=Console(stderr=True), transient=True):
        try:
            keep(program)
        except ProgramFailed as error:
            print(f"{name_of(program)}: {error}", file=sys.stderr)
            failed += 1
    for file in set(DATA.glob("*.xz")) - {_file(program) for program in programs()}:
        file.unlink()
    return failed


if __name__ == "__main__":
    sys.exit(main())
