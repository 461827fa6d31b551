"""What several commands share: options, refusals, and when a finding makes the status 1."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from unstuck.clean import clean
from unstuck.output import complain, printing

if TYPE_CHECKING:
    from unstuck.schema.findings import Diagnosis
    from unstuck.settings import Settings

UNUSABLE = 2


class FailOn(StrEnum):
    """From which severity on a finding makes the exit status 1."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


def report_options(fail_on: FailOn) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of commands that report a diagnosis: --json, --fail-on, --notes, --quiet."""
    options = (
        click.option("--json", "json_file", metavar="FILE",
                     help="Write the diagnosis to FILE as JSON."),
        click.option("--fail-on", type=click.Choice([kind.value for kind in FailOn]),
                     default=fail_on.value, show_default=True,
                     callback=lambda _, __, value: FailOn(value),
                     help="Exit with status 1 if any finding is at least this severe."),
        click.option("--notes", is_flag=True,
                     help="Also show notes: findings that do no harm in this run."),
        click.option("--quiet", is_flag=True,
                     help="Print only errors and warnings; print nothing if there are none."),
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def met(diagnosis: Diagnosis, fail_on: FailOn) -> bool:
    """Whether a finding is at least as severe as was asked for."""
    if fail_on is FailOn.NEVER:
        return False
    from unstuck.schema.findings import Severity

    limit = Severity(fail_on.value).rank
    each = [training.diagnosis for training in diagnosis.trainings] or [diagnosis]
    return any(finding.severity.rank <= limit for one in each for finding in one.findings)


def project() -> Settings:
    """The settings of the project that the working folder belongs to; refuses unusable ones."""
    from unstuck.settings import BadSettings, Settings, settings

    try:
        found = settings(Path.cwd())
    except FileNotFoundError:  # the working folder is gone
        return Settings()
    except BadSettings as error:
        refuse(str(error))
    if not (found.ignore or found.thresholds):
        return found
    from unstuck.judge.catalogue import causes, slug_of, threshold_names  # seldom wanted, and heavy

    known = threshold_names(causes())
    for name in found.thresholds:
        if name not in known:
            refuse(f"[tool.unstuck]: no cause has a threshold {name!r}")
    for name in found.ignore:
        try:
            slug_of(name)
        except KeyError:
            refuse(f"[tool.unstuck]: ignore names {name!r}, but no cause is called so")
    return found


def check_json(json_file: str | None) -> None:
    """Refuses a file that cannot be written before hours are spent on a run."""
    if json_file in (None, "-"):
        return
    path = Path(str(json_file))
    if path.is_dir():
        refuse(f"--json needs a file, but {path} is a folder")
    if not path.parent.is_dir():
        refuse(f"--json {path} cannot be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        refuse(f"--json {path} cannot be written: permission denied")


def put_json(text: str, json_file: str) -> bool:
    """Writes JSON to a file; whether that could be done. If not, that is said."""
    try:
        # A lone surrogate, from a file name that is not UTF-8, must not cost the report.
        Path(json_file).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        say(f"{json_file} could not be written: {error.strerror}")
        return False
    return True


def deliver(as_json: Callable[[], str], json_file: str | None, draw: Callable[[], None]) -> bool:
    """Draws a report, or prints JSON in its place, and writes the file that `--json` names.

    Whether that file could be written.

    Raises:
        UnwritableError: standard output could not be.
    """
    text = None if json_file is None else as_json()
    written = text is None or json_file in (None, "-") or put_json(text, str(json_file))
    with printing():
        if text is not None and json_file == "-":
            click.echo(text, nl=False)
        else:
            draw()
    return written


def our_fault(what: str, error: Exception, kept: str = "", longest: int | None = None) -> str:
    """The sentence about an error of our own, with at most so many characters of its message.

    UNSTUCK_DEBUG prints the traceback as well.
    """
    if os.environ.get("UNSTUCK_DEBUG"):
        import traceback

        with contextlib.suppress(OSError, ValueError):
            traceback.print_exception(error)
    says = str(error).partition("\n")[0][:longest]
    return (f"{what} failed because of a bug in unstuck ({type(error).__name__}: {says}). "
            f"{kept}Set UNSTUCK_DEBUG=1 to see the traceback.")


def say(sentence: str) -> None:
    """Prints a sentence of ours on standard error, if that can be written."""
    complain(clean(sentence))


def refuse(sentence: str) -> NoReturn:
    """Ends the command for unusable arguments or input.

    Raises:
        click.exceptions.Exit: always.
    """
    say(sentence)
    raise click.exceptions.Exit(UNUSABLE)
