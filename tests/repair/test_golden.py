"""Exact diffs: a text in, the patches of an edit out, in many styles of programs.

Each file of `golden` has the edit, what a run would record beside what the text says, the sources,
and the diffs of all forms. UNSTUCK_WRITE_GOLDEN=1 writes the diffs anew, to be read before commit.
"""

from __future__ import annotations

import ast
import io
import os
import re
import tokenize
from pathlib import Path
from typing import Any

import pytest

from tests.repair import facts
from unstuck.repair.cannot import CannotWrite
from unstuck.repair.compose import Overlay, compose, unified_diff
from unstuck.repair.index import Index
from unstuck.repair.patch import Patch
from unstuck.repair.text import Source, apply
from unstuck.repair.write import write
from unstuck.schema import edits
from unstuck.schema.edits import Edit
from unstuck.schema.facts import (
    calls,
    data,
    loops,
    losses,
    models,
    optimizers,
    pairs,
    sequences,
    statistics,
)

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.txt"))
PART = re.compile(r"^=== (.*)\n", re.MULTILINE)


def read(file: Path) -> tuple[str, list[Source], str, list[tuple[str, str]]]:
    """The head, the sources, their text, and the expected results with their titles."""
    head, *rest = PART.split(file.read_text(encoding="utf-8"))
    parts = list(zip(rest[::2], rest[1::2], strict=True))
    sources = [Source(title, text) for title, text in parts if title.endswith(".py")]
    given = "".join(f"=== {title}\n{text}" for title, text in parts if title.endswith(".py"))
    return head, sources, given, [each for each in parts if not each[0].endswith(".py")]


def results(head: str, sources: list[Source]) -> tuple[Index, list[Patch] | CannotWrite]:
    """What is written for the edit of a head."""
    known: dict[str, Any] = {
        **vars(edits), **vars(calls), **vars(data), **vars(losses), **vars(models), **vars(loops),
        **vars(optimizers), **vars(pairs), **vars(sequences), **vars(statistics),
        "at": lambda text: facts.at(sources, text)}
    lines = dict(line.split(": ", 1) for line in head.splitlines() if not line.startswith("#"))
    values = eval(f"dict({lines.get('facts', '')})", known)
    edit: Edit = eval(lines["edit"], known)
    index = Index(sources, values.get("argv", ()), values.get("cells", ()))
    return index, write(edit, facts.read(sources, values), index)


def shown(index: Index, found: list[Patch] | CannotWrite) -> str:
    if isinstance(found, CannotWrite):
        command = f"$ {' '.join(found.command)}\n" if found.command else ""
        return f"=== cannot: {found.reason}\n{found.words}\n{command}"
    parts = []
    for patch in found:
        together = compose([patch], index)
        assert isinstance(together, Overlay)
        parts.append(f"=== {patch.form}\n{unified_diff(together, index)}")
    return "".join(parts)


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_the_diffs_are_these(file: Path) -> None:
    head, sources, given, expected = read(file)
    index, found = results(head, sources)
    text = shown(index, found)
    if os.environ.get("UNSTUCK_WRITE_GOLDEN"):
        file.write_text(f"{head}{given}{text}", encoding="utf-8")
    else:
        assert text == "".join(f"=== {title}\n{diff}" for title, diff in expected)
    check_that_nothing_but_the_splices_differs(index, found)


def check_that_nothing_but_the_splices_differs(
    index: Index, found: list[Patch] | CannotWrite
) -> None:
    for patch in [] if isinstance(found, CannotWrite) else found:
        together = compose([patch], index)
        assert isinstance(together, Overlay)
        for name, text in together.texts.items():
            compile(text, name, "exec", ast.PyCF_ONLY_AST)
            old = index.sources[name].text
            own = [splice for splice in patch.splices if splice.file == name]
            if not any(need.file == name for need in patch.needs):
                assert text == apply(old, own)
            gone = "".join(old[splice.start:splice.end] for splice in own)
            for comment in comments(old):
                assert comment in comments(text) or comment in gone


def comments(text: str) -> list[str]:
    """The comments of a text."""
    return [token.string for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type == tokenize.COMMENT]
