"""What is typed after `unstuck run`: a program of ours, or a refusal with the line that works."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click
import pytest

from tests import processes
from unstuck.commands.starting import target_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("print(1)")
    (tmp_path / "x.ipynb").write_text("{}")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "train.py").write_text("print(1)")
    return tmp_path


@pytest.mark.parametrize(("typed", "meant"), [
    ("train.py -x 3", "train.py -x 3"),
    ("-m pkg.train -x", "-m pkg.train -x"),
    ("pkg.train -x", "-m pkg.train -x"),
    (f"{sys.executable} train.py -x", "train.py -x"),
    (f"{sys.executable} -m pkg.train", "-m pkg.train"),
])
def test_what_is_meant(typed: str, meant: str) -> None:
    assert target_of(shlex.split(typed)) == tuple(shlex.split(meant))


def test_a_command_that_a_package_installed() -> None:
    script, *rest = target_of(["pytest", "-q"])
    assert Path(script).name == "pytest"
    assert rest == ["-q"]


@pytest.mark.parametrize(("typed", "line"), [
    ("torchrun train.py 3", "torchrun -m unstuck run train.py 3"),
    ("torchrun --nproc-per-node 2 train.py", "torchrun --nproc-per-node 2 -m unstuck run train.py"),
    ("torchrun -m pkg.train", "torchrun -m unstuck run -m pkg.train"),
    ("torchrun --nproc-per-node 2", "torchrun -m unstuck run train.py"),
    ("-m torch.distributed.run --nnodes=1 train.py",
     "python -m torch.distributed.run --nnodes=1 -m unstuck run train.py"),
    ("accelerate launch --cpu train.py", "accelerate launch --cpu -m unstuck run train.py"),
    ("accelerate test", "accelerate launch -m unstuck run train.py"),
    ("deepspeed train.py -x", "deepspeed --module unstuck run train.py -x"),
    ("mpirun -n 2 python train.py", "mpirun -n 2 unstuck run train.py"),
    ("uv run train.py", "uv run unstuck run train.py"),
    ("uv run --with einops python train.py", "uv run --with einops unstuck run train.py"),
    ("poetry run python -m pkg.train", "poetry run unstuck run -m pkg.train"),
    (f"{sys.executable} -u train.py", f"{sys.executable} -u -m unstuck run train.py"),
    ("x.ipynb", "jupyter nbconvert --to script x.ipynb && unstuck run x.py"),
    ("jupyter lab", "put %load_ext unstuck into its first cell"),
    ("trian.py", "did you mean train.py?"),
])
def test_a_refusal_says_what_works(
    typed: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(click.exceptions.Exit) as raised:
        target_of(shlex.split(typed))
    assert raised.value.exit_code == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1


def test_a_package_installed_from_a_folder_is_the_users(tmp_path: Path) -> None:
    from unstuck.observe.source.sites import own_packages

    site = tmp_path / "site-packages"
    for name, origin in (("mine", '{"dir_info": {}, "url": "file:///home"}'),
                         ("theirs", '{"vcs_info": {}, "url": "https://example.org"}'),
                         ("torch_lib", '{"dir_info": {}}'), ("broken", "{")):
        (site / f"{name}-1.dist-info").mkdir(parents=True)
        (site / f"{name}-1.dist-info" / "direct_url.json").write_text(origin)
        (site / f"{name}-1.dist-info" / "RECORD").write_text(
            f"{name}/__init__.py,,\n{name}_alone.py,,\n{name}-1.dist-info/RECORD,,\n"
            f"../../bin/{name},,\n")
    found = own_packages((str(site) + "/",))
    assert found == (f"{site}/mine/", f"{site}/mine_alone.py")


def test_a_launched_program_runs_under_the_line(tmp_path: Path) -> None:
    done = processes.run([sys.executable, "-m", "unstuck", "run", "pkg.train"],
                         capture_output=True, text=True)
    assert done.stdout == "1\n"
