"""`unstuck diagnose`: judges a recorded run again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

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
    project,
    refuse,
)
from unstuck.commands.judging import judged, named_or_last, show, sorry
from unstuck.output import UnwritableError


def diagnose(
    record: Annotated[
        Path | None,
        typer.Argument(metavar="[RECORD]", readable=False,  # the reader says it in our words
                       help="Folder of a record. Default: the record of the last run."),
    ] = None,
    json_file: JsonOption = None,
    fail_on: FailOnOption = FailOn.ERROR,
    notes: NotesOption = False,
    quiet: QuietOption = False,
) -> None:
    """Diagnose a recorded run again. `--json -` prints JSON instead of the report."""
    from unstuck.report import schema

    check_json(json_file)
    wishes = project()
    record = named_or_last(record)
    try:
        found, diagnosis = judged(record, wishes)
        written = deliver(
            lambda: schema.to_text(diagnosis), json_file,
            lambda: show(found, diagnosis, sys.stdout, notes, quiet))
    except UnwritableError:
        raise
    except Exception as error:
        refuse(sorry(error, record))
    raise typer.Exit(int(met(diagnosis, fail_on)) if written else UNUSABLE)
