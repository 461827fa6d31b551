"""Numbers and lists in sentences: the one place that decides how they are written."""

from __future__ import annotations

import math
from collections.abc import Iterable

MOST_TIMES = 10_000  # nobody needs to know by how much more


def number(value: float) -> str:
    """A number in a sentence, three digits of it: 1,410; 0.65; 0.00003; 2e12; inf."""
    if not math.isfinite(value):
        return {math.inf: "inf", -math.inf: "-inf"}.get(value, "NaN")
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{int(value):,}"  # a count is exact
    shown = float(f"{value:.3g}")
    if 1e-5 <= abs(shown) < 1e9:
        places = max(2 - math.floor(math.log10(abs(shown))), 0)
        text = f"{shown:,.{places}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = f"{shown:.3g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def percent(share: float) -> str:
    """A share in a sentence: 40 %, 0.003 %; from ten on as a factor: 2,000 times."""
    if share >= 10:
        return times(share)
    if not math.isfinite(share):
        return f"{number(share)} %"
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{number(float(f'{100 * share:.2g}'))} %"


def times(factor: float) -> str:
    """A factor in a sentence: 2.5 times, 1,400 times, more than 10,000 times."""
    if factor > MOST_TIMES:
        return f"more than {MOST_TIMES:,} times"
    return f"{number(float(f'{factor:.2g}'))} times"


def count(amount: int, noun: str, plural: str | None = None) -> str:
    """How many there are of something: 1 pass, 2 passes, 1,797 samples."""
    return f"{amount:,} {noun if amount == 1 else plural or plural_of(noun)}"


def plural_of(noun: str) -> str:
    """The plural of a regular English noun."""
    if noun.endswith(("s", "sh", "ch", "x", "z")) and not noun.endswith("epoch"):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def called(name: str) -> str:
    """A layer's name in a sentence: a bare number of a Sequential reads as "layer 3"."""
    return f"layer {name}" if name[:1].isdigit() else name


def lowered(sentence: str) -> str:
    """A sentence's start in mid-sentence; names such as SGD keep their capitals."""
    alone = sentence[1:2].islower() or sentence[1:2] == " "
    return sentence[:1].lower() + sentence[1:] if alone else sentence


def command(start: str, run: str) -> str:
    """A command for a run; "" is the last one, which needs no name."""
    return f"{start} {run}" if run else start


def joined(names: Iterable[str], most: int = 3, by: str = "and") -> str:
    """Names in a sentence: a; a and b; a, b and c; a, b, c and 4 more."""
    listed = list(names)
    if len(listed) > most:
        return f"{', '.join(listed[:most])} {by} {len(listed) - most:,} more"
    return f" {by} ".join(filter(None, (", ".join(listed[:-1]), *listed[-1:])))
