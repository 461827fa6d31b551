"""Findings that the user does not want to see: `# unstuck: ignore[slug]` at their line, or the
project's settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from unstuck.schema.findings import Finding

_COMMENT = re.compile(r"#\s*unstuck:\s*ignore\[([^\]]*)\]")


def split(
    findings: Sequence[Finding], everywhere: Collection[str], slug_of: Callable[[str], str]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...], list[str]]:
    """The findings to show, those that are silenced, and remarks on comments that name no cause.

    What follows from a silenced finding is silenced with it: it is the same mistake.

    Args:
        findings: of one diagnosis.
        everywhere: slugs of causes that are silenced wherever they are found.
        slug_of: the slug of a cause by any of its names; KeyError for other words.
    """
    remarks: list[str] = []
    silent: set[str] = set()
    for finding in findings:
        names = set(everywhere)
        for word in _words_at(finding):
            try:
                names.add(slug_of(word))
            except KeyError:
                location = finding.location
                line = "" if location is None else f" in line {location.line}"
                remarks.append(f"The comment `unstuck: ignore[{word}]`{line} names no cause.")
        if finding.cause in names:
            silent.add(finding.cause)
    hidden = [f for f in findings if f.cause in silent or f.explained_by in silent]
    shown = tuple(f for f in findings if f not in hidden)
    return shown, tuple(hidden), list(dict.fromkeys(remarks))


def _words_at(finding: Finding) -> list[str]:
    """What the comments at a finding's place name."""
    location = finding.location
    if location is None or location.text is None:
        return []
    return [word.strip() for names in _COMMENT.findall(location.text)
            for word in names.split(",") if word.strip()]
