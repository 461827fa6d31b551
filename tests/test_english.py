"""What a user can read is plain English: no phrase that a reader has to decode, one way of numbers.

The phrases are looked for in the strings of the package, not in its docstrings and comments, and in
the pages that are written by hand.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "unstuck"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

# What must not be said, and what to say instead.
PHRASES = {
    r"(?<!standard )\bdeviations?\b": "standard deviation",
    r"(?<!learning )(?<!learning-)(?<!dropout )(?<!error )(?<!false-alarm )(?<!warm-up )\brates?\b"
    r"(?!-too-| of false alarms)": "learning rate",
    r"\brectifiers?\b": "ReLU",
    r"\bputs? out\b|\bpass(es)? on\b": "outputs",
    r"\bby heart\b": "memorised",
    r"\b(at|to) rest\b|\brests\b|\brested\b": "has plateaued",
    r"\bheld by\b|optimizer holds?\b": "registered with an optimizer",
    r"\bheight (that|at which|of (a|the) loss)\b|\bthis height\b|\bkeeps? up\b": "noise floor",
    r"\bcheap learners?\b": "baseline model",
    r"\bbears?\b": "tolerates",
    r"\btold\b|\bhow we tell\b|\btells? (why|from|apart)\b": "detected, distinguished from",
    r"\berrs?\b": "is wrong, known limitations",
    r"(?<!there )\b(is|are|was|were) no (?!longer|more than|less than|evidence of)\w": "is not a",
    r"\de\+\d": "2,000",
    r"\b1 (steps|passes|epochs|layers|samples|batches|classes|units|features|times)\b":
        "unstuck.words.count",
    r"\bin all\b(?! \w)": "in total",
    r"\bknown to it\b|\bmade good\b|\bcomes? to nothing\b|\bworth a word\b|\bwhat one sees\b":
        "say it plainly",
    r"[,;] for (the|it|its|no|nothing|there|they|an?)( \w+)? (is|are|was|were|ran|has|have)\b":
        "because",
}


def strings(file: Path) -> Iterator[tuple[int, str]]:
    """The sentences in a module: strings with a space that document nothing, a `{}` a value."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                skipped.add(first.value)
        if isinstance(node, ast.keyword) and node.arg == "references":  # titles are quoted
            skipped.update(part for part in ast.walk(node) if isinstance(part, ast.Constant))
        if isinstance(node, ast.JoinedStr):
            skipped.update(part for part in node.values if isinstance(part, ast.Constant))
    for node in ast.walk(tree):
        text = None
        if isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "{}"
                           for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and (
            node not in skipped
        ):
            text = node.value
        if text is not None and " " in text.strip():
            yield node.lineno, text


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")),
                         ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_no_sentence_needs_decoding(file: Path) -> None:
    found = [
        f"{file.name}:{line}: {match[0]!r} (better: {better}) in {text!r}"
        for line, text in strings(file)
        for phrase, better in PHRASES.items()
        if (match := re.search(phrase, text, re.IGNORECASE))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_needs_decoding(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "``", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = [
        f"{match[0]!r} (better: {better}) in {text[max(match.start() - 60, 0):match.end() + 30]!r}"
        for phrase, better in PHRASES.items()
        for match in re.finditer(phrase, text, re.IGNORECASE)
    ]
    assert not found, "\n".join(found)


# Where numbers are written otherwise: in code, in charts, and where sentences get theirs.
OTHERWISE = {"words.py", "schema/edits/edit.py", "report/chart.py", "report/canvas.py"}


@pytest.mark.parametrize("file", [
    file for file in sorted(PACKAGE.rglob("*.py"))
    if file.relative_to(PACKAGE).as_posix() not in OTHERWISE],
    ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_numbers_are_written_in_one_place(file: Path) -> None:
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            spec = "".join(part.value for part in getattr(node.format_spec, "values", ())
                           if isinstance(part, ast.Constant))
            if re.search(r"[gGeEfF%]$", spec):
                found.append(f"{file.name}:{node.lineno}: {{:{spec}}} (better: unstuck.words)")
    assert not found, "\n".join(found)
