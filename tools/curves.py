"""Makes the labelled curves of tests/data/curves: `python -m tools.curves LONG_RECORDS`.

Synthetic curves have the truth of the formula that made them. Recorded curves (of the corpus,
and of the folder that `tools.record_long` filled) are cut somewhere, and what came after the cut is
the truth. No detector has a say: a curve whose truth is no clear case by these rules has none, and
serves for forecasts only.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tools.recorded_curves import AHEAD, SEEN, Curve, Floats, numbers, recorded, row

FILE = Path(__file__).resolve().parent.parent / "tests" / "data" / "curves" / "curves.jsonl.gz"
CLEAR = 0.05  # of the level, lost in half as many steps more: it was still learning
STILL = 0.01  # less than this: it was flat


def main() -> None:
    made = [*_synthetic(), *recorded(Path(sys.argv[1]))]
    names = [curve["name"] for curve in made]
    assert len(set(names)) == len(names)
    FILE.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(curve, separators=(",", ":")) + "\n" for curve in made)
    FILE.write_bytes(gzip.compress(lines.encode(), 9, mtime=0))
    for kind in sorted({"|".join(curve["truth"]) for curve in made}):
        found = [curve["name"] for curve in made if "|".join(curve["truth"]) == kind]
        real = sum(not name.startswith("~") for name in found)
        print(f"{kind or 'no clear case':30} {len(found):4}, {real} of them recorded")
    print(len(made), "curves,", FILE.stat().st_size, "bytes")


# Synthetic ---------------------------------------------------------------------------------------
Shape = Callable[[Floats, np.random.Generator], Floats]  # of the time in runs; 1 is the cut


def _power(floor: tuple[float, float], exponent: tuple[float, float]) -> Shape:
    def shape(u: Floats, g: np.random.Generator) -> Floats:
        low, wait, c = g.uniform(*floor), np.exp(g.uniform(np.log(0.003), np.log(0.2))), \
            g.uniform(*exponent)
        return low + (1 - low) * (1 + u / wait) ** -c
    return shape


def _decay(floor: tuple[float, float], time: tuple[float, float]) -> Shape:
    def shape(u: Floats, g: np.random.Generator) -> Floats:
        low, tau = g.uniform(*floor), np.exp(g.uniform(*np.log(time)))
        return low + (1 - low) * np.exp(-u / tau)
    return shape


def _two_phases(u: Floats, g: np.random.Generator) -> Floats:
    """A plateau, then a fall, as of a network that takes a while to find its way."""
    at, width = g.uniform(0.2, 0.6), g.uniform(0.04, 0.12)
    low, tail = g.uniform(0.0, 0.2), g.uniform(0.2, 0.6)
    first = 1 / (1 + np.exp((u - at) / width))
    return low + (1 - low) * (0.75 * first + 0.25 * (1 + u / 0.05) ** -tail)


def _warm_up(u: Floats, g: np.random.Generator) -> Floats:
    """Slow at first, for the rate is still small."""
    v = np.where(u < 0.1, u**2 / 0.2, u - 0.05)
    wait, exponent = np.exp(g.uniform(np.log(0.02), np.log(0.2))), g.uniform(0.4, 1)
    return 0.05 + 0.95 * (1 + v / wait) ** -exponent


def _drops(u: Floats, g: np.random.Generator) -> Floats:
    """A rate cut by ten, twice: each cut takes the loss down to another level."""
    one, two = g.uniform(0.25, 0.4), g.uniform(0.5, 0.65)
    levels = 0.4, 0.15, g.uniform(0.06, 0.09)
    loss = levels[0] + (1 - levels[0]) * np.exp(-u / 0.04)
    for at, above, low in ((one, levels[0], levels[1]), (two, levels[1], levels[2])):
        loss = np.where(u > at, low + (above - low) * np.exp(-(u - at) / 0.02), loss)
    return loss


def _turning(u: Floats, g: np.random.Generator) -> Floats:
    at, low = g.uniform(0.25, 0.6), g.uniform(0.2, 0.5)
    fall = low + (1 - low) * np.exp(-u / (at / 5))
    return fall + np.maximum(u - at, 0) / (1 - at) * g.uniform(0.5, 1.2)


def _rising(u: Floats, g: np.random.Generator) -> Floats:
    return 1 + g.uniform(0.4, 1.2) * u ** g.uniform(0.6, 1.6)


def _exploding(u: Floats, g: np.random.Generator) -> Floats:
    at = g.uniform(0.1, 0.7)
    return (0.4 + 0.6 * np.exp(-u / 0.1)) * np.exp(np.maximum(u - at, 0) / (1 - at)
                                                   * g.uniform(4, 25))


def _flat(u: Floats, g: np.random.Generator) -> Floats:
    return np.ones_like(u)


def _to_constant(u: Floats, g: np.random.Generator) -> Floats:
    """A bad start falls to the constant's loss, quickly, and no further."""
    return 1 + g.uniform(0.3, 3) * np.exp(-u / g.uniform(0.01, 0.06))


