"""The command line: reads arguments, calls the parts, turns what they say into an exit status.

Whatever is heavy is imported by the command that needs it. While a program runs, standard output
is the program's alone.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from unstuck import __version__, curves_command
from unstuck.arguments import (
    FailOn,
    FailOnOption,
    JsonOption,
    NotesOption,
    QuietOption,
    check_json,
    met,
    our_fault,
    put_json,
    refuse,
    say,
)

if TYPE_CHECKING:
    from unstuck.cause import Cause
    from unstuck.findings import Diagnosis
    from unstuck.record import Record


class TargetCommand(TyperCommand):
    """A command whose own options end where the program's name begins."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keeps everything from the script, or from `-m`, away from our own options."""
        takes_value = {
            name
            for parameter in self.params
            if not getattr(parameter, "is_flag", True)
            for name in parameter.opts
        }
        index = 0
        while index < len(args) and args[index].startswith("-") and args[index] != "--":
            word = args[index]
            if word.startswith("-m"):
                module = [word[2:]] if len(word) > 2 else []
                args = [*args[:index], "--", "-m", *module, *args[index + 1 :]]
                break
            index += 2 if word in takes_value else 1
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed


app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Tells why a PyTorch network is not learning, at the line, and what fixes it.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"unstuck {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_version
        ),
    ] = False,
) -> None:
    pass


