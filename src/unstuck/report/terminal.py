"""A diagnosis as a person reads it in a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import IO, TYPE_CHECKING

from unstuck.judge.crashes import advice_on
from unstuck.report import notebook, summary
from unstuck.report.changes import draw_rows, read_diff
from unstuck.schema.edits import Safety
from unstuck.schema.facts.calls import Guarded, ModelCall
from unstuck.schema.facts.data import Loader
from unstuck.schema.facts.models import Model
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.run import EndKind
from unstuck.schema.findings import (
    Confidence,
    Diagnosis,
    Evidence,
    Finding,
    Severity,
    TrialResult,
)
from unstuck.schema.places import SourceLocation
from unstuck.words import command, count, joined, number

if TYPE_CHECKING:
    from unstuck.record.reader import Record
    from unstuck.report.canvas import Canvas

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}
_GUTTER = "blue"


def render(
    diagnosis: Diagnosis,
    *,
    notes: bool = False,
    quiet: bool = False,
    width: int | None = None,
    color: bool | None = None,
    file: IO[str] | None = None,
    advise: bool = True,
    run: str = "",
) -> None:
    """Prints a diagnosis to `file`; by default to standard error, in a notebook below the cell.

    Args:
        diagnosis: what to print.
        notes: also print findings that do no harm in this run, and names of missing signals.
        quiet: print findings only, and nothing if there are none.
        width: columns; by default the terminal's, or 100 without one.
        color: by default decided by the file, NO_COLOR, FORCE_COLOR and TERM.
        file: where to print.
        advise: say what to do next if nothing explains a bad outcome.
        run: what to add to a command that is to take this record; "" for the last run.
    """
    from unstuck.report.canvas import Canvas  # rich is not loaded to explain a cause

    if file is None and notebook.shell() is not None:
        notebook.display(partial(
            render, diagnosis, notes=notes, quiet=quiet, width=width or notebook.WIDTH,
            color=color is not False, advise=advise, run=run))
        return
    canvas = Canvas.on(sys.stderr if file is None else file, width, color)
    shown = diagnosis.findings if notes else diagnosis.counted()
    if not quiet:
        _draw_outcome(canvas, diagnosis, advise)
    roots = _roots(shown)
    for index, finding in enumerate(roots):
        if index or not quiet:
            canvas.draw(("", ""))
        _draw_finding(canvas, finding, shown, run)
    if quiet:
        return
    if diagnosis.trainings:
        canvas.draw(("", ""))
        for line in summary.trainings(diagnosis):
            _draw_prose(canvas, "", line, "")
    _draw_limits(canvas, diagnosis, notes=notes, apart=bool(roots))
    if roots or diagnosis.findings:
        _draw_prose(canvas, "unstuck: ", summary.totals(diagnosis, notes), "bold")


# The whole run -----------------------------------------------------------------------------------
def _draw_outcome(canvas: Canvas, diagnosis: Diagnosis, advise: bool) -> None:
    said, numbers = summary.outcome_of(diagnosis)
    _draw_prose(canvas, f"unstuck: {said}", f" {numbers}", "bold")
    found = diagnosis.counted()
    # A sure finding shows its fix, and causes that cannot be told apart the runs that tell.
    if advise and diagnosis.next_steps and not (
        found and (found[0].confidence is not Confidence.POSSIBLE or found[0].separated_by)
    ):
        _draw_prose(canvas, "next: ", diagnosis.next_steps[0].text, "")
    if advise and (out := summary.ruled_out(diagnosis)):
        _draw_prose(canvas, "ruled out: ", f"{out}.", "")


def _draw_limits(canvas: Canvas, diagnosis: Diagnosis, *, notes: bool, apart: bool) -> None:
    """What was not assessed, and what limited the watching."""
    unknown = diagnosis.not_assessed()
    if apart and (unknown or diagnosis.remarks or diagnosis.ignored):
        canvas.draw(("", ""))
    if unknown:
        _draw_prose(canvas, "not assessed: ", summary.not_assessed(unknown, notes), "")
    for remark in diagnosis.remarks:
        _draw_prose(canvas, "note: ", remark, "")
    if diagnosis.ignored:
        _draw_prose(canvas, "ignored: ", summary.ignored(diagnosis.ignored), "")


# One finding -------------------------------------------------------------------------------------
def _roots(shown: Sequence[Finding]) -> list[Finding]:
    """Findings to print at full length: those whose root is not printed."""
    slugs = {finding.cause for finding in shown}
    roots = [f for f in shown if f.explained_by not in slugs or f.explained_by == f.cause]
    reached = {finding.cause for root in roots for finding, _ in _symptoms(root, shown)}
    reached |= {root.cause for root in roots}
    return roots + [f for f in shown if f.cause not in reached]  # members of a circle


def _symptoms(root: Finding, shown: Sequence[Finding]) -> list[tuple[Finding, int]]:
    """What a finding explains, at first or second hand, with the depth."""
    found: list[tuple[Finding, int]] = []
    seen = {root.cause}

    def follow(slug: str, depth: int) -> None:
        for finding in shown:
            if finding.explained_by == slug and finding.cause not in seen:
                seen.add(finding.cause)
                found.append((finding, depth))
                follow(finding.cause, depth + 1)

    follow(root.cause, 0)
    return found


def _draw_finding(
    canvas: Canvas, finding: Finding, shown: Sequence[Finding], run: str
) -> None:
    style = _STYLES[finding.severity]
    head = f"{finding.severity.value}[{finding.cause}]"
    lines = canvas.wrap(f"{head}: {finding.title}", canvas.width)
    if lines[0].startswith(head):  # on a very narrow terminal the head itself may be broken
        canvas.draw((head, style), (lines[0][len(head):], "bold"))
        lines = lines[1:]
    for line in lines:
        canvas.draw((line, "bold"))
    location = finding.location
    changed = next((r for r in finding.remedies if r.diff is not None), None)
    change = read_diff(changed.diff) if changed and changed.diff and not finding.trial else None
    gutter = max(len(str(location.line)) if location else 2, change.gutter if change else 0)
    if location:
        _draw_source(canvas, location, finding.label, style, gutter)
    elif finding.label:
        _draw_item(canvas, gutter, "where", finding.label)
    for evidence in finding.evidence:
        _draw_item(canvas, gutter, "seen", _seen(canvas, evidence))
    if finding.confidence is Confidence.POSSIBLE and finding.severity is not Severity.NOTE:
        _draw_item(canvas, gutter, "note", "this is only the best suspect: nothing surer explains "
                   "what the run came to")
    if finding.trial:
        _draw_item(canvas, gutter, "tried", _tried(finding.trial))
    helps = finding.trial is not None and finding.trial.verdict == "better"  # and cures nothing
    for index, remedy in enumerate(finding.remedies):
        key = "or" if index else "fix"
        risk = " (changes the experiment)" if remedy.safety is Safety.CHANGES_EXPERIMENT else ""
        if finding.trial and remedy.diff is not None:  # what was tried is what is shown
            _draw_code(canvas, gutter, "helps" if helps else key, remedy.diff)
        elif finding.trial and changed and not helps:
            continue
        elif change and remedy is changed:
            if change.short:
                _draw_item(canvas, gutter, key, remedy.words() + risk)
                draw_rows(canvas, gutter, change, location.file if location else "")
            else:
                _draw_code(canvas, gutter, key, remedy.code() + risk)
                _draw_code(canvas, gutter, "", f"# {change.size()} here: "
                           f"{command('unstuck fix --dry-run', run)}")
        elif remedy.instruction is not None:
            _draw_item(canvas, gutter, key, remedy.instruction)
            _draw_code(canvas, gutter, "", remedy.code() + risk)
        elif remedy.ladder or remedy.code_text is not None:
            _draw_code(canvas, gutter, key, remedy.code() + risk)
        else:  # words
            _draw_item(canvas, gutter, key, remedy.code() + risk)
    if finding.one_of:
        others = joined(finding.one_of, most=len(finding.one_of), by="or")
        text = f"this run cannot distinguish it from {others}"
        if finding.separated_by:
            text += f"; to find out, {finding.separated_by.words}"
        _draw_item(canvas, gutter, "note", text)
    shell = "!" if notebook.shell() is not None else ""  # how a cell runs a command
    _draw_code(canvas, gutter, "why", f"{shell}unstuck explain {finding.cause}")
    symptoms = _symptoms(finding, shown)
    if symptoms:
        _draw_item(canvas, gutter, "this also explains:", "")
    for symptom, depth in symptoms:
        indent = " " * (gutter + 3 + 2 * depth)
        where = symptom.location
        at = f" ({_place(where)})" if where else ""
        text = f"{symptom.severity.value}[{symptom.cause}]: {symptom.title}{at}"
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
    """Like an item, but lines stay whole: code must survive being copied. No key: it goes on."""
    head = f"{' ' * gutter} {'=' if key else ' '} "
    first, *more = code.splitlines() or [""]
    canvas.draw((head, _GUTTER), (f"{key:<6} ", "bold"), (canvas.code(first), ""))
    for line in more:
        canvas.draw((" " * (len(head) + 7) + canvas.code(line), ""))


def _draw_prose(canvas: Canvas, head: str, text: str, style: str) -> None:
    from unstuck.report.canvas import TEXT_WIDTH

    left, indent = len(head), ""
    for line in canvas.wrap(head + text, min(canvas.width, TEXT_WIDTH) - 2):
        canvas.draw((indent, ""), (line[:left], style), (line[left:], ""))
        left, indent = max(left - len(line) - 1, 0), "  "


def _seen(canvas: Canvas, evidence: Evidence) -> str:
    spark = canvas.sparkline(evidence.observed)
    return evidence.says + (f"  {spark}" if spark else "")


def _tried(trial: TrialResult) -> str:
    if trial.says:
        return trial.says
    treated, control = (joined(map(number, values)) for values in (trial.treated, trial.control))
    seeds = count(len(trial.seeds), "seed")
    return f"{trial.verdict}: {treated} with the fix, {control} without it ({seeds})"


def _place(location: SourceLocation) -> str:
    cell = notebook.cell(location.file)
    if cell is not None:
        return f"{cell}, line {location.line}"
    return f"{_relative(location.file)}:{location.line}:{location.column}"


def _relative(file: str) -> str:
    """The path relative to the current folder; absolute if it lies elsewhere."""
    try:
        short = os.path.relpath(file)
    except (ValueError, OSError):  # another drive; a folder that is gone
        return file
    return file if short.startswith(os.pardir) else short


def nothing_trained(record: Record) -> str:
    """Why a record holds no training, in a sentence."""
    if record.end.kind is EndKind.EXCEPTION:
        where = record.end.location
        at = f" at {_place(where)}" if where else ""
        return (
            f"the program ended with {record.end.exception or 'an exception'}{at} before its first "
            f"backward pass, so there is no training to diagnose. {advice_on(record.end)}"
        )
    for loader in record.facts(Loader):
        if loader.whole and loader.samples and loader.samples < (loader.batch_size or 0):
            at = f" at {_place(loader.location)}" if loader.location else ""
            return (
                f"the loader{at} brings no batch, so nothing was trained: its "
                f"{count(loader.samples, 'sample')} do not fill a batch of {loader.batch_size}, "
                "and drop_last=True drops what does not"
            )
    cut = {
        EndKind.EXIT: f"exited with status {record.end.status}",
        EndKind.INTERRUPTED: "was interrupted",
        EndKind.KILLED: "was killed",
    }.get(record.end.kind)
    until = f" before it {cut}" if cut else ""
    elsewhere = ("of the processes that a program starts, unstuck watches those that "
                 "multiprocessing spawns; in others, put `with unstuck.watch():` around the "
                 "training")
    models = [model.kind for model in record.facts(Model)] + [
        call.model for call in record.facts(ModelCall)]
    if not models:
        return (
            f"the program imported torch but called no model in this process{until} ({elsewhere})"
        )
    name = models[0]
    built = " and built an optimizer" if record.facts(Optimizer) else ""
    guard = next((each for each in record.facts(Guarded) if each.method == "step"), None)
    if guard is not None:
        return (
            f"the program called {name}, but no loss reached backward(){until}: what trains stands "
            f"behind the condition at {_place(guard.condition)}, which let no batch pass"
        )
    return (
        f"the program called {name}{built}, but no loss reached backward(){until}, so nothing "
        f"could be learned ({elsewhere})"
    )
