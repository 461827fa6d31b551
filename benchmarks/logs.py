"""How fast long logs are read: `python -m benchmarks.logs [MEGABYTES] [ROWS]`.

Processor time and the largest memory of reading and judging 200 MB of console text and a table of
2,000,000 rows, each in a process of its own. The ratio is to the time that splitting the same text
into lines and looking at each with one regular expression takes: it depends little on the machine.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from unstuck.judge.engine import diagnose
from unstuck.logs.read import records

MOST_SECONDS = {"console text": 10.0, "CSV": 4.0}
MOST_MEMORY = 300  # MB
_LOSS = re.compile(rb"loss[ ,]")


def console(file: Path, megabytes: int) -> None:
    """Writes lines as training loops print them, with a rare one of validation among them."""
    rng, size, step = random.Random(0), 0, 0
    with file.open("w", encoding="utf-8") as out:
        while size < megabytes * 1_000_000:
            loss = _loss(rng, step)
            line = (f"2026-01-01 12:{step % 60:02}:{step % 59:02},{step % 1000:03} INFO step "
                    f"{step}: loss {loss:.4f}, time {rng.uniform(40, 60):.2f}ms, lr {1e-3:.6f}, "
                    f"gnorm {rng.random():.3f}\n")
            if step % 1000 == 999:
                line += f"step {step}: train loss {loss:.4f}, val loss {loss + 0.1:.4f}\n"
            out.write(line)
            size, step = size + len(line), step + 1


def table(file: Path, rows: int) -> None:
    """Writes a table whose held-out column has gaps."""
    rng = random.Random(0)
    with file.open("w", encoding="utf-8") as out:
        out.write("step,loss,val_loss,lr\n")
        for step in range(rows):
            loss = _loss(rng, step)
            held = f"{loss + 0.1:.6f}" if step % 100 else ""
            out.write(f"{step},{loss:.6f},{held},0.001\n")


def _loss(rng: random.Random, step: int) -> float:
    return 2 * math.exp(-step / 5e5) + 0.3 + 0.05 * rng.gauss(0, 1)


def _read(file: Path) -> None:
    for record in records(file):
        diagnose(record)


def _baseline(file: Path) -> None:
    with file.open("rb") as lines:
        for line in lines:
            _LOSS.search(line)


def _measured(work: Callable[[Path], None], file: Path, to: Connection) -> None:
    began = time.process_time()
    work(file)
    unit = 1 if sys.platform == "darwin" else 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    to.send((time.process_time() - began, most / 1e6))


def measured(work: Callable[[Path], None], file: Path) -> tuple[float, float]:
    """Processor seconds and the largest memory in MB, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_measured, args=(work, file, there))
    child.start()
    there.close()
    found: tuple[float, float] = here.recv()
    child.join()
    return found


def main() -> None:
    """Prints each measurement; the status is 1 if one is beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("megabytes", nargs="?", type=int, default=200)
    parser.add_argument("rows", nargs="?", type=int, default=2_000_000)
    asked = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for name, write, amount in (("console text", console, asked.megabytes),
                                    ("CSV", table, asked.rows)):
            file = Path(folder) / "log"
            write(file, amount)
            seconds, memory = measured(_read, file)
            base, _ = measured(_baseline, file)
            good = good and seconds <= MOST_SECONDS[name] and memory <= MOST_MEMORY
            print(f"{name}, {file.stat().st_size / 1e6:.0f} MB: {seconds:.1f} s of processor time "
                  f"(at most {MOST_SECONDS[name]:.0f}), {seconds / base:.1f} times the baseline's "
                  f"{base:.2f} s; {memory:.0f} MB (at most {MOST_MEMORY})", flush=True)
    raise SystemExit(not good)


if __name__ == "__main__":
    main()
