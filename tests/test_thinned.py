"""The same verdicts whatever close looks a machine has time for: records are thinned on purpose.

What was looked at less may become unknown. It never becomes absent, no other cause is named in its
place, the place stays, and who is well stays silent.

In the suite one pattern for every second program. With UNSTUCK_ALL=1 all of them, and programs
that are watched thinned in truth, so that what the looks leave behind is thinned with them.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import corpus
from harness import thinning
from harness.records import contents, masked, record_of
from tests import processes
from tools.records import kept
from unstuck.judge import catalogue
from unstuck.judge.engine import began_before, diagnose
from unstuck.measures.looks import gaps
from unstuck.observe.sampling import Budget
from unstuck.record.reader import Record, read_record
from unstuck.record.schedule import LIMITS
from unstuck.schema.findings import Absent, Diagnosis, Finding, Present, Unknown
from unstuck.schema.signals import BY_NAME

ALL = os.environ.get("UNSTUCK_ALL") == "1"
SICK = [file for file in corpus.FAULTY if ALL or file in corpus.OFTEN]
WELL = [*((program, "well") for program in SICK),
        *((program, "main") for program in (*corpus.HEALTHY, *(corpus.LONG if ALL else ())))]
TRULY = ("none", "one in three")  # patterns by which programs are watched in truth


def patterns(program: Path) -> list[str]:
    """Those by which the records of a program are thinned."""
    if ALL:
        return list(thinning.PATTERNS)
    names = sorted(thinning.PATTERNS)
    drawn, taken = hashlib.sha256(corpus.name_of(program).encode()).digest()[:2]
    return [names[drawn % len(names)]] * (taken % 2)


def each(programs: list[Path]) -> list[object]:
    return [pytest.param(program, pattern, id=f"{corpus.name_of(program)}-{pattern}")
            for program in programs for pattern in patterns(program)]


def thinned(program: Path, function: str, pattern: str, folder: Path) -> Diagnosis:
    lines = (record_of(program, function) / "events.jsonl").read_text().splitlines()
    (folder / "events.jsonl").write_text("".join(thinning.thinned(lines, pattern)))
    return diagnose(folder)


@cache
def whole(program: Path) -> Diagnosis:
    return diagnose(record_of(program, "sick"))


def place(finding: Finding) -> tuple[str, int, int] | None:
    found = finding.location
    return None if found is None else (Path(found.file).name, found.line, found.column)


def holds(program: Path, found: Diagnosis) -> None:
    """The cause of a sick program is named as in its whole record, or said to be unknown."""
    slug = corpus.cause_of(program)
    said = [f"{f.severity} {f.cause} <- {f.explained_by}: {f.title}" for f in found.findings]
    verdict = dict(found.verdicts)[slug]
    assert not isinstance(verdict, Absent), verdict.reason
    if isinstance(verdict, Unknown):
        assert verdict.needs, verdict.reason
    if catalogue.find(slug).by_trial:
        return
    counted = found.counted()
    if isinstance(verdict, Unknown):
        # What it brought about may still be seen, but not as if it were the whole truth.
        known = {f.cause for f in whole(program).counted()}
        others = [f for f in counted if f.cause not in known and slug not in f.one_of]
        assert not others, said
        return
    assert counted, "nothing was found"
    assert counted[0].cause == slug, said
    assert place(counted[0]) == place(whole(program).counted()[0])
    assert not [f for f in counted if f.cause != slug and f.explained_by != slug], said


@pytest.mark.parametrize(("program", "pattern"), each(SICK))
def test_the_cause_is_named_or_unknown(program: Path, pattern: str, tmp_path: Path) -> None:
    holds(program, thinned(program, "sick", pattern, tmp_path))


@pytest.mark.parametrize(("program", "function", "pattern"), [
    pytest.param(program, function, pattern, id=f"{corpus.name_of(program)}-{pattern}")
    for program, function in WELL for pattern in patterns(program)])
def test_the_well_stay_silent(
    program: Path, function: str, pattern: str, tmp_path: Path
) -> None:
    found = thinned(program, function, pattern, tmp_path).counted()
    assert not [f"{f.severity} {f.cause}: {f.title}" for f in found]


# In truth ----------------------------------------------------------------------------------------
truly = pytest.mark.parametrize("pattern", TRULY)
sick = pytest.mark.parametrize("program", SICK if ALL else [], ids=corpus.name_of)


@truly
@sick
def test_the_cause_is_named_or_unknown_where_looks_were_left_out(
    program: Path, pattern: str
) -> None:
    holds(program, diagnose(record_of(program, "sick", keep=pattern)))


@truly
@pytest.mark.parametrize(("program", "function"), WELL if ALL else [])
def test_the_well_are_silent_where_looks_were_left_out(
    program: Path, function: str, pattern: str
) -> None:
    assert not diagnose(record_of(program, function, keep=pattern)).counted()


@sick
def test_the_cause_is_named_or_unknown_as_time_permits(program: Path) -> None:
    holds(program, diagnose(record_of(program, "sick", overhead=0.03)))


# The thinning itself, and the schedule -----------------------------------------------------------
def test_who_judges_knows_the_schedule() -> None:
    budget = Budget(1.0)
    taken = [step for step in range(3000) if step >= budget.next and budget.sampled(step)]
    assert taken == list(LIMITS.scheduled(3000))
    for steps in (0, 1, LIMITS.full_steps, LIMITS.full_steps + 1, taken[-1], taken[-1] + 1):
        assert list(LIMITS.scheduled(steps)) == [step for step in taken if step < steps]


def test_a_whole_looking_asks_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(1.0)
    monkeypatch.setattr("time.perf_counter", None)
    for step in range(200):
        if step >= budget.next and budget.sampled(step):
            budget.sampled_step_ended(step)


@pytest.mark.parametrize("pattern", ["none", "the second of two", "one in three"])
def test_a_thinned_record_is_as_if_looks_had_been_left_out(pattern: str, tmp_path: Path) -> None:
    program = corpus.pair_of("step-never-called")
    all_of_it = record_of(program, "well")
    lines = (all_of_it / "events.jsonl").read_text().splitlines()
    (tmp_path / "events.jsonl").write_text("".join(thinning.thinned(lines, pattern)))
    assert looks_of(tmp_path) == looks_of(record_of(program, "well", keep=pattern))
    assert len(looks_of(tmp_path)) < len(looks_of(all_of_it))


@pytest.mark.parametrize("program", corpus.PAIRS, ids=corpus.name_of)
def test_what_is_written_without_a_close_look_is_not_thinned(program: Path) -> None:
    record = kept(program)
    near = {*record.looks, *(step + 1 for step in record.looks)}
    for name in thinning.CLOSE:
        signal = BY_NAME[name]
        if record.measured(signal):
            series = record.series(signal)
            for one in series.values() if isinstance(series, Mapping) else [series]:
                assert not {*one.steps[one.steps >= LIMITS.full_steps].tolist()} - near, name


def looks_of(folder: Path) -> tuple[int, ...]:
    return read_record(folder).looks


# What is known of looks that were left out -------------------------------------------------------
def a_record(looks: list[int], steps: int = 1000) -> Record:
    return Record("id", "0", steps=steps, looks=tuple(looks))


def test_where_no_look_was_left_out_a_median_is_a_median() -> None:
    steps = list(LIMITS.scheduled(1000))
    values = np.arange(len(steps), dtype=float)
    whole = (np.median(values), np.median(values))
    assert gaps(a_record(steps), np.array(steps)).median(values) == whole
    assert gaps(a_record([]), np.array(steps)).median(values) == whole, "nothing is known of it"
    turns = sorted({*steps, *(step + 1 for step in steps[:-1])})  # two optimizers
    assert not len(gaps(a_record(turns), np.array(turns)).after)


def test_a_look_that_was_left_out_lies_between_its_neighbours() -> None:
    steps = list(LIMITS.scheduled(1000))
    kept = [*steps[:5], *steps[5:-1:2], steps[-1]]
    known = gaps(a_record(kept), np.array(kept))
    values = np.arange(len(steps), dtype=float)
    least, most = known.median(values[np.isin(steps, kept)])
    assert least <= np.median(values) <= most
    assert most - least <= 2
    assert not known.wide


def test_the_first_looks_say_nothing_of_a_long_run() -> None:
    known = gaps(a_record([0, 1, 2, 3, 4]), np.arange(5))
    assert known.wide
    assert known.median(np.ones(5)) == (0.0, math.inf)
    short = gaps(a_record([0, 1, 2, 3, 4], steps=12), np.arange(5))
    assert not short.wide
    assert short.median(np.ones(5)) == (1.0, 1.0)
    until_it_broke = gaps(a_record([0, 1, 2, 3, 4]), np.arange(5), last=9)
    assert until_it_broke.median(np.ones(5)) == (1.0, 1.0)


def test_a_root_may_have_begun_right_after_the_look_before() -> None:
    def since(step: int) -> Present:
        return Present(0.9, "1", step, None, "1", (), ())

    assert not began_before(since(145), since(53))
    assert began_before(since(145), since(53), looks=(0, 1, 2, 3, 4, 20, 145, 203))
    assert not began_before(since(145), since(53), looks=(0, 1, 2, 3, 4, 74, 145, 203))
    assert not began_before(since(145), since(0), looks=(0, 145)), "no update has caused that"


@pytest.mark.parametrize("pattern", sorted(thinning.PATTERNS))
@pytest.mark.parametrize(
    "slug", ["noise-floor", "momentum-too-high", "retained-graph", "saturated-activations"])
def test_verdicts_that_hung_on_the_number_of_looks(
    slug: str, pattern: str, tmp_path: Path
) -> None:
    program = corpus.pair_of(slug)
    holds(program, thinned(program, "sick", pattern, tmp_path))


# What else varies --------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_record_depends_on_the_program_alone(tmp_path: Path) -> None:
    """Not on the order of sets, nor on the time at which rows were written."""
    found = []
    for seed in ("1", "2"):
        processes.run(
            [sys.executable, "-m", "unstuck", "run", "--quiet", "--overhead", "1", "--out",
             tmp_path / seed, corpus.pair_of("saturated-activations")],
            cwd=tmp_path, check=True, capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed})
        found.append(contents(masked((tmp_path / seed / "events.jsonl").read_text())))
    assert found[0] == found[1]
