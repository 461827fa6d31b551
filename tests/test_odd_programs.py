"""Programs that do unusual things to their interpreter, process or disk, bare and watched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import unstuck
from benchmarks.faults import matrix, throwing
from benchmarks.odd_programs import ODD, TRAIN
from harness.forking import Interpreter
from tests.marks import slow


@pytest.fixture(scope="module")
def interpreter() -> Iterator[Interpreter]:
    with Interpreter() as made:
        yield made


@pytest.mark.parametrize("name", [
    name if number % 4 == 0 and name != "fifty models" else slow(name)
    for number, name in enumerate(ODD)])
def test_an_odd_program_does_what_it_does_alone(
    interpreter: Interpreter, tmp_path: Path, name: str
) -> None:
    program = tmp_path / "program.py"
    program.write_text(TRAIN + ODD[name])
    left = {}
    for how in ("bare", "watched"):
        (tmp_path / how).mkdir()
        left[how], _ = matrix.run(interpreter, tmp_path / how, program, watched=how == "watched")
    assert left["watched"] == left["bare"]
    assert left["bare"]["status"] is not None
    assert b"program.py" not in left["bare"]["stderr"] or left["bare"]["status"] == 1 or (
        "thread" in name)  # else the program is wrong
    record = unstuck.read_record(tmp_path / "watched" / throwing.RECORD)
    assert [odd.says for odd in record.oddities if odd.what == "watcher-failed"] == []
    unstuck.diagnose(tmp_path / "watched" / throwing.RECORD)
