"""Reads the logs of this package and compares with what a careful person reads in them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.logs import (
    consoles,
    folders,
    further,
    others,
    rarer,
    rest,
    shown,
    spread,
    tables,
    told,
)
from harness.logs.case import Case, Expected
from harness.logs.shapes import Floats
from unstuck.curves.outcome import judge
from unstuck.logs.read import records
from unstuck.reading import Unusable
from unstuck.record.reader import Record
from unstuck.schema.facts.run import Log
from unstuck.schema.findings import OutcomeKind
from unstuck.schema.signals.losses import HELD_OUT_LOSS, TRAIN_LOSS


@dataclass(frozen=True)
class Verdict:
    """What was read in one run, and what was wrong with it."""

    case: str
    outcome: bool
    columns: bool
    says: str


def cases(aside: bool) -> list[Case]:
    """The logs of one part."""
    return [case for module in (tables, consoles, folders, rarer, told, further, others, spread,
                                rest, shown)
            for case in module.cases() if case.aside is aside]


def written(case: Case, folder: Path) -> Path:
    """Writes the files of a log; what is to be read."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "log" if set(case.files) == {"log"} else folder


def verdicts(case: Case) -> Iterator[Verdict]:
    """The runs of one log."""
    with tempfile.TemporaryDirectory() as name:
        try:
            found = list(records(written(case, Path(name))))
        except Unusable as error:
            found, says = [], str(error)
        else:
            says = f"{len(found)} runs instead of {len(case.runs)}"
    if len(found) != len(case.runs):
        yield from (Verdict(case.name, False, False, says) for _ in case.runs or [None])
        return
    for record, expected in zip(found, case.runs, strict=True):
        outcome = judge(record)
        log = record.fact(Log)
        assert log is not None
        wrong = columns(record, log, expected)
        yield Verdict(case.name, outcome.kind.value in expected.truth, not wrong,
                      f"{outcome.kind.value} for {'|'.join(expected.truth)}: {outcome.says} "
                      f"[train {log.train!r} held {log.held_out!r} x {log.axis!r} {log.unit}] "
                      f"{wrong}")


def columns(record: Record, log: Log, expected: Expected) -> str:
    """What is wrong with the numbers of a run's curves; "" if nothing is."""
    if not len(expected.train):
        return ""
    if log.unit not in expected.units:
        return f"the axis is {log.unit}"
    train = record.series(TRAIN_LOSS).values
    if log.higher_is_better is not expected.higher:
        return "higher is better" if log.higher_is_better else "lower is better"
    if not _same(train, expected.train, expected.higher):
        return f"train has {len(train)} points, of {len(expected.train)}, from {train[0]}"
    held = record.series(HELD_OUT_LOSS).values if record.measured(HELD_OUT_LOSS) else None
    if (held is None) is not (expected.held is None):
        return "held-out is there" if held is not None else "no held-out"
    if held is not None and expected.held is not None and not _same(
            held, expected.held, expected.higher):
        return f"held-out has {len(held)} points, of {len(expected.held)}"
    return ""


def _same(found: Floats, expected: Floats, higher: bool) -> bool:
    able = [best - expected for best in (0.0, 1.0, 100.0)] if higher else [expected]
    return any(len(found) == len(values)
               and np.allclose(found, values, rtol=3e-3, atol=2e-3, equal_nan=True)
               for values in able)


def refused(kind: OutcomeKind) -> bool:
    """Whether an outcome says nothing."""
    return kind is OutcomeKind.TOO_SHORT


def main() -> None:
    """Prints what was missed."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aside", action="store_true", help="the part that is kept aside")
    asked = parser.parse_args()
    known = cases(asked.aside)
    found = [verdict for case in known for verdict in verdicts(case)]
    for verdict in found:
        if not (verdict.outcome and verdict.columns):
            print(f"MISS {verdict.case}: {verdict.says}")
    for what, right in (("outcomes", [v.outcome for v in found]),
                        ("columns", [v.columns for v in found])):
        print(f"{what} right: {sum(right)} of {len(right)} = {sum(right) / len(right):.3f}")
    print(f"{len(known)} logs")


if __name__ == "__main__":
    main()
