"""An interpreter with torch loaded that becomes one program after another, each in a fork of it.

A program that runs here begins and ends as in an interpreter of its own: it is at the top level of
the stack, an exception that it lets through ends it with a traceback, its farewells are called and
its streams are closed by the interpreter. It costs hundredths of a second to start.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from harness import apart

ROOT = Path(__file__).resolve().parent.parent
PRELOAD = (*apart.PRELOAD, "benchmarks.non_interference")
_LOOK = 0.002  # seconds between two looks whether a program has ended


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its status, or less than 0 for a signal, None if it hung and was killed.

    `seconds` are of processor time.
    """

    status: int | None
    seconds: float


class Interpreter:
    """Runs programs, one at a time. Use it as a context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0",
                 "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Interpreter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(
        self, folder: Path, prepare: str, arguments: Mapping[str, Any], timeout: float = 120.0
    ) -> Ended:
        """Runs a program with `folder` as its working folder and its output in `out` and `err`.

        Args:
            folder: exists.
            prepare: "module:function"; called in the fork, returns what is then run at top level.
            arguments: of that function, plain data.
            timeout: seconds after which the program is killed, with all that it has started.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"folder": str(folder), "prepare": prepare, "arguments": dict(arguments),
                   "timeout": timeout}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the interpreter ended with status {self._process.wait()}")
        return Ended(**json.loads(answer))

    def close(self) -> None:
        """Ends the interpreter; safe to call twice."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()


def script(path: str) -> Callable[[], object]:
    """What runs a script as `python script.py` does, without a frame of its own."""
    from functools import partial

    main = type(sys)("__main__")
    main.__dict__.update(__builtins__=sys.modules["builtins"], __file__=path)
    sys.modules["__main__"] = main
    sys.argv = [path]
    code = compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
    return partial(exec, code, main.__dict__)


# In the interpreter ------------------------------------------------------------------------------
def _serve() -> Callable[[], object]:
    """Answers requests; returns only in a fork, with what is to be run there."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    empty = os.open(os.devnull, os.O_RDWR)
    os.dup2(empty, 0)
    os.dup2(empty, 1)
    for name in PRELOAD:
        importlib.import_module(name)
    for line in requests:
        request = json.loads(line)
        child = os.fork()
        if not child:
            requests.close()
            answers.close()
            return _settle(**request)
        answers.write(json.dumps(_wait(child, request["timeout"])) + "\n")
        answers.flush()
    sys.exit()


def _wait(child: int, timeout: float) -> dict[str, Any]:
    end = time.monotonic() + timeout
    hung = False
    while True:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            break
        if not hung and time.monotonic() > end:
            hung = True
            os.killpg(child, signal.SIGKILL)
        time.sleep(_LOOK)
    return {"status": None if hung else os.waitstatus_to_exitcode(status),
            "seconds": used.ru_utime + used.ru_stime}


def _settle(
    folder: str, prepare: str, arguments: dict[str, Any], timeout: float
) -> Callable[[], object]:
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM):  # may be ignored where all was started with `&`
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    for descriptor, name in ((1, "out"), (2, "err")):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
        os.close(file)
    module, _, function = prepare.partition(":")
    made: Callable[..., Callable[[], object]] = getattr(
        importlib.import_module(module), function)
    return made(**arguments)


if __name__ == "__main__":
    del sys.path[0]  # this folder
    _run = _serve()
    _run()
