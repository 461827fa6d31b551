"""The command line: reads arguments, calls the parts, and turns their results into an exit status.

Whatever is heavy is imported by the command that needs it. While a program runs, standard output
is the program's alone.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import click

from unstuck.arguments import UNUSABLE, our_fault, say
from unstuck.clean import clean, put
from unstuck.commands import check, curves, diagnose, explain, fix, prove, run
from unstuck.commands import list as list_
from unstuck.output import UnwritableError, prepare, settle, silence
from unstuck.schema.version import VERSION


class CleanGroup(click.Group):
    """Commands whose refusals of arguments, which quote them, are cleaned."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which one needs them."""
        return list(self.commands)

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
    except click.exceptions.NoArgsIsHelpError:  # whose message is the help
        raise
    except click.UsageError as error:
        vars(error)["message"] = clean(error.message)  # which type checkers hold to be final
        raise
    except BrokenPipeError:  # a reader has seen enough of the help
        silence(sys.stdout)
        raise click.exceptions.Exit(0) from None


def _version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        put(f"unstuck {VERSION}", sys.stdout)
        context.exit()


@click.group(
    cls=CleanGroup, context_settings={"help_option_names": ["-h", "--help"]},
    help="Find out why your PyTorch network is not learning: the cause, the line and the fix.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
              help="Print the version and exit.")
def app() -> None:
    """All commands."""


for _command in (run.run, check.check, diagnose.diagnose, prove.prove, fix.fix, curves.curves,
                 explain.explain, list_.list_causes):
    app.add_command(_command)


def main() -> None:
    """The entry point."""
    prepare()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of libraries that we use; the child has its own
            # The program's arguments stay as typed.
            app(prog_name="unstuck", windows_expand_args=False)
    except UnwritableError as error:
        say(str(error))
        raise SystemExit(UNUSABLE) from None
    except OSError as error:
        what = (f"{error.filename!r} cannot be used" if error.filename
                else "the output could not be written")
        say(f"{what}: {error.strerror}")
        raise SystemExit(UNUSABLE) from None
    except Exception as error:
        say(our_fault("the command", error))
        raise SystemExit(UNUSABLE) from None
    finally:
        settle()


if __name__ == "__main__":
    main()
