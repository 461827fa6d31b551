"""What starting and ending take: processor time of commands, and of `run` around a program.

    python -m benchmarks.starting [--runs N]

Printed are medians in seconds of processor time, of all processes together. `run` is compared with
the program alone, in turns: what it adds before the program's first line, where the program imports
torch, after its last line, and in the parent. What watching takes while the program trains is not
among them; `make overhead` measures that.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

COMMANDS = {"--help": 0.3, "explain dead-relu": 0.3}  # and the most that each may take
MOST = 0.6  # that `run` may add

PROGRAM = """\
import sys, time
marks = {"first": time.process_time(), "torch": 0.0}
def timed(then):
    def measured():
        began = time.process_time()
        then()
        marks["torch"] += time.process_time() - began
    return measured
for finder in sys.meta_path:
    if type(finder).__name__ == "TorchFinder":
        finder._then = timed(finder._then)
import torch
from sklearn.datasets import load_digits
from torch import nn
torch.manual_seed(0)
x, y = map(torch.tensor, load_digits(return_X_y=True))
x = x.float() / 16
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters())
for epoch in range(10):
    model.train()
    for rows in torch.randperm(1400).split(64):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        print(nn.functional.cross_entropy(model(x[1400:]), y[1400:]).item())
marks["last"] = time.process_time()
with open("marks", "w") as file:
    print(marks["first"], marks["torch"], marks["last"], file=file)
"""
RUN = """\
import resource, sys
from unstuck.cli import main
sys.argv[1:] = ["run", "--out", sys.argv[1], "program.py"]
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open("child", "w") as file:
        print(used.ru_utime + used.ru_stime, file=file)
"""


def seconds(*command: str, folder: Path) -> float:
    """Processor seconds of a command and of all that it starts.

    Raises:
        CalledProcessError: it failed.
    """
    # An installed package has been compiled.
    kept = {k: value for k, value in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = os.times()
    subprocess.run(
        [sys.executable, *command], cwd=folder, check=True, capture_output=True, env=kept)
    after = os.times()
    return (after.children_user - before.children_user
            + after.children_system - before.children_system)


def around(folder: Path, record: str | None) -> tuple[float, float, float, float]:
    """What a program's process takes before its first line, where it imports torch and after its
    last line, and what the parent takes; watched if there is the name of a new folder."""
    if record is None:
        child = whole = seconds("program.py", folder=folder)
    else:
        whole = seconds("-c", RUN, record, folder=folder)
        child = float((folder / "child").read_text())
    first, torch, last = map(float, (folder / "marks").read_text().split())
    return first, torch, child - last, whole - child


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; 1 if something takes longer than it may."""
    parser = argparse.ArgumentParser(description="What starting and ending take.")
    parser.add_argument("--runs", type=int, default=7, metavar="N")
    runs: int = parser.parse_args(arguments).runs
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "program.py").write_text(PROGRAM)
        around(folder, "compiles")
        for words, most in COMMANDS.items():
            taken = [seconds("-m", "unstuck", *words.split(), folder=folder) for _ in range(runs)]
            good &= _told(f"unstuck {words}", taken, most)
        added: list[list[float]] = []
        for run in range(runs):
            alone, watched = around(folder, None), around(folder, f"record-{run}")
            added.append([one - other for one, other in zip(watched, alone, strict=True)])
        good &= _told("unstuck run adds", [sum(parts) for parts in added], MOST)
        for words, parts in zip(
            ("before the first line", "where torch is imported", "after the last line",
             "in the parent"), zip(*added, strict=True), strict=True,
        ):
            _told(f"  {words}", parts)
    return int(not good)


def _told(words: str, taken: Sequence[float], most: float | None = None) -> bool:
    """Prints the median and the least; whether the median is not more than it may be."""
    median = statistics.median(taken)
    limit = "" if most is None else f"  (at most {most:g})"
    print(f"{words:<28} {median:6.2f} s, least {min(taken):.2f} s{limit}", flush=True)
    return most is None or median <= most


if __name__ == "__main__":
    sys.exit(main())
