"""Choosing a record, judging it and showing what was found: what commands on records share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from unstuck.arguments import our_fault, refuse
from unstuck.clean import clean, put

if TYPE_CHECKING:
    from unstuck.record.reader import Record
    from unstuck.schema.findings import Diagnosis
    from unstuck.settings import Settings


def named_or_last(record: Path | None) -> Path:
    """The record that was named, or else that of the last run; refuses if there is none."""
    from unstuck.folders import EVENTS, UnusableFolderError, last_run, runs_folder
    from unstuck.record.reader import trained_in

    if record is None:
        try:
            record = last_run()
        except UnusableFolderError as error:
            refuse(f"{error}; give the folder of a record")
        if record is None:
            refuse(f"there is no record in {runs_folder()}; give the folder of a record")
    elif (record / "rank-0").is_dir() and not (record / EVENTS).exists():
        refuse(f"{record} holds one record per rank; choose one, such as {record / 'rank-0'}")
    return trained_in(record)


def judged(folder: Path, wishes: Settings) -> tuple[Record, Diagnosis]:
    """Reads a record and judges it as the project wishes.

    Of a process that trained several times, it is the record of the worst training.
    """
    from unstuck.judge.engine import diagnose
    from unstuck.record.reader import read_record

    record = read_record(folder)
    diagnosis = diagnose(record, wishes.thresholds, wishes.ignore)
    return record.trainings[diagnosis.training], diagnosis


def judged_with_diffs(folder: Path, wishes: Settings) -> tuple[Record, Diagnosis]:
    """The same, with remedies as diffs of the user's text. An error there costs only the diffs."""
    from unstuck.repair.diffs import with_diffs

    record, diagnosis = judged(folder, wishes)
    try:
        return record, with_diffs(diagnosis, record)
    except Exception as error:
        remark = our_fault("the fixes", error, "They are shown without their diffs. ")
        return record, replace(diagnosis, remarks=(*diagnosis.remarks, remark))


def as_json(diagnosis: Diagnosis) -> str:
    """A diagnosis as JSON."""
    from unstuck.report import schema

    return schema.to_text(diagnosis)


def show(
    record: Record, diagnosis: Diagnosis, file: IO[str], notes: bool, quiet: bool,
    said: Sequence[str] = (), run: str = "",
) -> None:
    """Prints what there is to say about a record, except what has been `said` already.

    `run` is how a command is to name the record, "" for the last run.
    """
    from unstuck.report import terminal
    from unstuck.schema.findings import OutcomeKind

    remarks = tuple(
        remark for remark in diagnosis.remarks if not any(s.startswith(remark) for s in said))
    untrained = diagnosis.outcome.kind is OutcomeKind.NO_TRAINING and not (
        diagnosis.counted() or diagnosis.trainings)
    if untrained and not quiet:
        failed = said or any(odd.what == "watcher-failed" for odd in record.oddities)
        says = _ENDED if failed else terminal.nothing_trained(record)
        put(clean(f"unstuck: {says}"), file)
        for remark in remarks:
            put(clean(f"note: {remark}"), file)
    elif not untrained:
        terminal.render(replace(diagnosis, remarks=remarks), notes=notes, quiet=quiet, file=file,
                        run=run)
    file.flush()


_ENDED = "watching ended before any training was seen, so there is nothing to diagnose"


def sorry(error: Exception, record: Path) -> str:
    """A sentence about an error, expected or our own."""
    from unstuck.record.reader import UnusableRecord

    if isinstance(error, UnusableRecord):
        return str(error)
    return our_fault("the diagnosis", error, f"The record is kept in {record}. ")
