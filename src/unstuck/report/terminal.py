"""A diagnosis as a person reads it in a terminal, and the full text of a cause."""

from __future__ import annotations

import os
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from unstuck.edits import Safety
from unstuck.facts import EndKind, SourceLocation
from unstuck.findings import Diagnosis, Evidence, Finding, OutcomeKind, Severity, TrialResult

if TYPE_CHECKING:
    from unstuck.cause import Cause
    from unstuck.record import Record
    from unstuck.report.canvas import Canvas

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}
_GUTTER = "blue"
_WELL = (OutcomeKind.LEARNING, OutcomeKind.CONVERGED)
_EXPLAIN_WIDTH = 80


def render(
    diagnosis: Diagnosis,
    *,
    notes: bool = False,
    quiet: bool = False,
    width: int | None = None,
    color: bool | None = None,
    file: IO[str] | None = None,
) -> None:
    """Prints a diagnosis to `file`, standard error if there is none.

    Args:
        diagnosis: what to print.
        notes: print findings that are true but harmless here as well.
        quiet: print findings only, and nothing if there are none.
        width: columns; by default the terminal's, or 100 where there is none.
        color: by default as the file, NO_COLOR, FORCE_COLOR and TERM have it.
        file: where to print.
    """
    from unstuck.report.canvas import Canvas  # rich is not loaded to explain a cause

    canvas = Canvas.on(sys.stderr if file is None else file, width, color)
    shown = diagnosis.findings if notes else diagnosis.counted()
    if not quiet:
        _draw_outcome(canvas, diagnosis)
    roots = _roots(shown)
    for index, finding in enumerate(roots):
        if index or not quiet:
            canvas.draw(("", ""))
        _draw_finding(canvas, finding, shown)
    if quiet:
        return
    _draw_limits(canvas, diagnosis, apart=bool(roots))
    if roots or diagnosis.findings:
        _draw_prose(canvas, "unstuck: ", _summary(diagnosis, notes), "bold")


# The whole run -----------------------------------------------------------------------------------
def _draw_outcome(canvas: Canvas, diagnosis: Diagnosis) -> None:
    outcome = diagnosis.outcome
    says = f"{outcome.kind.value} (confidence {outcome.confidence:.0%}): {_stopped(outcome.says)}"
    if diagnosis.counted():
        _draw_prose(canvas, "outcome: ", says, "bold")
        return
    known = len(diagnosis.verdicts) - len(diagnosis.not_assessed())
    checked = f"{_count(known, 'cause')} checked over {_count(diagnosis.steps, 'step')}"
    found = "no fault found" if outcome.kind in _WELL else "none of the causes known to it found"
    _draw_prose(canvas, "unstuck: ", f"{found}, {checked}; outcome: {says}", "bold")


def _draw_limits(canvas: Canvas, diagnosis: Diagnosis, *, apart: bool) -> None:
    """What was not assessed, and what limited the watching."""
    unknown = diagnosis.not_assessed()
    if apart and (unknown or diagnosis.remarks):
        canvas.draw(("", ""))
    if unknown:
        reasons = Counter(verdict.reason.rstrip(".") for _, verdict in unknown).most_common()
        if len(reasons) == 1:
            why = f"because {_lower(reasons[0][0])}"
        else:
            parts = [f"{number} because {_lower(reason)}" for reason, number in reasons[:2]]
            rest = sum(number for _, number in reasons[2:])
            why = ", ".join([*parts, *([f"{rest} for other reasons"] if rest else [])])
        needs = list(dict.fromkeys(need for _, verdict in unknown for need in verdict.needs))
        tell = f"; needed: {_listed(needs, 3)}" if needs else ""
        which = _listed([slug for slug, _ in unknown], 3)
        _draw_prose(
            canvas, "not assessed: ", f"{_count(len(unknown), 'cause')} ({which}), {why}{tell}", ""
        )
    for remark in diagnosis.remarks:
        _draw_prose(canvas, "note: ", remark, "")


def _summary(diagnosis: Diagnosis, notes: bool) -> str:
    numbers = Counter(finding.severity for finding in diagnosis.findings)
    parts = [
        _count(numbers[severity], severity.value)
        for severity in (Severity.ERROR, Severity.WARNING, *((Severity.NOTE,) if notes else ()))
        if numbers[severity]
    ]
    text = ", ".join(parts) or "no errors, no warnings"
    hidden = 0 if notes else numbers[Severity.NOTE]
    if hidden:
        text += f"; {_count(hidden, 'note')} not shown (--notes)"
    return text


# One finding -------------------------------------------------------------------------------------
def _roots(shown: Sequence[Finding]) -> list[Finding]:
    """Findings to print at full length: those whose root is not printed itself."""
    slugs = {finding.slug for finding in shown}
    roots = [f for f in shown if f.explained_by not in slugs or f.explained_by == f.slug]
    reached = {finding.slug for root in roots for finding, _ in _symptoms(root, shown)}
    reached |= {root.slug for root in roots}
    return roots + [f for f in shown if f.slug not in reached]  # a circle loses nobody


