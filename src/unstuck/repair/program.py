"""The sources of the program whose record it is, as they are on the disk now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from unstuck.reading import Unusable
from unstuck.record.reader import Record
from unstuck.repair.disk import FileText, read
from unstuck.repair.index import Index
from unstuck.repair.text import Source, Unparsable
from unstuck.schema.facts.files import UserFile
from unstuck.schema.facts.run import Program


@dataclass(frozen=True, slots=True)
class Loaded:
    """The sources, the files as they were read, and why others could not be, by name."""

    index: Index
    files: Mapping[str, FileText]
    refused: Mapping[str, str]


def load(record: Record) -> Loaded:
    """Reads the user's files that the record names. What has changed since it ran is left out."""
    files: dict[str, FileText] = {}
    refused: dict[str, str] = {}
    sources: list[Source] = []
    changed: list[str] = []
    for fact in record.facts(UserFile):
        try:
            found = read(Path(fact.name))
            if found.digest != fact.digest:
                changed.append(fact.name)
                refused[fact.name] = f"{fact.name} has changed since it ran"
                continue
            sources.append(Source(fact.name, found.text))
            files[fact.name] = found
        except (Unusable, Unparsable) as error:
            refused[fact.name] = str(error)
    program = record.fact(Program)
    argv = program.argv if program is not None else ()
    return Loaded(Index(sources, argv, changed=changed), files, refused)
