"""Whether a change leaves records and verdicts as they were.

    python -m benchmarks.frozen FILE [--generated N] [WORD ...]

Runs every program of the corpus, and N generated ones, under watch with all close looks. The first
time FILE is written; after that what differs from it is printed, and the status is 1 if anything
does. Masked in a record: its id, the folders of this machine, and at what times rows were written.
With WORDs, only programs whose name holds one of them are run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

import corpus
from corpus.generated.samples import faulty, healthy
from harness.records import contents, masked, record_of
from unstuck.judge.engine import diagnose
from unstuck.schema.findings import Diagnosis

JOBS = 2
GENERATED = 300


def programs(generated: int, folder: Path) -> Iterator[tuple[str, Path, str]]:
    """Name, file and function of every program; those that are generated are put into a folder."""
    for program in corpus.programs(long=True):
        yield str(program), program.file, program.function
    samples = [*healthy(), *faulty()]
    by_lot = sorted(samples, key=lambda s: hashlib.sha256(s.name.encode()).digest())
    for number, sample in enumerate(by_lot[:generated]):
        file = folder / f"generated_{number}.py"
        file.write_text(sample.program.text(), encoding="utf-8")
        yield sample.name, file, ""


def said(diagnosis: Diagnosis) -> dict[str, Any]:
    """What a diagnosis comes to, without its words."""
    return {
        "outcome": diagnosis.outcome.kind.value,
        "findings": [[f.cause, f.severity.value, f.explained_by, f.location and f.location.line]
                     for f in diagnosis.findings],
        "verdicts": {slug: type(verdict).__name__ for slug, verdict in diagnosis.verdicts},
    }


def state(file: Path, function: str) -> dict[str, Any]:
    """What is compared of a program."""
    record = record_of(file, function)
    events = (record / "events.jsonl").read_text(encoding="utf-8")
    plain = json.dumps(contents(masked(events).replace(f"{file.parent}/", "")), sort_keys=True)
    return {"record": hashlib.sha256(plain.encode()).hexdigest()[:16], **said(diagnose(record))}


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What of a program is not as it was, in words."""
    found = [key for key in ("record", "outcome", "findings") if before[key] != now[key]]
    slugs = sorted({*before["verdicts"], *now["verdicts"]})
    old, new = before["verdicts"], now["verdicts"]
    return found + [f"{slug}: {old.get(slug)} -> {new.get(slug)}"
                    for slug in slugs if old.get(slug) != new.get(slug)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the file, or compares with it."""
    parser = argparse.ArgumentParser(description="Whether records and verdicts are as they were.")
    parser.add_argument("file", type=Path)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--generated", type=int, default=GENERATED, metavar="N")
    chosen = parser.parse_intermixed_args(arguments)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(JOBS) as pool:
        wanted = [(name, file, function)
                  for name, file, function in programs(chosen.generated, Path(folder))
                  if not chosen.words or any(word in name for word in chosen.words)]
        states = track(pool.map(lambda each: state(*each[1:]), wanted), "running",
                       total=len(wanted), console=Console(stderr=True), transient=True)
        found = {name: now for (name, _, _), now in zip(wanted, states, strict=True)}
    if not chosen.file.exists():
        chosen.file.write_text(json.dumps(found, indent=1))
        print(f"{len(found)} programs written to {chosen.file}")
        return 0
    known: dict[str, Any] = json.loads(chosen.file.read_text())
    differing = 0
    for name, now in found.items():
        changes = differences(known[name], now) if name in known else ["is new"]
        differing += bool(changes)
        if changes:
            print(f"{name}: {'; '.join(changes)}")
    print(f"{len(found)} programs, {differing} differ")
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main())