def _symptoms(root: Finding, shown: Sequence[Finding]) -> list[tuple[Finding, int]]:
    """What a finding explains, at first or second hand, with the depth."""
    found: list[tuple[Finding, int]] = []
    seen = {root.slug}

    def follow(slug: str, depth: int) -> None:
        for finding in shown:
            if finding.explained_by == slug and finding.slug not in seen:
                seen.add(finding.slug)
                found.append((finding, depth))
                follow(finding.slug, depth + 1)

    follow(root.slug, 0)
    return found


def _draw_finding(canvas: Canvas, finding: Finding, shown: Sequence[Finding]) -> None:
    present, style = finding.present, _STYLES[finding.severity]
    head = f"{finding.severity.value}[{finding.slug}]"
    lines = canvas.wrap(f"{head}: {present.title}", canvas.width)
    if lines[0].startswith(head):  # on a very narrow terminal the head itself may be broken
        canvas.draw((head, style), (lines[0][len(head):], "bold"))
        lines = lines[1:]
    for line in lines:
        canvas.draw((line, "bold"))
    location = present.location
    gutter = len(str(location.line)) if location else 2
    if location:
        _draw_source(canvas, location, present.label, style, gutter)
    elif present.label:
        _draw_item(canvas, gutter, "where", present.label)
    for evidence in present.evidence:
        _draw_item(canvas, gutter, "seen", _seen(canvas, evidence))
    if finding.trial:
        _draw_item(canvas, gutter, "tried", _tried(finding.trial))
    for index, remedy in enumerate(present.remedies):
        risk = " (changes the experiment)" if remedy.safety is Safety.CHANGES_EXPERIMENT else ""
        _draw_code(canvas, gutter, "or" if index else "fix", remedy.code() + risk)
    if present.one_of:
        text = f"cannot be told from {_either(present.one_of)} by this run"
        if present.separated_by:
            text += f"; would be separated by {present.separated_by}"
        _draw_item(canvas, gutter, "note", text)
    _draw_code(canvas, gutter, "why", f"unstuck explain {finding.slug}")
    symptoms = _symptoms(finding, shown)
    if symptoms:
        _draw_item(canvas, gutter, "which also explains:", "")
    for symptom, depth in symptoms:
        indent = " " * (gutter + 3 + 2 * depth)
        where = symptom.present.location
        at = f" ({_place(where)})" if where else ""
        text = f"{symptom.severity.value}[{symptom.slug}]: {symptom.present.title}{at}"
        for line in canvas.wrap(text, canvas.width - len(indent) - 2):
            canvas.draw((indent + line, ""))
            indent = " " * (gutter + 5 + 2 * depth)


def _draw_source(
    canvas: Canvas, location: SourceLocation, label: str, style: str, gutter: int
) -> None:
    glyphs, pad = canvas.glyphs, " " * gutter
    canvas.draw((f"{pad} {glyphs.corner} ", _GUTTER), (canvas.clean(_place(location)), ""))
    bar = f"{pad} {glyphs.bar} "
    room = canvas.width - len(bar)
    if location.text is None:  # the user wants no program text kept
        for line in canvas.wrap(label, room) if label else ():
            canvas.draw((bar, _GUTTER), (line, style))
        return
    source = location.text.splitlines()[0].rstrip() if location.text.strip() else ""
    start = min(location.column - 1, len(source))
    end = len(source) if location.end_line > location.line else location.end_column - 1
    shown, offset, cells = canvas.crop(source, start, min(max(end, start), len(source)), room)
    canvas.draw((f"{location.line} {glyphs.bar} ", _GUTTER), (shown, ""))
    carets = " " * offset + "^" * cells
    left = room - len(carets) - 1
    if len(canvas.clean(label)) <= left or left >= 40:
        first, *more = canvas.wrap(label, left)
        canvas.draw((bar, _GUTTER), (f"{carets} {first}", style))
        more = [" " * (len(carets) + 1) + line for line in more]
    else:  # beside the caret it would become a column of single words
        canvas.draw((bar, _GUTTER), (carets, style))
        indent = " " * min(offset, max(room - 40, 0))
        more = [indent + line for line in canvas.wrap(label, room - len(indent))]
    for line in more:
        canvas.draw((bar, _GUTTER), (line, style))


def _draw_item(canvas: Canvas, gutter: int, key: str, text: str) -> None:
    from unstuck.report.canvas import TEXT_WIDTH

    head = f"{' ' * gutter} = "
    label = key if not text else f"{key:<6} "
    indent = len(head) + (len(label) if len(label) < 12 else 2)
    lines = canvas.wrap(text, min(canvas.width, TEXT_WIDTH) - indent) if text else [""]
    canvas.draw((head, _GUTTER), (label, "bold"), (lines[0], ""))
    for line in lines[1:]:
        canvas.draw((" " * indent + line, ""))


