"""The command line: reads arguments, calls the parts, and turns their results into an exit status.

Whatever is heavy is imported by the command that needs it. While a program runs, standard output
is the program's alone.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from unstuck.arguments import UNUSABLE, say
from unstuck.clean import clean, put
from unstuck.commands import curves, diagnose, explain, run
from unstuck.commands import list as list_
from unstuck.output import UnwritableError, prepare, settle
from unstuck.schema.version import VERSION


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
        put(f"unstuck {VERSION}", sys.stdout)
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
    cls=run.TargetCommand, no_args_is_help=True,
    context_settings={"allow_interspersed_args": False},
)(run.run)
app.command()(diagnose.diagnose)


app.command(no_args_is_help=True)(curves.curves)
app.command()(explain.explain)
app.command("list")(list_.list_causes)


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
