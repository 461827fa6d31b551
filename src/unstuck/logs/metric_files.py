"""Reads stores with a file for each metric: MLflow's, in lines of `timestamp value step`, and
DVCLive's, whose lines are `step value`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from unstuck.logs.source import Source
from unstuck.logs.table import Builder, Table, UnusableLog, number
from unstuck.words import joined

_LINE = re.compile(r"\d{9,16} \S{1,40} \d{1,18}(?: \S{0,80})?\r?\n?")


def is_metric_file(text: str) -> bool:
    """Whether a file that begins so is a metric of MLflow's."""
    lines = text.splitlines()[:20]
    return bool(lines) and all(_LINE.fullmatch(line) for line in lines[: max(len(lines) - 1, 1)])


def read(metrics: Mapping[str, Source], run: str = "") -> Table:
    """The metrics of one run, by name: rows are their points one after another."""
    builder = Builder(next(iter(metrics.values())).name)
    for name, source in metrics.items():
        for line in source.lines():
            cells = line.split()
            if source.path.suffix == ".tsv":  # a step and its value
                cells = ["", *cells[::-1]]
                name = name.removesuffix(".tsv")
            value = number(cells[1]) if len(cells) > 2 else None
            step = number(cells[2]) if len(cells) > 2 else None
            if value is not None and step is not None:
                builder.add((("step", step), (name, value)))
    if not builder.rows:
        files = joined(source.name for source in metrics.values())
        raise UnusableLog(f"{files}: no line has the format of an MLflow metric")
    tool = "DVCLive" if source.path.suffix == ".tsv" else "MLflow"
    return Table(f"{tool} metrics", builder.columns(), builder.rows, run)


def name_in_store(path: Path) -> str:
    """A metric's name: its path below the folder `metrics`, which may be nested."""
    parts = path.parts
    below = len(parts) - 1 - parts[::-1].index("metrics") if "metrics" in parts[:-1] else -2
    return "/".join(parts[below + 1 :])
