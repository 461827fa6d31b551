"""Makes everything fail that of ours runs inside a program, and compares with bare runs.

    python -m benchmarks.faults [--jobs N] [--every K] [--only WORD] [--log FILE]

Each entry from torch and the interpreter into our code, in four programs, with each of four
errors, five states of standard error and four states of the record's folder. With --every only
each K-th combination. Exit status 1 if a run differs from the bare one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

from benchmarks.faults import matrix
from harness.forking import Interpreter


@contextmanager
def matrices(jobs: int, folder: Path) -> Iterator[Queue[matrix.Matrix]]:
    """So many interpreters, to be taken and put back."""
    free: Queue[matrix.Matrix] = Queue()
    interpreters = [Interpreter() for _ in range(jobs)]
    try:
        for number, interpreter in enumerate(interpreters):
            own = folder / str(number)
            own.mkdir()
            free.put(matrix.Matrix(interpreter, own))
        yield free
    finally:
        for interpreter in interpreters:
            interpreter.close()


def main() -> int:
    """Runs the benchmark."""
    from rich.console import Console
    from rich.progress import track

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, metavar="K", help="only each K-th")
    parser.add_argument("--only", default="", help="only combinations whose name holds this word")
    parser.add_argument("--log", type=Path, help="write all results to this file, a line each")
    options = parser.parse_args()
    console = Console()
    folder = Path(tempfile.mkdtemp(prefix="unstuck-faults-"))
    results: list[matrix.Result] = []
    with matrices(options.jobs, folder) as free, ThreadPoolExecutor(options.jobs) as pool:
        first = free.get()
        walks = first.walk()
        free.put(first)
        combinations = [c for c in matrix.everything(walks) if options.only in str(c)]

        def run(combination: matrix.Combination) -> matrix.Result:
            taken = free.get()
            try:
                return taken.run(combination, walks[combination.program])
            finally:
                free.put(taken)

        chosen = combinations[:: options.every]
        for result in track(pool.map(run, chosen), total=len(chosen),
                            console=Console(stderr=True), transient=True):
            results.append(result)
            if result.differences:
                console.print(f"{result.combination}: {'; '.join(result.differences)}",
                              markup=False, highlight=False, soft_wrap=True)
            if options.log:
                with options.log.open("a") as file:
                    file.write(matrix.as_json(result) + "\n")
    points = sum(len(walked.points) for walked in walks.values())
    counts = matrix.counted(results)
    console.print(
        f"{points} points in {len(walks)} programs, {len(combinations):,} combinations: "
        f"{counts['ran']:,} ran, in {counts['thrown']:,} of them the error was thrown before "
        f"the watching ended of itself, {counts['differ']:,} differ from bare"
        f"{f' (see {folder})' if counts['differ'] else ''}")
    return int(counts["differ"] > 0)


if __name__ == "__main__":
    sys.exit(main())
