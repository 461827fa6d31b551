"""How well outcomes and forecasts do on labelled curves: `python -m benchmarks.curves [--aside]`.

`tools/curves.py` makes the curves and says where their truth comes from. A third of them, by a hash
of their names, is kept aside: nothing is tuned on it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from unstuck.curves.forecast import Forecast, forecast
from unstuck.curves.outcome import judge
from unstuck.judge.engine import diagnose
from unstuck.record.reader import Record
from unstuck.record.series import Series
from unstuck.schema.facts.run import End, EndKind, Log
from unstuck.schema.findings import Outcome, Severity

FILE = Path(__file__).resolve().parent.parent / "tests" / "data" / "curves" / "curves.jsonl.gz"
HEALTHY = ("learning", "converged", "plateau")
SHARE_ASIDE = 3


@dataclass(frozen=True)
class Curve:
    """A labelled curve: a record, the outcomes that are right (none: no clear case), its future."""

    name: str
    truth: tuple[str, ...]
    record: Record
    now: float | None  # the level at the end, where it is known without noise
    later: Series | None

    @property
    def aside(self) -> bool:
        """Whether nothing may be tuned on it."""
        return hashlib.sha256(self.name.encode()).digest()[0] % SHARE_ASIDE == 0

    @property
    def foreseeable(self) -> bool:
        """Whether it is known how it went on, and it may be asked."""
        return self.later is not None and (self.healthy or not self.truth)

    @property
    def healthy(self) -> bool:
        """Whether its training took its course."""
        return bool(self.truth) and all(kind in HEALTHY for kind in self.truth)


def _series(steps: Sequence[float], values: Sequence[Any]) -> Series:
    return Series(np.asarray(steps, dtype=np.int64), np.array([float(v) for v in values]))


@cache
def curves(aside: bool) -> tuple[Curve, ...]:
    """The labelled curves of one part."""
    found = []
    for line in gzip.decompress(FILE.read_bytes()).decode().splitlines():
        row = json.loads(line)
        record = Record(row["name"], "0").hold(End(EndKind.FINISHED))
        if row.get("logged"):
            record.hold(Log("", "CSV", "loss", None, "epoch", "epoch", 0))
        train = record._series["train-loss"] = _series(row["steps"], row["train"])
        if "held" in row:
            record._series["held-out-loss"] = _series(*row["held"])
        if "constant" in row:
            record._series["constant-loss"] = _series([0], [row["constant"]])
        record.steps = int(train.steps[-1])
        later = _series(*row["later"]) if "later" in row else None
        found.append(Curve(row["name"], tuple(row["truth"]), record, row.get("now"), later))
    return tuple(curve for curve in found if curve.aside is aside)


def outcomes(aside: bool) -> list[tuple[Curve, Outcome]]:
    """What is said of each curve of one part."""
    return [(curve, judge(curve.record)) for curve in curves(aside) if curve.truth]


def alarms(aside: bool) -> tuple[int, int]:
    """Healthy curves with a finding of error level, and healthy curves."""
    healthy = [curve for curve in curves(aside) if curve.healthy]
    return sum(any(f.severity is Severity.ERROR for f in diagnose(curve.record).findings)
               for curve in healthy), len(healthy)


def forecasts(aside: bool) -> list[tuple[Curve, Forecast, float]]:
    """Forecasts of the healthy curves whose continuation is known, with the true gain."""
    made = []
    for curve in curves(aside):
        train = curve.record._series["train-loss"]
        assert isinstance(train, Series)
        if not curve.foreseeable or curve.later is None:
            continue
        more = float(curve.later.steps[-1] - train.steps[-1])
        found = forecast(train, more)
        if isinstance(found, Forecast):
            now = found.level if curve.now is None else curve.now
            made.append((curve, found, now - float(curve.later.values[-1])))
    return made


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a proportion (Wilson, 1927)."""
    if not of:
        return 0.0, 1.0
    p = hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return middle - half, middle + half


def _share(hits: int, of: int) -> str:
    low, high = wilson(hits, of)
    return f"{hits} of {of} = {hits / max(of, 1):.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aside", action="store_true", help="the part that is kept aside")
    parser.add_argument("--misses", action="store_true", help="name the curves that are missed")
    asked = parser.parse_args()
    found = outcomes(asked.aside)
    right = [outcome.kind.value in curve.truth for curve, outcome in found]
    print("outcomes right:", _share(sum(right), len(found)))
    for synthetic in (True, False):
        part = [r for (c, _), r in zip(found, right, strict=True)
                if c.name.startswith("~") is synthetic]
        print("  synthetic:" if synthetic else "  recorded:", _share(sum(part), len(part)))
    for low, high in ((0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        sure = [r for (_, o), r in zip(found, right, strict=True) if low <= o.confidence < high]
        print(f"  at a confidence of {low} to {min(high, 1.0)}:", _share(sum(sure), len(sure)))
    confused = Counter(("|".join(c.truth), o.kind.value) for c, o in found)
    for (truth, said), count in sorted(confused.items()):
        print(f"  {truth:22} called {said:18} {count:4}")
    if asked.misses:
        for (curve, outcome), good in zip(found, right, strict=True):
            if not good:
                print(f"  MISS {curve.name}: {curve.truth} {outcome.kind.value} "
                      f"{outcome.confidence}: {outcome.says}")
    print("healthy curves with an error:", _share(*alarms(asked.aside)))
    made = forecasts(asked.aside)
    for name, part in (
        ("synthetic", [m for m in made if m[0].name.startswith("~")]),
        ("recorded", [m for m in made if not m[0].name.startswith("~")]), ("all", made),
    ):
        covered = [f.low <= gain <= f.high for _, f, gain in part]
        below = sum(gain < f.low for _, f, gain in part)
        width = np.median([(f.high - f.low) / abs(f.level) for _, f, _ in part] or [0])
        print(f"80 % intervals that cover, {name}:", _share(sum(covered), len(part)),
              f"{below} below; median width {width:.3f} of the level")
    asked_for = sum(curve.foreseeable for curve in curves(asked.aside))
    print("forecasts made:", _share(len(made), asked_for))


if __name__ == "__main__":
    main()
