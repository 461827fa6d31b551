"""Trials leave the user's files, processes and mounts as they are, whatever the program does."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from harness.records import contents, masked
from tests import processes
from tests.trials.conftest import subject
from unstuck.folders import EVENTS
from unstuck.record.reader import read_record
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.trials import view
from unstuck.trials.laboratory import Ended, Laboratory, Limits, Subject, Trial
from unstuck.trials.verdict import equal

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs namespaces")

# All that is awkward at once: a package, arguments, a question, checkpoints written and read back,
# files beside it, at home and in the temporary folder, removed files, workers, a process left over.
AWKWARD = '''
import argparse, os, subprocess, sys, tempfile
from pathlib import Path

import torch
from torch import nn

from .parts import RATE, Rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int)
    steps = parser.parse_args().steps
    name = input("name? ")
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    loader = torch.utils.data.DataLoader(Rows(), batch_size=8, num_workers=1,
                                         multiprocessing_context=os.environ["START"])
    done = 0
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x).squeeze(1), y)
        loss.backward()
        optimizer.step()
        done += 1
        torch.save(model.state_dict(), "checkpoint.pt")
        model.load_state_dict(torch.load("checkpoint.pt"))
        if done == steps:
            break
    Path(__file__).with_name("notes.txt").write_text("hello")
    Path.home().joinpath(".settings").write_text("hello")
    Path(tempfile.gettempdir(), "left.txt").write_text("hello")
    Path("data.txt").unlink()
    (Path("folder") / "inner.txt").rename("moved.txt")
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)",
                      tempfile.gettempdir()], start_new_session=True)
    print(name, RATE, Path("moved.txt").read_text(), loss.item())


if __name__ == "__main__":
    main()
'''
PARTS = '''
import torch

RATE = 0.1


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        torch.manual_seed(index)
        return torch.randn(4), torch.tensor(RATE)
'''


def snapshot(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Every file and folder with its mode, time of change and content."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        known = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = known.st_mode, known.st_mtime_ns, content
    return found


def run(laboratory: Laboratory, about: Subject, *trials: Trial) -> list[Ended]:
    laboratory.subject = about
    return laboratory.run(trials or [Trial()], jobs=2)


def program(folder: Path, text: str) -> Path:
    file = folder / "train.py"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return file


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_what_a_program_writes_stays_in_its_trial(
    laboratory: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    (project / "package").mkdir(parents=True)
    (project / "folder").mkdir()
    home.mkdir()
    (project / "package" / "__init__.py").touch()
    (project / "package" / "train.py").write_text(AWKWARD, encoding="utf-8")
    (project / "package" / "parts.py").write_text(PARTS, encoding="utf-8")
    (project / "data.txt").write_text("data", encoding="utf-8")
    (project / "folder" / "inner.txt").write_text("inner", encoding="utf-8")
    project.chmod(0o555)
    before, mounts = snapshot(tmp_path), Path("/proc/mounts").read_text()
    about = Subject(("-m", "package.train", "--steps", "4"), str(project), str(project), ("Ann",))
    monkeypatch.setattr("unstuck.trials.laboratory.QUIET",
                        {"HOME": str(home), "START": start, "TMPDIR": str(tmp_path)})
    patched = PARTS.replace("RATE = 0.1", "RATE = 0.2")
    plain, treated = run(
        laboratory, about, Trial(), Trial({str(project / "package" / "parts.py"): patched}))
    for ended, rate in ((plain, "0.1"), (treated, "0.2")):
        assert ended.status == 0, ended.output
        assert ended.output.splitlines()[-1].startswith(f"name? Ann {rate} inner "), ended.output
        assert ended.record is not None
        (optimizer,) = read_record(ended.record).facts(Optimizer)
        assert optimizer.learning_rate == float(rate)
    assert snapshot(tmp_path) == before
    assert Path("/proc/mounts").read_text() == mounts
    assert not _processes_with(str(tmp_path))


def _processes_with(text: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (folder / "cmdline").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


def test_writing_where_nothing_is_covered_fails(laboratory: Laboratory, tmp_path: Path) -> None:
    aside = Path("/var/tmp") / f"unstuck-test-{os.getpid()}"
    ended = run(laboratory, subject(program(tmp_path, f"open({str(aside)!r}, 'w')")))[0]
    if ended.copied:
        pytest.skip("this system allows no namespaces, and trials run in a copy")
    assert "Read-only file system" in ended.output
    assert ended.status == 1
    assert not aside.exists()


def test_there_is_no_network_but_the_loopback(laboratory: Laboratory, tmp_path: Path) -> None:
    ended = run(laboratory, subject(program(tmp_path, """
        import socket
        server = socket.create_server(("127.0.0.1", 0))
        socket.create_connection(server.getsockname())
        print("here")
        socket.create_connection(("192.0.2.1", 80), timeout=5)
    """)))[0]
    if ended.copied:
        pytest.skip("this system allows no namespaces, and trials run in a copy")
    assert ended.output.startswith("here\n")
    assert "unreachable" in ended.output


def test_a_crash_a_hang_and_a_kill_are_results(laboratory: Laboratory, tmp_path: Path) -> None:
    file = program(tmp_path, "print(1)")
    name = str(file)
    crash, hang, kill, odd = run(
        laboratory, subject(file),
        Trial({name: "raise ValueError('oh')"}), Trial({name: "while True: pass"}, seconds=1.0),
        Trial({name: "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"}),
        Trial({name: "def ("}))
    assert (crash.status, crash.hung) == (1, False)
    assert "ValueError: oh" in crash.output
    assert hang.hung
    assert hang.crashed
    assert kill.signal == signal.SIGKILL
    assert odd.status == 1
    assert "SyntaxError" in odd.output
    assert not laboratory.running


def test_who_answers_nothing_is_answered_with_empty_lines(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    file = program(tmp_path, "print(repr(input()), repr(input()))")
    assert run(laboratory, subject(file))[0].output == "'' ''\n"
    assert run(laboratory, subject(file, answers=("a", "b c")))[0].output == "'a' 'b c'\n"


def test_a_program_that_needs_a_terminal_has_one_if_asked(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    file = program(tmp_path, """
        import os, sys
        assert sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()
        print(os.get_terminal_size().columns, repr(input("name? ")))
        with open("/dev/tty", "w") as terminal:
            print("there", file=terminal)
        print("x" * 100_000)
        sys.exit(3)
    """)
    assert "AssertionError" in run(laboratory, subject(file))[0].output
    laboratory.limits = Limits(300.0, terminal=True)
    ended = run(laboratory, subject(file, answers=("Ann", "Bob")))[0]
    assert ended.status == 3, ended.output
    assert ended.output.endswith("x" * 3_000 + "\n")
    file.write_text(file.read_text().replace("100_000", "10"))
    assert run(laboratory, subject(file, answers=("Ann",)))[0].output == (
        "name? 80 'Ann'\nthere\nxxxxxxxxxx\n")


TRAINS = """
    import random

    import numpy as np
    import torch

    {seed}
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(8):
        optimizer.zero_grad()
        loss = model(torch.randn(16, 3)).square().mean()
        loss.backward()
        optimizer.step()
    print(loss.item(), np.random.rand(), random.random())
