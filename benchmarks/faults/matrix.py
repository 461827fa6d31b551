"""Combinations of what can fail, and how a run with a failure is compared with a bare one."""

from __future__ import annotations

import io
import itertools
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.faults import throwing
from benchmarks.faults.entries import Point, Walked
from harness.forking import Interpreter

PROGRAMS = tuple(sorted((Path(__file__).parent / "programs").glob("*.py")))
PREPARE = f"{throwing.__name__}:prepare"
TIMES = ("first", "second", "later")
# After so many steps the fault of the sick program is beyond doubt.
SICK, SHOWN, FAULT = "sick", 40, "gradients-not-zeroed"


@dataclass(frozen=True, slots=True)
class Combination:
    """One run of one program in which one call of one point fails."""

    program: str
    point: Point
    time: str
    phase: str
    error: str
    stream: str
    folder: str

    def __str__(self) -> str:
        return (f"{self.program}: {self.time} {self.point}, {self.error} at {self.phase}, "
                f"stderr {self.stream}, folder {self.folder}")


@dataclass(frozen=True, slots=True)
class Result:
    """How a run went; `thrown` is false where the point was not reached as often."""

    combination: Combination
    thrown: bool
    differences: tuple[str, ...]
    seconds: float


# Combinations ------------------------------------------------------------------------------------
SMALL: dict[str, Sequence[str]] = {
    "time": TIMES, "phase": throwing.PHASES, "error": tuple(throwing.ERRORS),
    "stream": tuple(throwing.STREAMS), "folder": tuple(throwing.FOLDERS),
}


def everything(walks: dict[str, Walked]) -> Iterator[Combination]:
    """Every point of every program with every error, stream and folder.

    Which of its calls fails, and when within it, alternates.
    """
    how = itertools.cycle(itertools.product(TIMES, throwing.PHASES))
    for program, walked in walks.items():
        for point, count in walked.points.items():
            for rest in itertools.product(
                throwing.ERRORS, throwing.STREAMS, throwing.FOLDERS
            ):
                time, phase = next(how)
                yield Combination(program, point, _possible(time, count), phase, *rest)


def pairwise(walks: dict[str, Walked], often: int = 2) -> list[Combination]:
    """Every point that any program reaches, so `often`, and every pair of what else can differ."""
    rows = covering({"program": tuple(walks), **SMALL})
    programs = Counter(point for walked in walks.values() for point in walked.points)
    chosen: Counter[Point] = Counter()
    combinations: list[Combination] = []
    for row in itertools.cycle(rows):
        enough = len(combinations) >= len(rows)
        if enough and all(chosen[point] >= often for point in programs):
            return combinations
        how = dict(zip(("program", *SMALL), row, strict=True))
        points = walks[how["program"]].points
        # Points that no other run has had, and of these the ones that few programs reach.
        point = min(points, key=lambda point: (chosen[point], programs[point], point))
        if enough and chosen[point] >= often:
            continue
        chosen[point] += 1
        how["time"] = _possible(how["time"], points[point])
        combinations.append(Combination(point=point, **how))
    raise AssertionError


def good_folder(combination: Combination) -> Combination:
    """The same at the first call, with nothing wrong with the folder."""
    return replace(combination, folder="good", time="first")


def _possible(time: str, count: int) -> str:
    return TIMES[min(TIMES.index(time), count - 1)]


