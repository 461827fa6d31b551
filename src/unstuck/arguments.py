"""What several commands share: options, refusals, and when a finding makes the status 1."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from unstuck.findings import Diagnosis

UNUSABLE = 2


class FailOn(StrEnum):
    """From which severity on a finding makes the exit status 1."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


JsonOption = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write the diagnosis as JSON.")
]
NotesOption = Annotated[
    bool, typer.Option("--notes", help="Show what is true but harmless here, too.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", help="Print errors and warnings only, nothing without them.")
]


def met(diagnosis: Diagnosis, fail_on: FailOn) -> bool:
    """Whether a finding is at least as bad as was asked for."""
    if fail_on is FailOn.NEVER:
        return False
    from unstuck.findings import Severity

    limit = Severity(fail_on.value).rank
    return any(finding.severity.rank <= limit for finding in diagnosis.findings)


def check_json(json_file: str | None) -> None:
    """Refuses a file that cannot be written before hours are spent on a run."""
    if json_file in (None, "-"):
        return
    path = Path(str(json_file))
    if path.is_dir():
        refuse(f"--json {path} is a folder: name a file")
    if not path.parent.is_dir():
        refuse(f"--json {path} cannot be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        refuse(f"--json {path} cannot be written: permission denied")


def say(sentence: str) -> None:
    typer.echo(f"unstuck: {sentence}", err=True)


def refuse(sentence: str) -> NoReturn:
    say(sentence)
    raise typer.Exit(UNUSABLE)