"""


@pytest.mark.parametrize("seed", ["", "torch.manual_seed(3); np.random.seed(3); random.seed(3)"])
def test_seeds_move_together_and_only_if_asked(
    laboratory: Laboratory, tmp_path: Path, seed: str
) -> None:
    about = subject(program(tmp_path, TRAINS.format(seed=seed)))
    first, again, moved = run(laboratory, about, Trial(), Trial(), Trial(shift=1))
    assert first.output == again.output
    assert not {*first.output.split()} & {*moved.output.split()}
    records = [read_record(ended.record) for ended in (first, again, moved) if ended.record]
    assert equal(records[0], records[1])
    assert not equal(records[0], records[2])


def test_a_trial_is_what_the_patched_file_is_when_run_alone(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    file = program(tmp_path, TRAINS.format(seed="torch.manual_seed(3); np.random.seed(3)"))
    text = file.read_text(encoding="utf-8").replace("lr=0.1", "lr=0.3")
    tried = run(laboratory, subject(file), Trial({str(file): text}))[0]
    file.write_text(text, encoding="utf-8")
    out = tmp_path / "out"
    done = processes.run(
        [sys.executable, "-m", "unstuck", "run", "--overhead", "1", "--out", out, file.name],
        cwd=tmp_path, capture_output=True, text=True, check=False)
    # `random` is not seeded.
    assert done.stdout.split()[:2] == tried.output.split()[:2], done.stderr
    assert tried.record is not None
    ours, theirs = (contents(masked((folder / EVENTS).read_text(encoding="utf-8")))
                    for folder in (tried.record, out))
    assert ours == theirs


def test_without_a_view_the_program_runs_in_a_copy(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    file = program(tmp_path, TRAINS.format(seed="torch.manual_seed(3)") + """
    open("beside.txt", "w").write("x")
    open(__file__ + ".txt", "w").write("x")
    """)
    laboratory.limits = Limits(300.0, copy=True)
    before = snapshot(tmp_path)
    text = file.read_text(encoding="utf-8").replace("lr=0.1", "lr=0.3")
    ended = run(laboratory, subject(file), Trial({str(file): text}))[0]
    assert ended.status == 0, ended.output
    assert ended.copied
    assert ended.record is not None
    (optimizer,) = read_record(ended.record).facts(Optimizer)
    assert optimizer.learning_rate == 0.3
    assert optimizer.location is not None
    assert optimizer.location.file == str(file)
    assert snapshot(tmp_path) == before


def test_a_project_too_large_to_copy_is_not_tried(
    laboratory: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "LARGEST_COPY", 1)
    wish = view.Wish(str(tmp_path), (), {}, str(tmp_path))
    program(tmp_path, "print(1)")
    with pytest.raises(view.NoView, match="too large to be copied"):
        view.copied(wish, str(tmp_path))


@pytest.mark.usefixtures("default_signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_however_it_ends(tmp_path: Path, number: signal.Signals) -> None:
    file = program(tmp_path, "import time\nprint('begun', flush=True)\ntime.sleep(601)")
    starter = tmp_path / "starter.py"
    starter.write_text(textwrap.dedent(f"""
        from unstuck.trials.laboratory import Laboratory, Subject, Trial

        with Laboratory(Subject(({file.name!r},), {str(tmp_path)!r}, {str(tmp_path)!r})) as made:
            made.submit(Trial())
            print(made.scratch, flush=True)
            made.next()
    """), encoding="utf-8")
    process = subprocess.Popen([sys.executable, starter], stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        scratch = Path(process.stdout.readline().strip())
        while "begun" not in "".join(
                output.read_text() for output in scratch.glob("*/output")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        process.wait(60)
        while _processes_with(str(scratch)) or _trials_of(scratch):
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    # After a kill the next laboratory removes it; that may be one of another test.
    assert number == signal.SIGKILL or not scratch.exists()
    view.forget_dead(scratch.parent)  # as the next one does
    assert not scratch.exists()


def _trials_of(scratch: Path) -> list[str]:
    """Processes that hold a file in a scratch folder open."""
    found = []
    for file in Path("/proc").glob("[0-9]*/fd/1"):
        try:
            if os.readlink(file).startswith(str(scratch)):
                found.append(str(file))
        except OSError:
            continue
    return found
