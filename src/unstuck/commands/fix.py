"""`unstuck fix`: finds by trying the change that cures a program, and shows or writes it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unstuck.arguments import UNUSABLE, check_json, project, put_json, refuse, say
from unstuck.clean import clean, put
from unstuck.commands.judging import judged
from unstuck.commands.trying import (
    Bench,
    TryingCommand,
    all_is_well,
    bench,
    planned,
    progress,
    recorded,
    status_of,
    trial_options,
)

if TYPE_CHECKING:
    from unstuck.trials.peel import Repair

FIXED, NOT_FIXED = 0, 1


@click.command(cls=TryingCommand, context_settings={"allow_interspersed_args": False})
@click.argument("target", nargs=-1, metavar="[RUN | SCRIPT [ARGS]... | -m MODULE [ARGS]...]")
@trial_options
@click.option("--dry-run", is_flag=True,
              help="Only show the changes that would be tried; nothing is run. Needs a RUN.")
@click.option("--write", is_flag=True,
              help="Change the program's files if it is cured; each old text is kept beside it.")
@click.option("--patch", metavar="FILE", help="Write the change to FILE, for `git apply`.")
def fix(
    target: tuple[str, ...], budget: float, jobs: int | None, allow_network: bool,
    on: str | None, json_file: str | None, dry_run: bool, write: bool, patch: str | None,
) -> None:
    """Find the change that cures a program, by trying it on the program itself.

    RUN is the folder of a record; by default that of the last run. A program is first run as it
    is. Trials run in a private view of the file system: your files stay as they are, unless you
    ask for --write. Exits with 0 if the program is cured or healthy, with 1 if not.
    """
    check_json(json_file)
    if json_file == "-":
        refuse("fix --json needs a file")
    if patch is not None and not (Path(patch).parent).is_dir():
        refuse(f"--patch {patch} cannot be written: there is no folder {Path(patch).parent}")
    if dry_run:
        raise click.exceptions.Exit(_dry_run(target))
    with bench(target, budget, jobs, allow_network, on=on) as ready:
        status = status_of(ready, lambda: _fix(ready, json_file, write, patch))
    raise click.exceptions.Exit(status)


def _fix(ready: Bench, json_file: str | None, write: bool, patch: str | None) -> int:
    from unstuck.report import schema, terminal
    from unstuck.schema.findings import OutcomeKind
    from unstuck.trials.peel import needs_repair
    from unstuck.trials.results import summary, with_trials

    if not needs_repair(ready.control):
        assert ready.control.diagnosis is not None
        if json_file is not None:
            put_json(schema.to_text(ready.control.diagnosis), json_file)
        put(f"unstuck: nothing to fix: {all_is_well(ready.control.diagnosis)}", ready.file)
        overfits = ready.control.diagnosis.outcome.kind is OutcomeKind.OVERFITTING
        return NOT_FIXED if overfits else FIXED
    first = planned(ready)
    with progress(ready.race):
        found = ready.repaired(first)
    spent = ready.race.clock.seconds - ready.race.clock.left
    diagnosis = with_trials(found, ready.root, spent)
    if json_file is not None and not put_json(schema.to_text(diagnosis), json_file):
        return UNUSABLE
    if diagnosis.counted():  # what could not be checked is for `unstuck diagnose` to say
        diagnosis = replace(diagnosis, verdicts=())
    terminal.render(diagnosis, file=ready.file, advise=False)
    put(clean(f"unstuck: {summary(found, ready.race.runs, spent)}"), ready.file)
    if not found.kept:
        return NOT_FIXED
    if patch is not None:
        try:
            Path(patch).write_text(found.diff(ready.root), encoding="utf-8", newline="",
                                   errors="surrogateescape")
        except OSError as error:
            refuse(f"--patch {patch} could not be written: {error.strerror}")
    if not found.fixed:
        if write:
            say("nothing was written because the program is not fixed")
        return NOT_FIXED
    if write:
        _write(found, ready)
    return FIXED


def _write(found: Repair, ready: Bench) -> None:
    from unstuck.reading import Unusable
    from unstuck.repair.disk import write_back

    texts = {Path(name): text for name, text in found.texts.items()}
    files = {Path(name): file for name, file in ready.texts.files.items()}
    try:
        for each in write_back(texts, files):
            put(clean(f"unstuck: {os.path.relpath(each.path)} was changed; its old text is in "
                      f"{os.path.relpath(each.backup)}"), ready.file)
    except Unusable as error:
        refuse(str(error))


def _dry_run(target: tuple[str, ...]) -> int:
    """Shows what would be tried for a record."""
    from unstuck.record.reader import UnusableRecord
    from unstuck.repair.compose import Overlay, unified_diff
    from unstuck.trials.plan import plan
    from unstuck.trials.subject import Untriable, subject_of

    folder = recorded(target)
    if folder is None:
        refuse("fix --dry-run runs nothing, so it needs the folder of a record; make one with "
               "`unstuck run`")
    try:
        record, diagnosis = judged(folder, project())
        subject, texts = subject_of(record)
    except (UnusableRecord, Untriable) as error:
        refuse(str(error))
    made = plan(diagnosis, record, texts.index)
    for candidate in made.candidates:
        if candidate.place[-1]:  # another form of the one before
            continue
        put(clean(f"{candidate.cause}: {candidate.edit.words()}"), sys.stdout)
        put(unified_diff(Overlay((candidate.patch,), candidate.texts), texts.index,
                         subject.working_folder), sys.stdout)
    for cause, cannot in made.cannot:
        put(clean(f"{cause}: {cannot.words}"), sys.stdout)
    if not made.candidates and not made.cannot:
        put("unstuck: there is nothing to try", sys.stdout)
    return FIXED if made.candidates or not diagnosis.counted() else NOT_FIXED
