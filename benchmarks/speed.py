"""What watching costs each program of the corpus, and what its diagnosis costs.

    python -m benchmarks.speed [--only WORD] [--whole] [--rows N]

Every program runs bare and watched, each in a process forked from one that has all imported, and
its record is judged in a third; what is compared is processor time. It finds a probe or a rule
that is slow in programs of one kind: the three loops of `benchmarks.overhead` never meet them.
With --whole nothing is thinned by measured time, as in the tests. Interrupted, it shows what it
has. Exit status 1 where watching added more than a program took and five seconds, or where a
diagnosis took five.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import corpus
import unstuck
from corpus import Program
from harness import apart
from unstuck.judge.engine import diagnose

MOST = 5.0  # seconds of processor time, far from what a fork's own costs and moods come to
TIMEOUT = 900.0  # seconds for one part


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor seconds of a program alone, of it watched, and of the diagnosis of its record."""

    program: Program
    bare: float
    watched: float
    judged: float

    @property
    def added(self) -> float:
        """What watching added."""
        return self.watched - self.bare

    @property
    def too_slow(self) -> bool:
        """Whether watching or judging took more than this program explains."""
        return self.added > self.bare + MOST or self.judged > MOST


def cost_of(program: Program, whole: bool) -> Cost:
    """Runs a program bare and watched, and judges it, each in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="unstuck-speed-") as folder:
        record = Path(folder, "record")
        bare, watched, judged = (
            float(apart.answer(timed_here, (part, program, folder), TIMEOUT)) for part in (
                partial(run, program, None, {}),
                partial(run, program, record, {"overhead": 1.0} if whole else {}),
                partial(diagnose, record)))
    return Cost(program, bare, watched, judged)


# In the child ------------------------------------------------------------------------------------
def timed_here(
    part: Callable[[], object], program: Program, folder: str, pipe: Connection
) -> None:
    """Sends the processor time of a part; for the child only."""
    apart.settle(folder, str(program.file))
    begun = time.process_time()
    part()
    pipe.send(time.process_time() - begun)


def run(program: Program, record: Path | None, options: Mapping[str, Any]) -> None:
    """Runs a program, watched if there is to be a record; an exception of its own ends it."""
    torch.set_num_threads(1)
    try:
        with nullcontext() if record is None else unstuck.watch(record, **options):
            getattr(apart.loaded(program.file), program.function)()
    except Exception:
        traceback.print_exc()


# The benchmark -----------------------------------------------------------------------------------
def main() -> int:
    """Runs the benchmark; 1 if watching or judging a program is too slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only programs whose name holds this word")
    parser.add_argument("--whole", action="store_true", help="nothing is thinned by measured time")
    parser.add_argument("--rows", type=int, default=15, help="how many of the slowest are shown")
    options = parser.parse_args()
    programs = [p for p in corpus.programs(long=True) if options.only in str(p)]
    costs = []
    with suppress(KeyboardInterrupt), Progress(
            console=Console(stderr=True), transient=True) as progress:
        for program in progress.track(programs, description="timing"):
            costs.append(cost_of(program, options.whole))
    if not costs:
        return 0
    costs.sort(key=lambda cost: max(cost.added, cost.judged), reverse=True)
    table = Table("program", "alone", "watching adds", "ratio", "diagnosis",
                  title="seconds of processor time, the slowest first")
    for cost in costs[: options.rows]:
        table.add_row(str(cost.program), f"{cost.bare:.2f}", f"{cost.added:.2f}",
                      f"{cost.watched / cost.bare:.1f}", f"{cost.judged:.2f}",
                      style="bold" if cost.too_slow else None)
    console = Console()
    console.print(table)
    console.print(f"{len(costs)} programs; medians: watching adds "
                  f"{statistics.median(cost.added for cost in costs):.2f} s, a diagnosis takes "
                  f"{statistics.median(cost.judged for cost in costs):.2f} s")
    return 1 if any(cost.too_slow for cost in costs) else 0


if __name__ == "__main__":
    sys.exit(main())
