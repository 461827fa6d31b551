"""Tries `unstuck fix` on healthy programs, which it must leave alone, and on faulty ones.

Where there is nothing to fix, but something that only a trial can judge, `prove` is tried.

    python -m benchmarks.proofs [--healthy N] [--faulty N] [--pairs N] [--split open|aside]
                                [--only WORD] [--by-trial] [--budget SECONDS] [--cache DIR]
                                [--json FILE]

Each program is judged once, and its row is kept in the cache, so that it can be stopped at any time
and goes on; rows of another version of the package do not count. A faulty program counts if it does
really worse than its healthy twin. It is repaired if its model, trained from two fresh seeds with
the change that was found, comes near that of its twin on samples that the program never sees.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs
from rich.console import Console
from rich.progress import track

import corpus
from benchmarks.scoreboard.judging import version
from benchmarks.scoreboard.running import Runs
from benchmarks.scoreboard.scores import LOSES, Share, fails, healthy
from corpus.generated import samples
from corpus.generated.samples import Half, Sample
from unstuck.settings import Settings
from unstuck.trials.laboratory import Laboratory, Limits, Subject
from unstuck.trials.peel import MOST_ROUNDS, Repair, needs_proof, needs_repair, repair
from unstuck.trials.race import Clock, Race
from unstuck.trials.results import rows, with_trials
from unstuck.trials.subject import subject_of

LIBRARIES = ("sklearn.datasets", "sklearn.model_selection")
FRESH = (1000, 2000)  # by which the seed of a repaired program is moved
# The dose makes the fault: whether it is one is what a trial decides.
BY_TRIAL = ("too-shallow", "too-deep", "too-narrow", "too-wide", "batch-too-large",
            "batch-too-small", "momentum-too-low")


@dataclass(frozen=True, slots=True)
class Tried:
    """A program on which `fix` was tried, as plain data.

    `before` and `after` are the causes in order, without and with trials; `fixed` says that `fix`
    would write its change. `repaired` are the fresh seeds on which that was true.
    """

    name: str
    truth: tuple[str, ...]
    accepts: tuple[str, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    fixed: bool = False
    proven: bool = False
    repaired: int = 0
    diff: str = ""
    table: tuple[str, ...] = ()
    runs: int = 0
    seconds: float = 0.0
    length: float = 0.0
    trouble: str = ""

    def right(self) -> bool:
        """Whether the first cause that is named is one of its faults."""
        return bool(self.after) and self.after[0] in (*self.truth, *self.accepts)


@dataclass(frozen=True, slots=True)
class Text:
    """A program that is only a text, for `Runs`."""

    words: str
    reads: str

    def text(self) -> str:
        """Its source."""
        return self.words


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark; 1 if a healthy program was "fixed" or a program could not be tried."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind, few in (("healthy", 60), ("faulty", 60), ("pairs", 20)):
        parser.add_argument(f"--{kind}", type=int, default=few, help=f"how many ({few})")
    parser.add_argument("--split", choices=[half.value for half in Half], default="aside")
    parser.add_argument("--only", default="", help="only programs whose name holds this word")
    parser.add_argument("--by-trial", action="store_true",
                        help="only faults of depth, width, batch or momentum")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds for each program (60)")
    parser.add_argument("--json", type=Path, help="write all rows as JSON")
    parser.add_argument("--cache", type=Path,
                        default=platformdirs.user_cache_path("unstuck") / "scoreboard")
    options = parser.parse_args(arguments)
    board = Board(options.cache.resolve(), options.budget)
    half = Half(options.split)
    with Laboratory(Subject(("none.py",), ".", ".", libraries=LIBRARIES), Limits(600.0)) as made:
        board.laboratory = made
        sound = board.some(well(half), options.healthy, options.only)
        some = (each for each in samples.faulty() if not options.by_trial
                or each.injected[0].fault.slug in BY_TRIAL)
        sick = board.some(some, options.faulty, options.only, half)
        both = board.some(samples.pairs(), options.pairs, options.only, half)
    show(sound, sick, both, Console(width=100))
    if options.json:
        every = {"healthy": sound, "faulty": sick, "pairs": both}
        options.json.write_text(json.dumps(
            {kind: [asdict(each) for each in some] for kind, some in every.items()}, indent=1))
    return int(any(each.fixed for each in sound)
               or any(each.trouble for each in (*sound, *sick, *both)))


# The programs ------------------------------------------------------------------------------------
def well(half: Half) -> Iterator[Sample | Path]:
    """Healthy programs of three kinds in turn: generated, of the corpus, and cured ones of it."""
    drawn = _by_lot([each for each in samples.healthy() if each.half is half])
    for each in zip(drawn, _by_lot(corpus.HEALTHY), _by_lot(corpus.PAIRS), strict=False):
        yield from each


def _by_lot(some: Iterable[Any]) -> list[Any]:
    return sorted(some, key=lambda each: hashlib.sha256(_name(each).encode()).digest())


def _name(program: Sample | Path) -> str:
    return program.name if isinstance(program, Sample) else str(program.relative_to(corpus.ROOT))


def _text(program: Sample | Path) -> str:
    if isinstance(program, Sample):
        return program.program.text()
    text = program.read_text(encoding="utf-8")
    return re.sub(r"^    sick\(\)$", "    well()", text, flags=re.MULTILINE)


class Board:
    """Tries programs, and keeps the rows."""

    laboratory: Laboratory

    def __init__(self, cache: Path, budget: float) -> None:
        self.folder = cache / "proofs"
        self.runs = Runs(cache)
        self.budget = budget

    def some(self, programs: Iterable[Sample | Path], most: int, only: str,
             half: Half | None = None) -> list[Tried]:
        """The rows of the first programs that count, drawn by lot where a half is named."""
        chosen = [each for each in programs if only in _name(each) and (
            half is None or (isinstance(each, Sample) and each.half is half))]
        if half is not None:
            chosen = _of_all(_by_lot(chosen))
        found: list[Tried] = []
        for each in track(chosen, "trying", console=Console(stderr=True), transient=True):
            if len(found) >= most:
                break
            row = self.row(each)
            if row is not None:
                found.append(row)
        return found

    def row(self, program: Sample | Path) -> Tried | None:
        """The row of a program; None if it does not count."""
        name = _name(program)
        file = self.folder / version() / f"{name.replace('/', '-')}-{self.budget:g}.json"
        if file.exists():
            kept = json.loads(file.read_text())
            return kept and Tried(**{key: tuple(value) if isinstance(value, list) else value
                                     for key, value in kept.items()})
        row = self._tried(program) if self._counts(program) else None
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".new")
        unfinished.write_text(json.dumps(row and asdict(row)))
        unfinished.replace(file)
        return row

    def _counts(self, program: Sample | Path) -> bool:
        if isinstance(program, Path):
            return True
        twin = self.runs.run(program.twin)
        if not healthy(twin):
            return False
        return all(fails(each.fault, self.runs.run(program.program), twin)
                   for each in program.injected)

    def _tried(self, program: Sample | Path) -> Tried:
        injected = program.injected if isinstance(program, Sample) else ()
        row = Tried(_name(program), tuple(each.fault.slug for each in injected),
                    tuple(name for each in injected for name in each.fault.accepts))
        home = self.folder / "programs" / hashlib.sha256(row.name.encode()).hexdigest()[:12]
        home.mkdir(parents=True, exist_ok=True)
        file = home / "train.py"
        file.write_text(_text(program), encoding="utf-8")
        began = time.monotonic()
        try:
            found, race = self._repaired(file)
        except Exception:
            return replace(row, trouble=traceback.format_exc()[-2000:])
        if found is None:
            return replace(row, seconds=time.monotonic() - began, runs=race.runs)
        assert found.control.diagnosis is not None
        row = replace(
            row, before=tuple(each.cause for each in found.control.diagnosis.findings),
            after=tuple(each.cause for each in with_trials(found, str(home), 0.0).findings),
            fixed=found.fixed and needs_repair(found.control), proven=found.proven,
            diff=found.diff(str(home)) if found.kept else "", table=tuple(rows(found)),
            runs=race.runs, seconds=time.monotonic() - began, length=race.length)
        if isinstance(program, Sample) and program.injected and found.proven:
            return replace(row, repaired=self._on_fresh_seeds(program, found.texts[str(file)]))
        return row

    def _repaired(self, file: Path) -> tuple[Repair | None, Race]:
        folder = str(file.parent)
        self.laboratory.subject = Subject((file.name,), folder, folder)
        race = Race(self.laboratory, Settings(), Clock(self.budget))
        control = race.control()
        if control.record is None:
            raise ValueError(f"nothing was recorded: {control.ended}")
        _, texts = subject_of(control.record, folder)
        race.clock = Clock(self.budget)
        if not needs_proof(control):
            return None, race
        return repair(race, control, texts.index,
                      rounds=MOST_ROUNDS if needs_repair(control) else 1), race

    def _on_fresh_seeds(self, program: Sample, text: str) -> int:
        twin = self.runs.run(program.twin).skill
        assert twin is not None
        many = 0
        for shift in FRESH:
            moved = re.sub(r"torch\.manual_seed\((\d+)\)",
                           lambda seed, by=shift: f"torch.manual_seed({int(seed[1]) + by})", text)
            run: Any = self.runs.run(Text(moved, program.program.reads))  # type: ignore[arg-type]
            many += not run.error and run.skill is not None and run.skill > (1 - LOSES) * twin
        return many


def _of_all(drawn: Sequence[Sample | Path]) -> list[Sample | Path]:
    """One of each kind of fault, then a second one, and so on."""
    seen: dict[str, int] = {}
    places = []
    for number, each in enumerate(drawn):
        kind = _name(each).partition("/")[0]
        seen[kind] = seen.get(kind, 0) + 1
        places.append((seen[kind], number))
    return [drawn[number] for _, number in sorted(places)]


# The figures -------------------------------------------------------------------------------------
def show(sound: Sequence[Tried], sick: Sequence[Tried], both: Sequence[Tried],
         console: Console) -> None:
    """Prints what came of it."""
    def told(words: str, some: Sequence[Tried], is_so: Callable[[Tried], bool]) -> None:
        console.print(f"{words}: {Share(sum(map(is_so, some)), len(some))}", highlight=False)

    told("healthy programs that were changed", sound, lambda each: each.fixed)
    told("healthy programs with something to try", sound, lambda each: bool(each.before))
    dose = [each for each in sick if each.truth[0] in BY_TRIAL]
    for words, some in (("", sick), (", depth, width, batch or momentum", dose),
                        (", two faults", both)):
        told(f"named first{words}", some, Tried.right)
        told(f"named first without trials{words}", some, lambda each: bool(each.before) and (
            each.before[0] in (*each.truth, *each.accepts)))
        told(f"repaired on both fresh seeds{words}", some, lambda each: each.repaired == len(FRESH))
        told(f"said to be fixed and is not{words}", some,
             lambda each: each.fixed and not each.repaired)
    times = [each.seconds for each in (*sick, *both)]
    if times:
        console.print(f"seconds: median {statistics.median(times):.0f}, most {max(times):.0f}; "
                      f"runs: median {statistics.median(e.runs for e in (*sick, *both)):.0f}")
    for each in (*sound, *sick, *both):
        if each.trouble:
            console.print(f"{each.name}: {each.trouble}", markup=False)
        elif not each.truth and each.fixed:
            console.print(f"{each.name} was changed:\n{each.diff}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
