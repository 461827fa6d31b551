"""The command `unstuck run`: starts a program, watches it, and ends as it ended.

While the program runs, standard output is the program's alone. No failure of ours to judge or to
print changes the exit status.
"""

from __future__ import annotations

import contextlib
import math
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unstuck.arguments import (
    FailOn,
    check_json,
    met,
    project,
    put_json,
    refuse,
    report_options,
    say,
)
from unstuck.commands.judging import as_json, judged_with_diffs, show, sorry
from unstuck.commands.starting import target_of
from unstuck.output import complain, silence
from unstuck.words import command

if TYPE_CHECKING:
    from unstuck.record.reader import Record
    from unstuck.schema.findings import Diagnosis
    from unstuck.supervise import RunResult


class TargetCommand(click.Command):
    """A command whose own options end where the program's name begins."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
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
            if word.startswith("-c"):
                refuse("a program given with -c cannot be watched; write it to a file and run that "
                       "file")
            if word.startswith("-m"):
                module = [word[2:]] if len(word) > 2 else []
                args = [*args[:index], "--", "-m", *module, *args[index + 1 :]]
                break
            index += 2 if word in takes_value else 1
        return super().parse_args(ctx, args)


@click.command(
    cls=TargetCommand, no_args_is_help=True, context_settings={"allow_interspersed_args": False})
@click.argument(
    "target", nargs=-1, required=True, metavar="SCRIPT [ARGS]... | -m MODULE [ARGS]...")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path),
              help="Save the record in DIR, a new or empty folder.")
@click.option("--max-steps", metavar="N", type=click.IntRange(min=1),
              help="Stop the program after N optimizer steps.")
@click.option("--overhead", metavar="F", type=click.FloatRange(0.0, 1.0), default=0.03,
              show_default=True, help="Largest share of the run's time that measuring may take.")
@report_options(FailOn.NEVER)
@click.option("--prove", "proving", is_flag=True,
              help="If the run went poorly, try the fixes on the program, as `unstuck prove` does.")
@click.option("--keep-state", is_flag=True,
              help="Now and then, save weights and optimizer state beside the record, so that "
                   "`prove` can begin shortly before a failure that comes late.")
@click.option("--no-program-text", is_flag=True,
              help="Keep arguments, error messages and source lines out of the record.")
def run(
    target: tuple[str, ...], out: Path | None, max_steps: int | None, overhead: float,
    json_file: str | None, fail_on: FailOn, notes: bool, quiet: bool, proving: bool,
    keep_state: bool, no_program_text: bool,
) -> None:
    """Run a program unchanged and find out why it does not learn.

    Options after the script, or after -m MODULE, belong to the program. Under a launcher (torchrun,
    accelerate, srun) each process saves its record in DIR/rank-N; rank 0 shows the report and
    writes FILE.
    """
    from unstuck import folders, launch, supervise

    if math.isnan(overhead):
        refuse("--overhead needs a number from 0 to 1")
    if json_file == "-":
        refuse("run --json needs a file because standard output belongs to the program")
    check_json(json_file)
    wishes = project()
    target = target_of(target)
    try:
        name = target[1] if target[0] == "-m" else target[0]
        folder = folders.asked(out) if out else folders.new(name)
    except folders.UnusableFolderError as error:
        refuse(str(error))
    options = supervise.RunOptions(
        folder, max_steps, overhead, not no_program_text, keep_state)
    keys = _Keys()
    try:
        result = supervise.supervise(target, options)
    except supervise.StartError as error:
        refuse(str(error))
    if result.refused is not None:
        refuse(result.refused)
    bad = False
    try:
        keys.listen()
        _say_failures(result)
        if result.record is None:
            _say_why_nothing(result, quiet)
        else:
            # Of several processes that a launcher started, the first writes the file.
            json_file = None if launch.rank() else json_file
            _say_how_it_ended(result, quiet)
            record = _trained_in(result.record)
            found, diagnosis = judged_with_diffs(record, wishes)
            bad = met(diagnosis, fail_on)
            if json_file is not None:
                put_json(as_json(diagnosis), json_file)
            named = shlex.quote(str(record)) if out else ""
            if launch.rank():
                quiet = True  # the report is that of the first
            else:
                _show_below(found, diagnosis, notes, quiet, result.failures, named)
                _say_who_differs(record)
            if not quiet:
                again = command("unstuck diagnose", named)
                then = _next(diagnosis, named, proving)
                say(f"record saved to {record} (read it again with `{again}`{then})")
            if proving:
                _prove(record, json_file)
        keys.ignore()
    except KeyboardInterrupt:
        say("the diagnosis was interrupted"
            + (f"; the record is saved in {result.record}" if result.record else ""))
    except Exception as error:
        keys.ignore()
        say(sorry(error, result.record or folder.path))
    if result.signal is not None:
        supervise.die_of(result.signal)
    raise click.exceptions.Exit(result.status or int(bad))


# After a run -------------------------------------------------------------------------------------
class _Keys:
    """What Ctrl-C does to us: nothing, except while we judge. The program's status stays ours."""

    def __init__(self) -> None:
        self._heard = False
        with contextlib.suppress(ValueError):  # not in the main thread
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._hear)

    def listen(self) -> None:
        """From now on Ctrl-C raises KeyboardInterrupt, once."""
        self._heard = True

    def ignore(self) -> None:
        """From now on it does nothing."""
        self._heard = False

    def _hear(self, *_: object) -> None:
        if self._heard:
            self._heard = False
            raise KeyboardInterrupt


