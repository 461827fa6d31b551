"""`unstuck prove`: tries the remedies of each finding on the program itself."""

from __future__ import annotations

import click

from unstuck.arguments import UNUSABLE, check_json, put_json, refuse
from unstuck.clean import clean, put
from unstuck.commands.trying import (
    Bench,
    TryingCommand,
    all_is_well,
    bench,
    planned,
    progress,
    status_of,
    trial_options,
)

PROVEN, NOT_PROVEN = 0, 1
ASKING = 30.0  # seconds of questions, where no change helps


@click.command(cls=TryingCommand, context_settings={"allow_interspersed_args": False})
@click.argument("target", nargs=-1, metavar="[RUN | SCRIPT [ARGS]... | -m MODULE [ARGS]...]")
@trial_options
def prove(
    target: tuple[str, ...], budget: float, jobs: int | None, allow_network: bool,
    on: str | None, json_file: str | None,
) -> None:
    """Prove a diagnosis: try its remedies on the program itself.

    RUN is the folder of a record; by default that of the last run. A program is first run as it
    is. If no change helps, it is asked the questions of `unstuck check`. Your files stay as they
    are. Exits with 0 if a remedy cures the program on fresh seeds, or
    if there is nothing to prove, with 1 if not.
    """
    check_json(json_file)
    if json_file == "-":
        refuse("prove --json needs a file")
    with bench(target, budget, jobs, allow_network, on=on) as ready:
        status = status_of(ready, lambda: proved(ready, json_file))
    raise click.exceptions.Exit(status)


def proved(ready: Bench, json_file: str | None) -> int:
    """Tries, and shows what came of it; the exit status."""
    from unstuck.report import checks, schema, terminal
    from unstuck.report.canvas import Canvas
    from unstuck.report.intervals import Interval, draw_intervals
    from unstuck.trials.checking import ask, with_answers
    from unstuck.trials.peel import needs_proof
    from unstuck.trials.results import SKILL, rows, skills, with_trials

    assert ready.control.diagnosis is not None
    if not needs_proof(ready.control):
        if json_file is not None:
            put_json(schema.to_text(ready.control.diagnosis), json_file)
        put(f"unstuck: nothing to prove: {all_is_well(ready.control.diagnosis)}", ready.file)
        return PROVEN
    first = planned(ready)
    with progress(ready.race):
        found = ready.repaired(first, rounds=1)
    spent = ready.race.clock.seconds - ready.race.clock.left
    diagnosis, answers = with_trials(found, ready.root, spent), None
    if not found.kept:  # nothing helps: what does the program itself say?
        with progress(ready.race):
            ready.race.say("asking the program where it goes wrong")
            answers = ask(ready.race.laboratory, ASKING)
        diagnosis = with_answers(diagnosis, answers)
    if json_file is not None and not put_json(schema.to_text(diagnosis, answers), json_file):
        return UNUSABLE
    terminal.render(diagnosis, file=ready.file, advise=False)
    if answers is not None:
        checks.draw(Canvas.on(ready.file), answers, ())
    for row in rows(found):
        put(clean(row), ready.file)
    if found.tried:
        draw_intervals(Canvas.on(ready.file), SKILL, [
            Interval(*each) for each in skills(found, ready.race.controls.values())])
    return PROVEN if found.proven else NOT_PROVEN
