"""Odd ways to start a program, odd names for it, and places that belong to others."""

from __future__ import annotations

import os
import py_compile
import shutil
import sys
import tempfile
import zipapp
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.marks import slow

SEES = """
import os, sys
import {neighbour}
print(ascii([sys.argv, __file__, __name__, __package__, sys.path[0], sys.orig_argv[-1:]]))
print(type(__loader__).__name__, __spec__ is None, ascii(__cached__), {neighbour}.VALUE)
print(sys.flags, sys.warnoptions)
sys.exit(len(sys.argv))
"""
TRAINS = """
import sys, warnings
import torch
torch.manual_seed(0)
model = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(8):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(torch.randn(8, 4)), torch.arange(8) % 2)
    loss.backward()
    optimizer.step()
print(loss.item())
"""


def _ran(
    command: list[Any], folder: Path, environment: Mapping[str, str] | None = None
) -> tuple[int, bytes, bytes]:
    """Status and output; a file takes the output, for a daemon would keep a pipe open."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    state = tempfile.mkdtemp(prefix="unstuck-state-")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        status = processes.run(
            command, cwd=folder, stdout=out, stderr=err,
            env={**plain, "XDG_STATE_HOME": state, **(environment or {})}).returncode
        out.seek(0)
        err.seek(0)
        return status, out.read(), err.read()


def _both(
    folder: Path, *target: Any, flags: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
) -> tuple[int, bytes, bytes]:
    """What a program does alone, after a check that it does the same under `unstuck run`."""
    bare = _ran([sys.executable, *flags, *target], folder, environment)
    watched = _ran(
        [sys.executable, *flags, "-m", "unstuck", "run", "--quiet", *target], folder, environment)
    assert watched == bare
    return bare


def _write(file: Path, source: str = SEES, neighbour: str = "neighbour") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source.replace("{neighbour}", neighbour))
    (file.parent / f"{neighbour}.py").write_text("VALUE = 3")
    return file


# Names -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [
    b"with some space.py", b"it's \"quoted\".py", b"two\nlines.py", b"caf\xe9.py",
    "ü💥.py".encode(), b"no-suffix", b"$HOME `x` %s {y} [bold].py", b"\x1b[31mred.py", b"a.b.c.py",
])
def test_a_program_may_have_any_name(tmp_path: Path, name: bytes) -> None:
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/" + name.partition(b".")[0] + b" folder"))
    program = _write(folder / os.fsdecode(name))
    for target, place in ((program.name, folder), (program, tmp_path)):
        status, out, _ = _both(place, target, "an argument")
        assert (status, out != b"") == (2, True)


def test_the_record_of_a_program_with_an_odd_name_is_judged(tmp_path: Path) -> None:
    program = _write(Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9 'a'\n\"b\".py")), TRAINS)
    status, out, err = _ran(
        [sys.executable, "-m", "unstuck", "run", "--out", "a \n record", program], tmp_path)
    assert (status, out.count(b"\n")) == (0, 1)
    assert b"outcome" in err or b"too" in err
    assert b"fault" not in err


# Kinds of programs -------------------------------------------------------------------------------
def test_compiled_programs_run(tmp_path: Path) -> None:
    program = _write(tmp_path / "program.py")
    py_compile.compile(str(program), cfile=str(tmp_path / "compiled.pyc"))
    program.unlink()
    assert _both(tmp_path, "compiled.pyc", "x")[0] == 2
    # The interpreter looks into the file, whatever its name.
    (tmp_path / "compiled.pyc").rename(tmp_path / "compiled")
    assert _both(tmp_path, "compiled")[0] == 1


def test_a_compiled_program_of_another_python_is_refused_by_python_itself(tmp_path: Path) -> None:
    (tmp_path / "old.pyc").write_bytes(b"\x00\x00\r\n" + bytes(40))
    status, _, err = _ran([sys.executable, "-m", "unstuck", "run", "old.pyc"], tmp_path)
    assert status == 1
    assert b"bad magic number" in err.lower()


def test_archives_run(tmp_path: Path) -> None:
    _write(tmp_path / "app" / "__main__.py")
    zipapp.create_archive(tmp_path / "app", tmp_path / "app.pyz")
    zipapp.create_archive(tmp_path / "app", tmp_path / "any", interpreter="/usr/bin/env python3")
    for name in ("app.pyz", "any"):
        assert _both(tmp_path, name, "x", "y")[0] == 3


def test_an_archive_that_trains_is_watched(tmp_path: Path) -> None:
    from unstuck import read_record

    _write(tmp_path / "app" / "__main__.py", TRAINS)
    zipapp.create_archive(tmp_path / "app", tmp_path / "app.pyz")
    status, _, _ = _ran(
        [sys.executable, "-m", "unstuck", "run", "--out", "record", "app.pyz"], tmp_path)
    assert status == 0
    assert read_record(tmp_path / "record").steps == 8


@pytest.mark.parametrize("words", [("-c", "print(1)"), ("-cprint(1)",), ("-c",)])
def test_a_program_on_the_command_line_is_refused_in_a_sentence(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    status, out, err = _ran([sys.executable, "-m", "unstuck", "run", *words], tmp_path)
    assert (status, out) == (2, b"")
    assert err.startswith(b"unstuck: ")
    assert b"-c" in err
    assert err.count(b"\n") == 1


# The interpreter ---------------------------------------------------------------------------------
@pytest.mark.parametrize("flags", [
    ("-OO",), ("-I",), ("-W", "error"), ("-X", "dev"),
    *map(slow, [("-O",), ("-P",), ("-B",), ("-E", "-s"), ("-b", "-b"), ("-X", "faulthandler")]),
])
def test_flags_reach_the_program(tmp_path: Path, flags: tuple[str, ...]) -> None:
    program = _write(tmp_path / "program.py", SEES if not {"-I", "-P"} & {*flags} else (
        SEES.replace("{neighbour}", "types").replace("types.VALUE", "0")))
    assert _both(tmp_path, program, flags=flags)[0] == 1


@pytest.mark.parametrize("name", [
    "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED",
    *map(slow, ["PYTHONOPTIMIZE", "PYTHONNOUSERSITE", "PYTHONFAULTHANDLER", "PYTHONDEVMODE"]),
])
def test_environment_variables_reach_the_program(tmp_path: Path, name: str) -> None:
    program = _write(tmp_path / "program.py")
    assert _both(tmp_path, program, environment={name: "1"})[0] == 1
    assert (tmp_path / "__pycache__").exists() is (name != "PYTHONDONTWRITEBYTECODE")


def test_a_safe_path_stays_safe(tmp_path: Path) -> None:
    program = _write(tmp_path / "program.py", "import sys; print(sys.path[0], sys.flags)")
    _both(tmp_path, program, environment={"PYTHONSAFEPATH": "1"})


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("-OO",), ("-W", "error")])
def test_training_under_flags_is_watched(tmp_path: Path, flags: tuple[str, ...]) -> None:
    from unstuck import read_record

    program = _write(tmp_path / "train.py", TRAINS)
    bare = _ran([sys.executable, *flags, program], tmp_path)
    watched = _ran([sys.executable, *flags, "-m", "unstuck", "run", "--quiet", "--out", "record",
                    program], tmp_path)
    assert watched[:2] == bare[:2]
    if bare[0] == 0:  # torch itself may warn
        assert read_record(tmp_path / "record").steps == 8


# Processes ---------------------------------------------------------------------------------------
_DAEMON = """
import os, sys, time
{torch}
if os.fork():
    print('started')
    sys.exit(5)
