"""The command `unstuck curves`: reads logs of other tools and diagnoses their curves."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unstuck.arguments import (
    UNUSABLE,
    FailOn,
    check_json,
    deliver,
    met,
    our_fault,
    project,
    refuse,
    report_options,
    say,
)
from unstuck.clean import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unstuck.logs.read import Progress
    from unstuck.logs.roles import Choice
    from unstuck.record.reader import Record
    from unstuck.report.logs import Reading
    from unstuck.settings import Settings

LARGE = 20_000_000  # bytes of a file that takes a second to read


@click.command(no_args_is_help=True)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--train", metavar="COLUMN", help="Column with the training loss.")
@click.option("--val", metavar="COLUMN", help="Column with the held-out (validation) loss.")
@click.option("--higher-is-better/--lower-is-better", "higher", default=None,
              help="Which values are better; by default unstuck guesses.")
@report_options(FailOn.ERROR)
def curves(
    files: tuple[str, ...], train: str | None, val: str | None, higher: bool | None,
    json_file: str | None, fail_on: FailOn, notes: bool, quiet: bool,
) -> None:
    """Diagnose a run from its logs, without the program.

    Give log files, or folders of them, or - for standard input. Reads CSV, JSON, TensorBoard,
    Weights & Biases, MLflow and console text. `--json -` prints JSON instead of the report.
    """
    from unstuck.logs.roles import Choice

    check_json(json_file)
    if files.count("-") > 1:
        refuse("standard input can be read only once, so give - only once")
    choice = Choice(train, val, higher)
    readings, unusable = _readings(files, choice, project())
    if not readings:
        raise click.exceptions.Exit(UNUSABLE)
    if not _write(readings, json_file, notes, quiet) or unusable:
        raise click.exceptions.Exit(UNUSABLE)
    raise click.exceptions.Exit(int(any(met(reading.diagnosis, fail_on) for reading in readings)))


def _readings(files: Sequence[str], choice: Choice, wishes: Settings) -> tuple[list[Reading], bool]:
    """What could be read, and whether something could not; that is said at once."""
    from unstuck.judge.engine import diagnose
    from unstuck.reading import Unusable
    from unstuck.report.logs import Reading

    readings: list[Reading] = []
    unusable = False
    for file in files:
        try:
            with _progress(file) as progress:
                found = list(_records(file, choice, progress))
            readings += [Reading(record, diagnose(record, wishes.thresholds, wishes.ignore))
                         for record in found]
        except Unusable as error:
            say(str(error))
            unusable = True
        except Exception as error:
            say(our_fault(f"reading {file}", error, longest=200))
            unusable = True
    return readings, unusable


def _records(file: str, choice: Choice, progress: Progress) -> Iterator[Record]:
    from unstuck.logs.read import records, records_of
    from unstuck.logs.source import piped
    from unstuck.logs.table import UnusableLog

    if file == "-":
        if sys.stdin is None:
            raise UnusableLog("standard input is closed")
        with piped(sys.stdin.buffer) as source:
            yield from records_of(source, choice)
        return
    yield from records(Path(file), choice, say, progress)


@contextlib.contextmanager
def _progress(file: str) -> Iterator[Progress]:
    """A bar on standard error while a large file is read, if that is a terminal."""
    size = 0
    with contextlib.suppress(OSError, ValueError):
        size = os.path.getsize(file) if os.path.isfile(file) else 0
    if size < LARGE or sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=size, label=f"reading {visible(file)}", file=sys.stderr,
                           width=30, show_eta=True) as bar:
        yield bar.update


def _write(readings: list[Reading], json_file: str | None, notes: bool, quiet: bool) -> bool:
    """Writes what was asked for; whether all of it could be written."""
    from unstuck.report import logs, schema

    def as_json() -> str:
        runs = [(reading.log.file, reading.diagnosis) for reading in readings]
        return schema.to_text(runs[0][1]) if len(runs) == 1 else schema.runs_to_text(runs)

    return deliver(as_json, json_file, lambda: logs.render(
        readings, notes=notes, quiet=quiet, file=sys.stdout))
