"""The sources of a program, read from the disk as they ran."""

from __future__ import annotations

import hashlib
from pathlib import Path

from unstuck.record.reader import Record
from unstuck.repair.cannot import CannotWrite, Reason
from unstuck.repair.program import load
from unstuck.repair.write import write
from unstuck.schema.edits import OptimizerArgument
from unstuck.schema.facts.files import UserFile
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.run import Program
from unstuck.schema.places import SourceLocation

TEXT = "import torch\nopt = torch.optim.SGD(p, lr=10.0)\n"
EDIT = OptimizerArgument("SGD", "lr", 0.1)


def record(file: Path, digest: str | None = None) -> Record:
    raw = file.read_bytes() if file.exists() else b""
    place = SourceLocation(str(file), 2, 7, 2, 34, "opt = torch.optim.SGD(p, lr=10.0)")
    return Record("0" * 32, "0").hold(
        UserFile(str(file), "__main__", digest or hashlib.sha256(raw).hexdigest(), len(raw)),
        Optimizer("SGD", "SGD", place, 10.0, 0.0, 0.0, ()),
        Program(("train.py", "--fast"), "", "", "", ()))


def test_the_files_of_a_record_are_read(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(TEXT)
    loaded = load(record(file))
    assert not loaded.refused
    assert loaded.index.argv == ("train.py", "--fast")
    assert loaded.files[str(file)].text == TEXT
    assert isinstance(write(EDIT, record(file), loaded.index), list)


def test_a_file_that_has_changed_since_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(TEXT)
    old = record(file, "0" * 64)
    loaded = load(old)
    assert "has changed since it ran" in loaded.refused[str(file)]
    found = write(EDIT, old, loaded.index)
    assert isinstance(found, CannotWrite)
    assert found.reason is Reason.TEXT_DIFFERS


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "gone.py"
    loaded = load(record(missing))
    assert "there is no file" in loaded.refused[str(missing)]
    found = write(EDIT, record(missing), loaded.index)
    assert isinstance(found, CannotWrite)
    assert found.reason is Reason.NO_TEXT
    (tmp_path / "odd.py").write_text("def f(:\n")
    assert "valid Python" in load(record(tmp_path / "odd.py")).refused[str(tmp_path / "odd.py")]


def test_a_place_that_holds_another_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(TEXT.replace("p,", "q,"))
    found = write(EDIT, record(file), load(record(file)).index)
    assert isinstance(found, CannotWrite)
    assert found.reason is Reason.TEXT_DIFFERS
