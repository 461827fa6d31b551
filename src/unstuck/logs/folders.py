"""Finds the runs in a folder: event files, MLflow's metrics, W&B's offline file, tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from unstuck.logs import event_files, metric_files, parts, weights_and_biases
from unstuck.logs.kinds import table_of
from unstuck.logs.names import Part, name_of
from unstuck.logs.source import Source, source
from unstuck.logs.table import Table, UnusableLog
from unstuck.reading import Unusable
from unstuck.words import count

DEEPEST = 8
MOST_FILES = 20_000
MOST_RUNS = 200
FEWEST = 5  # points of a curve in a file that may be anything
# Names that tools give to their logs: where some are there, other files are something else.
_KNOWN = frozenset({
    "metrics.csv", "progress.csv", "progress.txt", "log.csv", "results.csv", "history.csv",
    "wandb-history.jsonl", "history.json", "metrics.json", "metrics.jsonl", "trainer_log.jsonl",
    "catboost_training.json", "monitor.csv"})
_TABLES = frozenset({".csv", ".tsv", ".jsonl", ".log"})
_NO_LOGS = frozenset({
    ".py", ".pyc", ".ipynb", ".md", ".rst", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".sh",
    ".html", ".js", ".css", ".c", ".cpp", ".h", ".png", ".jpg", ".pt", ".pth", ".bin", ".npy",
    ".npz", ".safetensors", ".zip", ".gz", ".pkl"})


@dataclass(frozen=True, slots=True)
class Run:
    """A run that was found, and how to read it.

    Of a file that is not surely a log nothing is said if it is none, and its curve must have
    `fewest` points.
    """

    name: str
    read: Callable[[], Table]
    surely: bool = True
    fewest: int = 0


def runs_in(folder: Path) -> list[Run]:
    """The runs below a folder: of the first kind that is there.

    Raises:
        UnusableLog: there are none, or too many.
    """
    files = list(_files(folder))
    events: dict[Path, list[tuple[str, Source]]] = {}
    metrics: dict[Path, dict[str, Source]] = {}
    single: list[Run] = []
    boosted = [path for path in files if path.name == "catboost_training.json"]
    others: list[Path] = []
    for path in files:
        if any(path != other and path.is_relative_to(other.parent) for other in boosted):
            continue  # the same curves again
        try:
            file = source(path)
        except Unusable:
            continue
        if event_files.is_event_file(file.head):
            home, prefix = _home(path.parent, folder)
            events.setdefault(home, []).append((prefix, _lean(file)))
        elif weights_and_biases.is_offline_file(file.head):
            single.append(_run(path, partial(weights_and_biases.read, _lean(file))))
        elif "metrics" in path.parts[:-1] and (
                metric_files.is_metric_file(file.text()) or path.suffix == ".tsv"):
            run = next(p for p in path.parents if p.name == "metrics")
            metrics.setdefault(run, {})[metric_files.name_in_store(path)] = _lean(file)
        else:
            others.append(path)
    found = [
        *(_run(home, partial(event_files.read, events[home])) for home in sorted(events)),
        *(_run(run.parent, partial(metric_files.read, metrics[run])) for run in sorted(metrics)),
        *single,
    ] or _tables(others)
    if not found:
        raise UnusableLog(f"{folder} holds no training log in a format that unstuck knows")
    if len(found) > MOST_RUNS:
        raise UnusableLog(f"{folder} holds {count(len(found), 'run')}; unstuck reads at most "
                          f"{MOST_RUNS} at a time, so choose a smaller folder")
    return found


def _run(path: Path, read: Callable[[], Table], surely: bool = True, fewest: int = 0) -> Run:
    return Run(str(path), read, surely, fewest)


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


def _tables(files: list[Path]) -> list[Run]:
    """Tables, documents and console text; files that hold programs or settings are passed over."""
    joined, files = parts.joined(
        [path for path in files if path.suffix.lower() not in _NO_LOGS])
    states: dict[Path, Path] = {}
    for path in files:
        if path.name == "trainer_state.json":  # of the checkpoints of one run the last holds all
            home = path.parent
            home = home.parent if home.name.startswith("checkpoint-") else home
            last = states.get(home)
            if last is None or path.stat().st_size >= last.stat().st_size:
                states[home] = path
    able = [path for path in files if path.name != "trainer_state.json"]
    known = [path for path in able if path.name in _KNOWN]
    found = [*states.values(), *(known or able)]
    single = [_run(path, partial(_table, path), surely := not joined and (
        bool(known) or path.suffix.lower() in _TABLES or path in states.values()),
        0 if surely else FEWEST) for path in sorted(found)]
    return [*(_run(home, read) for home, read in joined), *single]


def _table(path: Path) -> Table:
    return table_of(source(path))
