"""Patches together: the texts that they give, or why they do not go together; the diff."""

from __future__ import annotations

import ast
import difflib
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from unstuck.repair.index import Index
from unstuck.repair.patch import Need, Patch
from unstuck.repair.text import LINE_END, Source, Splice, Unparsable, apply


@dataclass(frozen=True, slots=True)
class Overlay:
    """Texts that lie over those of the program: only the sources that differ, by name."""

    patches: tuple[Patch, ...]
    texts: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Identifies the texts, whatever patches made them."""
        digest = hashlib.sha256()
        for name in sorted(self.texts):
            for part in (name, self.texts[name]):
                raw = part.encode("utf-8", "surrogatepass")
                digest.update(b"%d:" % len(raw) + raw)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two patches that do not go together; `words` is a sentence. `second` is None for a patch
    that fits into no text."""

    first: Patch
    second: Patch | None
    words: str


def compose(parts: Iterable[Patch | Overlay], index: Index) -> Overlay | Conflict:
    """All patches in one text; that of overlays counts as if it stood here.

    Splices that are the same are one, so patches may agree on a change; and so are helpers and
    imports. What several insert at one place stands there in the order of the patches.
    """
    patches = tuple(dict.fromkeys(
        patch for part in parts
        for patch in (part.patches if isinstance(part, Overlay) else (part,))))
    for number, second in enumerate(patches):
        for first in patches[:number]:
            words = _clash(first, second)
            if words:
                return Conflict(first, second, words)
    texts: dict[str, str] = {}
    for name in dict.fromkeys(s.file for patch in patches for s in patch.splices):
        source = index.sources.get(name)
        if source is None:
            return Conflict(patches[0], None, f"{name} is not a source of the program.")
        splices = _together(patches, name)
        needs = list(dict.fromkeys(n for patch in patches for n in patch.needs if n.file == name))
        try:
            text = apply(source.text, [*_head(source, splices, needs), *splices])
            # An argument that is given twice, or a return outside a function, parses all the same.
            compile(Source(name, text).tree, name, "exec", dont_inherit=True)
        except (ValueError, SyntaxError, Unparsable):
            return Conflict(patches[0], patches[-1] if len(patches) > 1 else None,
                            "The changes together do not give valid Python.")
        if text != source.text:
            texts[name] = text
    return Overlay(patches, texts)


def _together(patches: tuple[Patch, ...], name: str) -> list[Splice]:
    """The splices of all patches in one source. What several insert is there once, but for brackets
    that close what each of them opens."""
    found: list[Splice] = []
    for splices in dict.fromkeys(patch.splices for patch in patches):
        found += [splice for splice in splices if splice.file == name
                  and (splice not in found or not splice.text.strip(")]}"))]
    return found


def _clash(first: Patch, second: Patch) -> str:
    for a in first.splices:
        for b in second.splices:
            if a != b and a.file == b.file and _overlap(a, b):
                return "Both change the same text."
    for need in first.needs:
        for other in second.needs:
            if (need.file, need.name) == (other.file, other.name) and need.text != other.text:
                return f"Both define {need.name}."
    return ""


def _overlap(a: Splice, b: Splice) -> bool:
    if a.start == a.end and b.start == b.end:
        return False
    if a.start == a.end or b.start == b.end:
        point, other = (a, b) if a.start == a.end else (b, a)
        return other.start < point.start < other.end
    return a.start < b.end and b.start < a.end


# What patches need at the head of a file ---------------------------------------------------------
def _head(source: Source, splices: list[Splice], needs: list[Need]) -> list[Splice]:
    if not needs:
        return []
    first = min(splice.start for splice in splices)
    last: ast.stmt | None = None
    behind: ast.stmt | None = None  # the first statement after the docstring
    for number, statement in enumerate(source.tree.body):
        documents = number == 0 and isinstance(statement, ast.Expr) and isinstance(
            statement.value, ast.Constant)
        if documents:
            continue
        behind = behind or statement
        if source.span(statement)[1] >= first:
            break
        if isinstance(statement, ast.Import | ast.ImportFrom) or (
            isinstance(statement, ast.Try)
            and isinstance(statement.body[0], ast.Import | ast.ImportFrom)
        ):
            last = statement
    end = source.line_end
    imports = "".join(need.text + end for need in needs if not need.helper)
    helpers = [need.text.rstrip().replace("\n", end) for need in needs if need.helper]
    gap = 2 if any(each.startswith(("class ", "def ")) for each in helpers) else 1
    parts = [(gap + 1) * end + each for each in helpers]
    if last is not None:
        position = source.line_stop(source.span(last)[1])
        text = (end + imports).removesuffix(end) + "".join(parts)
        following = source.text[source.next_line(position):]
        blank = len(following) - len(following.lstrip(" \t\r\n"))
        lines = len(LINE_END.findall(following[:blank]))
        if helpers and following.strip() and lines < gap:
            text += (gap - lines) * end
        return [Splice(source.name, position, position, text)]
    position = 0 if behind is None else source.line_start(source.statement_start(behind))
    text = imports + "".join(parts).removeprefix((gap + 1) * end if not imports else "")
    return [Splice(source.name, position, position, text + (gap + 1) * end if helpers else text)]


# The diff ----------------------------------------------------------------------------------------
def unified_diff(overlay: Overlay, index: Index, root: str | None = None) -> str:
    """The changes as `git apply` takes them. Paths are relative to `root` where they lie in it."""
    parts: list[str] = []
    for name, text in sorted(overlay.texts.items()):
        shown = _relative(name, root)
        lines = difflib.unified_diff(
            _lines(index.sources[name].text), _lines(text), f"a/{shown}", f"b/{shown}")
        for line in lines:
            parts.append(line if line.endswith("\n")
                         else f"{line}\n\\ No newline at end of file\n")
    return "".join(parts)


def _relative(name: str, root: str | None) -> str:
    if root is not None and os.path.isabs(name):
        inside = os.path.relpath(name, root)
        name = name if inside.startswith(os.pardir) else inside
    return name.replace(os.sep, "/").lstrip("/")


def _lines(text: str) -> list[str]:
    parts = text.split("\n")
    return [f"{each}\n" for each in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
