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
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import corpus
from corpus import Program
from harness import apart

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
        bare = _seconds(run_bare, program, folder)
        watched = _seconds(run_wholly_watched if whole else run_watched, program, folder)
        judged = _seconds(judge, program, folder)
    return Cost(program, bare, watched, judged)


def _seconds(part: Part, program: Program, folder: str) -> float:
    ours, theirs = apart.context().Pipe(duplex=False)
    process = apart.context().Process(target=timed_here, args=(part, program, folder, theirs))
    process.start()
    theirs.close()
    try:
        return float(ours.recv()) if ours.poll(TIMEOUT) else TIMEOUT
    except EOFError:
        raise RuntimeError(f"{program} did not end") from None
    finally:
        process.kill()
        process.join()
        ours.close()


# In the child ------------------------------------------------------------------------------------
Part = Callable[[Program, str], None]


def timed_here(part: Part, program: Program, folder: str, pipe: Connection) -> None:
    """Sends the processor time of a part; for the child only."""
    apart.settle(folder, str(program.file))
    begun = time.process_time()
    part(program, folder)
    pipe.send(time.process_time() - begun)


def run_bare(program: Program, folder: str) -> None:
    """Runs a program; an exception of its own ends it."""
    _run(program, nullcontext())


def run_watched(program: Program, folder: str) -> None:
    """Runs a program under watch, as a user does."""
    import unstuck

    _run(program, unstuck.watch(Path(folder, "record")))


def run_wholly_watched(program: Program, folder: str) -> None:
    """Runs a program under watch, with all looks of the schedule."""
    import unstuck

    _run(program, unstuck.watch(Path(folder, "record"), overhead=1.0))


def judge(program: Program, folder: str) -> None:
    """Judges the record in the folder."""
    from unstuck.judge.engine import diagnose

    diagnose(Path(folder, "record"))


def _run(program: Program, watching: AbstractContextManager[Any]) -> None:
    import torch

    torch.set_num_threads(1)
    try:
        with watching:
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
