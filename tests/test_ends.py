"""Ends: streams that cannot be written, keys while we judge, kills, records that are gone."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests import processes
from tests.marks import slow
from unstuck.record.reader import RecordWriter
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.run import End, EndKind, Program
from unstuck.schema.signals.losses import TRAIN_LOSS

_UNSTUCK = f"{shlex.quote(sys.executable)} -m unstuck.cli"
_TRAINS = """
    import os, torch
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=100.0)
    x = torch.arange(32.0).reshape(8, 4)
    for step in range(40):
        optimizer.zero_grad()
        model(x).pow(2).mean().backward()
        optimizer.step()
    """


pytestmark = pytest.mark.usefixtures("default_signals")


def _shell(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of bash; its status is that of the first command of a pipeline."""
    keep = {k: v for k, v in os.environ.items() if k not in ("UNSTUCK_DEBUG", "PYTHONUNBUFFERED")}
    return processes.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], cwd=folder, timeout=120,
        capture_output=True, encoding="utf-8", check=False,
        env={**keep, "XDG_STATE_HOME": str(folder / "state"), **environment},
    )


def _script(folder: Path, source: str) -> Path:
    script = folder / "train.py"
    script.write_text(textwrap.dedent(source), encoding="utf-8")
    return script


def _record(folder: Path) -> Path:
    writer = RecordWriter(folder, "0.1.0")
    writer.fact(Program(("train.py",), "3.11", "2.13", "Linux", ()), 0)
    writer.fact(Loss("loss", "mse_loss", False, None, (8, 1), (8, 1), "float32", "mean"), 0)
    for step, loss in enumerate([2.0 * 1.5**step for step in range(30)] + [float("nan")] * 10):
        writer.row(TRAIN_LOSS, step, loss)
    writer.end(End(EndKind.FINISHED), 40)
    writer.close()
    return folder


# The status that `run` hands on ------------------------------------------------------------------
@pytest.mark.parametrize("streams", [
    "2>/dev/full", slow("2>&-"), slow("<&- >&- 2>&-"), "2>&1 >/dev/null | head -0",
])
@pytest.mark.parametrize("status", [0, 3])
def test_what_we_cannot_print_changes_no_status(tmp_path: Path, streams: str, status: int) -> None:
    _script(tmp_path, f"import sys; sys.exit({status})")
    done = _shell(tmp_path, f"{_UNSTUCK} run train.py {streams}")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@pytest.mark.parametrize("streams", ["2>/dev/full", slow("2>&1 >/dev/null | head -0")])
def test_a_report_that_cannot_be_printed_changes_no_status(tmp_path: Path, streams: str) -> None:
    _script(tmp_path, _TRAINS)
    run = f"{_UNSTUCK} run --json /dev/full --fail-on"
    assert _shell(tmp_path, f"{run} never train.py {streams}").returncode == 0
    assert _shell(tmp_path, f"{run} error train.py {streams}").returncode == 1


