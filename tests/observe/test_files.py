"""The files of a program that ran, by name and hash."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from tests.observe.sources import record_of
from unstuck.schema.facts.files import UserFile

pytestmark = pytest.mark.usefixtures("seeded")


def test_script_and_modules_have_the_hash_with_which_they_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "helper_of_test_files.py"
    helper.write_text("WIDTH = 4\n")
    later = tmp_path / "later_of_test_files.py"
    later.write_text("x = 1\n")
    (tmp_path / "never_of_test_files.py").write_text("x = 1\n")
    before = helper.read_bytes()
    monkeypatch.syspath_prepend(str(tmp_path))
    record = record_of(f"""
import helper_of_test_files as helper
model = nn.Linear(helper.WIDTH, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    optimizer.zero_grad()
    model(torch.randn(4, 4)).mean().backward()
    optimizer.step()
    if step == 1:
        with open({str(helper)!r}, "w") as file: file.write("WIDTH = 5")
import later_of_test_files
""", tmp_path)
    for name in ("helper_of_test_files", "later_of_test_files"):
        del sys.modules[name]
    found = {fact.name: fact for fact in record.facts(UserFile)}
    assert found[str(helper)].module == "helper_of_test_files"
    assert found[str(helper)].digest == hashlib.sha256(before).hexdigest()
    assert found[str(later)].size == 6
    assert str(tmp_path / "program.py") in found
    assert [name for name in found if "never_of" in name or "/torch/" in name] == []
    assert not any("/unstuck/observe" in name for name in found)
