"""The program behind a record: how to start it, its texts, the libraries that it imports."""

from __future__ import annotations

import ast
import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from unstuck.reading import Unusable
from unstuck.record.reader import Record
from unstuck.repair.disk import read
from unstuck.repair.program import Loaded, load
from unstuck.repair.text import Source, Unparsable
from unstuck.schema.facts.files import Answers, UserFile
from unstuck.schema.facts.models import Model
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.run import Program
from unstuck.trials.trial import Subject

_MOST_FILES = 200  # of the user's that are followed where a record does not name them


class Untriable(Exception):
    """The program cannot be started again; the message is one sentence for a user."""


def subject_of(record: Record, working_folder: str | None = None) -> tuple[Subject, Loaded]:
    """The program of a record, and its texts.

    Args:
        record: of a watched run.
        working_folder: where it was started; found from its files if it is not known.

    Raises:
        Untriable: it cannot be started, or its texts have changed since.
    """
    program = record.fact(Program)
    if program is None or not program.argv:
        raise Untriable("the record does not say how the program was started (it was watched from "
                        "within, or with --no-program-text)")
    target = program.argv
    named = {each.name: each for each in record.facts(UserFile) if os.path.isabs(each.name)}
    folder = working_folder or _started_in(record, target)
    main = _main_file(target, folder, named.values())
    texts = load(record, () if named else _followed(main, os.path.dirname(main)))
    for name, why in texts.refused.items():
        if name in texts.index.changed:
            raise Untriable(f"{why}: run the program again")
        if os.path.isabs(name):
            raise Untriable(f"a file of the program cannot be read: {why}")
    answers = record.fact(Answers)
    top = _top(target, main)
    subject = Subject(
        target, folder, top, answers.lines if answers is not None and answers.whole else None,
        tuple(libraries(texts.index.sources.values(), (top, folder))))
    return subject, texts


def guessed(target: tuple[str, ...], working_folder: str) -> Subject:
    """What is known of a program before it has run: enough to load its libraries meanwhile.

    Raises:
        Untriable: there is no such program.
    """
    main = _main_file(target, working_folder, ())
    sources = []
    for name in _followed(main, os.path.dirname(main)):
        with contextlib.suppress(Unusable, OSError, Unparsable):
            sources.append(Source(name, read(Path(name)).text))
    top = _top(target, main)
    return Subject(target, working_folder, top, None,
                   tuple(libraries(sources, (top, working_folder))))


def _top(target: tuple[str, ...], main: str) -> str:
    """The folder of a script, or the one that holds the top package of a module."""
    folder = os.path.dirname(main)
    depth = target[1].count(".") if target[0] == "-m" else 0
    return os.path.abspath(os.path.join(folder, *[os.pardir] * depth))


def _started_in(record: Record, target: tuple[str, ...]) -> str:
    """The folder that a program was started in, from where its files are."""
    here = os.getcwd()
    if target[0] == "-m" or os.path.isabs(target[0]):
        return here
    places = [each.name for each in record.facts(UserFile) if each.module == "__main__"]
    built = [*(each.location for each in record.facts(Optimizer)),
             *(each.location for each in record.facts(Model))]
    places += [place.file for place in built if place is not None]
    wanted = os.path.normpath(target[0])
    if not places or os.path.join(here, wanted) in places:
        return here
    for place in places:
        if place.endswith(os.sep + wanted):
            return place[: -len(wanted) - 1] or os.sep
    return here


def _main_file(target: tuple[str, ...], folder: str, named: Iterable[UserFile]) -> str:
    for each in named:
        if each.module == "__main__":
            return each.name
    if target[0] == "-m":
        stem = os.path.join(folder, *target[1].split("."))
        found = [stem + ".py", os.path.join(stem, "__main__.py")]
    else:
        path = os.path.join(folder, target[0])
        found = [os.path.join(path, "__main__.py") if os.path.isdir(path) else path]
    for name in found:
        if os.path.isfile(name):
            return os.path.normpath(name)
    raise Untriable(f"there is no {found[0]}")


def _followed(main: str, folder: str) -> list[str]:
    """The main file, and the user's modules that it imports, at first or second hand."""
    found, waiting = [main], [main]
    while waiting and len(found) < _MOST_FILES:
        name = waiting.pop()
        try:
            tree = ast.parse(read(Path(name)).text)
        except (Unusable, OSError, SyntaxError, ValueError):
            continue
        for module, level in _imported(tree):
            above = os.path.abspath(os.path.join(os.path.dirname(name), *[os.pardir] * (level - 1)))
            for place in dict.fromkeys([above] if level else [folder, os.path.dirname(name)]):
                stem = os.path.join(place, *module.split(".")) if module else place
                for file in (f"{stem}.py", os.path.join(stem, "__init__.py")):
                    if os.path.isfile(file) and file not in found:
                        found.append(file)
                        waiting.append(file)
    return found


def _imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Modules and their levels; of `from a import b` both a and a.b, which may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield module, node.level
            yield from ((f"{module}.{alias.name}".lstrip("."), node.level) for alias in node.names)


def libraries(sources: Iterable[Source], folders: Iterable[str]) -> list[str]:
    """Modules that the sources import and that are not the user's, shallow names first."""
    found: set[str] = set()
    for source in sources:
        for module, level in _imported(source.tree):
            top = module.partition(".")[0]
            own = any(os.path.exists(os.path.join(folder, top + ending))
                      for folder in (*folders, os.path.dirname(source.name))
                      for ending in ("", ".py"))
            if module and not level and not own and top not in sys.stdlib_module_names:
                found.add(module)
    return sorted(found, key=lambda name: (name.count("."), name))

