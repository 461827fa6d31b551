"""What is published is what is tested: a wheel, built and installed, runs by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import processes
from unstuck import read_record

ROOT = Path(__file__).resolve().parent.parent
# No torch is needed to find out whether everything is there that a command imports.
PROGRAM = "import sys; print('trained', sys.argv[1:]); sys.exit(3)"
TRAINING = """
import torch
model = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    torch.nn.functional.cross_entropy(model(torch.randn(8, 4)), torch.arange(8) % 2).backward()
    optimizer.step()
print("trained")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    processes.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
                   cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("unstuck-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    target = wheel.parent / "installed"
    processes.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
         "--disable-pip-version-check", "--target", target, wheel],
        check=True, capture_output=True)
    return target


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    sources = {path.relative_to(ROOT / "src").as_posix()
               for path in (ROOT / "src" / "unstuck").rglob("*")
               if path.is_file() and "__pycache__" not in path.parts}
    assert sources == {name for name in names if ".dist-info/" not in name}


def test_the_installed_commands_work(installed: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return processes.run(
            [sys.executable, installed / "bin" / "unstuck", *arguments], cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed), "XDG_STATE_HOME": str(tmp_path)},
            capture_output=True, text=True)

    where = processes.run(
        [sys.executable, "-c", "import unstuck; print(unstuck.__file__)"], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)}, capture_output=True, text=True)
    assert where.stdout.startswith(str(installed))
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "train.py").write_text(TRAINING)
    nothing = run("run", "program.py", "--out", "mine")
    assert (nothing.returncode, nothing.stdout) == (3, "trained ['--out', 'mine']\n")
    watched = run("run", "--out", "record", "train.py")
    assert (watched.returncode, watched.stdout) == (0, "trained\n"), watched.stderr
    assert read_record(tmp_path / "record").steps == 3
    diagnosed = run("diagnose", "--json", "-", "record")
    assert diagnosed.returncode in (0, 1), diagnosed.stderr
    assert '"outcome": "too-short-to-tell"' in diagnosed.stdout
    explained = run("explain", "gradients-not-zeroed")
    assert (explained.returncode, explained.stderr) == (0, "")
    assert "gradients-not-zeroed" in explained.stdout
    listed = run("list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "gradients-not-zeroed" in listed.stdout
