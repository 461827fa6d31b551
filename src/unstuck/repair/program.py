"""The sources of the program whose record it is, as they are on the disk now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def load(record: Record, others: Iterable[str] = ()) -> Loaded:
    """Reads the user's files that the record names. What has changed since it ran is left out.

    Args:
        record: of a watched run.
        others: files to read beside those, whatever they were when it ran.
    """
    files: dict[str, FileText] = {}
    refused: dict[str, str] = {}
    sources: list[Source] = []
    changed: list[str] = []
    digests = {fact.name: fact.digest for fact in record.facts(UserFile)}
    for name in dict.fromkeys((*digests, *others)):
        try:
            found = read(Path(name))
            if digests.get(name, found.digest) != found.digest:
                changed.append(name)
                refused[name] = f"{name} has changed since it ran"
                continue
            sources.append(Source(name, found.text))
            files[name] = found
        except (Unusable, Unparsable, OSError) as error:
            refused[name] = str(error)
    program = record.fact(Program)
    argv = program.argv if program is not None else ()
    return Loaded(Index(sources, argv, changed=changed), files, refused)
