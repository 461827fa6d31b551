"""How the change of a program's text is shown in a report."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from unstuck.repair.compose import Overlay, unified_diff
from unstuck.repair.index import Index
from unstuck.repair.text import Source
from unstuck.report.changes import read_diff
from unstuck.report.terminal import render
from unstuck.schema.edits import OptimizerArgument, Remedy, Safety
from unstuck.schema.findings import (
    Diagnosis,
    Finding,
    Outcome,
    OutcomeKind,
    Present,
    Severity,
)
from unstuck.schema.places import SourceLocation

OLD = """\
def train(model, x):
    opt = SGD(model.parameters(), lr=10)

    loss = f(x)
    loss.backward()
    opt.step()
"""
RATE = Remedy("rate", Safety.SAFE, (OptimizerArgument("SGD", "lr", 0.08),))


def diff(*changes: tuple[str, str], old: str = OLD, name: str = "train.py") -> str:
    new = old
    for before, after in changes:
        assert before in new
        new = new.replace(before, after)
    return unified_diff(Overlay((), {name: new}), Index([Source(name, old)]))


def shown(text: str, remedy: Remedy = RATE, **options: object) -> str:
    place = SourceLocation(str(Path.cwd() / "train.py"), 2, 11, 2, 42, OLD.splitlines()[1])
    present = Present(0.9, "it is too high", 3, place, "far too high", (),
                      (replace(remedy, diff=text or None), remedy))
    found = Finding("learning-rate-too-high", "O001", Severity.ERROR, present)
    file = io.StringIO()
    diagnosis = Diagnosis("1", "r", Outcome(OutcomeKind.DIVERGED, 0.9, "Inf."), (found,), (), 9)
    render(diagnosis, file=file, quiet=True, **options)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.fixture(autouse=True)
def _plain_world(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)


def test_a_short_change_is_shown_with_the_lines_numbers() -> None:
    assert shown(diff(("lr=10", "lr=0.08"))) == """\
error[learning-rate-too-high]: it is too high
  ┌─ train.py:2:11
2 │     opt = SGD(model.parameters(), lr=10)
  │           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ far too high
  = fix    set the learning rate of SGD to 0.08
2 -     opt = SGD(model.parameters(), lr=10)
2 +     opt = SGD(model.parameters(), lr=0.08)
  = or     SGD(..., lr=0.08)
  = why    unstuck explain learning-rate-too-high
"""


def test_a_line_that_is_only_added_stands_below_its_neighbour() -> None:
    found = shown(diff(("    loss.b", "    opt.zero_grad()\n    loss.b")))
    assert "4       loss = f(x)\n5 +     opt.zero_grad()\n  = or" in found
    found = shown(diff(("    loss = f(x)", "    x = x / 9\n    loss = f(x)")))
    assert "4 +     x = x / 9\n4       loss = f(x)\n  = or" in found


def test_a_line_between_two_that_are_added_is_there_once() -> None:
    text = diff(("    loss.b", "    a()\n    loss.b"), ("    opt.s", "    b()\n    opt.s"))
    rows = read_diff(text).files[0][1]
    assert [(row.sign, row.line) for row in rows] == [
        (" ", 4), ("+", 5), (" ", 5), ("+", 7)]


def test_another_file_is_named() -> None:
    found = shown(diff(("lr = 1", "lr = 2"), old="lr = 1\n", name="config.py"))
    assert "to 0.08\n  ┌─ config.py:1\n1 - lr = 1\n1 + lr = 2\n  = or" in found


def test_a_long_change_is_a_line_that_names_the_command() -> None:
    text = diff(("    opt.step()", "    opt.step()\n" + "    more()\n" * 6 + "    more()"))
    says = """\
  = fix    SGD(..., lr=0.08)
           # 7 lines here: unstuck fix --dry-run"""
    assert f"{says}\n" in shown(text)
    assert f"{says} 'my run'\n" in shown(text, run="'my run'")
    assert "more()" not in shown(text)


def test_lines_that_look_like_the_head_of_a_diff_are_lines() -> None:
    old = "--- a/train.py\n+++ b/train.py\n@@ -1,2 +1,2 @@\n"
    made = unified_diff(Overlay((), {"train.py": f'x = """\n{old}"""\ny = 2\n'}), Index(
        [Source("train.py", f'x = """\n{old}\n"""\ny = 1\n')]))
    rows = read_diff(made).files[0][1]
    assert [(row.sign, row.text) for row in rows] == [("-", ""), ("-", "y = 1"), ("+", "y = 2")]


def test_a_missing_line_end_is_no_line() -> None:
    text = diff(("x = 1", "x = 2"), old="x = 1")
    assert [row.text for row in read_diff(text).files[0][1]] == ["x = 1", "x = 2"]


@pytest.mark.parametrize("width", [20, 30, 40])
def test_a_narrow_terminal_shows_what_differs(width: int) -> None:
    found = shown(diff(("lr=10", "lr=0.08")), width=width)
    rows = [line for line in found.splitlines() if line.startswith(("2 -", "2 +"))]
    assert all(cell_len(row) <= width for row in rows)
    assert "10" in rows[0]
    assert "0.08" in rows[1]


def test_colour_marks_what_goes_and_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = diff(("lr=10", "lr=0.08"))
    found = shown(text, color=True)
    assert "\x1b[31m-     opt = SGD(model.parameters(), lr=10)\x1b[0m" in found
    assert "\x1b[32m+     opt = SGD(model.parameters(), lr=0.08)\x1b[0m" in found
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shown(text)


def test_where_the_text_cannot_be_changed_an_instruction_stands_with_the_values() -> None:
    typed = replace(RATE, instruction="Pass --lr 0.08 in place of --lr 10.",
                    code_text="python train.py --lr 0.08")
    assert """\
  = fix    Pass --lr 0.08 in place of --lr 10.
           python train.py --lr 0.08
""" in shown("", typed)
