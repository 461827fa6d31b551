"""What a diagnosis says of a run, as plain data; and how early it says so."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harness.apart import PACKAGE, mark

CUTS = (1, 3, 10, 30, 100, 300, 1000)  # steps after which it is asked what would be named


@dataclass(frozen=True, slots=True)
class Named:
    """A finding."""

    slug: str
    severity: str
    explained_by: str | None = None
    one_of: tuple[str, ...] = ()
    separated_by: str = ""
    line: int | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A diagnosis. `unknown` are the causes that it could not judge."""

    outcome: str
    findings: tuple[Named, ...]
    unknown: tuple[str, ...]
    steps: int
    early: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def counted(self) -> tuple[Named, ...]:
        """Findings that are more than a note."""
        return tuple(found for found in self.findings if found.severity != "note")


@cache
def version() -> str:
    """A mark of the whole package: judgements of another version do not count."""
    return mark([*PACKAGE.rglob("*.py"), Path(__file__)])


def judge(home: Path, early: bool) -> Judgement:
    """Judges the record of a run's folder, unless this version has done so.

    Args:
        home: the folder of the run.
        early: judge it also as it was after some steps.
    """
    file = home / f"judgement-{version()}-{'early' if early else 'end'}.json"
    if file.exists():
        return _read(file)
    for old in home.glob(f"judgement-*-{'early' if early else 'end'}.json"):
        old.unlink()
    from unstuck.judge.engine import diagnose
    from unstuck.record.reader import read_record

    diagnosis = diagnose(read_record(home / "record"))
    from unstuck.schema.findings import Unknown

    judgement = Judgement(
        outcome=diagnosis.outcome.kind.value,
        findings=tuple(
            Named(found.cause, found.severity.value, found.explained_by, found.one_of,
                  found.separated_by.words if found.separated_by else "",
                  found.location.line if found.location else None,
                  found.title)
            for found in diagnosis.findings),
        unknown=tuple(slug for slug, verdict in diagnosis.verdicts if isinstance(verdict, Unknown)),
        steps=diagnosis.steps,
        early={str(cut): _after(home, cut) for cut in CUTS if cut < diagnosis.steps}
        if early else {},
    )
    unfinished = file.with_suffix(".new")
    unfinished.write_text(json.dumps(asdict(judgement)))
    unfinished.replace(file)
    return judgement


def _read(file: Path) -> Judgement:
    found: dict[str, Any] = json.loads(file.read_text())
    found["findings"] = tuple(
        Named(**{**each, "one_of": tuple(each["one_of"])}) for each in found["findings"])
    found["unknown"] = tuple(found["unknown"])
    found["early"] = {cut: tuple(slugs) for cut, slugs in found["early"].items()}
    return Judgement(**found)


def _after(home: Path, steps: int) -> tuple[str, ...]:
    """The slugs that are named when the run is stopped after so many steps."""
    from unstuck.judge.engine import diagnose

    lines = (home / "record" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "events.jsonl").open("w", encoding="utf-8") as early:
            for line in lines:
                event = until(json.loads(line), steps)
                if event is not None:
                    early.write(json.dumps(event) + "\n")
            early.write(json.dumps({
                "type": "fact", "fact": "end", "step": steps,
                "data": {"kind": "stopped", "max_steps": steps}}) + "\n")
        return tuple(each.cause for each in diagnose(folder).counted())


def until(event: dict[str, Any], steps: int) -> dict[str, Any] | None:
    """What there is of an event before a step, None if nothing."""
    if event["type"] == "step":
        rows = [row for row in event["rows"] if row[0] < steps]
        return {**event, "rows": rows} if rows else None
    if event["type"] == "fact" and event["fact"] == "end":
        return None
    return event if event.get("step", 0) < steps else None
