"""The comparison of records and verdicts before and after a change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import frozen


def test_what_did_not_change_is_the_same_and_what_did_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "before.json"
    words = [str(file), "--generated", "0", "step-never-called/pair-well"]
    assert frozen.main(words) == 0
    assert frozen.main(words) == 0
    assert "1 programs, 0 differ" in capsys.readouterr().out
    before = json.loads(file.read_text())
    (program,) = before.values()
    program["record"] = "another"
    program["verdicts"]["dead-relu"] = "Unknown"
    file.write_text(json.dumps(before))
    assert frozen.main(words) == 1
    assert "step-never-called/pair-well: record; dead-relu: Unknown -> Absent" in (
        capsys.readouterr().out)
