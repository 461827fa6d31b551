"""How often the right cause is named, on generated programs with and without faults.

    python -m benchmarks.scoreboard [--quick] [--split open|aside|all] [--jobs N] [--json FILE]
                                    [--page FILE] [--only WORD] [--cache DIR]

Runs and judgements are kept in the cache, so that it can be stopped at any time and goes on.
Detectors are written against the open half only; the half kept aside is shown by default.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import platformdirs
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from benchmarks.scoreboard import report, scores
from benchmarks.scoreboard.report import Board
from benchmarks.scoreboard.running import Runs
from benchmarks.scoreboard.scores import Judged, Share
from benchmarks.scoreboard.work import Chosen, choose, count, few, judge_all, run_all
from corpus.generated.faults import FAULTS
from corpus.generated.program import Program
from corpus.generated.samples import Half


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark; 1 if a program could not be run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a program for each cause, in minutes")
    parser.add_argument("--split", choices=("open", "aside", "all"), default="aside")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="write all figures as JSON")
    parser.add_argument("--page", type=Path, help="write the tables as Markdown")
    parser.add_argument("--only", default="", help="only programs whose name holds this word")
    parser.add_argument("--cache", type=Path,
                        default=platformdirs.user_cache_path("unstuck") / "scoreboard")
    options = parser.parse_args(arguments)
    half = None if options.split == "all" else Half(options.split)
    board = measure(choose(half, options.only), Runs(options.cache.resolve()), options.jobs,
                    options.split, options.quick)
    report.show(board, Console())
    if options.json:
        options.json.write_text(json.dumps(report.to_json(board), indent=1) + "\n")
    if options.page:
        options.page.write_text(report.to_markdown(board), encoding="utf-8")
    return 1 if board.trouble else 0


def measure(chosen: Chosen, runs: Runs, jobs: int, split: str, quick: bool) -> Board:
    """Runs and judges the programs."""
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        running = progress.add_task("running", total=0)
        total = 0

        def run(programs: list[Program]) -> None:
            nonlocal total
            total += len(programs)
            progress.update(running, total=total)
            run_all(runs, programs, jobs, lambda: progress.advance(running))

        if quick:
            chosen = few(runs, chosen, run)
        run(chosen.programs())
        counted = count(runs, chosen)
        samples = [*((s, False) for s in counted.healthy), *((s, True) for s in counted.faulty),
                   *((s, False) for s in counted.pairs)]
        task = progress.add_task("judging", total=len(samples))
        judged = judge_all(runs, samples, jobs, lambda: progress.advance(task))
    sick, sound, both = (
        [judged[s.name] for s in kind]
        for kind in (counted.faulty, counted.healthy, counted.pairs))
    return _board(chosen, sick, sound, both, counted.trouble, split, quick)


def _board(
    chosen: Chosen, sick: list[Judged], sound: list[Judged], both: list[Judged],
    trouble: tuple[str, ...], split: str, quick: bool,
) -> Board:
    from unstuck import __version__

    rows = tuple(
        scores.row(fault, sum(s.injected[0].fault is fault for s in chosen.faulty),
                   [each for each in sick if each.injected.fault is fault])
        for fault in FAULTS)
    alarms = scores.alarms(sound)
    totals: dict[str, Share] = {}
    for trial, words in ((False, "decided by the record"), (True, "decided by a trial")):
        every = [each for each in sick if each.injected.fault.trial is trial]
        if trial:
            totals[f"{words}: in the set, with its trial"] = scores.pooled(every)
        totals[f"{words}: named first"] = scores.pooled(every, 1)
        totals[f"{words}: among the first three"] = scores.pooled(every, 3)
    lines = [told for each in sick if (told := each.at_line()) is not None]
    precision, recall = scores.several(both)
    return Board(
        datetime.date.today().isoformat(), __version__, split, quick,
        {**totals,
         "two faults: precision of the roots": precision,
         "two faults: recall of the roots": recall,
         "a fault's verdict is unknown": Share(
             sum(each.injected.fault.slug in each.judgement.unknown for each in sick), len(sick)),
         "nothing is said of a faulty program": Share(
             sum(not each.slugs() for each in sick), len(sick)),
         "named first: at the fault's line": Share(sum(lines), len(lines)),
         "healthy programs with an error": Share(
             sum(alarm.severity == "error" for alarm in alarms), len(sound)),
         "healthy programs with any alarm": Share(len(alarms), len(sound))},
        len(sound), rows, tuple(alarms),
        tuple({"program": each.sample.name,
               "faults": [one.fault.slug for one in each.sample.injected],
               "roots": [one.slug for one in each.judgement.counted() if one.explained_by is None]}
              for each in both),
        trouble,
    )


if __name__ == "__main__":
    sys.exit(main())
