"""`unstuck check`: asks a program questions at its first steps, before it is trained in earnest."""

from __future__ import annotations

import os
import sys

import click

from unstuck.arguments import UNUSABLE, FailOn, check_json, deliver, project, refuse, say
from unstuck.commands.starting import target_of
from unstuck.commands.trying import (
    BUDGET,
    Duration,
    TryingCommand,
    ended_in_order,
    memory_for,
    recorded,
)


@click.command(cls=TryingCommand, context_settings={"allow_interspersed_args": False})
@click.argument("target", nargs=-1, metavar="[RUN | SCRIPT [ARGS]... | -m MODULE [ARGS]...]")
@click.option("--budget", metavar="TIME", type=Duration(), default=f"{round(BUDGET)}s",
              show_default=True, help="How long to ask at most.")
@click.option("--allow-network", is_flag=True,
              help="Let the program use the network; without it it has none.")
@click.option("--json", "json_file", metavar="FILE", help="Write the answers to FILE as JSON.")
@click.option("--fail-on", type=click.Choice([kind.value for kind in FailOn]),
              default=FailOn.ERROR.value, show_default=True,
              callback=lambda _, __, value: FailOn(value),
              help="Exit with status 1 if anything found is at least this severe.")
def check(
    target: tuple[str, ...], budget: float, allow_network: bool, json_file: str | None,
    fail_on: FailOn,
) -> None:
    """Check a program before it is trained: ask it questions at its first steps.

    Can it memorise one batch? Do its inputs matter? Where is the label lost? The program runs up
    to its first steps only, in a private view of the file system: your files stay as they are.
    RUN is the folder of a record, whose program is asked; by default that of the last run.
    """
    from unstuck.questions.question import Verdict
    from unstuck.record.reader import UnusableRecord, read_record
    from unstuck.report import checks, schema
    from unstuck.report.canvas import Canvas
    from unstuck.trials.checking import check as ask_all
    from unstuck.trials.laboratory import Laboratory, LostServer
    from unstuck.trials.subject import Untriable, guessed, subject_of
    from unstuck.trials.trial import Limits
    from unstuck.trials.verdict import how_it_crashed
    from unstuck.trials.view import NoView

    check_json(json_file)
    wishes = project()
    folder = recorded(target)
    if folder is None:
        target = target_of(target)
    with ended_in_order():
        try:
            jobs = min(os.cpu_count() or 1, 2)
            limits = Limits(memory=memory_for(jobs), network=allow_network)
            asked = (guessed(target, os.getcwd()) if folder is None
                     else subject_of(read_record(folder))[0])
            with Laboratory(asked, limits) as laboratory:
                checked = ask_all(laboratory, wishes, budget, jobs)
                if checked.run.ended.no_view is not None:
                    refuse(f"nothing can be asked: {checked.run.ended.no_view}")
                diagnosis = checked.run.diagnosis
                unanswered = all(each.verdict is Verdict.UNKNOWN for each in checked.answers)
                if diagnosis is None or (unanswered and checked.run.ended.crashed):
                    refuse("nothing can be asked, because the program ends with "
                           f"{how_it_crashed(checked.run)}")
        except (NoView, LostServer) as error:
            refuse(f"nothing can be asked: {error}")
        except (Untriable, UnusableRecord) as error:
            refuse(str(error))
        except KeyboardInterrupt:
            say("the check was interrupted; nothing of the program was changed")
            raise click.exceptions.Exit(130) from None
    written = deliver(
        lambda: schema.to_text(diagnosis, checked.answers), json_file,
        lambda: checks.draw(Canvas.on(sys.stdout), checked.answers, checked.findings))
    worst = checked.worst()
    bad = fail_on is not FailOn.NEVER and worst is not None and (
        worst.value in (fail_on.value, FailOn.ERROR.value))
    raise click.exceptions.Exit(int(bad) if written else UNUSABLE)