def _draw_code(canvas: Canvas, gutter: int, key: str, code: str) -> None:
    """Like an item, but lines stay whole: code must survive being copied."""
    head = f"{' ' * gutter} = "
    first, *more = code.splitlines() or [""]
    canvas.draw((head, _GUTTER), (f"{key:<6} ", "bold"), (canvas.code(first), ""))
    for line in more:
        canvas.draw((" " * (len(head) + 7) + canvas.code(line), ""))


def _draw_prose(canvas: Canvas, head: str, text: str, style: str) -> None:
    from unstuck.report.canvas import TEXT_WIDTH

    first, *more = canvas.wrap(head + text, min(canvas.width, TEXT_WIDTH))
    canvas.draw((first[: len(head)], style), (first[len(head):], ""))
    for line in more:
        canvas.draw(("  " + line if canvas.width - len(line) > 2 else line, ""))


def _seen(canvas: Canvas, evidence: Evidence) -> str:
    spark = canvas.sparkline(evidence.observed)
    return evidence.says + (f"  {spark}" if spark else "")


def _tried(trial: TrialResult) -> str:
    treated = ", ".join(f"{value:.3g}" for value in trial.treated)
    control = ", ".join(f"{value:.3g}" for value in trial.control)
    seeds = _count(len(trial.seeds), "seed")
    return f"{trial.verdict}: {treated} with the fix, {control} as it is, on {seeds}"


def _place(location: SourceLocation) -> str:
    return f"{_relative(location.file)}:{location.line}:{location.column}"


def _relative(file: str) -> str:
    """The path as one would type it here; absolute if it lies elsewhere."""
    try:
        short = os.path.relpath(file)
    except (ValueError, OSError):  # another drive; a folder that is gone
        return file
    return file if short.startswith(os.pardir) else short


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _listed(items: Sequence[str], most: int) -> str:
    rest = len(items) - most
    return ", ".join(items[:most]) + (f" and {rest} more" if rest > 0 else "")


def _either(slugs: Sequence[str]) -> str:
    return slugs[0] if len(slugs) == 1 else f"{', '.join(slugs[:-1])} or {slugs[-1]}"


def _stopped(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else sentence + "."


def _lower(sentence: str) -> str:
    """A sentence's start in mid-sentence; names such as SGD keep their capitals."""
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence


def nothing_trained(record: Record) -> str:
    """Why a record holds no training, in a sentence."""
    if record.end.kind is EndKind.EXCEPTION:
        where = record.end.location
        at = f" at {_place(where)}" if where else ""
        return (
            f"the program ended in {record.end.exception or 'an exception'}{at} before its first "
            "backward pass, so there is no training to judge"
        )
    cut = {
        EndKind.EXIT: f"exited with status {record.end.status}",
        EndKind.INTERRUPTED: "was interrupted",
        EndKind.KILLED: "was ended from outside",
    }.get(record.end.kind)
    when = f"; it {cut} before that" if cut else ""
    elsewhere = "what other processes do is not watched"
    if not record.models:
        return f"the program imported torch but called no model in this process ({elsewhere}){when}"
    name = record.models[0].kind
    if record.optimizers:
        return (
            f"{name} was called and an optimizer built, but no loss reached backward(): nothing "
            f"could be learned ({elsewhere}){when}"
        )
    return (
        f"{name} was called, but no optimizer was built and no loss reached backward(): the "
        f"program does not train in this process ({elsewhere}){when}"
    )


# A cause -----------------------------------------------------------------------------------------
def explain(slug_or_code: str) -> str:
    """The full text of a cause; KeyError if there is none of that slug or code."""
    from unstuck import catalogue

    return explanation(catalogue.find(slug_or_code))


def explanation(cause: Cause) -> str:
    """The full text of a cause, in lines of at most 80 characters."""
    title = textwrap.fill(f"{cause.slug} ({cause.code}): {cause.title}", _EXPLAIN_WIDTH)
    lines = [title]
    for heading, paragraphs in sections(cause):
        lines += ["", heading]
        hanging = "    " if len(paragraphs) == 1 else "      "
        lines += [
            textwrap.fill(
                " ".join(paragraph.split()), _EXPLAIN_WIDTH, initial_indent="    ",
                subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False,
            )
            for paragraph in paragraphs
        ]
    return "\n".join(lines) + "\n"


def sections(cause: Cause) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Headings and paragraphs about a cause, one text for the terminal and the site's pages."""
    words = cause.words
    thresholds = tuple(
        f"{limit.name} = {limit.value:g}: {_stopped(limit.reason)} Source: {_stopped(limit.source)}"
        for limit in cause.thresholds
    )
    every = (
        ("Symptoms", (words.symptom,)),
        ("Consequences", (words.consequence,)),
        ("Why", (words.why,)),
        ("How it is detected", (words.detection,)),
        ("Thresholds", thresholds),
        ("Known limitations", (words.limitations,)),
        ("References", words.references),
    )
    return tuple((head, text) for head, text in every if any(part.strip() for part in text))
