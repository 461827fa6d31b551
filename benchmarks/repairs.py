"""How often a remedy becomes a patch, and how often the patch heals.

    python -m benchmarks.repairs [--corpus] [--count N] [--only WORD] [--jobs N] [--cache DIR]

By default on generated programs with one fault of the half kept aside: the remedies of the finding
that names the fault are written into the program, safe ones first, and what was written is run at
full length with the program's own seed. A program is healed if the fault is gone from its record
and it comes within 0.05 of its healthy twin's skill. With --corpus on the programs of the corpus:
the patched sick program is compared with the well one. Runs are kept in the cache, so that it can
be stopped at any time and goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs
from rich.console import Console
from rich.table import Table

import corpus
from benchmarks.scoreboard import scores
from benchmarks.scoreboard.running import Run, Runs
from corpus.generated.samples import Half, Sample, faulty
from harness.records import ProgramFailed, record_of
from unstuck.judge.engine import diagnose
from unstuck.record.reader import Record, read_record
from unstuck.repair.cannot import CannotWrite
from unstuck.repair.compose import Overlay, compose
from unstuck.repair.program import load
from unstuck.repair.write import write
from unstuck.schema.edits import Remedy, Safety
from unstuck.schema.facts.run import EndKind
from unstuck.schema.findings import Diagnosis, Finding, Severity
from unstuck.settings import Settings
from unstuck.trials.laboratory import Ended, Trial
from unstuck.trials.verdict import Run as TrialRun
from unstuck.trials.verdict import TrialVerdict, judge, read

CLOSE = 0.05  # of the twin's skill: so far a cured program may stay behind it
REMEDIES, DOSES, FORMS = 2, 4, 2  # that are tried at most, as `unstuck fix` does
OK = "ok"
# Its loss gets worse when the rare class is learned: a skill per class would show it.
UNSEEN_BY_THE_LOSS = {"class-imbalance": TrialVerdict.REMOVED}


@dataclass(frozen=True, slots=True)
class Text:
    """A patched program, which runs as the generated one that it was made from."""

    source: str
    reads: str

    def text(self) -> str:
        """The source."""
        return self.source


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one program.

    `written` is OK or why not. `healed` is the number of the first try that healed, 0 if none did,
    None if nothing was written.
    """

    name: str
    cause: str
    written: str
    healed: int | None = None
    says: str = ""


# What is written ---------------------------------------------------------------------------------
def ordered(finding: Finding) -> list[Remedy]:
    """The remedies of a finding that have edits, safe ones first."""
    able = [remedy for remedy in finding.remedies if remedy.ladder]
    return sorted(able, key=lambda remedy: remedy.safety is not Safety.SAFE)


def texts(finding: Finding, record: Record) -> Iterator[tuple[str, dict[str, str]] | CannotWrite]:
    """What each edit of a finding makes of the program's files: by its words, the new texts."""
    index = load(record).index
    able = 0
    for remedy in ordered(finding):
        if able == REMEDIES:
            return
        for number, edit in enumerate(remedy.ladder[:DOSES]):
            found = write(edit, record, index)
            if isinstance(found, CannotWrite):
                yield found
                break
            able += not number
            for patch in found[:FORMS]:
                together = compose([patch], index)
                if isinstance(together, Overlay):
                    yield f"{edit.words()} ({patch.form})", dict(together.texts)


def found_of(diagnosis: Diagnosis, slug: str, accepts: Sequence[str] = ()) -> Finding | None:
    """The finding that names a fault, notes included."""
    return next((f for f in diagnosis.findings if f.cause in (slug, *accepts)), None)


# Generated programs ------------------------------------------------------------------------------
def generated(sample: Sample, runs: Runs) -> Row | None:
    """Heals a generated program; None if it does no harm."""
    fault = sample.injected[0].fault
    twin, sick = runs.run(sample.twin), runs.run(sample.program)
    if not scores.fails(fault, sick, twin):
        return None
    record = read_record(runs.home(sample.program) / "record")
    finding = found_of(diagnose(record), fault.slug, fault.accepts)
    if finding is None:
        return Row(sample.name, fault.slug, "not found")
    if not ordered(finding):
        return Row(sample.name, fault.slug, "advice")
    says, tried = "", 0
    seen = {sample.program.text()}
    for each in texts(finding, record):
        if isinstance(each, CannotWrite):
            says = says or f"{each.reason}: {each.words}"
            continue
        words, changed = each
        text = changed.get(str(runs.home(sample.program) / "train.py"), sample.program.text())
        if text in seen:
            continue
        seen.add(text)
        tried += 1
        after = runs.run(Text(text, sample.program.reads))
        says = f"{words}: {sick.skill} -> {after.skill} {after.error} (twin {twin.skill})"
        again = read_record(runs.home(Text(text, sample.program.reads)) / "record")
        left = found_of(diagnose(again), fault.slug, fault.accepts)
        if left is not None and left.severity is not Severity.NOTE:
            says += f"; {left.cause} is still there"
        elif healed(after, twin):
            return Row(sample.name, fault.slug, OK, tried, says)
    return Row(sample.name, fault.slug, OK if tried else says, 0 if tried else None, says)


def healed(after: Run, twin: Run) -> bool:
    """Whether a patched program does as well as the one that never had the fault."""
    if after.trouble or after.error or after.skill is None or twin.skill is None:
        return False
    return after.skill >= twin.skill - CLOSE