def test_ctrl_c_ends_the_judging_and_not_the_status(tmp_path: Path) -> None:
    """The parent interrupts itself where it begins to judge."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(textwrap.dedent("""
        import os, signal, sys
        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name == "unstuck.judge.engine":
                    os.kill(os.getpid(), signal.SIGINT)
        sys.meta_path.insert(0, Finder())
        """))
    _script(tmp_path, f"{_TRAINS}\n    raise SystemExit(5)")
    done = _shell(tmp_path, f"{_UNSTUCK} run --out r train.py", PYTHONPATH=str(tmp_path / "site"))
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == "unstuck: the diagnosis was interrupted; the record is saved in r\n"


# What other commands print -----------------------------------------------------------------------
@pytest.mark.parametrize(("command", "status"), [
    ("list", 0), slow("explain dead-relu", 0), ("diagnose r", 1), slow("diagnose r --json -", 1),
    ("curves log.csv", 0), slow("curves log.csv --json -", 0), ("--help", 0),
    slow("run --help", 0),
])
def test_output_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, command: str, status: int
) -> None:
    _record(tmp_path / "r")
    (tmp_path / "log.csv").write_text("step,loss\n" + "".join(f"{n},{9 - n}\n" for n in range(9)))
    for streams in (">/dev/full", ">&-"):
        done = _shell(tmp_path, f"{_UNSTUCK} {command} {streams}")
        assert done.returncode == 2
        assert done.stderr.startswith("unstuck: ")
        assert done.stderr.count("\n") == 1
        assert "bug in unstuck" not in done.stderr
    done = _shell(tmp_path, f"{_UNSTUCK} {command} >/dev/full 2>/dev/full")
    assert (done.returncode, done.stderr) == (2, "")
    done = _shell(tmp_path, f"{_UNSTUCK} {command} | head -0")  # a reader that has seen enough
    assert (done.returncode, done.stderr) == (status, "")


def test_a_json_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    _record(tmp_path / "r")
    done = _shell(tmp_path, f"{_UNSTUCK} diagnose r --json /dev/full")
    assert done.returncode == 2
    assert "error[non-finite-loss]" in done.stdout
    assert done.stderr == "unstuck: /dev/full could not be written: No space left on device\n"


def test_standard_input_that_is_closed_is_a_sentence(tmp_path: Path) -> None:
    done = _shell(tmp_path, f"{_UNSTUCK} curves - <&-")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "unstuck: standard input is closed\n"


def test_what_a_stream_cannot_hold_is_spelled_out(tmp_path: Path) -> None:
    done = _shell(tmp_path, f"{_UNSTUCK} explain dead-relu", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("setting", ["error", slow("default")])
def test_warnings_that_the_user_asked_for_are_about_the_program(
    tmp_path: Path, setting: str
) -> None:
    _script(tmp_path, f"import warnings; warnings.simplefilter('default')\n"
                      f"{textwrap.dedent(_TRAINS)}\nwarnings.warn('mine')")
    plain = _shell(tmp_path, f"{sys.executable} train.py", PYTHONWARNINGS=setting)
    done = _shell(tmp_path, f"{_UNSTUCK} run train.py", PYTHONWARNINGS=setting)
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout)
    assert plain.stderr.count("Warning") == done.stderr.count("Warning") > 0
    assert _shell(tmp_path, f"{_UNSTUCK} list", PYTHONWARNINGS=setting).stderr == ""


# Kills -------------------------------------------------------------------------------------------
def _runs(number: int) -> bool:
    """Whether a process lives, other than as an orphan that nobody has asked for its status."""
    try:
        return "State:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can do that")
def test_the_program_is_killed_with_us(tmp_path: Path) -> None:
    _script(tmp_path, "import os, sys\nprint(os.getpid(), flush=True)\nsys.stdin.read()")
    reading, writing = os.pipe()  # the program waits for its standard input, which never ends
    with processes.started(
        [sys.executable, "-m", "unstuck.cli", "run", "--out", "r", "train.py"],
        cwd=tmp_path, stdin=reading,
        stdout=subprocess.PIPE, text=True,
    ) as process:
        assert process.stdout
        number = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert process.stdout.read() == ""  # its writing end is closed: the program is gone
    os.close(reading)
    os.close(writing)
    while _runs(number):  # its files are closed a moment before it is gone
        time.sleep(0.01)


@pytest.mark.parametrize(("then", "number"), [
    ("os.kill(os.getpid(), 9)", signal.SIGKILL),
    ("import ctypes; ctypes.string_at(0)", signal.SIGSEGV),
])
def test_a_program_that_was_killed_is_judged_by_what_it_left(
    tmp_path: Path, then: str, number: signal.Signals
) -> None:
    waits = "import time\n    for _ in range(40):\n        time.sleep(0.01)"
    _script(tmp_path, _TRAINS.replace("range(40)", "range(400)") + f"\n    {waits}\n    {then}")
    done = _shell(tmp_path, f"{sys.executable} -c 'import os, sys; os.execv(sys.argv[1], "
                            f"sys.argv[1:])' {_UNSTUCK} run --json d.json train.py")
    assert done.returncode in (-number, 128 + number)
    assert f"the program was ended by {number.name}" in done.stderr
    assert "error[" in done.stderr
    document = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    assert document["findings"][0]["severity"] == "error"


def test_a_record_that_cannot_be_written_on_is_judged_so_far(tmp_path: Path) -> None:
    """The program's own limit on the size of files is a full disk for the record."""
    limit = "import resource\n    resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))"
    trains = _TRAINS.replace("range(40)", "range(3000)")
    _script(tmp_path, f"    {limit}\n{trains}\n    raise SystemExit(4)")
    done = _shell(tmp_path, f"{_UNSTUCK} run --out r --overhead 1 train.py")
    assert (done.returncode, done.stdout) == (4, "")
    says = done.stderr.splitlines()[0]
    assert says.startswith("unstuck: watching stopped at step ")
    assert "File too large (writer.py:" in says
    assert done.stderr.count("File too large") == 1
    assert "error[" in done.stderr
    assert "before it imported torch" not in done.stderr


