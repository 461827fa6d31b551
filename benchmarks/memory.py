"""What watching takes of memory: programs with large or many tensors, bare and watched.

    python -m benchmarks.memory [--only WORD] [--long]

Each arm is a process of its own. Printed are the peak resident memory of both, by how much the
watched one is higher, and what a step uses: the bare peak less what the process held once the
program was built. Watching may take a tenth of that and 64 MiB. The sick twin of each program must
be named all the same. Processor time is printed beside it; it depends on the machine.

With --long, a small program of 200,000 steps as well: its memory may not grow, its record may have
10 MB, and judging it may take 3 seconds of processor time.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHARE, ALLOWANCE = 0.1, 64.0  # of what a step uses, and MiB
STEPS, EARLY = 200_000, 50_000
GROWTH = 4.0  # MiB that resident memory may differ by from one moment to another
RECORD, SECONDS = 10e6, 3.0  # bytes of a record of so many steps, and to judge it


# In a process of its own -------------------------------------------------------------------------
def _status(field: str) -> float:
    """A number of this process from the kernel, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def run_here(name: str, sick: bool, folder: str | None) -> dict[str, float]:
    """Runs a program in this process, under watch if there is a folder for its record."""
    import torch
    import torch._dynamo  # the first optimizer would import it

    import unstuck
    from benchmarks.large import PROGRAMS

    torch.set_num_threads(1)
    program = next(p for p in PROGRAMS if p.name == name)
    began = time.process_time()
    with unstuck.watch(folder) if folder else nullcontext():
        steps = program.build(sick, 1.0)
        next(steps)
        built = _status("VmRSS")
        for _ in steps:
            raise AssertionError("a program yields once")
    return {"built": built, "peak": _status("VmHWM"), "seconds": time.process_time() - began}


def long_here(folder: str | None) -> dict[str, float]:
    """Trains a small model for very many steps."""
    import torch
    import torch._dynamo
    from torch import nn
    from torch.nn import functional

    import unstuck

    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = []
    began = time.process_time()
    with unstuck.watch(folder) if folder else nullcontext():
        x, y = torch.randn(256, 8), torch.randn(256, 1)
        model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
        for step in range(STEPS):
            if step == EARLY:
                sizes.append(_resident())
            rows = torch.randint(256, (16,))
            optimizer.zero_grad()
            functional.mse_loss(model(x[rows]), y[rows]).backward()
            optimizer.step()
        sizes.append(_resident())
    return {"early": sizes[0], "late": sizes[1], "seconds": time.process_time() - began}


def _resident() -> float:
    """What the process holds, once what was freed has gone back to the system."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return _status("VmRSS")


# In this process ---------------------------------------------------------------------------------
def apart(*arguments: str) -> dict[str, Any]:
    """What a run in a fresh process says of itself."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", "--here", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=1_800)
    if done.returncode:
        raise RuntimeError(f"{arguments}: {done.stderr[-2_000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(name: str, cause: str) -> Iterator[tuple[str, dict[str, float], str]]:
    """The rows of a program: healthy and sick, each with what is wrong with it, "" if nothing."""
    import unstuck

    for kind in ("well", "sick"):
        with tempfile.TemporaryDirectory(prefix="unstuck-memory-") as folder:
            bare = apart(name, kind)
            watched = apart(name, kind, folder)
            found = [finding.cause for finding in unstuck.diagnose(folder).findings]
        step = bare["peak"] - bare["built"]
        over = watched["peak"] - bare["peak"]
        trouble = []
        if over > SHARE * step + ALLOWANCE:
            trouble.append("over the budget")
        if kind == "sick" and cause not in found:
            trouble.append(f"{cause} is not found, but {', '.join(found) or 'nothing'}")
        yield kind, {
            "bare": bare["peak"], "watched": watched["peak"], "over": over, "step": step,
            "allowed": SHARE * step + ALLOWANCE, "bare s": bare["seconds"],
            "watched s": watched["seconds"]}, "; ".join(trouble)


def long_run() -> tuple[dict[str, float], str]:
    """The numbers of a long run, and what is wrong with them."""
    import unstuck

    with tempfile.TemporaryDirectory(prefix="unstuck-memory-") as folder:
        bare, watched = apart("--steps"), apart("--steps", folder)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        began = time.process_time()
        unstuck.diagnose(folder)
        judged = time.process_time() - began
    grown, usual = (arm["late"] - arm["early"] for arm in (watched, bare))
    trouble = []
    if grown > usual + GROWTH:
        trouble.append("memory grows")
    if size > RECORD:
        trouble.append("the record is too large")
    if judged > SECONDS:
        trouble.append("judging takes too long")
    return {"grown bare": usual, "grown watched": grown, "record MB": size / 1e6,
            "judged s": judged, "bare s": bare["seconds"], "watched s": watched["seconds"]
            }, "; ".join(trouble)


def main() -> int:
    """Runs the benchmark; 1 if anything is over its budget or not found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only programs whose name holds this word")
    parser.add_argument("--long", action="store_true", help="200,000 steps as well")
    parser.add_argument("--here", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        name, *rest = options.here
        print(json.dumps(long_here(*rest or [None]) if name == "--steps" else run_here(
            name, rest[0] == "sick", rest[1] if len(rest) > 1 else None)))
        return 0

    from rich.console import Console
    from rich.table import Table

    from benchmarks.large import PROGRAMS

    console = Console()
    table = Table("program", "bare", "watched", "over", "step", "allowed", "bare s", "watched s",
                  "", title="peak resident memory in MiB, processor time in seconds")
    failed = False
    for program in PROGRAMS:
        if options.only not in program.name:
            continue
        for kind, numbers, trouble in measure(program.name, program.cause):
            failed = failed or bool(trouble)
            cells = [f"{value:,.1f}" if key.endswith(" s") else f"{value:,.0f}"
                     for key, value in numbers.items()]
            table.add_row(f"{program.name}, {kind}", *cells, trouble or "ok")
            print(f"{program.name}, {kind}:", *cells, trouble or "ok", file=sys.stderr)
    console.print(table)
    if options.long:
        numbers, trouble = long_run()
        failed = failed or bool(trouble)
        console.print(f"{STEPS:,} steps:", ", ".join(f"{k} {v:,.1f}" for k, v in numbers.items()),
                      trouble or "ok")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
