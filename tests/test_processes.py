"""What tests start ends: in time, with all that it started, and with signals as in a terminal."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import records
from tests import processes

WHICH = ("import signal; print([s.name for s in signal.valid_signals() if isinstance(s, "
         "signal.Signals) and signal.getsignal(s) is signal.SIG_IGN])")


@pytest.fixture
def ignoring() -> Iterator[None]:
    """As under nohup in the background of a script."""
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def ignored() -> str:
    return str(processes.run([sys.executable, "-c", WHICH], capture_output=True, text=True).stdout)


def test_what_pytest_ignores_its_programs_ignore(ignoring: None) -> None:
    assert all(name in ignored() for name in ("SIGHUP", "SIGINT", "SIGQUIT"))


@pytest.mark.usefixtures("ignoring", "default_signals")
def test_default_signals_are_those_of_a_terminal() -> None:
    assert ignored() == "['SIGPIPE', 'SIGXFSZ']\n"  # Python's own
    signal.raise_signal(signal.SIGHUP)  # harmless to pytest all the same


STARTS_ANOTHER = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time; time.sleep(600)"])
"""


def test_a_limit_ends_all_that_was_started() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        # Its output ends only when the last process that may write to it has ended.
        processes.run([sys.executable, "-c", STARTS_ANOTHER], capture_output=True, timeout=5)


def test_a_process_ends_with_its_block() -> None:
    with processes.started(["sleep", "600"]) as process:
        assert process.poll() is None
    assert process.returncode == -signal.SIGKILL


# Records -----------------------------------------------------------------------------------------
PROGRAM = "import torch\ndef main(): print('ran'); {}"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of records of its own."""
    monkeypatch.setenv("UNSTUCK_TEST_RECORDS", str(tmp_path / "records"))
    records.session.cache_clear()
    yield tmp_path / "records"
    records.session.cache_clear()


def test_what_a_killed_session_left_is_in_nobodys_way(kept: Path, tmp_path: Path) -> None:
    program = tmp_path / "small.py"
    program.write_text(PROGRAM.format("pass"))
    half_done = records.session() / "making-gone"
    (half_done / "record").mkdir(parents=True)
    (half_done / "record" / "events.jsonl").write_text("torn")
    folder = records.record_of(program)
    assert (folder / "events.jsonl").stat().st_size > 100
    assert (folder.parent / "output.txt").read_text() == "ran\n"
    records._record_of.cache_clear()  # as in another session
    before = (folder / "events.jsonl").stat().st_mtime_ns
    assert records.record_of(program) == folder
    assert (folder / "events.jsonl").stat().st_mtime_ns == before


def test_a_program_that_fails_is_run_once_a_session(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "small.py"
    program.write_text(PROGRAM.format("__import__('time').sleep(600)"))
    monkeypatch.setattr(records, "TIMEOUT", 0.5)
    for _ in range(2):
        with pytest.raises(records.ProgramFailed, match="did not end"):
            records.record_of(program)
        monkeypatch.setattr(records, "_run_apart", None)  # is not called again
    assert not [found for found in kept.iterdir() if found.is_dir()]
