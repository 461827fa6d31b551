"""The command `unstuck curves`: reads logs of other tools and diagnoses their curves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unstuck.arguments import (
    UNUSABLE,
    FailOn,
    FailOnOption,
    JsonOption,
    NotesOption,
    QuietOption,
    check_json,
    deliver,
    met,
    our_fault,
    project,
    refuse,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unstuck.logs.roles import Choice
    from unstuck.record.reader import Record
    from unstuck.report.logs import Reading
    from unstuck.settings import Settings


def curves(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE…", show_default=False,
                       help="Log files, or folders of them. Use - for standard input."),
    ],
    train: Annotated[
        str | None,
        typer.Option("--train", metavar="COLUMN", help="Column with the training loss."),
    ] = None,
    val: Annotated[
        str | None,
        typer.Option("--val", metavar="COLUMN", help="Column with the held-out (validation) loss."),
    ] = None,
    higher: Annotated[
        bool | None,
        typer.Option("--higher-is-better/--lower-is-better", show_default=False,
                     help="Which values are better; by default unstuck guesses."),
    ] = None,
    json_file: JsonOption = None,
    fail_on: FailOnOption = FailOn.ERROR,
    notes: NotesOption = False,
    quiet: QuietOption = False,
) -> None:
    """Diagnose a run from its logs, without the program.

    Reads CSV, JSON, TensorBoard, Weights & Biases, MLflow and console text. `--json -` prints JSON
    instead of the report.
    """
    from unstuck.logs.roles import Choice

    check_json(json_file)
    if files.count("-") > 1:
        refuse("standard input can be read only once, so give - only once")
    choice = Choice(train, val, higher)
    readings, unusable = _readings(files, choice, project())
    if not readings:
        raise typer.Exit(UNUSABLE)
    if not _write(readings, json_file, notes, quiet) or unusable:
        raise typer.Exit(UNUSABLE)
    raise typer.Exit(int(any(met(reading.diagnosis, fail_on) for reading in readings)))


def _readings(files: list[str], choice: Choice, wishes: Settings) -> tuple[list[Reading], bool]:
    """What could be read, and whether something could not; that is said at once."""
    from unstuck.judge.engine import diagnose
    from unstuck.reading import Unusable
    from unstuck.report.logs import Reading

    readings: list[Reading] = []
    unusable = False
    for file in files:
        try:
            readings += [Reading(record, diagnose(record, wishes.thresholds, wishes.ignore))
                         for record in _records(file, choice)]
        except Unusable as error:
            say(str(error))
            unusable = True
        except Exception as error:
            say(our_fault(f"reading {file}", error, longest=200))
            unusable = True
    return readings, unusable


def _records(file: str, choice: Choice) -> Iterator[Record]:
    from unstuck.logs.read import record_of, records
    from unstuck.logs.source import piped
    from unstuck.logs.table import UnusableLog

    if file == "-":
        if sys.stdin is None:
            raise UnusableLog("standard input is closed")
        with piped(sys.stdin.buffer) as source:
            yield record_of(source, choice)
        return
    yield from records(Path(file), choice)


def _write(readings: list[Reading], json_file: str | None, notes: bool, quiet: bool) -> bool:
    """Writes what was asked for; whether all of it could be written."""
    from unstuck.report import logs, schema

    def as_json() -> str:
        runs = [(reading.log.file, reading.diagnosis) for reading in readings]
        return schema.to_text(runs[0][1]) if len(runs) == 1 else schema.runs_to_text(runs)

    return deliver(as_json, json_file, lambda: logs.render(
        readings, notes=notes, quiet=quiet, file=sys.stdout))
