"""A diagnosis in a notebook; `make test-frameworks` runs a real kernel."""

from __future__ import annotations

import io
import re
from pathlib import Path

from tests.observe.sources import record_of
from unstuck.judge.engine import diagnose
from unstuck.report import notebook
from unstuck.report.terminal import render

PROGRAM = """
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1e20)
for _ in range(40):
    optimizer.zero_grad()
    model(torch.ones(4, 3)).square().mean().backward()
    optimizer.step()
"""


def test_outside_of_a_notebook_nothing_changes() -> None:
    assert notebook.shell() is None
    assert notebook.cell("/tmp/ipykernel_1/2.py") is None


def test_one_piece_of_html_says_what_a_terminal_shows(tmp_path: Path) -> None:
    diagnosis = diagnose(record_of(PROGRAM, tmp_path))
    plain, coloured = io.StringIO(), io.StringIO()
    render(diagnosis, file=plain, width=100, color=False)
    render(diagnosis, file=coloured, width=100, color=True)
    html = notebook.as_html(coloured.getvalue())
    assert html.startswith("<pre ")
    assert html.count("<pre ") == 1
    shown = re.sub("<[^>]*>", "", html)
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&#x27;", "'"), ("&quot;", '"'),
                              ("&amp;", "&")):
        shown = shown.replace(entity, character)
    assert [line.rstrip() for line in shown.rstrip().splitlines()] == [
        line.rstrip() for line in plain.getvalue().splitlines()]
    assert "^^^^" in shown
