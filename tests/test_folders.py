"""Folders of records: new or empty ones, for one run each, and those that are forgotten."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from unstuck import folders
from unstuck.folders import EVENTS, TakenFolderError, UnusableFolderError
from unstuck.record import reader as record
from unstuck.record.reader import RecordWriter


def _record(folder: Path, days_old: float = 1.0) -> Path:
    RecordWriter(folder, "0.1.0").close()
    written = (folder / EVENTS).stat().st_mtime - days_old * 86400
    os.utime(folder / EVENTS, (written, written))
    return folder


def test_the_name_of_a_records_file_is_the_records_own() -> None:
    assert folders.EVENTS == record.EVENTS


# Asked for ---------------------------------------------------------------------------------------
def test_a_folder_that_was_asked_for_is_made_for_the_user_alone(tmp_path: Path) -> None:
    folder = folders.asked(tmp_path / "a" / "b")
    assert folder.made
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.discard()
    assert not (tmp_path / "a" / "b").exists()
    assert (tmp_path / "a").exists()


def test_an_empty_folder_is_taken_and_stays(tmp_path: Path) -> None:
    before = tmp_path.stat().st_mode
    folder = folders.asked(tmp_path)
    folder.discard()
    assert not folder.made
    assert tmp_path.stat().st_mode == before


@pytest.mark.parametrize("name", ["notes.txt", "refused", "unwatched", ".hidden", "launch.json"])
def test_a_folder_with_files_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff mine")
    with pytest.raises(TakenFolderError, match="is not empty; choose a new or empty folder"):
        folders.asked(tmp_path)
    assert (tmp_path / name).read_bytes() == b"\xff mine"


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    _record(tmp_path)
    with pytest.raises(TakenFolderError, match="already holds a record"):
        folders.asked(tmp_path)
    with pytest.raises(UnusableFolderError, match="it is a file, not a folder"):
        folders.asked(tmp_path / EVENTS)
    with pytest.raises(UnusableFolderError, match="is a file"):
        folders.asked(tmp_path / EVENTS / "below")
    (tmp_path / "nowhere").symlink_to(tmp_path / "no" / "where")
    with pytest.raises(UnusableFolderError, match="File exists"):
        folders.asked(tmp_path / "nowhere")
    with pytest.raises(UnusableFolderError, match="choose a folder with --out"):
        folders.new("train.py", tmp_path / EVENTS)


def test_a_folder_is_one_runs_at_a_time(tmp_path: Path) -> None:
    one = folders.asked(tmp_path / "r")
    with pytest.raises(TakenFolderError, match="another run is about to save its record"):
        folders.asked(tmp_path / "r")
    one.close()
    folders.asked(tmp_path / "r").close()


def test_of_many_that_ask_at_once_one_wins(tmp_path: Path) -> None:
    code = ("import sys; from pathlib import Path; from unstuck import folders\n"
            "sys.stdin.readline()\n"
            "try: folders.asked(Path('r'))\n"
            "except folders.TakenFolderError: print('taken', flush=True)\n"
            "else: print('mine', flush=True)\n"
            "sys.stdin.readline()")
    processes = [
        subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(6)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    heard = [process.stdout and process.stdout.readline() for process in processes]
    for process in processes:
        process.communicate("end\n")
    assert sorted(str(word) for word in heard) == ["mine\n"] + 5 * ["taken\n"]


def test_only_the_record_itself_is_believed(tmp_path: Path) -> None:
    RecordWriter(tmp_path / "r", "0.1.0", "mine").close()
    assert folders.holds(tmp_path / "r", "mine")
    assert not folders.holds(tmp_path / "r", "other")
    assert not folders.holds(tmp_path, "mine")
    for made in (lambda p: p.symlink_to(tmp_path / "r" / EVENTS), os.mkfifo, Path.mkdir):
        (folder := tmp_path / made.__name__).mkdir()
        made(folder / EVENTS)
        assert not folders.holds(folder, "mine")


# Of their own ------------------------------------------------------------------------------------
def test_runs_get_folders_of_their_own(tmp_path: Path) -> None:
    one = folders.new("a b/train.py", tmp_path / "runs").path
    two = folders.new("a b/train.py", tmp_path / "runs").path
    three = folders.new("package.module", tmp_path / "runs").path
    assert one != two
    assert "-train-" in one.name
    assert "-package.module-" in three.name
    assert set(folders.past_runs(tmp_path / "runs")) == {one, two, three}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (one, two, three)} == {0o700}


def test_old_records_are_forgotten_but_not_those_being_written(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    old = [_record(tmp_path / f"2025010{day}T000000Z-train-7") for day in range(1, 7)]
    os.utime(old[1] / EVENTS)  # still being written
    new = folders.new("train.py", tmp_path, keep=3).path
    assert folders.past_runs(tmp_path) == [old[1], old[4], old[5], new]
    assert (tmp_path / "mine").is_dir()


def test_what_is_no_record_is_never_forgotten(tmp_path: Path) -> None:
    runs, mine = tmp_path / "runs", tmp_path / "mine"
    mine.mkdir()
    (mine / EVENTS).write_text("mine")
    kept = [_record(runs / f"2025010{day}T000000Z-train-7") for day in range(1, 5)]
    (kept[0] / "thesis.tex").write_text("mine")
    (kept[1] / EVENTS).write_text("mine")
    (kept[2] / EVENTS).unlink()
    (kept[2] / EVENTS).symlink_to(mine / EVENTS)
    (kept[3] / EVENTS).unlink()
    (kept[3] / EVENTS).mkdir()
    link = runs / "20250105T000000Z-train-7"
    link.symlink_to(mine)
    for path in (*(folder / EVENTS for folder in kept), mine / EVENTS):
        os.utime(path, (0, 0), follow_symlinks=False)
    folders.new("train.py", runs, keep=1)
    assert (kept[0] / "thesis.tex").read_text() == "mine"
    assert (kept[1] / EVENTS).read_text() == (mine / EVENTS).read_text() == "mine"
    assert (kept[2] / EVENTS).is_symlink()
    assert (kept[3] / EVENTS).is_dir()
    assert link.is_symlink()
    assert link not in folders.past_runs(runs)


def test_without_a_home_folder_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # of a user whom nobody knows
    with pytest.raises(UnusableFolderError, match="to keep records in; choose a folder"):
        folders.new("train.py")
    assert not list(tmp_path.iterdir())