def by_lot(only: str, count: int) -> list[Sample]:
    """So many programs of the half kept aside, one of each fault after the other."""
    waiting: dict[str, list[Sample]] = {}
    for sample in sorted(faulty(), key=lambda s: hashlib.sha256(s.name.encode()).digest()):
        if sample.half is Half.ASIDE and only in sample.name:
            waiting.setdefault(sample.injected[0].fault.slug, []).append(sample)
    turns: list[Sample] = []
    while any(waiting.values()):
        turns += [samples.pop(0) for samples in waiting.values() if samples]
    return turns[:count]


# Programs of the corpus --------------------------------------------------------------------------
def of_corpus(file: Path, cache: Path) -> Row | None:
    """Patches the sick program of a file and compares it with the well one."""
    slug = corpus.cause_of(file)
    try:
        record = read_record(record_of(file, "sick"))
        finding = found_of(diagnose(record), slug)
        if finding is None:
            return Row(str(file), slug, "not found")
        if not ordered(finding):
            return Row(corpus.name_of(file), slug, "advice")
        why, tried, says = "", 0, []
        for each in texts(finding, record):
            if isinstance(each, CannotWrite):
                why = why or f"{each.reason}: {each.words}"
                continue
            words, changed = each
            text = changed.get(str(file))
            if text is None:
                continue
            tried += 1
            alike, verdict = _compared(file, slug, text, cache)
            says.append(f"{words}: {verdict}")
            if alike or verdict in (TrialVerdict.CURED, UNSEEN_BY_THE_LOSS.get(slug)):
                return Row(corpus.name_of(file), slug, OK, tried, says[-1])
    except ProgramFailed as error:
        return Row(corpus.name_of(file), slug, f"failed: {str(error)[-80:]}")
    if not tried:
        return Row(corpus.name_of(file), slug, why)
    return Row(corpus.name_of(file), slug, OK, 0, "; ".join(says))


def _compared(file: Path, slug: str, text: str, cache: Path) -> tuple[bool, str]:
    """Whether the last line that a patched program prints is the well one's; else the verdict."""
    patched = cache / "patched" / hashlib.sha256(text.encode()).hexdigest()[:12] / file.name
    patched.parent.mkdir(parents=True, exist_ok=True)
    patched.write_text(text, encoding="utf-8")
    after, well = record_of(patched, "sick"), record_of(file, "well")
    ours, theirs = _last_line(after), _last_line(well)
    if ours and ours == theirs:
        return True, "the same last line"
    before = _as_a_trial(record_of(file, "sick"))
    return False, judge(slug, before, _as_a_trial(after)).verdict


def _as_a_trial(record: Path) -> TrialRun:
    """A record as a trial of the program would leave it."""
    found = read(Ended(Trial(), 0, None, False, record, "", 1.0, 1.0), Settings())
    assert found.record is not None
    crashed = found.record.end.kind is EndKind.EXCEPTION
    return replace(found, ended=replace(found.ended, status=int(crashed)))


def _last_line(record: Path) -> str:
    lines = (record.parent / "output.txt").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


# The tables --------------------------------------------------------------------------------------
def show(rows: Sequence[Row], console: Console) -> None:
    """Prints a row for each cause, the totals, and what went wrong."""
    table = Table("cause", "programs", "found", "has an edit", "written", "healed", "at once")
    for cause in (*sorted({row.cause for row in rows}), ""):
        own = [row for row in rows if cause in ("", row.cause)]
        able = [row for row in own if row.written not in ("not found", "advice")]
        written = [row for row in able if row.written == OK]
        table.add_row(cause or "all", *map(str, (
            len(own), sum(row.written != "not found" for row in own), len(able), len(written),
            sum(bool(row.healed) for row in written), sum(row.healed == 1 for row in written))))
    console.print(table)
    for row in rows:
        if row.written not in (OK, "advice"):
            console.print(f"{row.name}: not written: {row.written}", markup=False)
        elif row.healed == 0:
            console.print(f"{row.name}: not healed: {row.says}", markup=False)
    console.print(dict(Counter(row.written.partition(":")[0] for row in rows)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", action="store_true", help="the programs of the corpus")
    parser.add_argument("--count", type=int, default=120, help="generated programs, at most")
    parser.add_argument("--only", default="", help="only programs whose name holds this word")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cache", type=Path,
                        default=platformdirs.user_cache_path("unstuck") / "repairs")
    options = parser.parse_args(arguments)
    cache = options.cache.resolve()
    if options.corpus:
        os.environ.setdefault("UNSTUCK_TEST_RECORDS", str(cache / "records"))
        files = [file for file in corpus.FAULTY if options.only in corpus.name_of(file)]
        work = [lambda file=file: of_corpus(file, cache) for file in files]
    else:
        runs = Runs(cache)
        work = [lambda sample=sample: generated(sample, runs)
                for sample in by_lot(options.only, options.count)]
    rows: list[Row] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for done in [pool.submit(each) for each in work]:
            row = done.result()
            if row is not None:
                rows.append(row)
                print(f"{row.name}: {row.written} {row.healed} {row.says}", file=sys.stderr,
                      flush=True)
    show(rows, Console(width=200))
    return 0


if __name__ == "__main__":
    sys.exit(main())
