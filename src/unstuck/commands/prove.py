"""`unstuck prove`: tries the remedies of each finding on the program itself."""

from __future__ import annotations

import click

from unstuck.arguments import UNUSABLE, check_json, put_json, refuse
from unstuck.clean import clean, put
from unstuck.commands.trying import TryingCommand, bench, planned, progress, trial_options

PROVEN, NOT_PROVEN = 0, 1


@click.command(cls=TryingCommand, context_settings={"allow_interspersed_args": False})
@click.argument("target", nargs=-1, metavar="[RUN | SCRIPT [ARGS]... | -m MODULE [ARGS]...]")
@trial_options
def prove(
    target: tuple[str, ...], budget: float, jobs: int | None, allow_network: bool,
    json_file: str | None,
) -> None:
    """Prove a diagnosis: try its remedies on the program itself.

    RUN is the folder of a record; by default that of the last run. A program is first run as it
    is. Your files stay as they are. Exits with 0 if a remedy cures the program on fresh seeds, or
    if there is nothing to prove, with 1 if not.
    """
    from unstuck.report import schema, terminal
    from unstuck.trials.peel import needs_proof, repair
    from unstuck.trials.results import rows, with_trials

    check_json(json_file)
    if json_file == "-":
        refuse("prove --json needs a file")
    with bench(target, budget, jobs, allow_network) as ready:
        assert ready.control.diagnosis is not None
        if not needs_proof(ready.control):
            if json_file is not None:
                put_json(schema.to_text(ready.control.diagnosis), json_file)
            put("unstuck: nothing to prove: the network learns, and no problem was found",
                ready.file)
            raise click.exceptions.Exit(PROVEN)
        first = planned(ready)
        with progress(ready.race):
            found = repair(ready.race, ready.control, ready.texts.index, first, rounds=1)
        spent = ready.race.clock.seconds - ready.race.clock.left
        diagnosis = with_trials(found, ready.root, spent)
        if json_file is not None and not put_json(schema.to_text(diagnosis), json_file):
            raise click.exceptions.Exit(UNUSABLE)
        terminal.render(diagnosis, file=ready.file, advise=False)
        for row in rows(found):
            put(clean(row), ready.file)
    raise click.exceptions.Exit(PROVEN if found.proven else NOT_PROVEN)
