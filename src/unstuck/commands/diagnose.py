"""`unstuck diagnose`: judges a recorded run again."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from unstuck.arguments import (
    UNUSABLE,
    FailOn,
    check_json,
    deliver,
    met,
    project,
    refuse,
    report_options,
)
from unstuck.commands.judging import as_json, judged_with_diffs, named_or_last, show, sorry
from unstuck.output import UnwritableError


@click.command()
@click.argument("record", required=False,  # what is wrong with it, the reader says in our words
                type=click.Path(path_type=Path, readable=False))
@report_options(FailOn.ERROR)
def diagnose(
    record: Path | None, json_file: str | None, fail_on: FailOn, notes: bool, quiet: bool,
) -> None:
    """Diagnose a recorded run again.

    RECORD is the folder of a record; by default that of the last run. `--json -` prints JSON
    instead of the report.
    """
    check_json(json_file)
    wishes = project()
    named = shlex.quote(str(record)) if record else ""
    record = named_or_last(record)
    try:
        found, diagnosis = judged_with_diffs(record, wishes)
        written = deliver(
            lambda: as_json(diagnosis), json_file,
            lambda: show(found, diagnosis, sys.stdout, notes, quiet, run=named))
    except UnwritableError:
        raise
    except Exception as error:
        refuse(sorry(error, record))
    raise click.exceptions.Exit(int(met(diagnosis, fail_on)) if written else UNUSABLE)
