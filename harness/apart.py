"""What runs programs in processes of their own, forked from one that has torch loaded."""

from __future__ import annotations

import hashlib
import importlib.util
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "unstuck"
# The first optimizer step imports torch._dynamo, which takes seconds; all that watches would be
# imported by each child again.
PRELOAD = ("torch", "torch._dynamo", "sklearn.datasets", *(
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
    for file in sorted((PACKAGE / "observe").rglob("*.py")) if file.name != "__init__.py"),
    "harness.settled")


@cache
def context() -> ForkServerContext:
    """Makes the processes."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(list(PRELOAD))
    return made


def answer(function: Callable[..., None], arguments: tuple[Any, ...], timeout: float) -> Any:
    """What a function sends by the pipe that it is given last, in a process of its own.

    Raises:
        TimeoutError: it sent nothing in so many seconds.
        EOFError: the process died.
    """
    ours, theirs = context().Pipe(duplex=False)
    process = context().Process(target=function, args=(*arguments, theirs))
    process.start()
    theirs.close()
    try:
        if not ours.poll(timeout):
            raise TimeoutError(f"no end after {timeout:.0f} s")
        return ours.recv()
    finally:
        process.join(5)  # its loaders' workers end with it
        process.kill()
        process.join()
        ours.close()


def mark(files: Iterable[Path]) -> str:
    """A hash of files of the project."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:16]


@cache
def watcher() -> str:
    """A mark of everything that decides what a record holds, besides the program."""
    parts = ("observe", "record", "schema")
    files = [file for part in parts for file in (PACKAGE / part).rglob("*.py")]
    return mark([*files, PACKAGE / "torch_api.py"])


def settle(folder: str, program: str) -> None:
    """Makes this process that of a program: its output in the folder's output.txt; in a child only.

    A failing watcher is reported as a user would see it, and warnings are the program's own.
    """
    output = os.open(os.path.join(folder, "output.txt"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.chdir(folder)
    os.environ["UNSTUCK_DEBUG"] = ""
    sys.argv = [program]
    # This child has inherited "forkserver"; its loaders are to start workers as a script's would.
    multiprocessing.set_start_method("fork" if sys.platform == "linux" else None, force=True)
    warnings.resetwarnings()
    warnings.simplefilter("ignore")


def loaded(program: Path) -> ModuleType:
    """A program, imported in this process; in a child only."""
    spec = importlib.util.spec_from_file_location(f"program_{program.stem}", program)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
