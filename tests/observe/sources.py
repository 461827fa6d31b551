"""Programs given as source, run under watch, and what their facts point at."""

from __future__ import annotations

import linecache
import textwrap
from pathlib import Path
from typing import Any

import unstuck
from unstuck.record.reader import Record, read_record
from unstuck.schema.places import SourceLocation

START = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"


def record_of(source: str, folder: Path, **options: Any) -> Record:
    """The record of a program, which is written into a folder; with the usual imports before it."""
    folder.mkdir(exist_ok=True)
    file = folder / "program.py"
    file.write_text(START + textwrap.dedent(source), encoding="utf-8")
    linecache.checkcache()
    with unstuck.watch(folder / "record", **{"overhead": 1e9, **options}):
        exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), {"__name__": "program"})
    record = read_record(folder / "record")
    assert not [o.says for o in record.oddities if o.what == "watcher-failed"]
    return record


def text_at(location: SourceLocation | None) -> str:
    """The text that a location points at, from its own file."""
    assert location is not None
    lines = Path(location.file).read_text(encoding="utf-8").splitlines()[
        location.line - 1:location.end_line]
    lines[-1] = lines[-1][:location.end_column - 1]
    lines[0] = lines[0][location.column - 1:]
    return "\n".join(lines)