def _say_failures(result: RunResult) -> None:
    for sentence in result.failures:
        say(sentence)
    for traceback in result.debug:
        complain(traceback)


def _say_why_nothing(result: RunResult, quiet: bool) -> None:
    from unstuck import supervise

    if not quiet or result.unwatched or result.lost:
        say(supervise.nothing_recorded(result))


def _say_how_it_ended(result: RunResult, quiet: bool) -> None:
    from unstuck import supervise

    if result.signal is not None and not quiet:
        say(f"the program was ended by {supervise.signal_name(result.signal)}")


def _show_below(
    record: Record, diagnosis: Diagnosis, notes: bool, quiet: bool, said: Sequence[str], run: str
) -> None:
    """Shows a diagnosis on standard error, if that can be written."""
    try:
        show(record, diagnosis, sys.stderr, notes, quiet, said, run)
    except OSError:
        silence(sys.stderr)


def _trained_in(record: Path) -> Path:
    from unstuck.record.reader import trained_in

    return trained_in(record)


def _say_who_differs(record: Path) -> None:
    from unstuck.commands.ranks import differing

    for sentence in differing(record):
        say(sentence)


def _next(diagnosis: Diagnosis, named: str, proving: bool) -> str:
    """What tries the fixes of a run that failed, or asks further where it found nothing sure."""
    if proving:
        return ""
    from unstuck.schema.findings import Confidence
    from unstuck.trials.questions import unexplained

    found = diagnosis.counted()
    asks = f"ask where it goes wrong with `{command('unstuck check', named)}`"
    unsure = bool(found) and all(each.confidence is Confidence.POSSIBLE for each in found)
    if any(remedy.ladder for each in found for remedy in each.remedies):
        fix = f", try its fixes with `{command('unstuck fix', named)}`"
        return f"{fix}, or {asks}" if unsure else fix
    if unexplained(diagnosis):
        return f", try the usual suspects with `{command('unstuck prove', named)}`, or {asks}"
    return f", {asks}" if unsure else ""


def _prove(record: Path, json_file: str | None) -> None:
    """Goes on with the trials; the program's own status stays what it was."""
    from unstuck.commands.prove import proved
    from unstuck.commands.trying import BUDGET, bench, status_of

    with contextlib.suppress(click.exceptions.Exit), bench(
            (str(record),), BUDGET, None, False, sys.stderr) as ready:
        status_of(ready, lambda: proved(ready, json_file))
