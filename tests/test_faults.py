"""Whatever of ours fails inside a program, the program ends as it does alone."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest

from benchmarks.faults import interrupts, matrix
from benchmarks.faults.entries import Point, Walked
from benchmarks.faults.throwing import PHASES
from harness.forking import Interpreter


@pytest.fixture(scope="module")
def interpreter() -> Iterator[Interpreter]:
    with Interpreter() as made:
        yield made


def test_any_two_values_of_two_factors_meet() -> None:
    rows = matrix.covering(matrix.SMALL)
    for (a, some), (b, others) in itertools.combinations(enumerate(matrix.SMALL.values()), 2):
        met = {(row[a], row[b]) for row in rows}
        assert met == set(itertools.product(some, others))
    assert len(rows) < 30


def test_an_entry_beneath_which_nothing_can_fail_is_found(tmp_path: Path) -> None:
    rows = [["a", 1], ["b", 1], ["c", 1], ["a", "", 1], ["a", "f", 2], ["b", "", 3]]
    (tmp_path / "walked").write_text("\n".join(json.dumps(row) for row in rows))
    walked = Walked.read(tmp_path / "walked")
    assert walked.points == {Point("a", "f"): 2, Point("b", ""): 3}
    assert walked.uncovered == ("c",)


def test_no_error_of_ours_reaches_a_program(interpreter: Interpreter, tmp_path: Path) -> None:
    runs = matrix.Matrix(interpreter, tmp_path)
    walks = runs.walk()
    every = os.environ.get("UNSTUCK_ALL") == "1"  # else some of the points, drawn by their names
    wanted = {point for walked in walks.values() for point in walked.points
              if every or crc32(repr(point).encode()) % 32 == 1}
    chosen = [c for c in matrix.pairwise(walks, 2 if every else 1) if c.point in wanted]
    results = [runs.run(combination, walks[combination.program]) for combination in chosen]
    # A full disk may end the watching before the point is reached.
    thrown = {result.combination.point for result in results if result.thrown}
    again = {c.point: c for c in chosen if c.point not in thrown}
    for combination in again.values():
        good = matrix.good_folder(combination)
        # Some points are entered before anything can be thrown at their beginning.
        for phase in dict.fromkeys((good.phase, *PHASES)):
            results.append(runs.run(replace(good, phase=phase), walks[good.program]))
            if results[-1].thrown:
                break
    thrown = {result.combination.point for result in results if result.thrown}
    assert wanted - thrown == set()
    differing = [f"{result.combination}: {', '.join(result.differences)}"
                 for result in results if result.differences]
    assert differing == []


@pytest.mark.parametrize("name", interrupts.SIGNALS)
def test_the_programs_own_exceptions_reach_it_from_everywhere(
    interpreter: Interpreter, tmp_path: Path, name: str
) -> None:
    result = interrupts.run(interpreter, tmp_path, name)
    assert result.failures == ()
    assert (result.status, result.errors) == (0, "")
    assert len(result.raised) > 100
    assert result.caught == len(result.raised)
    assert result.steps > 100
