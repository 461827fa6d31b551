"""The pipe from the child to its parent: unseen by the program, and believed within bounds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from unstuck import folders, supervise
from unstuck.messages import Pipe
from unstuck.observe import program
from unstuck.observe.program import Parent
from unstuck.supervise import RunOptions, RunResult

_NO_TORCH = "raise OSError('libtorch.so')"


def _run(folder: Path, source: str, torch: str = "READY = True") -> RunResult:
    """Runs a program with a torch that cannot be watched."""
    (folder / "torch.py").write_text(torch)
    (folder / "train.py").write_text(textwrap.dedent(source), encoding="utf-8")
    options = RunOptions(folders.asked(folder / "record"))
    return supervise.supervise([str(folder / "train.py")], options)


def _heard(*lines: bytes) -> dict[str, list[str]]:
    pipe = Pipe()
    assert pipe.number is not None
    for line in lines:
        os.write(pipe.number, line)
    pipe.started()
    return dict(pipe.read())


# What is believed --------------------------------------------------------------------------------
def test_messages_arrive_in_order() -> None:
    pipe = Pipe()
    parent = Parent(str(pipe.number))
    assert parent.tell(program.FAILED, "one\ntwo")
    assert parent.tell(program.FAILED, "x" * 9999)
    assert parent.tell(program.DEBUG, "Traceback\n  File")
    assert not os.get_inheritable(int(str(pipe.number)))
    pipe.started()
    assert pipe.read() == {
        program.FAILED: ["one two", "x" * (program.LONGEST - len("failed "))],
        program.DEBUG: ["Traceback\n  File"],
    }


def test_junk_is_passed_over() -> None:
    assert _heard(b"\xff\x00\n", b"\n\n", b"nonsense text\n", b"refused", b" cut off") == {}
    assert _heard(b"refused \x1b[2Jno\xff\n") == {"refused": ["\\x1b[2Jno\ufffd"]}


def test_a_full_pipe_loses_a_message_and_hangs_nobody() -> None:
    pipe = Pipe()
    parent = Parent(str(pipe.number))
    sent = 0
    while parent.tell(program.FAILED, "x" * 3000):
        sent += 1
    pipe.started()
    assert len(pipe.read()[program.FAILED]) == sent > 0


def test_without_a_pipe_nothing_is_told() -> None:
    assert not Parent("").tell(program.FAILED, "x")
    assert not Parent("987654").tell(program.FAILED, "x")
    assert not Parent("-1").tell(program.FAILED, "x")


# What the program sees of it ---------------------------------------------------------------------
def test_descriptors_have_the_numbers_that_they_would_have(tmp_path: Path) -> None:
    _run(tmp_path, """
        import os
        with open(os.path.dirname(__file__) + "/found", "a") as file:
            print(file.fileno(), os.open("/", os.O_RDONLY), flush=True, file=file)
            os.dup2(file.fileno(), 1)
            os.system("ls /proc/self/fd")
        """)
    found = (tmp_path / "found").read_text()
    (tmp_path / "found").unlink()
    subprocess.run([sys.executable, tmp_path / "train.py"], check=True, close_fds=False,
                   timeout=120)
    assert (tmp_path / "found").read_text() == found


def test_a_daemon_that_closes_every_descriptor_gets_no_text_of_ours(tmp_path: Path) -> None:
    result = _run(tmp_path, """
        import os
        pipe = max(int(n) for n in os.listdir("/proc/self/fd") if int(n) > 100)
        os.closerange(3, 5000)
        mine = os.open(os.path.dirname(__file__) + "/mine", os.O_WRONLY | os.O_CREAT)
        os.dup2(mine, pipe)
        import torch
        """)
    assert (result.status, result.unwatched) == (0, None)
    assert (tmp_path / "mine").read_bytes() == b""


def test_nobody_waits_for_a_process_that_outlives_the_program(tmp_path: Path) -> None:
    result = _run(tmp_path, """
        import os, signal
        import torch
        if not (child := os.fork()):
            signal.pause()
        with open(os.path.dirname(__file__) + "/child", "w") as file:
            file.write(str(child))
        """)
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)
    assert result.unwatched


def test_streams_of_the_programs_own_get_no_text_of_ours(tmp_path: Path) -> None:
    result = _run(tmp_path, """
        import os, sys
        class Mine:
            def write(self, text):
                open(os.path.dirname(__file__) + "/mine", "a").write(text)
                raise RuntimeError(text)
            def flush(self):
                pass
            fileno = isatty = write
        sys.stderr = sys.stdout = Mine()
        import torch
        """)
    assert result.status == 0
    assert result.unwatched
    assert not (tmp_path / "mine").exists()


def test_why_a_program_ran_unwatched_names_our_line(tmp_path: Path) -> None:
    result = _run(tmp_path, "import torch\nraise SystemExit(3)")
    assert result.status == 3
    assert result.unwatched is not None
    assert ".py:" in result.unwatched
