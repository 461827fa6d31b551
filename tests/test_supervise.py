"""The parent: what the child tells it, and signals on their way to the child and back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests import processes
from unstuck import folders, supervise
from unstuck.supervise import RunOptions, RunResult

_COMMAND = [sys.executable, "-m", "unstuck.cli", "run", "--quiet", "--out", "record", "train.py"]


pytestmark = pytest.mark.usefixtures("default_signals")


def _run(folder: Path, source: str, *arguments: str) -> RunResult:
    script = folder / "train.py"
    script.write_text(textwrap.dedent(source), encoding="utf-8")
    options = RunOptions(folders.asked(folder / "record"))
    return supervise.supervise([str(script), *arguments], options)


# Runs --------------------------------------------------------------------------------------------
def test_a_run_without_torch_leaves_nothing(tmp_path: Path) -> None:
    result = _run(tmp_path, "import sys; sys.exit(len(sys.argv))", "a", "b")
    assert result == RunResult(status=3)
    assert not (tmp_path / "record").exists()


@pytest.mark.parametrize("name", ["mine", "refused", "unwatched", "launch.json", "events.jsonl"])
def test_files_that_the_program_writes_there_are_its_own(tmp_path: Path, name: str) -> None:
    text = '{"type":"header","schema":1,"version":"0.1.0","record":"mine"}\n'
    result = _run(tmp_path, f"open('{tmp_path}/record/{name}', 'w').write({text!r})")
    assert result == RunResult(status=0)
    assert (tmp_path / "record" / name).read_text() == text


def test_an_empty_folder_of_the_users_stays(tmp_path: Path) -> None:
    (tmp_path / "record").mkdir()
    assert _run(tmp_path, "") == RunResult(status=0)
    assert (tmp_path / "record").is_dir()


def test_a_folder_that_the_program_puts_in_its_place_stays(tmp_path: Path) -> None:
    _run(tmp_path, f"import os; os.rmdir('{tmp_path}/record'); os.mkdir('{tmp_path}/record')")
    assert (tmp_path / "record").is_dir()


def test_a_signal_is_told_apart_from_a_status(tmp_path: Path) -> None:
    result = _run(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert (result.status, result.signal) == (0, signal.SIGKILL)


def test_our_own_signal_handlers_come_back(tmp_path: Path) -> None:
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    _run(tmp_path, "")
    assert {number: signal.getsignal(number) for number in signal.valid_signals()} == before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == blocked


def test_a_refusal_of_the_child_is_heard(tmp_path: Path) -> None:
    options = RunOptions(folders.asked(tmp_path / "record"))
    result = supervise.supervise(["-m", "no_such_module"], options)
    assert (result.status, result.refused) == (2, "No module named no_such_module")


_COUNTS = """
    import os, signal, sys, time
    heard = []
    def hear(number, _):
        heard.append(number)
        os.write(1, f"heard {signal.Signals(number).name} {len(heard)}\\n".encode())
        if number == signal.SIGUSR2:
            sys.exit(len(heard))
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"):
        signal.signal(getattr(signal, name), hear)
    print("ready", flush=True)
    while True:
        time.sleep(60)
    """


def _started(
    folder: Path, source: str, command: list[str]
) -> AbstractContextManager[subprocess.Popen[str]]:
    (folder / "train.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return processes.started(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_signals_sent_to_the_parent_reach_the_program_once(tmp_path: Path) -> None:
    with _started(tmp_path, _COUNTS, _COMMAND) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        for count, name in enumerate(["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"], 1):
            process.send_signal(getattr(signal, name))
            assert process.stdout.readline() == f"heard {name} {count}\n"
        assert process.wait() == 5


def test_a_key_on_the_terminal_reaches_the_program_once(tmp_path: Path) -> None:
    spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    command = [sys.executable, "-c", spawn, *_COMMAND]
    with _started(tmp_path, _COUNTS, command) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == "ready\n"
        for count in (1, 2):
            process.stdin.write("\x03")
            process.stdin.flush()
            assert process.stdout.readline().endswith(f"heard SIGINT {count}\n")
        process.stdin.write("\x1c")
        process.stdin.flush()
        assert process.wait() == 256 - signal.SIGQUIT


def test_a_hangup_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    source = "import signal; print(signal.getsignal(signal.SIGHUP).name)"
    (tmp_path / "train.py").write_text(source)
    done = processes.run(["nohup", *_COMMAND], cwd=tmp_path, capture_output=True, check=False)
    assert done.stdout == b"SIG_IGN\n"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL", "SIGSEGV", "SIGABRT"])
def test_the_parent_dies_of_what_the_program_died_of(tmp_path: Path, name: str) -> None:
    (tmp_path / "train.py").write_text(f"import os, signal; os.kill(os.getpid(), signal.{name})")
    done = processes.run(_COMMAND, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == -getattr(signal, name)


def test_descriptors_that_were_given_are_the_programs(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import os, sys; os.write(int(sys.argv[1]), b'hello')")
    reading, writing = os.pipe()
    processes.run([*_COMMAND, str(writing)], cwd=tmp_path, pass_fds=[writing], check=True)
    os.close(writing)
    with open(reading, "rb") as pipe:
        assert pipe.read() == b"hello"


def test_flags_of_the_interpreter_go_on(tmp_path: Path) -> None:
    source = "import sys; print(sys.flags.optimize, sys.warnoptions, sys.stdout.write_through)"
    (tmp_path / "train.py").write_text(source)
    command = [sys.executable, "-O", "-u", "-W", "ignore::FutureWarning", *_COMMAND[1:]]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    done = processes.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "1 ['ignore::FutureWarning'] True\n"


# Words -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("result", "words"), [
    (RunResult(0), "without importing torch"),
    (RunResult(3), "exited with status 3 before it imported torch"),
    (RunResult(0, signal=11), "was ended by SIGSEGV before it imported torch"),
    (RunResult(0, signal=9), "SIGKILL (often because memory ran out)"),
    (RunResult(0, signal=250), "signal 250"),
    (RunResult(0, unwatched="no space"), "ran unwatched (no space)"),
])
def test_nothing_recorded_has_a_reason(result: RunResult, words: str) -> None:
    assert words in supervise.nothing_recorded(result)