# Truth, number of curves, shape, whether the constant's loss is known (None: by chance).
FAMILIES: dict[str, tuple[tuple[str, ...], int, Shape, bool | None]] = {
    "power": (("learning",), 40, _power((0, 0.3), (0.3, 1.5)), None),
    "slow power": (("learning",), 12, _power((0, 0), (0.1, 0.4)), None),
    "decay": (("learning",), 24, _decay((0, 0.3), (0.2, 1.5)), None),
    "two phases": (("learning",), 10, _two_phases, None),
    "warm-up": (("learning",), 10, _warm_up, None),
    "settled": (("converged",), 20, _decay((0.01, 0.07), (0.03, 0.12)), True),
    "at zero": (("converged",), 10, _decay((0.0, 0.004), (0.03, 0.1)), None),
    "rate drops": (("converged",), 10, _drops, True),
    "stuck": (("plateau",), 24, _decay((0.2, 0.8), (0.02, 0.12)), True),
    "floor unknown": (("plateau", "converged"), 10, _decay((0.2, 0.7), (0.02, 0.1)), False),
    "turning": (("broken",), 14, _turning, None),
    "rising": (("broken",), 12, _rising, None),
    "exploding": (("diverged",), 14, _exploding, None),
    "flat": (("not-learning",), 16, _flat, None),
    "to the constant": (("not-learning",), 14, _to_constant, True),
}


def _noise(g: np.random.Generator, n: int, spread: float) -> Floats:
    """Multiplicative, of mean 1; plain, heavy-tailed or correlated."""
    kind = g.integers(3)
    if kind == 1:
        z = np.clip(g.standard_t(4, n), -8, 8) / np.sqrt(2)
    else:
        z = g.standard_normal(n)
        if kind == 2:
            rho = g.uniform(0.2, 0.7)
            for i in range(1, n):
                z[i] = rho * z[i - 1] + np.sqrt(1 - rho**2) * z[i]
    factor = np.exp(spread * z)
    return np.asarray(factor / np.exp(spread**2 / 2))


def _synthetic() -> Iterator[Curve]:
    for family, (truth, count, shape, known) in FAMILIES.items():
        made = seed = 0
        while made < count:
            digest = hashlib.sha256(f"{family} {seed}".encode()).digest()
            curve = _one(f"~{family} {seed}", truth, shape, known,
                         np.random.default_rng(int.from_bytes(digest[:8], "big")))
            seed += 1
            if curve is not None:
                made += 1
                yield curve
    yield from _pairs()
    yield from _too_short()
    yield from _resumed()