def number(time: str, count: int) -> int:
    """Which of `count` calls is meant."""
    return {"first": 1, "second": 2, "later": max(3, count // 2)}[time]


def covering(factors: dict[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Rows in which any two values of two factors occur together; a small number of them."""
    names = list(factors)
    missing = {
        (a, x, b, y) for a, b in itertools.combinations(range(len(names)), 2)
        for x in factors[names[a]] for y in factors[names[b]]
    }
    rows = []
    while missing:
        row: dict[int, str] = {}
        a, x, b, y = min(missing)
        row[a], row[b] = x, y
        for index, name in enumerate(names):
            if index not in row:
                row[index] = max(factors[name], key=lambda value, index=index: sum(  # type: ignore[misc]
                    _pair(index, value, other, row[other]) in missing for other in row))
        rows.append(tuple(row[index] for index in range(len(names))))
        missing -= {_pair(a, row[a], b, row[b]) for a, b in itertools.combinations(row, 2)}
    return rows


def _pair(a: int, x: str, b: int, y: str) -> tuple[int, str, int, str]:
    return (a, x, b, y) if a < b else (b, y, a, x)


# Running -----------------------------------------------------------------------------------------
class Matrix:
    """Runs combinations in one interpreter, and keeps the bare runs."""

    def __init__(self, interpreter: Interpreter, folder: Path) -> None:
        self._interpreter = interpreter
        self._folder = folder
        self._bare: dict[tuple[str, str], dict[str, Any]] = {}
        self._number = 0

    def walk(self) -> dict[str, Walked]:
        """Finds the points of each program.

        Raises:
            RuntimeError: an entry has no point.
        """
        walks = {}
        for program in PROGRAMS:
            folder, _, _ = self._run(program.stem, watched=True, walk=True)
            walks[program.stem] = Walked.read(folder / throwing.WALKED)
            if uncovered := walks[program.stem].uncovered:
                raise RuntimeError(f"nothing can be thrown beneath {', '.join(uncovered)}")
        return walks

    def run(self, combination: Combination, walked: Walked) -> Result:
        """Runs a combination and compares it with the bare run."""
        c = combination
        bare = self._bare_run(c.program, c.stream)
        throw = {"point": [c.point.entry, c.point.inside], "phase": c.phase, "error": c.error,
                 "number": number(c.time, walked.points[c.point])}
        folder, ended, seconds = self._run(
            c.program, watched=True, stream=c.stream, folder=c.folder, throw=throw)
        differences = [
            name for name in bare if name != "stderr" and bare[name] != ended[name]]
        theirs, ours = _split(ended["stderr"])
        if theirs != _split(bare["stderr"])[0]:
            differences.append("stderr")
        if ours:  # whatever there is to say, our parent says it
            differences.append("stderr: a line of ours")
        file = folder / throwing.THROWN
        thrown = json.loads(file.read_text()) if file.exists() else None
        if thrown and not thrown["forked"] and c.folder == "good" and not differences:
            differences += _told(folder, c, thrown)
        if not differences:
            shutil.rmtree(folder)
        return Result(c, thrown is not None, tuple(differences), seconds)

    def _bare_run(self, program: str, stream: str) -> dict[str, Any]:
        key = (program, stream)
        if key not in self._bare:
            folder, self._bare[key], _ = self._run(program, watched=False, stream=stream)
            if not self._bare[key]["weights"]:
                raise RuntimeError(f"the bare {program} failed: see {folder}")
        return self._bare[key]

    def _run(self, program: str, **how: Any) -> tuple[Path, dict[str, Any], float]:
        self._number += 1
        folder = self._folder / f"{self._number}-{program}"
        folder.mkdir()
        (folder / "how.json").write_text(json.dumps(how))
        path = next(path for path in PROGRAMS if path.stem == program)
        return folder, *run(self._interpreter, folder, path, **how)


def run(
    interpreter: Interpreter, where: Path, program: Path, /, **how: Any
) -> tuple[dict[str, Any], float]:
    """Runs a program; what it left, by name, and its processor time. `how`: see `throwing`."""
    ended = interpreter.run(where, PREPARE, {"program": str(program), **how})
    weights = where / throwing.WEIGHTS
    return {
        "status": ended.status,
        "stdout": (where / "out").read_bytes(),
        "stderr": (where / "err").read_bytes(),
        "weights": weights.read_text() if weights.exists() else "",
    }, ended.seconds


def _split(text: bytes) -> tuple[bytes, list[bytes]]:
    """Standard error without the lines of ours, and these.

    Where standard error refuses an exception the interpreter prints where in memory that lies.
    """
    lines = re.sub(rb"(?m)^(object (?:address|refcount)) .*$", rb"\1", text).splitlines(True)
    return (b"".join(line for line in lines if not line.startswith(b"unstuck: ")),
            [line for line in lines if line.startswith(b"unstuck: ")])


def _told(folder: Path, combination: Combination, thrown: dict[str, Any]) -> Iterator[str]:
    """What is wrong with what is said of a failure, where the record could be kept."""
    import unstuck
    from unstuck.report import terminal

    told = (folder / throwing.MESSAGES).read_text()
    if combination.phase == "inside" and "failed " not in told and "unwatched " not in told:
        return  # what called it has dealt with it, and the watching goes on
    if not any(place in told for place in thrown["at"]):
        yield f"the line {thrown['at'][0]} is not in the message"
    if "unwatched " in told:
        return  # there is no record
    try:
        diagnosis = unstuck.diagnose(folder / throwing.RECORD)
        said = io.StringIO()
        terminal.render(diagnosis, notes=True, quiet=False, file=said)
    except Exception as error:
        yield f"the record is not judged: {type(error).__name__}: {error}"
        return
    report = " ".join(said.getvalue().split())
    step = thrown["step"] or 0
    # How the watching ended may be all that is missing in the record.
    if "how the run ended was not recorded" not in told:
        if not any(place in report for place in thrown["at"]):
            yield f"the line {thrown['at'][0]} is not in the report"
        if f"step {step}" not in report or f"step {step}" not in told:
            yield f"the step {step} is not named"
    slugs = [finding.cause for finding in diagnosis.findings]
    if combination.program == SICK and step >= SHOWN and FAULT not in slugs:
        yield f"the fault that had shown is not named, but {slugs}"


def counted(results: Iterable[Result]) -> dict[str, int]:
    """How many ran, failed as they should, and differ."""
    results = list(results)
    return {"ran": len(results), "thrown": sum(result.thrown for result in results),
            "differ": sum(bool(result.differences) for result in results)}


def as_json(result: Result) -> str:
    """A line for a log of results."""
    return json.dumps(asdict(result))