os.setsid()
if os.fork():
    os._exit(0)
{close}
while not os.path.exists('enough'):
    time.sleep(0.01)
open('ended', 'w').close()
"""


@pytest.mark.parametrize("torch", ["", slow("import torch")])
@pytest.mark.parametrize("close", ["", "os.closerange(0, 256)"])
def test_a_daemon_outlives_us(tmp_path: Path, torch: str, close: str) -> None:
    program = _write(tmp_path / "daemon.py", _DAEMON.format(torch=torch, close=close))
    status, out, _ = _ran([sys.executable, "-m", "unstuck", "run", "--quiet", program], tmp_path)
    assert (status, out) == (5, b"started\n")
    assert not (tmp_path / "ended").exists()
    (tmp_path / "enough").touch()
    while not (tmp_path / "ended").exists():
        pass


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_status(tmp_path: Path, closed: str) -> None:
    program = _write(tmp_path / "program.py", "import sys; sys.exit(6)")
    for command in ("", "-m unstuck run"):
        shell = f"exec '{sys.executable}' {command} '{program}' {closed}"
        assert _ran(["/bin/sh", "-c", shell], tmp_path)[0] == 6


# What may not be read -----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def powerless() -> list[str]:
    """What begins the command of a process to which permissions apply: to root's they do not."""
    if os.getuid():
        return []
    command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    if shutil.which(command[0]) is None or processes.run([*command, "true"]).returncode:
        pytest.skip("root may read everything here")
    return command


def test_what_belongs_to_another_user_is_refused_in_a_sentence(
    tmp_path: Path, powerless: list[str]
) -> None:
    state = tmp_path / "state"

    def refused(*words: Any, name: str) -> None:
        status, out, err = _ran([*powerless, sys.executable, "-m", "unstuck", *words], tmp_path,
                                {"XDG_STATE_HOME": str(state)})
        assert (status, out) == (2, b""), err
        assert err.startswith(b"unstuck: ")
        assert name in " ".join(err.decode().split())
        assert b"Traceback" not in err
        assert b"bug in unstuck" not in err

    program = _write(tmp_path / "train.py", TRAINS)
    record = tmp_path / "record"
    events = record / "events.jsonl"
    assert _ran([sys.executable, "-m", "unstuck", "run", "--out", record, program],
                tmp_path)[0] == 0
    events.chmod(0)
    refused("diagnose", "record", name="record")
    refused("curves", events, name="events.jsonl")
    record.chmod(0)
    refused("diagnose", "record", name="record")
    refused("diagnose", events, name="record")
    refused("run", "--out", record / "new", "train.py", name="record")
    record.chmod(0o500)
    refused("run", "--out", record / "new", "train.py", name="record")
    (state / "unstuck" / "runs").mkdir(parents=True)
    for folder in (state / "unstuck" / "runs", state):
        folder.chmod(0)
        refused("diagnose", name="state")
        refused("run", "train.py", name="state")
    program.chmod(0)
    refused("run", "--out", "new", "train.py", name="train.py")
    for path in (state, state / "unstuck" / "runs", record):
        path.chmod(0o700)  # for what clears up after the test