def _one(name: str, truth: tuple[str, ...], shape: Shape, known: bool | None,
         g: np.random.Generator) -> Curve | None:
    epochs = bool(g.random() < 0.35)
    n = int(g.integers(12, 60)) if epochs else int(np.exp(g.uniform(np.log(80), np.log(1200))))
    spread = float(np.exp(g.uniform(np.log(0.005), np.log(0.05 if epochs else 0.35))))
    height = float(np.exp(g.uniform(-5, 5)))
    u = (np.arange(n) + 1) / n
    ahead = 1 + AHEAD * np.arange(1, 26) / 25
    whole = shape(np.r_[u, ahead], g)
    clean, later = whole[:n], whole[n:]
    gain = 1 - later[-1] / clean[-1]
    if truth[0] == "learning":
        error = spread * np.sqrt(2.0 / max(n / 4, 1)) * 1.6  # of the two halves' difference
        if gain < CLEAR or 1 - clean[-1] / clean[n // 2] < SEEN * error:
            return None
    if truth[0] in ("converged", "plateau") and gain > STILL and clean[-1] > 0.005:
        return None
    values = clean * _noise(g, n, spread)
    if g.random() < 0.15 and truth[0] in ("learning", "converged", "plateau"):
        values[g.integers(n // 4, n)] *= 20  # a spike
    if truth[0] == "diverged" and g.random() < 0.4:
        values[-int(g.integers(3, n // 4)):] = np.inf if g.random() < 0.3 else np.nan
    stride = int(g.choice([1, 1, 10, 100]))
    steps = (np.arange(n) + (1 if epochs else 0)) * (1 if epochs else stride)
    constant = None
    if known or (known is None and g.random() < 0.4):
        constant = float(f"{height * (1 if truth[0] != 'learning' else g.uniform(0.8, 1)):.4g}")
        if truth[0] == "diverged":
            constant = None
    at = steps[-1] + np.round((ahead - 1) * n) * (1 if epochs else stride)
    return row(name, truth, steps, values * height, constant=constant, logged=epochs or None,
                now=float(f"{clean[-1] * height:.4g}"),
                later=[[int(s) for s in at], numbers(later * height)])


def _pairs() -> Iterator[Curve]:
    """Train and held-out curves: C1 to C3 of the patterns, and a data problem's."""
    for seed in range(48):
        g = np.random.default_rng(7000 + seed)
        epochs = seed % 2 == 0
        n = int(g.integers(20, 60)) if epochs else int(g.integers(200, 1000))
        m = n if epochs else int(g.integers(10, 30))
        u, v = (np.arange(n) + 1) / n, (np.arange(m) + 1) / m
        spread = float(np.exp(g.uniform(np.log(0.01), np.log(0.04 if epochs else 0.2))))
        c, wait, floor = g.uniform(0.5, 1.2), g.uniform(0.02, 0.15), g.uniform(0, 0.1)

        def fall(x: Any, c: float = c, wait: float = wait, floor: float = floor) -> Any:
            return floor + (1 - floor) * (1 + x / wait) ** -c

        kind = ("learning", "overfitting", "data-problem")[seed // 2 % 3]
        train, held = fall(u), fall(v) * g.uniform(1.02, 1.3)
        if kind == "overfitting":
            turn = g.uniform(0.15, 0.5)
            held = np.where(v < turn, held, held[np.searchsorted(v, turn) - 1]
                            * (1 + g.uniform(0.3, 1.5) * (v - turn)))
        if kind == "data-problem":
            train, held = np.ones(n), 1 - g.uniform(0.3, 0.7) * v ** g.uniform(0.7, 1.3)
        elif 1 - fall(1.5) / fall(1.0) < CLEAR:
            continue
        height = float(np.exp(g.uniform(-3, 3)))
        at = np.arange(n) + (1 if epochs else 0)
        held_at = at if epochs else np.round(v * (n - 1))
        yield row(f"~pair {kind} {seed}", (kind,), at, train * _noise(g, n, spread) * height,
                   held=[[int(s) for s in held_at],
                         numbers(held * _noise(g, m, spread / (1 if epochs else 4)) * height)],
                   logged=epochs or None, constant=height if seed % 4 < 2 else None)


def _too_short() -> Iterator[Curve]:
    """Fewer points than any rule of thumb would judge by, or a change far below the noise."""
    for seed in range(15):
        g = np.random.default_rng(8000 + seed)
        logged = seed % 3 == 0
        n = int(g.integers(3, 7)) if logged else int(g.integers(4, 25))
        spread = float(g.uniform(0.1, 0.5))
        values = (1 + np.arange(n) / n) ** -g.uniform(0, 0.3) * _noise(g, n, spread)
        yield row(f"~too short {seed}", ("too-short-to-tell",), np.arange(n),
                   values * float(np.exp(g.uniform(-3, 3))), logged=logged or None)


def _resumed() -> Iterator[Curve]:
    """Runs that were killed and resumed from an older checkpoint, once or twice."""
    for seed in range(12):
        g = np.random.default_rng(9000 + seed)
        n, wait, c = int(g.integers(60, 400)), g.uniform(0.02, 0.1), g.uniform(0.5, 1.2)
        spread, at, last = float(g.uniform(0.02, 0.1)), [], 0
        for _ in range(int(g.integers(1, 3))):
            stop = int(g.integers(last + n // 8, min(last + n // 2, n)))
            at.append(np.arange(last, stop))
            last = max(stop - int(g.integers(5, n // 10 + 6)), 1)
        steps = np.concatenate([*at, np.arange(last, n)])
        clean = (1 + (steps + 1) / n / wait) ** -c
        yield row(f"~resumed {seed}", ("learning",), steps.astype(float),
                   clean * _noise(g, len(steps), spread) * 3, logged=True)


if __name__ == "__main__":
    main()
