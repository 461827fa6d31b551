"""Runs a generated program once under watch and keeps its record and what it came to.

A program runs in a process forked from one that has torch loaded. What it left is kept by its text
and by the files that decide what a record holds, so that a scoreboard that was stopped goes on
where it was, and new detectors judge the records that are there.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from harness import apart

TIMEOUT = 600.0  # seconds; the slowest program takes a twentieth on a free machine
WORST = -1.0  # skill is not counted further down: a diverged run is no worse than a bad one


class Program(Protocol):
    """A program that can be run: its source, and how its model's outputs are to be read."""

    @property
    def reads(self) -> str: ...

    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Run:
    """What a program came to.

    `skill` is 1 for perfect and 0 for the best constant answer, on samples that the program never
    sees; None where it ended before there was a model to ask. `memory` is in megabytes: how far
    the process grew. `trouble` says why there is no record.
    """

    skill: float | None = None
    error: str = ""
    memory: float = 0.0
    seconds: float = 0.0
    trouble: str = ""


class Runs:
    """Runs of programs, kept in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def home(self, program: Program) -> Path:
        """The folder of a program's run."""
        text = program.text() + program.reads + apart.watcher()
        return self.folder / "runs" / hashlib.sha256(text.encode()).hexdigest()[:16]

    def known(self, program: Program) -> Run | None:
        """The run, if the program has been run."""
        file = self.home(program) / "run.json"
        return Run(**json.loads(file.read_text())) if file.exists() else None

    def run(self, program: Program) -> Run:
        """Runs a program, unless that has been done. What could not be run is tried again."""
        found = self.known(program)
        if found is not None and not found.trouble:
            return found
        home = self.home(program)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        (home / "train.py").write_text(program.text(), encoding="utf-8")
        found = Run(**_apart(home, program.reads))
        # Whole or not at all, for a scoreboard may be stopped at any time.
        unfinished = home / "run.json.new"
        unfinished.write_text(json.dumps(asdict(found)))
        unfinished.replace(home / "run.json")
        return found


def _apart(home: Path, reads: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = apart.answer(run_here, (str(home), reads), TIMEOUT)
        return found
    except TimeoutError as error:
        return {"trouble": str(error)}
    except EOFError:
        return {"trouble": "the process died"}


# In the child ------------------------------------------------------------------------------------
def run_here(home: str, reads: str, pipe: Any) -> None:
    """Runs train.py of a folder in this process and sends what it came to; for the child only."""
    apart.settle(home, os.path.join(home, "train.py"))
    try:
        pipe.send(_run(Path(home), reads))
    except Exception as error:
        traceback.print_exc()
        pipe.send({"trouble": f"{type(error).__name__}: {error}"})
    finally:
        pipe.close()


def _run(home: Path, reads: str) -> dict[str, Any]:
    import resource

    import torch

    import unstuck

    torch.set_num_threads(1)
    file = home / "train.py"
    code = compile(file.read_text(encoding="utf-8"), str(file), "exec")
    names: dict[str, Any] = {"__name__": "__main__", "__file__": str(file)}
    error = ""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with unstuck.watch(out=home / "record"):
            exec(code, names)
    except Exception as failure:
        traceback.print_exc()
        error = f"{type(failure).__name__}: {failure}"[:200]
    seconds = time.monotonic() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"skill": skill(names, reads), "error": error, "memory": grown, "seconds": seconds}


def skill(names: dict[str, Any], reads: str) -> float | None:
    """What a program's model is worth on its test samples, prepared as the program prepares them.

    Accuracy above that of the most frequent class, as a share of what is possible; with numbers as
    targets, 1 - mean squared error / that of their mean.
    """
    import torch

    if not {"model", "x_test", "y_test"} <= set(names):
        return None
    model, targets = names["model"].eval(), names["y_test"]
    try:
        with torch.no_grad():
            out = model(names["x_test"])
    except Exception:
        return None
    if reads == "value":
        error = (out.reshape(targets.shape) - targets).double().pow(2).mean()
        constant = (targets - targets.mean(0)).double().pow(2).mean()
        worth = 1 - float(error / constant)
    else:
        answers = {"argmax": lambda: out.argmax(1), "round": lambda: out.flatten().round(),
                   "sign": lambda: out.flatten() > _cut(out)}[reads]()
        truth = targets > 0 if reads == "sign" else targets
        base = max(float((truth == each).float().mean()) for each in truth.unique())
        worth = (float((answers == truth).float().mean()) - base) / max(1 - base, 1e-9)
    if not bool(torch.isfinite(out).all()) or not math.isfinite(worth):
        return WORST
    return max(WORST, worth)


def _cut(out: Any) -> float:
    """Where two classes part: at 0, at one half where the program gives probabilities."""
    return 0.5 if float(out.min()) >= 0 and float(out.max()) <= 1 else 0.0