@app.command(
    cls=TargetCommand, no_args_is_help=True, context_settings={"allow_interspersed_args": False}
)
def run(
    target: Annotated[
        list[str], typer.Argument(metavar="SCRIPT [ARGS]… | -m MODULE [ARGS]…", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Keep the record in DIR.")
    ] = None,
    json_file: JsonOption = None,
    max_steps: Annotated[
        int | None,
        typer.Option("--max-steps", min=1, metavar="N", help="Stop after N optimizer steps."),
    ] = None,
    overhead: Annotated[
        float,
        typer.Option(
            "--overhead", min=0.0, max=1.0, metavar="F", help="Share of time to watch with."
        ),
    ] = 0.03,
    fail_on: FailOnOption = FailOn.NEVER,
    notes: NotesOption = False,
    quiet: QuietOption = False,
    no_program_text: Annotated[
        bool,
        typer.Option("--no-program-text", help="Keep no argv, traceback and source in the record."),
    ] = False,
) -> None:
    """Run a program as it is, watch it train, and say why it does not learn.

    Options after the script, or after -m MODULE, are the program's own.
    """
    from unstuck import supervise

    if json_file == "-":
        refuse("run --json - is refused, for standard output is the program's: name a file")
    check_json(json_file)
    _check_target(target)
    try:
        name = target[1] if target[0] == "-m" else target[0]
        folder = supervise.asked_folder(out) if out else supervise.new_folder(name)
    except supervise.UnusableFolderError as error:
        refuse(str(error))
    options = supervise.RunOptions(folder, max_steps, overhead, not no_program_text)
    result = supervise.supervise(target, options)
    if result.refused is not None:
        refuse(result.refused)
    failed = False
    if result.record is None:
        if not quiet:
            say(supervise.nothing_recorded(result))
    else:
        if result.signal is not None and not quiet:
            say(f"the program was ended by {supervise.signal_name(result.signal)}")
        try:
            _, diagnosis = _report(
                result.record, sys.stderr, json_file=json_file, notes=notes, quiet=quiet
            )
            failed = met(diagnosis, fail_on)
            if not quiet:
                say(f"the record is in {result.record}; unstuck diagnose reads it again")
        except Exception as error:
            say(_sorry(error, result.record))
    if result.signal is not None:
        supervise.die_of(result.signal)
    raise typer.Exit(result.status or int(failed))


@app.command()
def diagnose(
    record: Annotated[
        Path | None,
        typer.Argument(metavar="[RECORD]", help="A record's folder; by default the last run's."),
    ] = None,
    json_file: JsonOption = None,
    fail_on: FailOnOption = FailOn.ERROR,
    notes: NotesOption = False,
    quiet: QuietOption = False,
) -> None:
    """Diagnose a recorded run again. `--json -` prints JSON in place of the report."""
    check_json(json_file)
    if record is None:
        from unstuck.supervise import past_runs, runs_folder

        runs = past_runs()
        if not runs:
            refuse(f"there is no record in {runs_folder()}: name one")
        record = runs[-1]
    try:
        _, diagnosis = _report(record, sys.stdout, json_file=json_file, notes=notes, quiet=quiet)
    except Exception as error:
        refuse(_sorry(error, record))
    raise typer.Exit(int(met(diagnosis, fail_on)))


app.command(no_args_is_help=True)(curves_command.curves)


@app.command()
def explain(
    cause: Annotated[str, typer.Argument(metavar="SLUG|CODE", show_default=False)],
) -> None:
    """Print everything about a cause: what one sees, why, how it is told, where it errs."""
    from unstuck.report import terminal

    try:
        text = terminal.explain(cause)
    except KeyError:
        from unstuck.catalogue import causes

        names = [name for known in causes() for name in (known.slug, known.code)]
        near = difflib.get_close_matches(cause.lower(), [n.lower() for n in names], 3, 0.6)
        close = [name for low in near for name in names if name.lower() == low]
        hint = f"did you mean {' or '.join(close)}?" if close else "`unstuck list` names them all"
        refuse(f"there is no cause {cause!r}: {hint}")
    typer.echo(text, nl=False)


@app.command("list")
def list_causes() -> None:
    """Print all causes that can be told, by family."""
    from unstuck.catalogue import causes

    families: dict[str, list[Cause]] = {}
    for cause in sorted(causes(), key=lambda cause: cause.code):
        families.setdefault(cause.family, []).append(cause)
    known = [cause for family in families.values() for cause in family]
    wide = max((len(cause.slug) for cause in known), default=0)
    long = max((len(cause.code) for cause in known), default=0)
    for index, (family, members) in enumerate(families.items()):
        typer.echo(f"{'' if index == 0 else chr(10)}{family}")
        for cause in members:
            typer.echo(f"  {cause.code:<{long}}  {cause.slug:<{wide}}  {cause.title}")


# Judging a record --------------------------------------------------------------------------------
def _report(
    folder: Path, file: IO[str], *, json_file: str | None, notes: bool, quiet: bool
) -> tuple[Record, Diagnosis]:
    """Diagnoses a record and prints what there is to say about it."""
    from unstuck.diagnosis import diagnose
    from unstuck.findings import OutcomeKind
    from unstuck.record import read_record
    from unstuck.report import terminal

    record = read_record(folder)
    diagnosis = diagnose(record)
    if json_file is not None:
        from unstuck.report import schema

        if put_json(schema.to_text(diagnosis), json_file):
            return record, diagnosis
    untrained = diagnosis.outcome.kind is OutcomeKind.NO_TRAINING and not diagnosis.counted()
    if untrained and not quiet:
        print(f"unstuck: {terminal.nothing_trained(record)}", file=file)
        for remark in diagnosis.remarks:
            print(f"note: {remark}", file=file)
    elif not untrained:
        terminal.render(diagnosis, notes=notes, quiet=quiet, file=file)
    file.flush()
    return record, diagnosis


# Arguments and messages --------------------------------------------------------------------------
def _check_target(target: list[str]) -> None:
    """Refuses a program that cannot be there, before anything is started."""
    name = target[0]
    if name == "-m":
        if len(target) < 2:
            refuse("-m needs the name of a module")
        return
    path = Path(name)
    if path.is_dir():
        if not (path / "__main__.py").is_file():
            refuse(f"{name} is a folder without __main__.py: name a script")
    elif not path.exists():
        if Path(name).name.rstrip("0123456789.") in ("python", "torchrun", "accelerate"):
            refuse(f"there is no script {name}: name the script itself (unstuck run train.py)")
        folder = path.parent
        scripts = [p.name for p in folder.glob("*.py")] if folder.is_dir() else []
        near = difflib.get_close_matches(path.name, scripts, 1)
        hint = f"; did you mean {folder / near[0]}?" if near else ""
        refuse(f"there is no script {name}{hint}")
    elif not os.access(path, os.R_OK):
        refuse(f"{name} cannot be read")


def _sorry(error: Exception, record: Path) -> str:
    """A sentence about an error, expected or our own."""
    from unstuck.record import UnusableRecord

    if isinstance(error, UnusableRecord):
        return str(error)
    return our_fault("the diagnosis", error, f"the record is kept in {record}, and ")


def main() -> None:
    """The entry point."""
    call: Callable[..., Any] = app
    call(prog_name="unstuck", windows_expand_args=False)  # the program's arguments stay as typed


if __name__ == "__main__":
    main()
