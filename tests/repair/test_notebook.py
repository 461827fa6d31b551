"""Cells of a notebook are changed like any other source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unstuck.reading import Unusable
from unstuck.record.reader import Record
from unstuck.repair.cannot import CannotWrite
from unstuck.repair.compose import Overlay, compose
from unstuck.repair.diffs import with_diffs
from unstuck.repair.notebook import notebook
from unstuck.repair.write import write
from unstuck.schema.edits import OptimizerArgument, Remedy, Safety
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.optimizers import Optimizer
from unstuck.schema.facts.run import Program
from unstuck.schema.findings import (
    Diagnosis,
    Finding,
    Outcome,
    OutcomeKind,
    Present,
    Severity,
)
from unstuck.schema.places import SourceLocation

SETTINGS = "%matplotlib inline\nimport torch\n\nlr = 10.0  # too high\n!nvidia-smi"
BUILD = "model = torch.nn.Linear(4, 1)\noptimizer = torch.optim.SGD(model.parameters(), lr=lr)"
TRAIN = "for x, y in batches:\n    loss = model(x).sub(y).pow(2).mean()\n    loss.backward()"
NAMES = ("/tmp/ipykernel_7/1.py", "/tmp/ipykernel_7/2.py")


def cell(text: str, kind: str = "code") -> dict[str, Any]:
    more = {"execution_count": 1, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True), **more}


def written(folder: Path, *texts: str, indent: int = 1) -> Path:
    file = folder / "train.ipynb"
    cells = [cell("# Ein Netz für Ziffern", "markdown"), *map(cell, texts)]
    file.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=indent,
                               ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    return file


def record() -> Record:
    """What a run of the cells holds: the optimizer's line, and the line of backward."""
    line = BUILD.splitlines()[1]
    built = SourceLocation(NAMES[0], 2, 13, 2, len(line) + 1, line)
    back = SourceLocation(NAMES[1], 3, 5, 3, 20, TRAIN.splitlines()[2])
    return Record("0" * 32, "0").hold(
        Optimizer("SGD", "SGD", built, 10.0, 0.0, 0.0, ()), Backward(back))


def test_a_value_of_another_cell_is_changed_and_nothing_else(tmp_path: Path) -> None:
    file = written(tmp_path, SETTINGS, BUILD, TRAIN)
    book = notebook(file, record())
    found = write(OptimizerArgument("SGD", "lr", 0.05), record(), book.index)
    assert not isinstance(found, CannotWrite)
    overlay = compose([found[0]], book.index)
    assert isinstance(overlay, Overlay)
    assert book.diff(overlay) == """\
--- train.ipynb, cell 2
+++ train.ipynb, cell 2
@@ -1,5 +1,5 @@
 %matplotlib inline
 import torch
\x20
-lr = 10.0  # too high
+lr = 0.05  # too high
 !nvidia-smi
"""
    before, after = file.read_text(encoding="utf-8"), book.patched(overlay)
    changed = [(old, new) for old, new in zip(before.splitlines(), after.splitlines(), strict=True)
               if old != new]
    assert changed == [('    "lr = 10.0  # too high\\n",', '    "lr = 0.05  # too high\\n",')]


def test_a_finding_in_a_notebook_has_its_diff(tmp_path: Path) -> None:
    written(tmp_path, SETTINGS, BUILD, TRAIN)
    other = (tmp_path / "train.ipynb").read_text().replace("lr=lr", "lr=1")
    (tmp_path / "other.ipynb").write_text(other)
    held = record().hold(Program(("ipykernel_launcher.py", "-f", "kernel.json"), "", "", "", ()))
    rate = Remedy("rate", Safety.SAFE, (OptimizerArgument("SGD", "lr", 0.05),))
    found = Finding("learning-rate-too-high", "O001", Severity.ERROR, Present(
        0.9, "it is too high", 0, held.facts(Optimizer)[0].location, "", (), (rate,)))
    diagnosis = Diagnosis("1", "r", Outcome(OutcomeKind.DIVERGED, 1, "Inf."), (found,), (), 9)
    diff = with_diffs(diagnosis, held, str(tmp_path)).findings[0].remedies[0].diff
    assert diff is not None
    assert "+++ train.ipynb, cell 2" in diff
    assert "+lr = 0.05" in diff


def test_another_notebook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="has changed since"):
        notebook(written(tmp_path, SETTINGS, BUILD), record())


def test_a_file_that_would_change_as_a_whole_is_not_written(tmp_path: Path) -> None:
    book = notebook(written(tmp_path, SETTINGS, BUILD, TRAIN, indent=2), record())
    with pytest.raises(Unusable, match="not formatted"):
        book.patched(Overlay((), {}))


@pytest.mark.parametrize("text", ["", "[]", '{"cells": 3}', '{"cells": [1]}', "{" * 100000])
def test_what_is_no_notebook_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "train.ipynb"
    file.write_text(text)
    with pytest.raises(Unusable, match="is not a notebook"):
        notebook(file, record())
