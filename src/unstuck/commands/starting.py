"""What a person types after `unstuck run`: a program of ours to start, or the line that does."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from unstuck.arguments import refuse

# Launchers that start Python themselves, and how they are told to start a module.
_LAUNCHERS = {
    "torchrun": "-m", "accelerate": "-m", "deepspeed": "--module",
    "torch.distributed.run": "-m", "torch.distributed.launch": "-m",
    "accelerate.commands.launch": "-m", "accelerate.commands.accelerate_cli": "-m",
}
_STARTERS = ("mpirun", "mpiexec", "srun")  # start any command
_ENVIRONMENTS = ("uv", "poetry", "pipenv", "pdm", "hatch", "rye", "conda", "mamba", "pixi")
_PYTHON = re.compile(r"python(\d+(\.\d+)?)?(\.exe)?")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
_NOTEBOOK = ("put %load_ext unstuck into its first cell and %%unstuck on top of the cell that "
             "trains")


def target_of(words: Sequence[str]) -> tuple[str, ...]:
    """The script, or "-m" and the module, that was meant, with its arguments.

    Refuses, with the exact line that does it, what cannot be started from here.
    """
    name = words[0]
    if name == "-m":
        if len(words) < 2:
            refuse("-m needs the name of a module")
        if words[1] in _LAUNCHERS:
            _refuse_launcher(["python", "-m", words[1]], words[1], words[2:])
        return tuple(words)
    path = Path(name)
    if path.suffix == ".ipynb" and path.exists():
        script = shlex.quote(path.stem + ".py")
        refuse(f"a notebook runs in its kernel: {_NOTEBOOK}; or make a script of it: "
               f"jupyter nbconvert --to script {shlex.quote(name)} && unstuck run {script}")
    if path.is_dir():
        if not (path / "__main__.py").is_file():
            refuse(f"{name} is a folder without __main__.py; give the path of a script")
        return tuple(words)
    if _PYTHON.fullmatch(path.name):
        return _python(name, words[1:])
    if path.name in _LAUNCHERS:
        _refuse_launcher([name], path.name, words[1:])
    if path.exists():
        if not os.access(path, os.R_OK):
            refuse(f"{name} cannot be read")
        return tuple(words)
    return _no_script(name, words[1:])


def _no_script(name: str, rest: Sequence[str]) -> tuple[str, ...]:
    if name in _STARTERS:
        inner = [word for word in rest if not _PYTHON.fullmatch(Path(word).name)]
        place = next((i for i, word in enumerate(inner) if _is_program(word)), len(inner))
        _refuse_for(name, [name, *inner[:place], "unstuck", "run", *inner[place:]])
    if name in _ENVIRONMENTS and tuple(rest[:1]) == ("run",):
        inner = list(rest[1:])
        place = next((i for i, word in enumerate(inner) if _is_program(word) or _PYTHON.fullmatch(
            Path(word).name)), 0)
        if inner and _PYTHON.fullmatch(Path(inner[place]).name):
            del inner[place]
        line = shlex.join([name, "run", *inner[:place], "unstuck", "run", *inner[place:]])
        refuse(f"{name} chooses the environment, so unstuck must run inside it: {line}")
    if name in ("jupyter", "jupyter-lab", "jupyter-notebook", "ipython"):
        refuse(f"a notebook runs in its kernel: start {name} as ever, and {_NOTEBOOK}")
    script = _console_script(name)
    if script is not None:
        return script, *rest
    if _MODULE.fullmatch(name) and not name.endswith(".py") and _is_module(name):
        return "-m", name, *rest
    folder = Path(name).parent
    scripts = [p.name for p in folder.glob("*.py")] if folder.is_dir() else []
    near = difflib.get_close_matches(Path(name).name, scripts, 1)
    hint = f"; did you mean {folder / near[0]}?" if near else ""
    return refuse(f"there is no script {name}{hint}")


def _python(name: str, rest: Sequence[str]) -> tuple[str, ...]:
    """`python train.py` is `train.py`, if that Python is ours and gets no options of its own."""
    place = next((i for i, word in enumerate(rest) if not word.startswith("-") or word == "-m"),
                 len(rest))
    found = shutil.which(name)
    ours = found is None or os.path.dirname(found) == os.path.dirname(sys.executable) or (
        os.path.realpath(found) == os.path.realpath(sys.executable) and sys.prefix == (
            sys.base_prefix))
    if place == len(rest):
        refuse("give the program itself: unstuck run train.py")
    if "-c" in rest[:place]:
        refuse("a program given with -c cannot be watched; write it to a file and run that file")
    line = shlex.join([name, *rest[:place], "-m", "unstuck", "run", *rest[place:]])
    if not ours:
        refuse(f"{name} is another Python than the one that runs unstuck; install unstuck there "
               f"and start it with that one: {line}")
    if place:
        refuse(f"options of Python go in front of unstuck: {line}")
    return target_of(rest)


def _refuse_launcher(begin: list[str], name: str, rest: Sequence[str]) -> NoReturn:
    """A launcher starts processes of its own, so unstuck goes into each of them."""
    words = list(rest)
    if name == "accelerate":
        if words[:1] != ["launch"]:
            refuse("accelerate trains with its command launch: "
                   "accelerate launch -m unstuck run train.py")
        begin, words = [*begin, "launch"], words[1:]
    place = next((i for i, word in enumerate(words) if _is_program(word)), None)
    if place is None:
        refuse(f"{name} starts processes of its own, and unstuck goes into each of them: "
               f"{shlex.join(begin)} {_LAUNCHERS[name]} unstuck run train.py")
    options, program = words[:place], words[place:]
    if options and options[-1] in ("-m", "--module"):
        options, program = options[:-1], ["-m", *program]
    _refuse_for(name, [*begin, *options, _LAUNCHERS[name], "unstuck", "run", *program])


def _refuse_for(name: str, line: Sequence[str]) -> NoReturn:
    refuse(f"{name} starts processes of its own, and unstuck goes into each of them: "
           f"{shlex.join(line)}")


def _is_program(word: str) -> bool:
    """Whether a word names the program, and not an option of what starts it or its value."""
    return not word.startswith("-") and (
        word.endswith(".py") or (_MODULE.fullmatch(word) is not None and _is_module(word)))


def _is_module(name: str) -> bool:
    """Whether a dotted name is a module below this folder, or of an installed package."""
    place = Path(*name.split("."))
    if place.with_suffix(".py").is_file() or (place / "__main__.py").is_file():
        return True
    top = name.partition(".")[0]
    from importlib.machinery import PathFinder

    return PathFinder.find_spec(top) is not None


def _console_script(name: str) -> str | None:
    """The file of a command that a package of this environment installed."""
    if os.sep in name or not metadata.entry_points(group="console_scripts", name=name):
        return None
    found = shutil.which(name, path=os.path.dirname(sys.executable)) or shutil.which(name)
    if found is None:
        return None
    with open(found, "rb") as file:
        begins = file.read(200)
    return found if begins.startswith(b"#!") and b"python" in begins.partition(b"\n")[0] else None
