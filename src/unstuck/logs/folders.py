"""Finds the runs in a folder: event files, MLflow's metrics, W&B's offline file, tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from unstuck.logs import event_files, metric_files, weights_and_biases
from unstuck.logs.kinds import table_of
from unstuck.logs.names import Part, name_of
from unstuck.logs.source import Source, source
from unstuck.logs.table import Table, UnusableLog
from unstuck.reading import Unusable
from unstuck.words import count

DEEPEST = 8
MOST_FILES = 20_000
MOST_RUNS = 200


@dataclass(frozen=True, slots=True)
class Run:
    """A run that was found, and how to read it."""

    name: str
    read: Callable[[], Table]


def runs_in(folder: Path) -> list[Run]:
    """The runs below a folder: of the first kind that is there.

    Raises:
        UnusableLog: there are none, or too many.
    """
    files = list(_files(folder))
    events: dict[Path, list[tuple[str, Source]]] = {}
    metrics: dict[Path, dict[str, Source]] = {}
    single: list[Run] = []
    for path in files:
        try:
            file = source(path)
        except Unusable:
            continue
        if event_files.is_event_file(file.head):
            home, prefix = _home(path.parent, folder)
            events.setdefault(home, []).append((prefix, _lean(file)))
        elif weights_and_biases.is_offline_file(file.head):
            file = _lean(file)
            single.append(Run(str(path), lambda file=file: weights_and_biases.read(file)))  # type: ignore[misc]
        elif _below_metrics(path) and metric_files.is_metric_file(file.text()):
            run = next(p for p in path.parents if p.name == "metrics")
            metrics.setdefault(run, {})[metric_files.name_in_store(path)] = _lean(file)
    found = [
        *(Run(str(home), lambda home=home: event_files.read(events[home]))  # type: ignore[misc]
          for home in sorted(events)),
        *(Run(str(run.parent), lambda run=run: metric_files.read(metrics[run]))  # type: ignore[misc]
          for run in sorted(metrics)),
        *single,
    ] or _tables(files)
    if not found:
        raise UnusableLog(f"{folder} holds no training log in a format that unstuck knows")
    if len(found) > MOST_RUNS:
        raise UnusableLog(f"{folder} holds {count(len(found), 'run')}; unstuck reads at most "
                          f"{MOST_RUNS} at a time, so choose a smaller folder")
    return found


def _lean(file: Source) -> Source:
    """The same without most of its head: there may be thousands."""
    return replace(file, head=file.head[:64])


def _files(folder: Path) -> Iterator[Path]:
    seen = 0
    for home, folders, names in os.walk(folder):
        depth = len(Path(home).relative_to(folder).parts)
        folders[:] = sorted(folders) if depth < DEEPEST else []
        for name in sorted(names):
            path = Path(home, name)
            if not path.is_file() or path.is_symlink():
                continue
            seen += 1
            if seen > MOST_FILES:
                raise UnusableLog(f"{folder} holds more than {count(MOST_FILES, 'file')}; choose a "
                                  "smaller folder")
            yield path


def _home(parent: Path, folder: Path) -> tuple[Path, str]:
    """The run of an event file: folders `train` and `validation` are parts of the one above."""
    if parent != folder and name_of(parent.name).part is not Part.UNSAID:
        return parent.parent, parent.name
    return parent, ""


def _below_metrics(path: Path) -> bool:
    return "metrics" in path.parts[:-1]


def _tables(files: list[Path]) -> list[Run]:
    """Files that are known by their name where a folder holds many others."""
    known = [path for path in files if path.name in ("metrics.csv", "progress.csv", "log.csv",
                                                     "wandb-history.jsonl", "history.json")]
    states = [path for path in files if path.name == "trainer_state.json"]
    if states:  # of the checkpoints of one run the last holds all
        known.append(max(states, key=lambda path: path.stat().st_size))
    return [Run(str(path), lambda path=path: table_of(source(path))) for path in known]  # type: ignore[misc]