# Records that are gone ---------------------------------------------------------------------------
@pytest.mark.parametrize("then", [
    "import shutil; shutil.rmtree('r')",
    slow("import shutil; shutil.rmtree('r'); open('r', 'w').write('mine')"),
    slow("os.remove('r/events.jsonl'); open('r/events.jsonl', 'w').write('mine')"),
    slow("os.rename('r/events.jsonl', 'mine'); os.symlink('../mine', 'r/events.jsonl')"),
])
def test_a_record_that_the_program_removes_is_told_so(tmp_path: Path, then: str) -> None:
    _script(tmp_path, f"{_TRAINS}\n    {then}\n    raise SystemExit(4)")
    done = _shell(tmp_path, f"{_UNSTUCK} run --out r train.py")
    assert done.returncode == 4
    assert done.stderr == ("unstuck: the record was removed or replaced while the program ran, so "
                           "there is nothing to diagnose\n")
    if "'mine'" in then:
        kept = next(p for p in (tmp_path / "mine", tmp_path / "r", tmp_path / "r/events.jsonl")
                    if p.is_file())
        assert kept.stat().st_size


def test_a_program_without_space_for_its_record_runs(tmp_path: Path) -> None:
    """A file system of one page holds the folder, and nothing in it."""
    (tmp_path / "state").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(tmp_path / "state")]
    if os.geteuid() or processes.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount")
    try:
        (tmp_path / "state" / "full").write_bytes(bytes(4096))
        _script(tmp_path, f"{_TRAINS}\n    print('trained')")
        done = _shell(tmp_path, f"{_UNSTUCK} run train.py")
        assert (done.returncode, done.stdout) == (0, "trained\n")
        assert "nothing was recorded because the program ran unwatched (OSError" in done.stderr
        assert done.stderr.count("\n") == 1
        assert not list((tmp_path / "state/unstuck/runs").iterdir())
    finally:
        processes.run(["umount", str(tmp_path / "state")], check=True)


def test_a_folder_that_is_gone_harms_no_program_elsewhere(tmp_path: Path) -> None:
    script = _script(tmp_path, "import sys; print(sys.path[0])")
    (tmp_path / "gone").mkdir()
    for target in (str(script), "-m timeit -n1 -r1 pass"):
        done = [
            _shell(tmp_path, f"cd gone; rmdir ../gone; {how} {target} | cut -c1-9; mkdir ../gone")
            for how in (sys.executable, f"{_UNSTUCK} run --quiet")
        ]
        assert done[0].returncode == done[1].returncode == 0
        assert done[0].stdout == done[1].stdout != ""
