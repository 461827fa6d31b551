"""Commas within the numbers of printed text: decimal ones, 0,53, and those of thousands, 1,000."""

from __future__ import annotations

import re

FEWEST = 3  # numbers that show how a text writes them
_NUMBER = re.compile(r"(?<![^\s:=(\[|])[+-]?(?P<whole>\d{1,12})(?P<comma>,)?(?P<rest>[\d,]*)"
                     r"(?P<point>\.\d+)?(?=[\s;|)%\]]|[,:.](?:\s|$)|$)")
_CLOCK = re.compile(r"\d\d:\d\d:\d\d[.,]\d+")
_DECIMAL = re.compile(rb"(?<![\d:,.])(\d+),(?=\d)(?!\d+,\d)")
_SHARE = re.compile(rb"(?<![\d:,.])(\d{1,3}),(?=\d{1,4}\s?%)")
_PERCENT = re.compile(r"\s?%")
_THOUSANDS = re.compile(rb"(?<=\d),(?=\d{3}(?!\d))")


def without(text: str) -> tuple[re.Pattern[bytes], bytes] | None:
    """What to replace in a text that begins so, and by what; None if its numbers have no commas."""
    decimal = thousands = points = shares = 0
    for found in _NUMBER.finditer(_CLOCK.sub(" ", text)):
        if found["point"]:
            points += 1
        if not found["comma"]:
            continue
        grouped = re.fullmatch(r"\d{3}(?:,\d{3})*", found["rest"]) is not None
        if grouped and found["whole"] != "0" and len(found["whole"]) < 4:
            thousands += FEWEST if found["point"] else 1  # 1,234.5 leaves no doubt
        elif found["rest"].isdigit():
            decimal += 1
            shares += _PERCENT.match(text, found.end()) is not None
    if decimal >= FEWEST and decimal > points:
        return _DECIMAL, rb"\1."
    if shares >= FEWEST:  # beside numbers that a program prints with a point
        return _SHARE, rb"\1."
    if thousands >= FEWEST and not decimal:
        return _THOUSANDS, b""
    return None
