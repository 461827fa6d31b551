"""The answers to the laboratory's questions: one table for a terminal, and as JSON."""

from __future__ import annotations

import os
from collections.abc import Sequence

from unstuck.questions.question import Answer, Verdict
from unstuck.report.canvas import TEXT_WIDTH, Canvas
from unstuck.schema.findings import Finding
from unstuck.schema.places import SourceLocation
from unstuck.words import count

_STYLES = {Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.UNKNOWN: "cyan"}
_FINDING = "fail"


def draw(canvas: Canvas, answers: Sequence[Answer], findings: Sequence[Finding]) -> None:
    """Prints a row for each answer and each finding, and how many there are of each kind."""
    width = max((len(each) for each in (
        *(each.question for each in answers), *(each.cause for each in findings))), default=0)
    for each in answers:
        says = f"because {each.says}" if each.verdict is Verdict.UNKNOWN else each.says
        _row(canvas, each.verdict.value, _STYLES[each.verdict], each.question, width, says,
             each.location if each.verdict is Verdict.FAIL else None)
    for finding in findings:
        _row(canvas, _FINDING, _STYLES[Verdict.FAIL], finding.cause, width, finding.title,
             finding.location)
    canvas.draw((f"unstuck: {totals(answers, findings)}", "bold"))


def totals(answers: Sequence[Answer], findings: Sequence[Finding]) -> str:
    """How many questions have which answer."""
    many = {kind: sum(each.verdict is kind for each in answers) for kind in Verdict}
    found = f"; {count(len(findings), 'finding')} in the first steps" if findings else ""
    return (f"{count(len(answers), 'question')}: {many[Verdict.PASS]} passed, "
            f"{many[Verdict.FAIL]} failed, {many[Verdict.UNKNOWN]} unknown{found}")


def _row(canvas: Canvas, verdict: str, style: str, name: str, width: int, says: str,
         place: SourceLocation | None) -> None:
    start = f"{verdict:<8} "
    room = min(canvas.width, TEXT_WIDTH) - len(start) - width - 2
    where = "" if place is None else f" ({_named(place)})"
    if room < 24:
        canvas.draw((start, style), (name, ""))
        lines, margin = canvas.wrap(says + where, min(canvas.width, TEXT_WIDTH) - 4), 4
    else:
        lines, margin = canvas.wrap(says + where, room), len(start) + width + 2
        canvas.draw((start, style), (f"{name:<{width}}  ", ""), (lines.pop(0), ""))
    for line in lines:
        canvas.draw((" " * margin + line, ""))
    if place is not None and place.text is not None:
        shown, _, _ = canvas.crop(place.text.strip(), 0, 1, max(canvas.width - margin - 2, 20))
        canvas.draw((" " * margin, ""), (f"{canvas.glyphs.bar} ", "blue"), (shown, ""))


def _named(place: SourceLocation) -> str:
    relative = os.path.relpath(place.file)
    file = place.file if relative.startswith(os.pardir) else relative
    return f"{file}:{place.line}:{place.column}"

