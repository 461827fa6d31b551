"""The user's files are read as they are, and written only as they were read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from unstuck.reading import Unusable
from unstuck.repair import disk
from unstuck.repair.disk import read, write_back


@pytest.mark.parametrize(("raw", "encoding"), [
    (b"x = 1\r\ny = 2\r\n", "utf-8"),
    ("größe = 1\n".encode(), "utf-8"),
    ("# -*- coding: latin-1 -*-\nx = 'ä'\n".encode("latin-1"), "iso-8859-1"),
    (b"\xef\xbb\xbfx = 1\n", "utf-8-sig"),
])
def test_a_file_comes_back_byte_for_byte(tmp_path: Path, raw: bytes, encoding: str) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(raw)
    found = read(file)
    assert found.encoding == encoding
    assert not found.text.startswith("\ufeff")
    written = write_back({file: found.text.replace(" = ", " =  ")}, {file: found})
    assert file.read_bytes() == raw.replace(b" = ", b" =  ")
    assert written[0].backup.read_bytes() == raw
    assert read(file).text == found.text.replace(" = ", " =  ")


def test_modes_stay_and_backups_take_no_name_that_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    file.chmod(0o750)
    (tmp_path / "a.py.orig").write_text("mine")
    written = write_back({file: "x = 2\n"}, {file: read(file)})
    assert file.stat().st_mode & 0o777 == 0o750
    assert written[0].backup == tmp_path / "a.py.orig.1"
    assert written[0].backup.stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "a.py.orig").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.py", "a.py.orig", "a.py.orig.1"]


def test_without_links_a_backup_is_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "not here")

    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    monkeypatch.setattr(os, "link", refuse)
    written = write_back({file: "x = 2\n"}, {file: read(file)})
    assert written[0].backup.read_text() == "x = 1\n"


def test_a_file_that_has_changed_is_left_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    for file in (first, second):
        file.write_text("x = 1\n")
    known = {file: read(file) for file in (first, second)}
    second.write_text("x = 3\n")
    with pytest.raises(Unusable, match=r"b\.py has changed since it was read"):
        write_back({first: "x = 2\n", second: "x = 2\n"}, known)
    assert (first.read_text(), second.read_text()) == ("x = 1\n", "x = 3\n")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_link_is_followed_only_if_that_is_wanted(tmp_path: Path) -> None:
    target, link = tmp_path / "real.py", tmp_path / "a.py"
    target.write_text("x = 1\n")
    link.symlink_to(target)
    with pytest.raises(Unusable, match=r"a link to .*real\.py"):
        write_back({link: "x = 2\n"}, {link: read(link)})
    write_back({link: "x = 2\n"}, {link: read(link)}, through_links=True)
    assert link.is_symlink()
    assert target.read_text() == "x = 2\n"


def test_if_one_file_cannot_be_written_none_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    for file in (first, second):
        file.write_text("x = 1\n")
    known = {file: read(file) for file in (first, second)}
    really = os.replace

    def fail_for_b(source: Path, target: Path) -> None:
        if target.name == "b.py" and source.name.endswith(".unstuck"):
            raise OSError(28, "No space left on device")
        really(source, target)

    monkeypatch.setattr(disk.os, "replace", fail_for_b)
    with pytest.raises(Unusable, match="No space left"):
        write_back({first: "x = 2\n", second: "x = 2\n"}, known)
    assert (first.read_text(), second.read_text()) == ("x = 1\n", "x = 1\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.py", "b.py"]


def test_what_an_encoding_lacks_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"# coding: latin-1\nx = 1\n")
    with pytest.raises(Unusable, match="lacks a character"):
        write_back({file: "# coding: latin-1\nx = '変'\n"}, {file: read(file)})
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"x = '\xff'\n")
    with pytest.raises(Unusable, match="encoding"):
        read(file)
