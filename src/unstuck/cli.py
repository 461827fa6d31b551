"""The command line: reads arguments, calls the parts, and turns their results into an exit status.

Whatever is heavy is imported by the command that needs it. While a program runs, standard output
is the program's alone.
"""

from __future__ import annotations

import contextlib
import difflib
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from unstuck import __version__, curves_command, run_command
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
    say,
)
from unstuck.clean import clean, put
from unstuck.output import UnwritableError, prepare, printing, settle
from unstuck.run_command import judged, show, sorry
from unstuck.words import joined

if TYPE_CHECKING:
    from unstuck.cause import Cause


class CleanGroup(TyperGroup):
    """Commands whose refusals of arguments, which quote them, are cleaned."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        with _cleaned():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        with _cleaned():
            return super().invoke(ctx)


@contextlib.contextmanager
def _cleaned() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(error, typer.BadParameter.__mro__[1]):  # UsageError, click's or typer's copy
            vars(error)["message"] = clean(str(vars(error).get("message", "")))
        raise


app = typer.Typer(
    cls=CleanGroup, add_completion=False, no_args_is_help=True, rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Find out why your PyTorch network is not learning: the cause, the line and the fix.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        put(f"unstuck {__version__}", sys.stdout)
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


app.command(
    cls=run_command.TargetCommand, no_args_is_help=True,
    context_settings={"allow_interspersed_args": False},
)(run_command.run)


@app.command()
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
    from unstuck.folders import EVENTS, UnusableFolderError, past_runs, runs_folder
    from unstuck.report import schema

    check_json(json_file)
    wishes = project()
    if record is None:
        try:
            runs = past_runs()
        except UnusableFolderError as error:
            refuse(f"{error}; give the folder of a record")
        if not runs:
            refuse(f"there is no record in {runs_folder()}; give the folder of a record")
        record = runs[-1]
    elif (record / "rank-0").is_dir() and not (record / EVENTS).exists():
        refuse(f"{record} holds one record per rank; choose one, such as {record / 'rank-0'}")
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


app.command(no_args_is_help=True)(curves_command.curves)


@app.command()
def explain(
    cause: Annotated[
        str, typer.Argument(metavar="NAME|CODE", show_default=False,
                            help="A cause's name or code, as `unstuck list` prints them."),
    ],
) -> None:
    """Explain a cause: symptoms, mechanism, detection, limitations."""
    from unstuck.report import terminal

    try:
        text = terminal.explain(cause)
    except KeyError:
        from unstuck.catalogue import causes

        names = [name for known in causes() for name in (known.slug, known.code)]
        near = difflib.get_close_matches(cause.lower(), [n.lower() for n in names], 3, 0.6)
        close = [name for low in near for name in names if name.lower() == low]
        hint = (f"did you mean {joined(close, by='or')}?" if close
                else "`unstuck list` prints them all")
        refuse(f"there is no cause {cause!r}; {hint}")
    with printing():
        put(text.removesuffix("\n"), sys.stdout)


@app.command("list")
def list_causes() -> None:
    """List every cause that unstuck can identify, by family."""
    from unstuck.catalogue import causes

    families: dict[str, list[Cause]] = {}
    for cause in sorted(causes(), key=lambda cause: cause.code):
        families.setdefault(cause.family, []).append(cause)
    known = [cause for family in families.values() for cause in family]
    wide = max((len(cause.slug) for cause in known), default=0)
    long = max((len(cause.code) for cause in known), default=0)
    with printing():
        for index, (family, members) in enumerate(families.items()):
            put(f"{'' if index == 0 else chr(10)}{family}", sys.stdout)
            for cause in members:
                put(f"  {cause.code:<{long}}  {cause.slug:<{wide}}  {cause.title}", sys.stdout)


def main() -> None:
    """The entry point."""
    call: Callable[..., Any] = app
    prepare()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of libraries that we use; the child has its own
            # The program's arguments stay as typed.
            call(prog_name="unstuck", windows_expand_args=False)
    except SystemExit as left:
        if isinstance(left.__context__, BrokenPipeError):  # a reader has seen enough of the help
            raise SystemExit(0) from None
        raise
    except UnwritableError as error:
        say(str(error))
        raise SystemExit(UNUSABLE) from None
    except OSError as error:
        what = (f"{error.filename!r} cannot be used" if error.filename
                else "the output could not be written")
        say(f"{what}: {error.strerror}")
        raise SystemExit(UNUSABLE) from None
    finally:
        settle()


if __name__ == "__main__":
    main()
